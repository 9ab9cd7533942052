"""Quantities that are all numbers of an interval: what a formula gives for any of many inputs at once.

Every end is computed outward, so that an interval holds what the formula gives in real arithmetic, and in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compiler.backends.bounds.arithmetic import ENGINE_TINY
from compiler.backends.bounds.quantities import Quantity
from compiler.backends.bounds.tensors import TensorFunctions

OUTWARD = 2.0**-50  # of an end, by which it is moved: more than it can be rounded by
FUNCTIONS_OUTWARD = 2.0**-46  # more than float64 exponentials and the like can be off


@dataclass(frozen=True, eq=False)
class Interval:
    """The numbers from `low` to `high`, two tensors of one shape. A NaN in either end is any number at all."""

    low: Tensor
    high: Tensor

    @staticmethod
    def of(x: Quantity) -> Interval:
        if isinstance(x, Interval):
            return x
        exact = torch.as_tensor(x, dtype=torch.float64)
        return Interval(exact, exact)

    def each(self, function: Callable[[Tensor], Tensor]) -> Interval:
        """Both ends after what changes no number, such as an axis that is added."""
        return Interval(function(self.low), function(self.high))

    def at(self, *index: Any) -> Interval:
        """Some of them, as tensors are indexed."""
        return self.each(lambda end: end[index])

    def sum(self, dim: int, *, keepdim: bool) -> Interval:
        sizes = torch.maximum(self.low.abs(), self.high.abs())
        off = OUTWARD * (sizes.shape[dim] + 1) * sizes.sum(dim, keepdim=keepdim)
        total = self.each(lambda end: end.sum(dim, keepdim=keepdim))
        return Interval(total.low - off, total.high + off)

    def amax(self, dim: int, *, keepdim: bool) -> Interval:
        return self.each(lambda end: end.amax(dim, keepdim=keepdim))

    def outward(self, share: float = OUTWARD, least: float = 0.0) -> Interval:
        low, high = self.low.sub(self.low.abs(), alpha=share), self.high.add(self.high.abs(), alpha=share)
        return Interval(low - least, high + least) if least else Interval(low, high)

    def __add__(self, other: Quantity) -> Interval:
        addend = Interval.of(other)
        return Interval(self.low + addend.low, self.high + addend.high).outward()

    __radd__ = __add__

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low)

    def __sub__(self, other: Quantity) -> Interval:
        return self.__add__(-Interval.of(other))

    def __rsub__(self, other: Quantity) -> Interval:
        return (-self).__add__(other)

    def __mul__(self, other: Quantity) -> Interval:
        if isinstance(other, float) and other != 0:
            scaled = self.each(lambda end: end * other)
            return (scaled if other > 0 else Interval(scaled.high, scaled.low)).outward(least=ENGINE_TINY)
        other = Interval.of(other)
        ends = [_product(x, y) for x in (self.low, self.high) for y in (other.low, other.high)]
        return _hull(ends).outward(least=ENGINE_TINY)

    __rmul__ = __mul__

    def __truediv__(self, other: Quantity) -> Interval:
        other = Interval.of(other)
        ends = [x / y for x in (self.low, self.high) for y in (other.low, other.high)]
        around_zero = (other.low <= 0) & (other.high >= 0)
        quotient = _hull(ends).outward(least=ENGINE_TINY)
        return Interval(
            torch.where(around_zero, -math.inf, quotient.low), torch.where(around_zero, math.inf, quotient.high)
        )

    def __rtruediv__(self, other: Quantity) -> Interval:
        return Interval.of(other) / self


def _product(x: Tensor, y: Tensor) -> Tensor:
    """Zero times an end that is infinite, which no number is, is zero."""
    return torch.where((x == 0) | (y == 0), 0.0, x * y)


def _hull(ends: Sequence[Tensor]) -> Interval:
    low = high = ends[0]
    for end in ends[1:]:
        low, high = torch.minimum(low, end), torch.maximum(high, end)
    return Interval(low, high)


class IntervalFunctions:
    """`Functions` of floats and intervals."""

    def __init__(self) -> None:
        self._tensors = TensorFunctions()

    def absolute(self, x: Quantity) -> Quantity:
        if isinstance(x, float):
            return abs(x)
        largest = torch.maximum(x.low.abs(), x.high.abs())
        apart = torch.maximum(x.low, -x.high)  # from zero, where zero is none of them
        return Interval(apart.clamp(min=0.0), largest)

    def maximum(self, x: Quantity, y: Quantity) -> Quantity:
        return self._ends(self._tensors.maximum, x, y)

    def minimum(self, x: Quantity, y: Quantity) -> Quantity:
        return self._ends(self._tensors.minimum, x, y)

    def exp(self, x: Quantity) -> Quantity:
        return self._rising(self._tensors.exp, x)

    def erf(self, x: Quantity) -> Quantity:
        return self._rising(self._tensors.erf, x)

    def sqrt(self, x: Quantity) -> Quantity:
        return self._rising(self._tensors.sqrt, x if isinstance(x, float) else x.each(lambda end: end.clamp(min=0.0)))

    def power_floor(self, x: Quantity) -> Quantity:
        if isinstance(x, float):
            return self._tensors.power_floor(x)
        powers = x.each(lambda end: self._tensors.power_floor(end.clamp(min=0.0)))
        return Interval(powers.low, torch.where(x.high.isnan(), math.nan, powers.high))

    def if_less(self, x: Quantity, y: Quantity, then: Quantity, otherwise: Quantity) -> Quantity:
        if isinstance(x, float) and isinstance(y, float):
            return then if x < y else otherwise
        first, second, then, otherwise = map(Interval.of, (x, y, then, otherwise))
        surely, never = first.high < second.low, first.low >= second.high
        either = _hull([then.low, otherwise.low]).low, _hull([then.high, otherwise.high]).high
        low, high = (
            torch.where(surely, yes, torch.where(never, no, open_))
            for yes, no, open_ in zip((then.low, then.high), (otherwise.low, otherwise.high), either, strict=True)
        )
        return Interval(low, high)

    def name(self, x: Quantity) -> Quantity:
        return x

    def pick(self, numbers: Sequence[float], index: Quantity) -> Quantity:
        if isinstance(index, float):
            return numbers[int(index)]
        raise AssertionError("an index is no interval")

    def _ends(self, function: Callable[[Quantity, Quantity], Quantity], x: Quantity, y: Quantity) -> Quantity:
        if isinstance(x, float) and isinstance(y, float):
            return function(x, y)
        first, second = Interval.of(x), Interval.of(y)
        return Interval(function(first.low, second.low), function(first.high, second.high))

    def _rising(self, function: Callable[[Quantity], Quantity], x: Quantity) -> Quantity:
        if isinstance(x, float):
            return function(x)
        return x.each(function).outward(FUNCTIONS_OUTWARD, ENGINE_TINY)


def high_end(x: Quantity) -> Tensor:
    return Interval.of(x).high
