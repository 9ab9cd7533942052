"""Nodes that are computed position by position. What varies stays shared where the fast engine gives it up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from compiler.backends.bounds.activations import activation
from compiler.backends.bounds.arithmetic import (
    ENGINE_UNIT,
    Arithmetic,
    Bounded,
    Channels,
    combined_shared,
    is_zero_value,
    plus,
    times,
)
from compiler.backends.bounds.elementwise import elementwise
from compiler.backends.elementary.program import Activated, Linear, Node, Renewed


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
        bound = activation(operation.kind).bound_of_cells
        return [bound(a, inputs[0][c]) for c in node.live]
    node = replace(node, exact=())  # sums of what is exact may share what varies
    return elementwise(a, node, inputs, lambda numbers: torch.tensor(numbers[list(positions)])[:, None])


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
