"""Nodes that are computed position by position. What varies stays shared where the fast engine gives it up."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from compiler.backends.bounds.arithmetic import (
    ENGINE_TINY,
    ENGINE_UNIT,
    Arithmetic,
    Bounded,
    Channels,
    combined_shared,
    is_zero_value,
    plus,
    quotient,
    times,
)
from compiler.backends.bounds.elementwise import elementwise
from compiler.backends.elementary.program import Activated, Linear, Node, Renewed
from compiler.network.ir import ActivationKind
from compiler.source.faults import no_rule


def cell_step(a: Arithmetic, node: Node, inputs: Sequence[Channels], positions: Sequence[int]) -> list[Bounded]:
    """The live channels of a node, in the order of `node.live`; quantities are [positions, cells]."""
    operation = node.operation
    if isinstance(operation, Renewed):
        first = operation.first_symbol
        assert first is not None
        return [Bounded(x.value, 0.0, {**x.shared, first + c: x.error}) for c in node.live for x in [inputs[0][c]]]
    if isinstance(operation, Linear):
        biases = operation.bias or [0.0] * node.channels
        return [linear_sum(a, a.products(inputs[0], operation.rows[c], biases[c])) for c in node.live]
    if isinstance(operation, Activated):
        return [_activated(a, operation.kind, inputs[0][c]) for c in node.live]
    return elementwise(a, node, inputs, lambda numbers: torch.tensor(numbers[list(positions)])[:, None])


def _activated(a: Arithmetic, kind: ActivationKind, x: Bounded) -> Bounded:
    match kind:
        case "relu":
            return relu(a, x)
        case "silu" | "gelu":
            return a.activate(x, kind)
        case _:
            raise no_rule("activation", kind)


def linear_sum(a: Arithmetic, terms: Sequence[Bounded]) -> Bounded:
    """As `Arithmetic.sum`, but the last of n - 1 additions, whatever their order, has the sum itself as its result; and
    what the engine's own additions of values lose is known (Knuth's TwoSum)."""
    f, unit, tiny = a.f, a.rounding.plain_unit, a.rounding.tiny
    up = 1 + 2.0**-40  # what is computed here may be below a power of two that the module's is above
    terms = [term for term in terms if not is_zero_value(term)]
    if len(terms) < 2:
        return a.sum(terms)
    value, lost = terms[0].value, 0.0
    for term in terms[1:]:
        total = value + term.value
        part = total - value
        lost = lost + abs((value - (total - part)) + (term.value - part))
        value = total
    count, offs = len(terms) - 1.0, plus(*(a.off(term) for term in terms))
    magnitude = times(up * (1 + unit) ** len(terms), plus(offs, *(f.absolute(term.value) for term in terms)))
    before = times(count - 1.0, unit * f.power_floor(magnitude) + tiny)
    engine = plus(lost, times(ENGINE_UNIT * count, offs))
    last = unit * f.power_floor(up * plus(abs(value), offs, before, engine)) + tiny
    return a.named(value, plus(before, last, engine, *(term.error for term in terms)), combined_shared(terms))


def relu(a: Arithmetic, x: Bounded) -> Bounded:
    """By the chord where the sign is open: max(0, x) - λ x is from 0 to max(-λ low, (1 - λ) high), whatever λ from 0 to
    1 is."""
    if not x.shared:
        return a.activate(x, "relu")
    f = a.f
    # where nothing is added below, the sign has to be certain although this sum is rounded
    off = a.off(x) * (1 + 2.0**-52 * (len(x.shared) + 2))
    low, high = x.value - off, x.value + off
    slope = f.if_less(low, 0.0, f.if_less(0.0, high, quotient(high, high - low), 0.0), 1.0)
    room = 0.5 * f.maximum(-slope * low, (1.0 - slope) * high)
    room = f.if_less(low, 0.0, f.if_less(0.0, high, room, 0.0), 0.0)
    value = slope * x.value + room
    shared = {symbol: times(slope, c) for symbol, c in x.shared.items()}
    engine = 2.0**-51 * (abs(value) + off) + ENGINE_TINY
    engine = f.if_less(low, 0.0, f.if_less(0.0, high, engine, 0.0), 0.0)
    return Bounded(value, slope * x.error + room + engine, shared)
