"""The tables of `docs/json.md`, made from the shapes in `compiler/terminal/shapes.py`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Any, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

from benchmarks.page import with_section
from compiler.terminal import shapes

PRINTED: dict[str, Any] = {  # by the heading in the page
    "Errors": shapes.Errors,
    "Diagnostic": shapes.Diagnostic,
    "Claim": shapes.Claim,
    "new": shapes.New,
    "fmt": list[shapes.Formatted],
    "validate": list[shapes.Validated],
    "lint": list[shapes.Linted],
    "lint --list": list[shapes.LintRule],
    "explain": list[shapes.Explained],
    "show": shapes.Spec,
    "show TENSOR": shapes.Tensor,
    "show --stage resolved": shapes.Resolved,
    "show --stage ir": shapes.NetworkValue,
    "show --stage program": list[shapes.Program],
    "count": list[shapes.Count],
    "count with a wrong spec": shapes.CountedWithErrors,
    "count --why": list[shapes.Why],
    "diff": shapes.Difference,
    "build": shapes.Built,
    "eval": shapes.Evaluation,
    "run": shapes.Answer,
    "run --tokens": shapes.Generation,
    "trace": shapes.TracedPass,
    "trace --why": shapes.Computations,
    "trace --diff": shapes.PartingPasses,
    "ablate": shapes.Ablation,
    "verify": list[shapes.Certificate],
    "Choice": shapes.Choice,
    "Margin": shapes.Margin,
    "Lead": shapes.Lead,
    "Reason": shapes.Reason,
    "Counterexample": shapes.Counterexample,
    "verify with a wrong spec": shapes.VerifiedWithErrors,
    "threshold": shapes.Threshold,
    "sweep": shapes.Sweep,
    "plot": shapes.Picture,
    "claim": shapes.RenewedClaims,
    "report": shapes.Report,
}
_NAMES = {str: "text", int: "integer", float: "number", bool: "boolean", object: "any"}


@dataclass(frozen=True)
class Field:
    """A field of an object; `shape` is its type, without null."""

    name: str
    meaning: str
    shape: Any
    nullable: bool
    required: bool


def object_of(shape: Any) -> Any:
    """The object that a value is, or that it lists."""
    return get_args(shape)[0] if get_origin(shape) is list else shape


WITH_SECTION = tuple(map(object_of, PRINTED.values()))  # others are described in the tables of those that have them


def fields(shape: Any) -> Iterator[Field]:
    """Those of a typed dictionary, in the order in which they are printed."""
    for name, hint in get_type_hints(shape, include_extras=True).items():
        required = get_origin(hint) is not NotRequired
        described, meaning = get_args(hint if required else get_args(hint)[0])
        yield Field(name, meaning, *without_null(described), required)


def without_null(hint: Any) -> tuple[Any, bool]:
    """A type without null, and whether it had that."""
    if get_origin(hint) is not UnionType:
        return hint, False
    (shape,) = (one for one in get_args(hint) if one is not type(None))
    return shape, True


def rows(shape: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """The table of an object: path, type and meaning of each field, such as `suites[].seed`, `integer or null`."""
    for field in fields(shape):
        here = f"{path}{field.name}"
        kind = _kind(field.shape) + " or null" * field.nullable + " or absent" * (not field.required)
        yield here, kind, field.meaning
        inner = object_of(field.shape)
        below = f"{here}[]" if inner is not field.shape else here
        if get_origin(inner) is dict:
            inner, meaning = get_args(get_args(inner)[1])
            below = f"{below}.NAME"
            yield below, _kind(inner), meaning
        if is_typeddict(inner) and inner not in WITH_SECTION:
            yield from rows(inner, f"{below}.")


def _kind(shape: Any) -> str:
    if get_origin(shape) is list:
        inner, nullable = without_null(get_args(shape)[0])
        return f"list of ({_kind(inner)} or null)" if nullable else f"list of {_kind(inner)}"
    if shape in WITH_SECTION:
        return str(shape.__name__).lower()
    return _NAMES.get(shape, "object")


def with_tables(page: str) -> str:
    """The page with every table as it should be. Raises `NoSection` where it has no place for one."""
    for shape in WITH_SECTION:
        lines = ["| field | type | meaning |", "|---|---|---|"]
        lines += [f"| `{path}` | {kind} | {meaning} |" for path, kind, meaning in rows(shape)]
        page = with_section(page, shape.__name__, "\n".join(lines))
    return page
