"""What a query mixes from the values, with a bound, where all weight is on keys with the largest score."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from compiler.backends.bounds.arithmetic import ENGINE_UNIT, SLACK, Arithmetic
from compiler.backends.bounds.attention import Head, score
from compiler.backends.bounds.bounded import Bounded
from compiler.backends.bounds.mixing import Kept, Reduction
from compiler.backends.bounds.quantities import Quantity, compounded, plus, quotient, times
from compiler.backends.elementary.program import Node
from compiler.network.ir import Ties
from compiler.source.faults import no_rule


@dataclass(frozen=True)
class _Candidates:
    """The keys that may have the largest score: of each, 1 or 0; how many there are; 1 where it is not sure that all
    of them have it, else 0; the position of the first or last one."""

    one: Kept
    count: Quantity
    unsure: Quantity
    chosen: Quantity


def attend_hard(a: Arithmetic, node: Node, head: Head, ties: Ties) -> list[Bounded]:
    """The wanted coordinates of what one head mixes for a query, where all weight is on keys with the largest score.

    The module's keys are among the candidates, whose values the mix lies between; where these surely tie, they are all
    of its keys. The engine takes the value of one of them, or their mean. One key has a weight of exactly 1, so that
    nothing is rounded; of n that share it each has 1 / n, and n and the quotient are rounded.
    """
    f, loop, first = a.f, head.keys.loop, head.number * head.operation.value_dim
    found, shared = _candidates(a, head, ties), _order(ties) is None
    kept: list[Kept] = []

    def weigh() -> Iterator[tuple[Reduction, Quantity]]:
        weight = found.one()
        if not shared:
            weight = f.if_less(f.absolute(head.keys.position - found.chosen), 0.5, weight, 0.0)
        weight = f.name(weight)
        kept[:] = [loop.keep(weight)]
        yield from (("sum", times(weight, v.value)) for v in head.values)

    sums = loop.over_all(weigh)
    (weight,) = kept
    means = [f.name(quotient(x, found.count) if shared else x) for x in sums]

    def differ() -> Iterator[tuple[Reduction, Quantity]]:
        involved = f.name(f.if_less(0.5, found.unsure, found.one(), weight()))
        for v, mean in zip(head.values, means, strict=True):
            off = a.off(v)
            for apart in (plus(times(found.unsure, f.absolute(v.value - mean)), off), a.size(v)):
                known = f.if_less(apart, math.inf, apart, math.inf)  # a maximum loses a NaN, but not an infinity
                yield "max", f.if_less(0.5, involved, known, 0.0)

    offs = loop.over_all(differ)
    mixed = []
    for c, mean, off, size in zip(head.wanted, means, offs[::2], offs[1::2], strict=True):
        rounded: Quantity = 0.0 if first + c in node.exact else a.rounding.flushed
        if shared:
            several = times(compounded(head.most + 8, a.rounding.unit), size)
            rounded = plus(f.if_less(found.count, 1.5, 0.0, plus(several, head.most * a.rounding.tiny)), rounded)
        mixed.append(Bounded(mean, f.name(plus(off, rounded))))
    return mixed


def _candidates(a: Arithmetic, head: Head, ties: Ties) -> _Candidates:
    """Scores that are off by `room` at most are largest only where no other is surely larger."""
    f, loop = a.f, head.keys.loop
    scores = a.unrounded if head.number in (head.operation.ordered or ()) else a
    sign = _order(ties) or 1.0
    kept: list[Kept] = []

    def compare() -> Iterator[tuple[Reduction, Quantity]]:
        s = score(scores, head.scored)
        off = f.name(f.if_less(s.error, math.inf, s.error, math.inf))  # a maximum loses a NaN, but not an infinity
        engine = plus(times(SLACK, off), times(4 * ENGINE_UNIT, f.absolute(s.value)))
        room = f.name(f.if_less(0.0, off, engine, 0.0))
        kept[:] = [loop.keep(plus(s.value, room)), loop.keep(room)]
        yield "max", s.value - room

    (floor,) = loop.over_all(compare)
    highest, room = kept

    def choose() -> Iterator[tuple[Reduction, Quantity]]:
        one = f.name(f.if_less(highest(), floor, 0.0, 1.0))
        kept[:] = [loop.keep(one)]
        yield "sum", one
        yield "max", f.if_less(0.5, one, room(), 0.0)
        yield "max", f.if_less(0.5, one, times(sign, head.keys.position), -math.inf)

    count, widest, last = loop.over_all(choose)
    unsure = f.name(f.if_less(1.5, count, f.if_less(0.0, widest, 1.0, 0.0), 0.0))
    return _Candidates(kept[0], f.name(count), unsure, f.name(times(sign, last)))


def _order(ties: Ties) -> float | None:
    """1 where the last of several keys has all weight, -1 where the first has; None where they share it."""
    match ties:
        case "share":
            return None
        case "latest":
            return 1.0
        case "earliest":
            return -1.0
        case _:
            raise no_rule("ties", ties)
