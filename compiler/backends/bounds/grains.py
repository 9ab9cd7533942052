"""Which numbers of a program are never rounded, whatever the tokens are: hard attention asks which scores are equal.

The grain of a channel is a power of two that all its values are multiples of. Sums of multiples of a grain are exact,
in any order, where their sizes together are less than 2^p of it (p digits in the dtype). It is 0 where values may be
rounded, and infinite where all are zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from compiler.backends.elementary.program import (
    Activated,
    Array,
    Attended,
    Linear,
    Lookup,
    Mixed,
    Node,
    Normalized,
    Product,
    Renewed,
    Resized,
    Rotated,
    Scaled,
    Subtraction,
    Sum,
    Terms,
    is_power_of_two,
)
from compiler.expressions.floats import FloatFormat
from compiler.network.ir import ActivationKind
from compiler.network.meanings import divides, picks_one
from compiler.source.faults import no_rule

SPARE = 4.0  # with so many times the digits, rounded products with one number compare as what is multiplied
Known = tuple[Array, Array]  # of the channels of a node: their grains, and their largest sizes


def grains(dtype: FloatFormat, node: Node, inputs: Sequence[Known]) -> Array:
    """The grains of a node's channels, by those of its inputs."""
    operation = node.operation
    with np.errstate(all="ignore"):
        match operation:
            case Lookup(value=value, error=error):
                bits = np.where(error == 0, _lowest_bits(value), 0.0).min((0, 1))
                found = np.asarray(np.broadcast_to(bits, (node.channels,)))
            case Linear(rows=rows, bias=bias):
                biases = bias or (0.0,) * len(rows)
                found = np.array([_sum(dtype, inputs[0], row, b) for row, b in zip(rows, biases, strict=True)])
            case Sum() | Subtraction():
                (x, x_size), (y, y_size) = inputs
                found = _fitting(dtype, np.minimum(x, y), x_size + y_size)
            case Product():
                (x, x_size), (y, y_size) = inputs
                found = _fitting(dtype, _times(x, y), x_size * y_size)
            case Scaled(operation=scaling, factors=numbers):
                factors = np.abs(1 / np.array(numbers) if divides(scaling) else np.array(numbers))
                rounded = divides(scaling) and np.array([not is_power_of_two(number) for number in numbers])
                found = np.where(rounded, 0.0, _times(inputs[0][0], _lowest_bits(factors)))
                found = _fitting(dtype, found, inputs[0][1] * factors)
            case Resized():
                found = np.concatenate([inputs[0][0], np.full(node.channels, math.inf)])[: node.channels]
            case Renewed():
                found = inputs[0][0]
            case Activated(kind=kind):
                found = _activated(dtype, kind, inputs[0])
            case Attended(ties=ties) if picks_one(ties):
                mixed_from = (operation.value_channels(head) for head in range(operation.heads))
                found = np.concatenate([inputs[2][0][list(channels)] for channels in mixed_from])
            case Normalized() | Rotated() | Attended() | Mixed():
                found = np.zeros(node.channels)
            case _:
                raise no_rule("operation", operation)
    least = math.ldexp(1.0, dtype.min_exponent)  # what is less may be taken as zero
    kept: Array = np.where(found >= least, found, 0.0)
    return kept


def ordered_heads(dtype: FloatFormat, operation: Attended, queries: Known, keys: Known) -> tuple[int, ...]:
    """The heads whose scores are exact; or rounded once, all by the same scale, with digits to spare, so that they
    compare as what is scaled does."""
    return tuple(head for head in range(operation.heads) if _is_ordered(dtype, operation, head, queries, keys))


def _is_ordered(dtype: FloatFormat, operation: Attended, head: int, queries: Known, keys: Known) -> bool:
    (query, query_size), (key, key_size) = (
        tuple(part[channels.start : channels.stop] for part in known)
        for known, channels in ((queries, operation.query_channels(head)), (keys, operation.key_channels(head)))
    )
    grain, size = float(_times(query, key).min()), float((query_size * key_size).sum())
    added = [table[head % len(table)] for table in operation.additions]
    added = [table for table in added if table.any()]
    scale = 1 / operation.scale if divides(operation.scale_operation) else operation.scale
    least, room = math.ldexp(1.0, dtype.min_exponent), math.ldexp(1.0, dtype.precision)
    if grain < math.inf and not is_power_of_two(operation.scale):
        return not added and grain * min(1.0, abs(scale)) >= least and size * SPARE < room * grain
    grain, size = (part * abs(scale) if grain < math.inf else part for part in (grain, size))
    for table in added:
        grain, size = min(grain, float(_lowest_bits(table).min())), size + float(np.abs(table).max())
    return least <= grain and (grain == math.inf or size < room * grain)


def _activated(dtype: FloatFormat, kind: ActivationKind, x: Known) -> Array:
    grain, size = x
    match kind:
        case "relu" | "identity":
            return grain
        case "square":
            return _fitting(dtype, _times(grain, grain), size * size)
        case "silu" | "gelu" | "gelu_tanh" | "tanh" | "sigmoid":
            return np.zeros(len(grain))
        case _:
            raise no_rule("activation", kind)


def _sum(dtype: FloatFormat, inputs: Known, terms: Terms, bias: float) -> float:
    channels, weights = [channel for channel, _ in terms], np.array([weight for _, weight in terms])
    products = _times(inputs[0][channels], _lowest_bits(weights))
    grain = min([*products.tolist(), *_lowest_bits(np.array([bias])).tolist()])
    size = abs(bias) + float((np.abs(weights) * inputs[1][channels]).sum())
    return float(_fitting(dtype, np.array(grain), np.array(size)))


def _times(x: Array, y: Array) -> Array:
    """The grain of a product: infinite where a factor is zero."""
    return np.where(np.isinf(x) | np.isinf(y), math.inf, x * y)


def _fitting(dtype: FloatFormat, grain: Array, size: Array) -> Array:
    """The grain, where numbers of up to this size are exact."""
    fits = np.isinf(grain) | (size < np.ldexp(grain, dtype.precision))
    return np.where(fits, grain, 0.0)


def _lowest_bits(numbers: Array) -> Array:
    """The largest power of two that each number is a multiple of; infinite for zero."""
    mantissa, exponent = np.frexp(numbers)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    return np.where(numbers == 0, math.inf, np.ldexp((whole & -whole).astype(np.float64), exponent - 53))
