"""That nothing overflows: a range for every value over all inputs, so that what is multiplied by zero can be left out.

An infinity or a NaN that meets a weight of zero gives a NaN, and the plain module would have it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from compiler.backends.bounds.activations import activation
from compiler.backends.bounds.arithmetic import Rounding
from compiler.backends.bounds.grains import Known, grains, ordered_heads
from compiler.backends.bounds.norms import largest_length
from compiler.backends.bounds.quantities import compounded
from compiler.backends.elementary.program import (
    FUNCTION_UNITS,
    Activated,
    Array,
    Attended,
    Linear,
    Lookup,
    Mixed,
    Node,
    Normalized,
    NotFollowed,
    Product,
    Program,
    Renewed,
    Resized,
    Rotated,
    Scaled,
    Subtraction,
    Sum,
)
from compiler.network.meanings import divides
from compiler.source.faults import no_rule

ROOM = 1 / 16  # of the largest number of the dtype: more than a sum on its way can exceed what is bounded here


@dataclass(frozen=True, eq=False)
class Range:
    """By channel, the lowest and highest value, and the size that its roundings are relative to. With `radii`, the
    squares of value / radius add up to 1 at most."""

    low: Array
    high: Array
    scale: Array
    radii: Array | None = None

    @staticmethod
    def of(low: Array, high: Array) -> Range:
        return Range(low, high, np.maximum(np.abs(low), np.abs(high)))

    @staticmethod
    def around_zero(size: Array) -> Range:
        return Range(-size, size, size)

    @property
    def size(self) -> Array:
        return np.maximum(np.abs(self.low), np.abs(self.high))

    def channels(self, chosen: range) -> Range:
        return Range(*(part[chosen.start : chosen.stop] for part in (self.low, self.high, self.scale)))


@np.errstate(all="ignore")  # what overflows here is found to be too large
def check_magnitudes(program: Program) -> Program:
    """The program with the `limits` of what attention mixes, and of what is scaled.

    It is `marked`, but nothing has been left out of it. Raises `NotFollowed` where a value could overflow the dtype.
    """
    largest, rounding = program.dtype.largest * ROOM, Rounding.of(program.dtype)
    ranges: list[Range] = []
    nodes: list[Node] = []
    known: list[Known] = []
    # only which scores are the same hangs on the last bit
    is_hard = any(isinstance(node.operation, Attended) and node.operation.ties is not None for node in program.nodes)
    for node in program.nodes:
        inputs = [ranges[source] for source in node.inputs]
        values = _range(program.nodes, ranges, node, rounding)
        if not (values.size <= largest).all():
            size = f"{values.size.max():.0e}"
            raise NotFollowed(f"a value could be as large as {size}, which is near the end of {program.dtype.name}")
        if isinstance(node.operation, Normalized) and not node.channels * (2 * inputs[0].size.max()) ** 2 < largest:
            raise NotFollowed("a square in a norm could overflow")
        ranges.append(replace(values, radii=_radii(node, rounding)))
        if isinstance(node.operation, Attended):
            _check_scores(program, node.operation, inputs)
        if isinstance(node.operation, Attended | Scaled):
            node = replace(node, operation=replace(node.operation, limits=tuple(values.size.tolist())))
        nodes.append(node)
        if is_hard:
            read = [known[source] for source in node.inputs]
            known.append((grains(program.dtype, node, read), values.size))
            nodes[-1] = _exact(program, nodes[-1], read, known[-1])
    decision = program.decision
    if decision.linear is not None and not (_linear(decision.linear, ranges[decision.node]).scale <= largest).all():
        raise NotFollowed(f"a logit could be too near the end of {program.dtype.name}")
    return replace(program, nodes=tuple(nodes))


def _exact(program: Program, node: Node, inputs: list[Known], own: Known) -> Node:
    """With what is not rounded in it."""
    operation = node.operation
    if isinstance(operation, Attended) and operation.ties is not None:
        operation = replace(operation, ordered=ordered_heads(program.dtype, operation, *inputs[:2]))
    return replace(node, operation=operation, exact=tuple(np.flatnonzero(own[0]).tolist()))


def _range(nodes: Sequence[Node], ranges: Sequence[Range], node: Node, rounding: Rounding) -> Range:
    """Of a node, after its roundings, by the ranges of the nodes before it."""
    operation, inputs = node.operation, [ranges[source] for source in node.inputs]
    roundings = 3  # one after the other, at most
    match operation:
        case Lookup(value=value, error=error):
            low, high = (value - error).min((0, 1)), (value + error).max((0, 1))
            found = Range.of(*(np.asarray(np.broadcast_to(part, (node.channels,))) for part in (low, high)))
        case Linear(rows=rows):
            found, roundings = _linear(operation, inputs[0]), max(map(len, rows), default=0) + 2
        case Sum():
            x, y = inputs
            found = Range(x.low + y.low, x.high + y.high, x.size + y.size)
        case Subtraction():
            x, y = inputs
            less = _added(nodes, ranges, *node.inputs)
            found = Range(x.low - y.high, x.high - y.low, x.size + y.size) if less is None else less
        case Product():
            found = _product(*inputs)
        case Scaled(operation=scaling, factors=factors):
            factor = 1 / np.array(factors) if divides(scaling) else np.array(factors)
            found = _product(inputs[0], Range.of(factor, factor))
        case Resized():
            padding = np.zeros(node.channels)
            found = Range.of(*(np.append(end, padding)[: node.channels] for end in (inputs[0].low, inputs[0].high)))
        case Renewed():
            found = inputs[0]
        case Activated(kind=kind):
            low, high = activation(kind).ends(inputs[0].low, inputs[0].high)
            found = Range(low, high, np.maximum(inputs[0].size, Range.of(low, high).size))
            roundings = FUNCTION_UNITS + 8
        case Normalized(groups=groups, weight=weight):
            size = node.channels // groups
            weights = np.ones(size) if weight is None else np.abs(weight)
            found = Range.around_zero(np.tile(weights, groups) * 2 * math.sqrt(size))
            roundings = size + FUNCTION_UNITS + 8
        case Rotated(angles=angles):
            if not np.isfinite(angles).all():
                raise NotFollowed("an angle overflows")
            found = Range.around_zero(np.full(node.channels, 2.0 * inputs[0].size.max()))
            roundings = FUNCTION_UNITS + 8
        case Attended():
            found, roundings = _mixed(operation, inputs[2]), 2 * len(operation.visible_to(0)) + FUNCTION_UNITS + 8
        case Mixed():
            raise AssertionError("magnitudes are checked before patterns are fixed")
        case _:
            raise no_rule("operation", operation)
    slack = compounded(roundings, rounding.unit) * found.scale + roundings * rounding.tiny
    return Range.of(found.low - slack, found.high + slack)


def _added(nodes: Sequence[Node], ranges: Sequence[Range], later: int, earlier: int) -> Range | None:
    """A later stream less an earlier one, where it is that one with terms added one by one: their sum, but for what is
    rounded on the way."""
    low = high = np.zeros(1)
    scale = ranges[later].size + ranges[earlier].size
    while later > earlier:
        match nodes[later]:
            case Node(operation=Sum(), inputs=(stream, term)):
                low, high, scale = low + ranges[term].low, high + ranges[term].high, scale + ranges[later].size
                later = stream
            case Node(operation=Renewed(), inputs=(stream,)):
                later = stream
            case _:
                return None
    return Range(low, high, scale) if later == earlier else None


def _linear(linear: Linear, inputs: Range) -> Range:
    low, high, scale = (np.zeros(len(linear.rows)) for _ in range(3))
    for number, terms in enumerate(linear.rows):
        low[number] = high[number] = bias = 0.0 if linear.bias is None else linear.bias[number]
        scale[number] = abs(bias)
        for channel, weight in terms:
            ends = weight * inputs.low[channel], weight * inputs.high[channel]
            low[number] += min(ends)
            high[number] += max(ends)
            scale[number] += abs(weight) * inputs.size[channel]
        if inputs.radii is not None:  # by Cauchy and Schwarz
            most = math.hypot(*(weight * inputs.radii[channel] for channel, weight in terms))
            low[number], high[number] = max(low[number], bias - most), min(high[number], bias + most)
    return Range(low, high, scale)


def _radii(node: Node, rounding: Rounding) -> Array | None:
    """Of what a norm gives, where it has one group: weight · z, and what underflow loses. Over weight · length + 2^20
    of these losses, that is at most z / length or 2^-20. The length is a thousandth too large, so that the squares of
    both add up to 1 at most."""
    operation = node.operation
    if not isinstance(operation, Normalized) or operation.groups != 1:
        return None
    weights = np.ones(node.channels) if operation.weight is None else np.abs(operation.weight)
    length = 1.001 * largest_length(operation, node.channels, rounding)
    return None if math.isinf(length) else weights * length + 2.0**20 * rounding.tiny * (1 + weights)


def _product(x: Range, y: Range) -> Range:
    ends = np.stack([x.low * y.low, x.low * y.high, x.high * y.low, x.high * y.high])
    return Range.of(ends.min(0), ends.max(0))


def _mixed(operation: Attended, values: Range) -> Range:
    """Means of the values; with the softmax that can attend to nothing, nearer to zero."""
    parts = [values.channels(operation.value_channels(head)) for head in range(operation.heads)]
    low, high = np.concatenate([part.low for part in parts]), np.concatenate([part.high for part in parts])
    return Range.of(np.minimum(low, 0.0), np.maximum(high, 0.0)) if operation.plus_one else Range.of(low, high)


def _check_scores(program: Program, operation: Attended, inputs: list[Range]) -> None:
    """An exponential that overflows gives NaN, even where nothing is read, behind a weight of zero."""
    rounding, dtype = Rounding.of(program.dtype), program.dtype
    for head in range(operation.heads):
        highest, size = _score(operation, head, inputs[0], inputs[1])
        if not size < dtype.largest * ROOM:
            raise NotFollowed("a score could overflow")
        highest += compounded(operation.head_dim + len(operation.additions) + 8, rounding.unit) * size
        if operation.plus_one and not highest < math.log(dtype.largest) - 1 - math.log(program.length):
            raise NotFollowed("the exponentials of scores, or their sum, could overflow")


def _score(operation: Attended, head: int, queries: Range, keys: Range) -> tuple[float, float]:
    """The highest score, and the size of what scores are computed from."""
    query, key = queries.channels(operation.query_channels(head)), keys.channels(operation.key_channels(head))
    product = _product(query, key)
    scale = np.float64(operation.scale)
    factor = 1 / scale if divides(operation.scale_operation) else scale
    ends = factor * product.low.sum(), factor * product.high.sum()
    added = [table[head % len(table)] for table in operation.additions]
    highest = max(ends) + sum(float(table.max()) for table in added)
    size = float((query.size * key.size).sum()) * max(abs(factor), 1.0) + sum(
        float(np.abs(table).max()) for table in added
    )
    return float(highest), float(size)
