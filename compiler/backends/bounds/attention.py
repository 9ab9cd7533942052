"""What a query mixes from the values, with a bound: softmax over the keys that it sees."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from compiler.backends.bounds.arithmetic import ENGINE_UNIT, Arithmetic
from compiler.backends.bounds.bounded import Bounded, is_zero_value
from compiler.backends.bounds.mixing import Kept, KeyLoop, Reduction
from compiler.backends.bounds.quantities import Functions, Quantity, compounded, plus, quotient, times
from compiler.backends.elementary.program import FUNCTION_UNITS, Attended, is_power_of_two
from compiler.network.meanings import divides

NEGLIGIBLE = -750.0  # the exponential of what is lower is zero in every dtype
WEIGHT_UNITS = 6 * FUNCTION_UNITS  # of two exponentials, one divided by the other, where they are off by up to e


@dataclass(frozen=True, eq=False)
class Keys:
    """The keys that a query sees: their coordinates, those of their values, what is `added` to their scores, in order,
    and their `position`, which are read within a pass only. Those that are left out have weights up to `omitted` in all
    where the largest has 1."""

    loop: KeyLoop
    keys: Sequence[Bounded]
    values: Sequence[Bounded]
    added: Sequence[Quantity]
    position: Quantity
    omitted: Quantity = 0.0


@dataclass(frozen=True, eq=False)
class Head:
    """A head by its `number`, that a query with these coordinates asks for the `wanted` coordinates of the values."""

    operation: Attended
    number: int
    query: Sequence[Bounded]
    keys: Keys
    wanted: Sequence[int]

    @property
    def scored(self) -> Scored:
        return Scored(self.operation, self.query, self.keys.keys, self.keys.added)

    @property
    def values(self) -> list[Bounded]:
        return [self.keys.values[c] for c in self.wanted]

    @property
    def limits(self) -> list[float]:
        """Of the coordinates that are wanted."""
        first = self.number * self.operation.value_dim
        return [self.operation.limits[first + c] for c in self.wanted]

    @property
    def most(self) -> int:
        """Keys that the plain module sees."""
        return self.operation.most or self.keys.loop.most


@dataclass(frozen=True)
class _Scores:
    """Of each key the score and its error. `top` is the score that weights are measured by, `slack` the error that
    all of them have from it, `others_at_top` 0 where only one key has it."""

    score: Kept
    off: Kept
    top: Quantity
    slack: Quantity
    others_at_top: Quantity


@dataclass(frozen=True)
class _Weights:
    """Of each key the weight before normalisation and its error; the sums of both; the weight of `nothing`; one over
    the least sum that is `certain`; the mean of each coordinate that is wanted."""

    weight: Kept
    more: Kept
    total: Quantity
    all_more: Quantity
    nothing: Quantity
    certain: Quantity
    means: Sequence[Quantity]


def attend_head(a: Arithmetic, head: Head) -> list[Bounded]:
    """The wanted coordinates of what one head mixes for a query.

    Let the plain module's weights before normalisation be w (1 + η), |η| ≤ ε. Then its mix differs from o = Σ w v / Σ w
    by Σ w η (v - o) / Σ w (1 + η), and by what the values themselves are off. Scores that are off by d, together with
    the one that they are measured by, give η = e^d - 1 ≤ d (1 + d) for d < 1. Then it is normalised: its sum of weights
    is off by a share that all weights have in common, and the quotients, the products with the values and the sum of
    these are rounded. Keys that are left out have a share ρ of all weights at most. They move the mean of the others by
    2 ρ times the largest value at most, and what the sums of weights and products lose by less than that.
    """
    f, unit = a.f, a.rounding.unit
    weights = _weigh(a, head, _compare(a, head))
    sums = _differ(a, head, weights)
    # an addition loses at most a unit of the rounded sum, which only grows; what is divided by it is off by that share
    grown = 1 + (head.most + 1) * unit
    normalizer = _normalizer(a, head, weights, grown)
    mixed = []
    for value, limit, *of_value in zip(weights.means, head.limits, sums[::3], sums[1::3], sums[2::3], strict=True):
        total_size, greatest, off = of_value
        size = f.absolute(value)
        apart = plus(times(off, weights.certain), times(size, times(times(6 * unit, weights.nothing), weights.certain)))
        rounded = _rounded_mix(a, head, weights.certain, total_size, greatest)
        left_out = times(head.keys.omitted, 4.0 * limit)
        mixed.append(Bounded(value, f.name(plus(times(grown, apart), times(size, normalizer), left_out, rounded))))
    return mixed


def mix_values(a: Arithmetic, head: Head) -> list[Bounded]:
    """As `attend_head`, without errors."""
    f, loop, plus_one = a.f, head.keys.loop, head.operation.plus_one
    kept: list[Kept] = []

    def compare() -> Iterator[tuple[Reduction, Quantity]]:
        s = score(a, head.scored)
        kept[:] = [loop.keep(s.value)]
        yield "max", s.value

    def weigh() -> Iterator[tuple[Reduction, Quantity]]:
        weight = f.name(f.exp(kept[0]() - top)) if several else 1.0
        yield "sum", weight
        yield from (("sum", times(weight, v.value)) for v in head.values)

    several, top = loop.most > 1 or plus_one, 0.0
    if several:  # one key alone has a weight of 1
        (highest,) = loop.over_all(compare)
        top = f.name(f.maximum(highest, 0.0) if plus_one else highest)
    total, *mixed = loop.over_all(weigh)
    total = f.name(plus(total, f.exp(times(-1.0, top)) if plus_one else 0.0))
    return [Bounded(f.name(quotient(x, total)) if several else x, 0.0) for x in mixed]


Mixing = Callable[[Arithmetic, Head], list[Bounded]]


def _compare(a: Arithmetic, head: Head) -> _Scores:
    f, loop, plus_one = a.f, head.keys.loop, head.operation.plus_one
    kept: list[Kept] = []

    def compare() -> Iterator[tuple[Reduction, Quantity]]:
        s = score(a, head.scored)
        off = f.name(f.if_less(s.error, math.inf, s.error, math.inf))  # a maximum loses a NaN, but not an infinity
        kept[:] = [loop.keep(s.value), loop.keep(off)]
        yield from (("max", s.value), ("max", off))

    highest, most_off = loop.over_all(compare)
    read_score, read_off = kept
    top = f.name(f.maximum(highest, 0.0) if plus_one else highest)
    top_off, others_at_top = (0.0, 1.0) if plus_one else _top(f, loop, top, read_score, read_off)
    slack = f.name(plus(top_off, times(4 * a.rounding.unit, most_off)))
    return _Scores(read_score, read_off, top, slack, others_at_top)


def _weigh(a: Arithmetic, head: Head, scores: _Scores) -> _Weights:
    f, loop, unit, tiny = a.f, head.keys.loop, a.rounding.unit, a.rounding.tiny
    plus_one, top = head.operation.plus_one, scores.top
    underflow = a.rounding.lost_weight(head.most)
    kept: list[Kept] = []

    def weigh() -> Iterator[tuple[Reduction, Quantity]]:
        t = f.name(scores.score() - top)
        weight = f.name(f.exp(t))
        d = f.name(plus(scores.off(), scores.slack, times(unit, f.absolute(t))))
        relative = f.name(d * (1.0 + d) + WEIGHT_UNITS * unit)
        lost = f.if_less(t + d, NEGLIGIBLE, tiny, math.inf)
        more = f.if_less(d, 1.0, weight * relative + underflow, lost)
        least = f.if_less(d, 1.0, f.maximum(weight * (1.0 - relative) - 4 * tiny, 0.0), 0.0)
        if not plus_one:  # the one key at the top has the weight that the others are measured by
            at_top = f.name(f.if_less(scores.score(), top, 1.0, scores.others_at_top))  # t may be fused with a product
            more, least = f.if_less(at_top, 0.5, 0.0, more), f.if_less(at_top, 0.5, weight, least)
        more = f.name(more)
        kept[:] = [loop.keep(weight), loop.keep(more)]
        yield from (("sum", weight), ("sum", least), ("sum", more))
        yield from (("sum", times(weight, v.value)) for v in head.values)

    total, least, all_more, *mixed = loop.over_all(weigh)
    nothing = f.name(f.exp(times(-1.0, top))) if plus_one else 0.0  # the weight of attending to nothing
    total = f.name(plus(total, nothing))
    certain = f.name(quotient(1.0, plus(least, times(1 - 6 * unit, nothing))))
    means = [f.name(quotient(x, total)) for x in mixed]
    read_weight, read_more = kept
    return _Weights(read_weight, read_more, total, all_more, nothing, certain, means)


def _differ(a: Arithmetic, head: Head, weights: _Weights) -> list[Quantity]:
    """For each coordinate that is wanted, the sum and the largest of the sizes of products with weights, and by how
    much it can be off, before normalisation."""
    f = a.f

    def differ() -> Iterator[tuple[Reduction, Quantity]]:
        more = f.name(weights.more())
        weight = f.name(plus(weights.weight(), more))
        for v, mean in zip(head.values, weights.means, strict=True):
            size = f.name(times(weight, a.size(v)))
            yield from (("sum", size), ("max", size))
            yield "sum", plus(times(more, f.absolute(v.value - mean)), times(weight, a.off(v)))

    return head.keys.loop.over_all(differ)


def _normalizer(a: Arithmetic, head: Head, weights: _Weights, grown: float) -> Quantity:
    """The share by which the module's sum of weights can be off by its own roundings, which grow it to `grown` at most.

    The sum is no less than its largest term, which is one: the others are added to that, and lost at most.
    """
    f, count = a.f, head.most
    heaviest = plus(weights.total, weights.all_more)
    if head.operation.plus_one:  # the largest may be less than one here
        heaviest = quotient(heaviest, f.maximum(1.0 - weights.all_more, 0.0))
    lost_sum = plus(times(1 + 2 * count * a.rounding.unit, heaviest - 1.0), 4 * count * ENGINE_UNIT)
    return f.name(f.minimum(grown - 1, lost_sum))


def _rounded_mix(a: Arithmetic, head: Head, certain: Quantity, total_size: Quantity, greatest: Quantity) -> Quantity:
    """The roundings of what is mixed of one coordinate, from the sum and the largest of the sizes of its products."""
    f, count, unit = a.f, head.most, a.rounding.unit
    size = f.name(times(total_size, certain))
    rest = f.absolute(size - times(greatest, certain))
    # partial sums: of products of what was divided, each rounded three times
    computed = f.name(times(1 + compounded(2 * count + 4, a.rounding.plain_unit), size))
    sum_off = f.minimum(
        times(count - 1.0, a.rounded(computed)),
        plus(times(1 + compounded(3 * count + 4, unit), rest), times(4 * count * ENGINE_UNIT, size)),
    )
    underflow = count * (a.rounding.tiny + a.rounding.flushed)
    return plus(times(4 * unit * (1 + (count + 1) * unit), size), sum_off, underflow)


def _top(f: Functions, loop: KeyLoop, top: Quantity, read_score: Kept, read_off: Kept) -> tuple[Quantity, Quantity]:
    """How far the score at the top can be off, and 0 where one key has it, 1 where several do."""

    def at_top() -> Iterator[tuple[Reduction, Quantity]]:
        score = f.name(read_score())
        yield "max", f.if_less(score, top, 0.0, read_off())
        yield "sum", f.if_less(score, top, 0.0, 1.0)

    top_off, count = loop.over_all(at_top)
    return f.name(top_off), f.name(f.if_less(count, 1.5, 0.0, 1.0))


@dataclass(frozen=True, eq=False)
class Scored:
    """The coordinates of a query and of a key, and what is `added` to their score, in order."""

    operation: Attended
    query: Sequence[Bounded]
    key: Sequence[Bounded]
    added: Sequence[Quantity]


def score(a: Arithmetic, scored: Scored) -> Bounded:
    """The score of a query and a key."""
    operation = scored.operation
    total = a.sum([a.multiply(x, y) for x, y in zip(scored.query, scored.key, strict=True)])
    if not is_zero_value(total) and operation.scale != 1:
        divided = divides(operation.scale_operation)
        factor = 1 / operation.scale if divided else operation.scale
        # the module rounds the factor to its dtype first
        total = a.times(total, factor) if is_power_of_two(operation.scale) else a.times_inexact(total, factor)
    for added in scored.added:
        total = a.add(total, Bounded(added, 0.0))
    return total
