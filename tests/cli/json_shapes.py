"""Holds what `--json` prints against the shapes in `compiler/terminal/shapes.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_origin, is_typeddict

from tests.docs.json_tables import WITH_SECTION, fields, without_null


def problems(value: object, shape: Any, path: str = "$") -> Iterator[str]:
    """Where a value differs from a shape: other fields, another order of them, or another type."""
    shape, nullable = without_null(shape)
    inner = get_args(shape)
    if nullable and value is None:
        return
    if is_typeddict(shape) and isinstance(value, dict):
        declared = {field.name: field for field in fields(shape)}
        missing = [name for name, field in declared.items() if field.required and name not in value]
        unknown = [name for name in value if name not in declared]
        yield from (f"{path}: no field {name}" for name in missing)
        yield from (f"{path}: a field {name} too many" for name in unknown)
        if not missing and not unknown and list(value) != [name for name in declared if name in value]:
            yield f"{path}: fields in another order"
        for name in declared.keys() & value.keys():
            if value[name] is not None or not declared[name].nullable:
                yield from problems(value[name], declared[name].shape, f"{path}.{name}")
    elif get_origin(shape) is list and isinstance(value, list):
        for i, item in enumerate(value):
            yield from problems(item, inner[0], f"{path}[{i}]")
    elif get_origin(shape) is dict and isinstance(value, dict):
        for name, item in value.items():
            yield from problems(item, get_args(inner[1])[0], f"{path}.{name}")
    elif not _is(value, shape):
        yield f"{path}: {value!r} is no {getattr(shape, '__name__', shape)}"


def _is(value: object, shape: Any) -> bool:
    if shape is float:  # JSON has no infinity and no NaN
        return (isinstance(value, int | float) and not isinstance(value, bool)) or value in ("inf", "-inf", "nan")
    return shape is object or (shape in (str, int, bool) and type(value) is shape)


def gaps(value: Any, shape: Any, row: tuple[Any, str] = (None, "")) -> Iterator[tuple[tuple[Any, str], bool]]:
    """Each value that may be null or absent: the row of the page that has it, and whether it is.

    A row is the object whose table it is in, and the path there.
    """
    shape, nullable = without_null(shape)
    if nullable:
        yield row, value is None
    if value is None:
        return
    if get_origin(shape) is list:
        for item in value:
            yield from gaps(item, get_args(shape)[0], row)
    elif is_typeddict(shape):
        table, path = (shape, "") if shape in WITH_SECTION else (row[0], f"{row[1]}.")
        for field in fields(shape):
            here = table, f"{path}{field.name}"
            if field.nullable or not field.required:
                yield here, value.get(field.name) is None
            yield from gaps(value.get(field.name), field.shape, here)
