"""That nothing overflows: a bound on every value over all inputs, so that what is multiplied by zero can be left out.

An infinity or a NaN that meets a weight of zero gives a NaN, and the plain module would have it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import assert_never

import numpy as np

from compiler.fast.demand import live_heads
from compiler.fast.program import (
    Activated,
    Array,
    Attended,
    Difference,
    Linear,
    Lookup,
    Node,
    Normalized,
    NotFollowed,
    Product,
    Program,
    Renewed,
    Resized,
    Rotated,
    Scaled,
    Separable,
    Sum,
)

ROOM = 1 / 16  # of the largest number of the dtype: more than all roundings together can add


def check_magnitudes(program: Program) -> Program:
    """The program with the `highest` scores; raises `NotFollowed` where a value could overflow the dtype.

    The program is `marked`, but nothing has been left out of it.
    """
    before_attention = max(
        (i for i, node in enumerate(program.nodes) if isinstance(node.operation, Attended)), default=0
    )
    for node in program.nodes[:before_attention]:
        if isinstance(node.operation, Normalized) and node.operation.epsilon == 0:
            everywhere = len(node.positions) == program.length
            if not everywhere:  # a NaN at a hidden key would be multiplied by zero
                raise NotFollowed("a norm without an epsilon, which is not read at every position, could be NaN")
    largest = program.dtype.largest * ROOM
    bounds: list[Array] = []
    nodes: list[Node] = []
    for node in program.nodes:
        inputs = [bounds[number] for number in node.inputs]
        if isinstance(node.operation, Attended):
            node = replace(node, operation=replace(node.operation, highest=_highest(node.operation, *inputs[:2])))
        nodes.append(node)
        bounds.append(_bound(node, inputs, largest))
        if not (bounds[-1] <= largest).all():
            raise NotFollowed(
                f"a value could be as large as {bounds[-1].max():.0e}: too near the end of {program.dtype.name}"
            )
    decision = program.decision
    if decision.linear is not None and not (_linear(decision.linear, bounds[decision.node]) <= largest).all():
        raise NotFollowed(f"a logit could be too near the end of {program.dtype.name}")
    return replace(program, nodes=tuple(nodes))


def _bound(node: Node, inputs: list[Array], largest: float) -> Array:
    """The largest absolute value of each channel."""
    operation = node.operation
    match operation:
        case Lookup(value=value, error=error):
            return np.asarray(np.broadcast_to((np.abs(value) + error).max((0, 1)), (node.channels,)))
        case Linear():
            return _linear(operation, inputs[0])
        case Sum() | Difference():
            return inputs[0] + inputs[1]
        case Product():
            return inputs[0] * inputs[1]
        case Scaled(operation="multiply", factors=factors):
            return inputs[0] * np.abs(factors)
        case Scaled(factors=factors):
            with np.errstate(divide="ignore", invalid="ignore"):
                return inputs[0] / np.abs(factors)
        case Resized():
            return np.concatenate([inputs[0], np.zeros(node.channels)])[: node.channels]
        case Normalized():
            return _normalized(operation, inputs[0], node, largest)
        case Renewed() | Activated():
            return inputs[0]
        case Rotated():
            return np.full(node.channels, 2.0 * inputs[0].max(initial=0.0))
        case Attended():
            return _attended(operation, inputs[2], node, largest)
        case Separable():
            raise AssertionError("magnitudes are checked before anything is put in tables")
        case _:
            assert_never(operation)


def _linear(linear: Linear, inputs: Array) -> Array:
    bias = linear.bias or (0.0,) * len(linear.rows)
    return np.array(
        [abs(b) + sum(abs(w) * inputs[c] for c, w in terms) for terms, b in zip(linear.rows, bias, strict=True)]
    )


def _normalized(operation: Normalized, inputs: Array, node: Node, largest: float) -> Array:
    size = node.channels // operation.groups
    if not size * (2 * inputs.max(initial=0.0)) ** 2 < largest:
        raise NotFollowed("a square in a norm could overflow")
    if operation.epsilon == 0:
        unread = set(range(operation.groups)) - {channel // size for channel in node.live}
        if unread:
            raise NotFollowed("a norm without an epsilon, of which nothing is read, could be NaN")
    weight = np.ones(size) if operation.weight is None else np.abs(operation.weight)
    return np.tile(weight, operation.groups) * 2 * math.sqrt(size)


def _highest(operation: Attended, queries: Array, keys: Array) -> tuple[float, ...]:
    """A bound on the scores of each head, which also bounds what they are computed from."""
    added = sum(float(np.abs(table).max(initial=0.0)) for table in operation.additions)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.float64(abs(operation.scale))
        factor = scale if operation.scale_operation == "multiply" else 1 / scale
    heads = range(operation.heads)
    products = (queries[operation.query_channels(h)] @ keys[operation.key_channels(h)] for h in heads)
    return tuple(float(product * max(factor, 1.0) + added) * (1 + ROOM) for product in products)


def _attended(operation: Attended, values: Array, node: Node, largest: float) -> Array:
    read = live_heads(operation, node.live)
    for head, score in enumerate(operation.highest):
        if not score < largest:
            raise NotFollowed("a score could overflow")
        if operation.plus_one and head not in read and not score < math.log(largest):
            raise NotFollowed("the exponential of a score that is not read could overflow")
    return np.concatenate([values[operation.value_channels(head)] for head in range(operation.heads)])
