"""A network as programs of elementary operations, as plain values; what is large is given by its size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields, is_dataclass

import numpy as np

from compiler.backends.elementary.model import translate
from compiler.backends.elementary.program import Linear, Node, NotFollowed, Program
from compiler.pipeline import Spec
from compiler.source.diagnostics import did_you_mean, fail

MOST_SHOWN = 64  # numbers of one kind, such as the weights of a map, that are shown one by one


def program_values(spec: Spec, after: str | None) -> list[dict[str, object]]:
    """The programs as they are translated, or as they are `after` this pass and all before it, which needs torch.

    Raises `SpecError` where there is no such pass, or the network is too much to follow.
    """
    try:
        return [_program(_after(program, spec, after)) for program in translate(spec.network, spec.layout)]
    except NotFollowed as error:
        raise fail("not-followed", f"{spec.title} has no such program: {error}") from None


def _after(program: Program, spec: Spec, name: str | None) -> Program:
    if name is None:
        return program
    from compiler.backends.bounds.passes import PASSES, after_each_pass

    names = [bound_pass.name for bound_pass in PASSES]
    if name not in names:
        raise fail("unknown-name", f"there is no pass '{name}'{did_you_mean(name, names)}")
    return next(
        made for bound_pass, made in after_each_pass(program, spec.network, "fast engine") if bound_pass.name == name
    )


def _program(program: Program) -> dict[str, object]:
    decision = program.decision
    return {
        "length": program.length,
        "dtype": program.dtype.name,
        "tokens": program.vocabulary,
        "slots": list(program.slots),
        "prefixes": list(program.prefixes),
        "starts": list(program.starts),
        "nodes": [_node(number, node) for number, node in enumerate(program.nodes)],
        "decision": {
            "input": decision.node,
            "read_at": list(decision.reads),
            "classes": decision.classes,
            "decode": decision.decode,
            **({} if decision.linear is None else _linear(decision.linear)),
        },
    }


def _node(number: int, node: Node) -> dict[str, object]:
    settings = _fields(node.operation)
    return {
        "number": number,
        "step": node.step,
        "operation": type(node.operation).__name__,
        **({"settings": settings} if settings else {}),
        "inputs": list(node.inputs),
        "channels": node.channels,
        **({"live": _ranges(node.live)} if node.live else {}),
        **({"positions": _ranges(node.positions)} if node.positions else {}),
        **({"exact": _ranges(node.exact)} if node.exact else {}),
    }


def _fields(value: object) -> dict[str, object]:
    """What a dataclass holds, without what it does not have."""
    if isinstance(value, Linear):
        return _linear(value)
    assert is_dataclass(value)
    held = {item.name: getattr(value, item.name) for item in fields(value)}
    return {name: _plain(item) for name, item in held.items() if item is not None}


def _plain(value: object) -> object:
    match value:
        case np.ndarray():
            return f"{' × '.join(map(str, value.shape))} {'flags' if value.dtype == np.bool_ else 'numbers'}"
        case tuple():
            return [_plain(item) for item in value] if len(value) <= MOST_SHOWN else f"{len(value)} numbers"
        case float() if not math.isfinite(value):
            return str(value)
        case _ if is_dataclass(value):
            return _fields(value)
        case _:
            return value


def _linear(linear: Linear) -> dict[str, object]:
    """The weight of each channel, for each row that has weights."""
    terms = sum(map(len, linear.rows))
    rows = {str(i): {str(c): weight for c, weight in row} for i, row in enumerate(linear.rows) if row}
    shown: dict[str, object] = {"rows": rows if terms <= MOST_SHOWN else f"{terms} weights in {len(rows)} rows"}
    return shown if linear.bias is None else {**shown, "bias": _plain(linear.bias)}


def _ranges(numbers: Sequence[int]) -> str:
    """Such as 0-2, 4, 6-8."""
    chosen = set(numbers)
    starts = [number for number in numbers if number - 1 not in chosen]
    ends = [number for number in numbers if number + 1 not in chosen]
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))
