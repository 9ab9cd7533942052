"""What attention mixes, for all inputs at once, on intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from compiler.backends.bounds.arithmetic import ENGINE_UNIT, Arithmetic
from compiler.backends.bounds.attention import WEIGHT_UNITS, Head, score
from compiler.backends.bounds.bounded import Bounded
from compiler.backends.bounds.intervals import Interval, high_end
from compiler.backends.bounds.quantities import Quantity, compounded, plus, times
from compiler.backends.bounds.tensors import TensorLoop


@dataclass(frozen=True, eq=False)
class _Weights:
    """Of the weights of keys, [queries, keys, cells]: which are `seen`, and how many at `most`. `share`: the largest
    share of all weights that each can have. `relative`: the largest share of itself that it can be off by; `widest` is
    that of any key of a query. `beside`: by which share of all weights it can be off, beside that. The module's sum of
    weights is 1 / `certain` of the engine's at least, and all weights with what they are off by come to `heaviest` of
    it at most."""

    seen: Tensor
    most: int
    share: Tensor
    relative: Tensor
    widest: Tensor
    beside: Tensor
    certain: Tensor
    heaviest: Tensor


def mix_any(a: Arithmetic, head: Head) -> list[Bounded]:
    """As `attend_head`, for all inputs at once: quantities are [queries, keys, cells].

    The formulas are those of `attend_head`. What intervals by themselves do not know is added: a weight is at most 1,
    and all weights come to 1 at least. So a key whose weight is from w to W has a share of W / (W + Σ others' w) at
    most. With ε, the largest share that a weight is off by, Σ w |x - o| is at most half of what x ranges over, and the
    least sum of weights is 1 - ε of it at least.
    """
    loop = head.keys.loop
    assert isinstance(loop, TensorLoop)
    weights = _weights(a, head, loop)
    return [_mix(a, head, weights, value, limit) for value, limit in zip(head.values, head.limits, strict=True)]


def _weights(a: Arithmetic, head: Head, loop: TensorLoop) -> _Weights:
    unit, seen, most = a.rounding.unit, loop.mask, head.most
    low, high, relative = _least_and_largest(a, head, loop)
    widest = torch.where(seen, relative, 0.0).amax(1, keepdim=True)
    least = 1 - widest - 6 * unit - 2.0**-20 - 4 * most * a.rounding.tiny
    certain = torch.where(least > 0.25, 1 / least, math.inf)
    share = high / (high + (torch.where(seen, low, 0.0).sum(1, keepdim=True) - torch.where(seen, low, 0.0)))
    share = torch.where(seen, (share * (1 + 2.0**-40)).clamp(max=1.0), 0.0)
    beside = torch.where(seen, torch.full_like(share, a.rounding.lost_weight(most)), 0.0)
    heaviest = certain * (1 + widest + beside.sum(1, keepdim=True))
    return _Weights(seen, most, share, relative, widest, beside, certain, heaviest)


def _least_and_largest(a: Arithmetic, head: Head, loop: TensorLoop) -> tuple[Tensor, Tensor, Tensor]:
    """Of each key the least and the largest weight, and the largest share of it that it can be off by."""
    unit = a.rounding.unit
    if loop.most == 1 and not head.operation.plus_one:  # of one key alone, all weights are 1
        one = torch.ones(loop.mask.shape, dtype=torch.float64)
        return one, one, torch.zeros_like(one)
    s = score(a, head.scored)
    spread, error = Interval.of(s.value), Interval.of(s.error)
    seen = loop.seen(spread, -math.inf)
    top = seen.amax(1, keepdim=True)
    if head.operation.plus_one:
        top = top.each(lambda end: end.clamp(min=0.0))
    t = a.f.minimum((spread - top).outward(), 0.0)
    most_off = torch.where(loop.mask, error.high, 0.0).amax(1, keepdim=True)
    slack = (0.0 if head.operation.plus_one else most_off) + 4 * unit * most_off
    weight = a.f.exp(t)
    off = error.high + slack + unit * t.low.abs()
    relative = torch.where(off < 1, off * (1 + off) + WEIGHT_UNITS * unit, math.inf)
    return weight.low.clamp(min=0.0), weight.high.clamp(max=1.0), relative


def _products(a: Arithmetic, weights: _Weights, value: Bounded) -> tuple[Interval, Quantity]:
    """What the products of all weights with a value can come to, and what they and their sum are rounded by."""
    unit, most = a.rounding.unit, weights.most
    size = torch.where(weights.seen, high_end(a.size(value)), 0.0)
    products = weights.certain * (weights.share * (1 + weights.relative) + weights.beside) * size
    total, rest = products.sum(1, keepdim=True), products.sum(1, keepdim=True) - products.amax(1, keepdim=True)
    total = torch.minimum(total, weights.heaviest * size.amax(1, keepdim=True))
    computed = _up(total * (1 + compounded(2 * most + 4, a.rounding.plain_unit)))
    small = _up(rest * (1 + compounded(3 * most + 4, unit)) + 4 * most * ENGINE_UNIT * total)
    lost_sum = a.f.minimum((most - 1.0) * a.rounded(computed), small)
    underflow = most * (a.rounding.tiny + a.rounding.flushed)
    return computed, plus(times(4 * unit * (1 + (most + 1) * unit), _up(total)), lost_sum, underflow)


def _mix(a: Arithmetic, head: Head, weights: _Weights, value: Bounded, limit: float) -> Bounded:
    """The mix of one coordinate."""
    seen, unit, plus_one = weights.seen, a.rounding.unit, head.operation.plus_one
    x, off_x = Interval.of(value.value), high_end(a.off(value))
    products, roundings = _products(a, weights, value)
    lowest = torch.where(seen, x.low, math.inf).amin(1, keepdim=True)
    highest = torch.where(seen, x.high, -math.inf).amax(1, keepdim=True)
    if plus_one:  # what attends to nothing mixes in a zero, also where all keys are seen
        lowest, highest = lowest.clamp(max=0.0), highest.clamp(min=0.0)
    width = highest - lowest
    by_half = weights.widest * width / 2
    by_share = (weights.share * weights.relative * width).sum(1, keepdim=True)
    apart = weights.certain * (torch.minimum(by_half, by_share) + weights.beside.sum(1, keepdim=True) * width)
    own = weights.heaviest * torch.where(seen, off_x, 0.0).amax(1, keepdim=True)
    spread = products.high * 2.0**-40  # more than float64 can lose
    mean = Interval(lowest - spread, highest + spread)
    size = torch.maximum(mean.low.abs(), mean.high.abs())
    grown = 1 + (weights.most + 1) * unit  # by the additions of weights
    share_off = grown * weights.certain * (6 * unit if plus_one else 0.0) + grown - 1
    off = _up(grown * (apart + own) + size * share_off)
    return Bounded(mean, plus(off, times(head.keys.omitted, 4.0 * limit), roundings))


def _up(high: Tensor) -> Interval:
    """An error: only its upper end matters."""
    return Interval(torch.zeros_like(high), high)
