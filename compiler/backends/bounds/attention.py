"""What a query mixes from the values, with a bound: softmax over the keys that it sees."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from compiler.backends.bounds.arithmetic import (
    ENGINE_UNIT,
    ZERO,
    Arithmetic,
    Bounded,
    Functions,
    Quantity,
    compounded,
    is_zero,
    is_zero_value,
    plus,
    quotient,
    times,
)
from compiler.backends.bounds.mixing import Body, Combined, by_head
from compiler.backends.elementary.program import FUNCTION_UNITS, Attended, Linear, Terms, is_power_of_two
from compiler.network.meanings import divides

NEGLIGIBLE = -750.0  # the exponential of what is lower is zero in every dtype
WEIGHT_UNITS = 6 * FUNCTION_UNITS  # of two exponentials, one divided by the other, where they are off by up to e


class Keys(Protocol):
    """The keys that a query sees. `key`, `value`, `addition` and what was kept are read within a pass only."""

    @property
    def most(self) -> int:
        """How many keys any of the queries sees."""
        ...

    def key(self, coordinate: int) -> Bounded: ...
    def value(self, coordinate: int) -> Bounded: ...

    def addition(self, number: int) -> Quantity:
        """What is added to the score of this query and key."""
        ...

    def keep(self, x: Quantity) -> Callable[[], Quantity]:
        """How to read in a later pass what this one computes for each key."""
        ...

    def over_all(self, body: Body) -> list[Quantity]:
        """A pass over the keys: what becomes of each quantity that `body` computes for every key. A maximum may lose a
        NaN, but a sum never does."""
        ...


@dataclass(frozen=True)
class _Head:
    """What a head gives to each of some sums of its coordinates, and for each of the coordinates that were wanted, the
    size of what is mixed."""

    sums: Sequence[Bounded]
    sizes: Sequence[Quantity]


def _attend(
    a: Arithmetic,
    operation: Attended,
    query: Sequence[Bounded],
    keys: Keys,
    wanted: Sequence[int],
    rows: Sequence[Terms],
) -> _Head:
    """What one head mixes for a query of these coordinates: each of the rows sums some of the coordinates that are
    wanted, by their number in `wanted`. The roundings of this sum, and of products with its weights, are left out.

    Let the plain module's weights before normalisation be w (1 + η), |η| ≤ ε. Then its mix differs from o = Σ w v / Σ w
    by Σ w η (v - o) / Σ w (1 + η), and by what the values themselves are off. Scores that are off by d, together with
    the one that they are measured by, give η = e^d - 1 ≤ d (1 + d) for d < 1. Then it is normalised: its sum of weights
    is off by a share that all weights have in common, and the quotients, the products with the values and the sum of
    these are rounded.
    """
    f, unit, tiny = a.f, a.rounding.unit, a.rounding.tiny
    underflow = a.rounding.lost_weight(keys.most)
    kept: list[Callable[[], Quantity]] = []
    if keys.most == 0 or all(is_zero_value(keys.value(c)) for c in wanted):
        return _Head([ZERO for _ in rows], [0.0 for _ in wanted])

    def compare() -> Iterator[tuple[Combined, Quantity]]:
        key = [keys.key(c) for c in range(len(query))]
        s = score(a, operation, query, key, [keys.addition(i) for i in range(len(operation.additions))])
        off = f.name(f.if_less(s.error, math.inf, s.error, math.inf))  # a maximum loses a NaN, but not an infinity
        kept[:] = [keys.keep(s.value), keys.keep(off)]
        yield from (("max", s.value), ("max", off))

    highest, most_off = keys.over_all(compare)
    read_score, read_off = kept
    top = f.name(f.maximum(highest, 0.0) if operation.plus_one else highest)
    top_off, others_at_top = (0.0, 1.0) if operation.plus_one else _top(f, keys, top, read_score, read_off)
    slack = f.name(plus(top_off, times(4 * unit, most_off)))

    def weigh() -> Iterator[tuple[Combined, Quantity]]:
        t = f.name(read_score() - top)
        weight = f.name(f.exp(t))
        d = f.name(plus(read_off(), slack, times(unit, f.absolute(t))))
        relative = f.name(d * (1.0 + d) + WEIGHT_UNITS * unit)
        lost = f.if_less(t + d, NEGLIGIBLE, tiny, math.inf)
        more = f.if_less(d, 1.0, weight * relative + underflow, lost)
        least = f.if_less(d, 1.0, f.maximum(weight * (1.0 - relative) - 4 * tiny, 0.0), 0.0)
        if not operation.plus_one:  # the one key at the top has the weight that the others are measured by
            at_top = f.name(f.if_less(read_score(), top, 1.0, others_at_top))  # t may be fused with a product
            more, least = f.if_less(at_top, 0.5, 0.0, more), f.if_less(at_top, 0.5, weight, least)
        more = f.name(more)
        kept[:] = [keys.keep(weight), keys.keep(more)]
        yield from (("sum", weight), ("sum", least), ("sum", more))
        yield from (("sum", times(weight, keys.value(c).value)) for c in wanted)

    total, least, all_more, *mixed = keys.over_all(weigh)
    read_weight, read_more = kept
    nothing = f.name(f.exp(times(-1.0, top))) if operation.plus_one else 0.0  # the weight of attending to nothing
    total = f.name(plus(total, nothing))
    certain = f.name(quotient(1.0, plus(least, times(1 - 6 * unit, nothing))))
    means = [f.name(quotient(x, total)) for x in mixed]

    def differ() -> Iterator[tuple[Combined, Quantity]]:
        more = f.name(read_more())
        weight = f.name(plus(read_weight(), more))
        values = [keys.value(c) for c in wanted]
        for v in values:
            size = f.name(times(weight, a.size(v)))
            yield from (("sum", size), ("max", size))
        for terms in rows:
            apart = plus(*(times(factor, values[i].value - means[i]) for i, factor in terms))
            off = plus(*(times(abs(factor), a.off(values[i])) for i, factor in terms))
            yield "sum", plus(times(more, f.absolute(apart)), times(weight, off))

    sums = keys.over_all(differ)
    count = keys.most
    # an addition loses at most a unit of the rounded sum, which only grows; what is divided by it is off by that share
    grown = 1 + (count + 1) * unit
    # nor is it less than its largest term, which is one: the others are added to that, and lost at most
    heaviest = plus(total, all_more)
    if operation.plus_one:  # the largest may be less than one here
        heaviest = quotient(heaviest, f.maximum(1.0 - all_more, 0.0))
    lost_sum = plus(times(1 + 2 * count * unit, heaviest - 1.0), 4 * count * ENGINE_UNIT)
    normalizer = f.name(f.minimum(grown - 1, lost_sum))
    sizes: list[Quantity] = []
    roundings: list[Quantity] = []
    for total_size, greatest in zip(sums[: 2 * len(wanted) : 2], sums[1 : 2 * len(wanted) : 2], strict=True):
        size = f.name(times(total_size, certain))
        rest = f.absolute(size - times(greatest, certain))
        # partial sums: of products of what was divided, each rounded three times
        computed = f.name(times(1 + compounded(2 * count + 4, a.rounding.plain_unit), size))
        sum_off = f.minimum(
            times(count - 1.0, a.rounded(computed)),
            plus(times(1 + compounded(3 * count + 4, unit), rest), times(4 * count * ENGINE_UNIT, size)),
        )
        sizes.append(computed)
        underflow = count * (tiny + a.rounding.flushed)
        roundings.append(f.name(plus(times(4 * unit * grown, size), sum_off, underflow)))
    found = []
    for terms, off in zip(rows, sums[2 * len(wanted) :], strict=True):
        value = f.name(plus(*(times(factor, means[i]) for i, factor in terms)))
        size = f.absolute(value)
        apart = plus(times(off, certain), times(size, times(times(6 * unit, nothing), certain)))
        own = (times(abs(factor), roundings[i]) for i, factor in terms)
        found.append(Bounded(value, f.name(plus(times(grown, apart), times(size, normalizer), *own))))
    return _Head(found, sizes)


def _top(
    f: Functions, keys: Keys, top: Quantity, read_score: Callable[[], Quantity], read_off: Callable[[], Quantity]
) -> tuple[Quantity, Quantity]:
    """How far the score at the top can be off, and 0 where one key has it, 1 where several do."""

    def at_top() -> Iterator[tuple[Combined, Quantity]]:
        score = f.name(read_score())
        yield "max", f.if_less(score, top, 0.0, read_off())
        yield "sum", f.if_less(score, top, 0.0, 1.0)

    top_off, count = keys.over_all(at_top)
    return f.name(top_off), f.name(f.if_less(count, 1.5, 0.0, 1.0))


def score(
    a: Arithmetic, operation: Attended, query: Sequence[Bounded], key: Sequence[Bounded], additions: Sequence[Quantity]
) -> Bounded:
    """The score of a query and a key of these coordinates."""
    total = a.sum([a.multiply(x, y) for x, y in zip(query, key, strict=True)])
    if not is_zero_value(total) and operation.scale != 1:
        divided = divides(operation.scale_operation)
        factor = 1 / operation.scale if divided else operation.scale
        # the module rounds the factor to its dtype first
        total = a.times(total, factor) if is_power_of_two(operation.scale) else a.times_inexact(total, factor)
    for added in additions:
        total = a.add(total, Bounded(added, 0.0))
    return total


def attend_all(
    a: Arithmetic, operation: Attended, live: Sequence[int], query: Sequence[Bounded], keys: Callable[[int], Keys]
) -> list[Bounded]:
    """The live channels, in order; `keys` gives those of a head."""
    if operation.output is not None:
        return _outputs(a, operation, operation.output, live, query, keys)

    def attended(head: int, wanted: Sequence[int]) -> Sequence[Bounded]:
        own = [query[c] for c in operation.query_channels(head)]
        return _attend(a, operation, own, keys(head), wanted, [((i, 1.0),) for i in range(len(wanted))]).sums

    found = by_head(operation, live, attended)
    return [_limited(a.f, x, operation.limits[channel]) for channel, x in zip(live, found, strict=True)]


def _outputs(
    a: Arithmetic,
    operation: Attended,
    output: Linear,
    live: Sequence[int],
    query: Sequence[Bounded],
    keys: Callable[[int], Keys],
) -> list[Bounded]:
    """The live channels of a linear map of what is mixed. A weight that is off moves all coordinates of a head at once,
    and may move their sum by less than each of them."""
    f = a.f
    parts: list[list[Bounded]] = [[] for _ in live]
    products: list[list[Quantity]] = [[] for _ in live]  # their sizes
    roundings: list[list[Quantity]] = [[] for _ in live]
    mixed = sorted(operation.mixed(live))
    for head in sorted({channel // operation.value_dim for channel in mixed}):
        wanted = [channel for channel in mixed if channel // operation.value_dim == head]
        number = {channel: i for i, channel in enumerate(wanted)}
        rows = [tuple((number[c], factor) for c, factor in output.rows[row] if c in number) for row in live]
        own = [query[c] for c in operation.query_channels(head)]
        coordinates = [channel % operation.value_dim for channel in wanted]
        found = _attend(a, operation, own, keys(head), coordinates, rows)
        limits = [operation.limits[channel] for channel in wanted]
        sizes = [_no_more(f, size, limit) for size, limit in zip(found.sizes, limits, strict=True)]
        for i, terms in enumerate(rows):
            parts[i].append(_limited(f, found.sums[i], plus(*(abs(factor) * limits[j] for j, factor in terms))))
            products[i] += [times(abs(factor), sizes[j]) for j, factor in terms]
            roundings[i] += [a.rounded_product(Bounded(sizes[j], 0.0), factor) for j, factor in terms]
    return [
        _summed(a, parts[i], products[i], roundings[i], 0.0 if output.bias is None else output.bias[row])
        for i, row in enumerate(live)
    ]


def _summed(
    a: Arithmetic, parts: Sequence[Bounded], products: Sequence[Quantity], roundings: Sequence[Quantity], bias: float
) -> Bounded:
    """Parts of a sum of products of these sizes, which are rounded themselves, and a bias."""
    value = a.f.name(plus(*(part.value for part in parts), bias))
    off = plus(*(part.error for part in parts), *roundings)
    sizes = [size for size in (*products, abs(bias)) if not is_zero(size)]
    if len(sizes) == 2:
        off = a.f.name(off)
        off = plus(off, a.rounded(plus(a.f.absolute(value), off)))
    elif len(sizes) > 2:
        growth = (1 + a.rounding.plain_unit) ** (len(sizes) + 2)
        off = plus(off, times(len(sizes) - 1.0, a.rounded(times(growth, plus(*sizes)))))
    return Bounded(value, a.f.name(off))


def _limited(f: Functions, x: Bounded, limit: float) -> Bounded:
    """The error is too large, or NaN, where the weights of too many keys are unknown."""
    return Bounded(x.value, _no_more(f, x.error, plus(f.absolute(x.value), limit)))


def _no_more(f: Functions, x: Quantity, limit: Quantity) -> Quantity:
    """The smaller of both; the limit where x is NaN."""
    return f.name(f.if_less(x, limit, x, limit))
