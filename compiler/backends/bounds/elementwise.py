"""Nodes that are computed position by position."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from compiler.backends.bounds.activations import activation
from compiler.backends.bounds.arithmetic import ZERO, Arithmetic, Bounded, Quantity
from compiler.backends.bounds.norms import normalize
from compiler.backends.elementary.program import (
    Activated,
    Attended,
    Difference,
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
    Separable,
    Sum,
)
from compiler.network.meanings import divides, rope_pair, rope_pair_of
from compiler.source.faults import no_rule

Angles = Callable[[int], tuple[Quantity, Quantity, Quantity]]  # of a pair: cosine, sine, error of each


def elementwise(a: Arithmetic, node: Node, inputs: Sequence[Sequence[Bounded]], angles: Angles) -> list[Bounded]:
    """The live channels of a node that is computed position by position, in the order of `node.live`; the inputs are
    all channels of the nodes that it reads, of which those that do not matter may be anything."""
    operation: Operation = node.operation
    match operation:
        case Linear(rows=rows, bias=bias):
            return [a.linear(inputs[0], rows[c], 0.0 if bias is None else bias[c]) for c in node.live]
        case Sum():
            return [a.add(inputs[0][c], inputs[1][c]) for c in node.live]
        case Difference():
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
        case Normalized(groups=groups):
            return _normalized_groups(a, node, inputs[0], operation, groups)
        case Rotated():
            return _rotated(a, node, inputs[0], operation, angles)
        case Lookup() | Attended() | Mixed() | Separable():
            raise AssertionError(f"{type(operation).__name__} is not elementwise")
        case _:
            raise no_rule("operation", operation)


def _normalized_groups(
    a: Arithmetic, node: Node, x: Sequence[Bounded], operation: Normalized, groups: int
) -> list[Bounded]:
    size = node.channels // groups
    found: dict[int, Bounded] = {}
    for group in sorted({channel // size for channel in node.live}):
        channels = range(group * size, (group + 1) * size)
        found |= zip(channels, normalize(a, [x[c] for c in channels], operation, group), strict=True)
    return [found[channel] for channel in node.live]


def _rotated(a: Arithmetic, node: Node, x: Sequence[Bounded], operation: Rotated, angles: Angles) -> list[Bounded]:
    size = node.channels // operation.groups
    found: dict[int, Bounded] = {}
    for channel in node.live:
        if channel not in found:
            group, place = divmod(channel, size)
            pair = rope_pair_of(operation.pairs, place, size)
            first, second = (group * size + c for c in rope_pair(operation.pairs, pair, size))
            found[first], found[second] = a.rotate(x[first], x[second], *angles(pair))
    return [found[channel] for channel in node.live]
