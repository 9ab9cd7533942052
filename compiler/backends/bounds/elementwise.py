"""Nodes that are computed position by position."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from compiler.backends.bounds.activations import activation
from compiler.backends.bounds.arithmetic import EXACT, Arithmetic
from compiler.backends.bounds.bounded import ZERO, Bounded
from compiler.backends.bounds.norms import normalize
from compiler.backends.bounds.quantities import Quantity
from compiler.backends.elementary.program import (
    Activated,
    Array,
    Attended,
    Linear,
    Lookup,
    Mixed,
    Node,
    Normalized,
    Operation,
    Product,
    Renewed,
    Resized,
    Rotated,
    Scaled,
    Subtraction,
    Sum,
)
from compiler.network.meanings import divides, rope_pair, rope_pair_of
from compiler.source.faults import no_rule

AtPositions = Callable[[Array], Quantity]  # of a number for each position of a sequence, those that are computed


def elementwise(a: Arithmetic, node: Node, inputs: Sequence[Sequence[Bounded]], at: AtPositions) -> list[Bounded]:
    """The live channels of a node that is computed position by position, in the order of `node.live`; the inputs are
    all channels of the nodes that it reads, of which those that do not matter may be anything."""
    if not node.exact:
        return _computed(a, node, inputs, at)
    alone = [[a.alone(x) for x in source] for source in inputs]  # what is shared is rounded all the same

    def compute(a: Arithmetic, live: tuple[int, ...]) -> list[Bounded]:
        return _computed(a, replace(node, live=live), inputs if a.rounding != EXACT else alone, at)

    return exact_and_rounded(a, node, compute)


def exact_and_rounded(
    a: Arithmetic, node: Node, compute: Callable[[Arithmetic, tuple[int, ...]], Sequence[Bounded]]
) -> list[Bounded]:
    """The live channels of a node, in order; `compute` gives some of them, by an arithmetic that is exact for some."""
    known = set(node.exact)
    exact = tuple(channel for channel in node.live if channel in known)
    rounded = tuple(channel for channel in node.live if channel not in known)
    found = dict(zip(rounded, compute(a, rounded), strict=True)) if rounded else {}
    found |= zip(exact, compute(a.unrounded, exact), strict=True) if exact else ()
    return [found[channel] for channel in node.live]


def _computed(a: Arithmetic, node: Node, inputs: Sequence[Sequence[Bounded]], at: AtPositions) -> list[Bounded]:
    operation: Operation = node.operation
    match operation:
        case Linear(rows=rows, bias=bias):
            return [a.linear(inputs[0], rows[c], 0.0 if bias is None else bias[c]) for c in node.live]
        case Sum():
            return [a.add(inputs[0][c], inputs[1][c]) for c in node.live]
        case Subtraction():
            return [a.subtract(inputs[0][c], inputs[1][c]) for c in node.live]
        case Product():
            return [a.multiply(inputs[0][c], inputs[1][c]) for c in node.live]
        case Scaled(operation=scaling, factors=factors):
            scaled = a.divide if divides(scaling) else a.times
            return [scaled(inputs[0][c], factors[c]) for c in node.live]
        case Resized():
            return [inputs[0][c] if c < len(inputs[0]) else ZERO for c in node.live]
        case Renewed(first_symbol=first):
            if first is None:
                return [a.alone(inputs[0][c]) for c in node.live]
            return [Bounded(inputs[0][c].value, 0.0, {first + c: a.off(inputs[0][c])}) for c in node.live]
        case Activated(kind=kind):
            bound = activation(kind).bound
            return [bound(a, inputs[0][c]) for c in node.live]
        case Normalized():
            return _normalized_groups(a, node, inputs[0], operation)
        case Rotated():
            return _rotated(a, node, inputs[0], operation, at)
        case Lookup() | Attended() | Mixed():
            raise AssertionError(f"{type(operation).__name__} is not elementwise")
        case _:
            raise no_rule("operation", operation)


def all_channels(node: Node, live: Sequence[Bounded]) -> list[Bounded]:
    """All channels of a node: those that do not matter are zero."""
    value = [ZERO] * node.channels
    for channel, bounded in zip(node.live, live, strict=True):
        value[channel] = bounded
    return value


def _normalized_groups(a: Arithmetic, node: Node, x: Sequence[Bounded], operation: Normalized) -> list[Bounded]:
    size = node.channels // operation.groups
    groups = sorted({channel // size for channel in node.live})
    normalized = {group: normalize(a, x[group * size :][:size], operation, group) for group in groups}
    return [normalized[channel // size][channel % size] for channel in node.live]


def _rotated(a: Arithmetic, node: Node, x: Sequence[Bounded], operation: Rotated, at: AtPositions) -> list[Bounded]:
    size = node.channels // operation.groups
    by_channel: dict[int, Bounded] = {}
    for channel in node.live:
        if channel not in by_channel:
            group, place = divmod(channel, size)
            pair = rope_pair_of(operation.pairs, place, size)
            first, second = (group * size + c for c in rope_pair(operation.pairs, pair, size))
            angles = torch.tensor(operation.angles[:, pair])
            cosine, sine = at(torch.cos(angles).numpy()), at(torch.sin(angles).numpy())
            turned = a.rotate(x[first], x[second], cosine, sine, at(operation.error[:, pair]))
            by_channel[first], by_channel[second] = turned
    return [by_channel[channel] for channel in node.live]
