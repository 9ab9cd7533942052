"""RMSNorm and LayerNorm of bounded values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compiler.backends.bounds.arithmetic import ENGINE_TINY, Arithmetic, Rounding
from compiler.backends.bounds.bounded import (
    ZERO,
    Bounded,
    combined_shared,
    each_shared,
    is_zero_value,
    scaled_shared,
    with_symbol,
)
from compiler.backends.bounds.quantities import Quantity, plus, times
from compiler.backends.elementary.program import FUNCTION_UNITS, Normalized
from compiler.network.meanings import subtracts_mean


def normalize(a: Arithmetic, inputs: Sequence[Bounded], operation: Normalized, group: int) -> list[Bounded]:
    """One group, [channels]. With x off by d, |d| ≤ e, mean(x²) is off by t · mean(x²), where t · mean(x²) =
    Σ (2 x d + d²) / n, |t| ≤ τ; and 1/√(1 + t) is 1 - t/2 up to 0.7 τ² for τ ≤ 1/2. What all channels are
    multiplied by is off by a share that they have in common: of -Σ x d / (n mean(x²)), what errors that are shared
    make of it is followed exactly. Beyond τ = 1/2, only |x| ≤ √n · √mean(x²) is known.
    """
    f, unit, count = a.f, a.rounding.unit, len(inputs)
    if subtracts_mean(operation.kind):
        mean = a.times_inexact(a.sum(inputs), 1 / count)
        inputs = [a.subtract(x, mean) for x in inputs]
    square = f.name(plus(*(times(x.value, x.value) for x in inputs)) / count + operation.epsilon)
    offs, sizes = [a.off(x) for x in inputs], [f.absolute(x.value) for x in inputs]
    alone = plus(*(times(size, x.error) for size, x in zip(sizes, inputs, strict=True))) / count
    every = plus(*(times(size, off) for size, off in zip(sizes, offs, strict=True))) / count
    second = plus(*(times(off, off) for off in offs)) / count + a.rounding.tiny
    # squares, their sum, the division, epsilon and its sum, of what was rounded before: all terms are positive, so
    # these are relative errors
    before = f.name((2.0 * every + second) / square)
    roundings = f.name(times((count + 6) * unit, 1.0 + before))
    relative = f.name(before + roundings)
    curved = 0.7 * relative * relative
    function = (FUNCTION_UNITS + 1) * unit
    off = f.name(0.5 * relative + curved + function)
    off_alone = f.name((alone + 0.5 * second) / square + 0.5 * roundings + curved + function)
    parts = (Bounded(0.0, 0.0, scaled_shared(x, x.value / (count * square))) for x in inputs)
    follows = each_shared(combined_shared(list(parts)), f.name)
    inverse = f.name(1.0 / f.sqrt(square))
    factor = _Factor(inverse, off, off_alone, follows, operation.first_symbol + group)
    limit = largest_length(operation, count, a.rounding)
    normalized = []
    for number, x in enumerate(inputs):
        weight = 1.0 if operation.weight is None else operation.weight[number]
        y = _normalized(a, x, weight, factor)
        if is_zero_value(y):
            normalized.append(y)
            continue
        unknown = plus(f.absolute(y.value), abs(weight) * limit + a.rounding.tiny * (1 + abs(weight)))
        shared = each_shared(y.shared, lambda c: f.if_less(relative, 0.5, c, 0.0))
        normalized.append(a.named(y.value, f.if_less(relative, 0.5, y.error, unknown), shared))
    return normalized


def largest_length(operation: Normalized, count: int, rounding: Rounding) -> float:
    """Of a group of so many normalized values before they get their weights, as one vector, up to what underflow loses;
    infinite where a square that matters underflows."""
    if operation.epsilon * rounding.unit <= 2 * count * rounding.tiny:
        return math.inf
    return math.sqrt(count) * (1 + (count + FUNCTION_UNITS + 8) * rounding.unit)


@dataclass(frozen=True)
class _Factor:
    """What all channels of a group are multiplied by. It is off by shares of itself: `off` in all, of which those that
    it `follows` are shared already, and `off_alone` is not, and gets the `symbol`."""

    value: Quantity
    off: Quantity
    off_alone: Quantity
    follows: Mapping[int, Quantity]
    symbol: int


def _normalized(a: Arithmetic, x: Bounded, weight: float, factor: _Factor) -> Bounded:
    """x · factor · weight."""
    if weight == 0 or is_zero_value(x):
        return ZERO
    f, unit = a.f, a.rounding.unit
    scale = f.name(times(weight, factor.value))
    size, value = f.absolute(scale), f.name(times(x.value, scale))
    opposite = times(-1.0, value)
    products = times(a.size(x), 2.01 * unit * size * (1 + factor.off) + ENGINE_TINY)  # their roundings
    error = plus(times(x.error, size), times(times(a.off(x), size), factor.off), products)
    followed = Bounded(0.0, 0.0, each_shared(factor.follows, lambda c: times(opposite, c)))
    shared = combined_shared((Bounded(0.0, 0.0, scaled_shared(x, scale)), followed))
    shared = with_symbol(shared, factor.symbol, f.name(value * factor.off_alone))
    return Bounded(value, plus(error, a.rounding.tiny * (1 + abs(weight))), shared)
