"""What a query mixes from the values by fixed weights, with a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from compiler.backends.bounds.arithmetic import Arithmetic
from compiler.backends.bounds.bounded import Bounded
from compiler.backends.bounds.demand import live_heads
from compiler.backends.bounds.elementwise import exact_and_rounded
from compiler.backends.bounds.quantities import Quantity, plus, times
from compiler.backends.elementary.program import Attended, Mixed, Node

Reduction = Literal["sum", "max"]
Kept = Callable[[], Quantity]  # reads in a later pass what an earlier one computed for each key
Body = Callable[[], Iterable[tuple[Reduction, Quantity]]]


class KeyLoop(Protocol):
    """Passes over the keys that a query sees."""

    @property
    def most(self) -> int:
        """How many keys any of the queries sees."""
        ...

    def keep(self, x: Quantity) -> Kept:
        """How to read in a later pass what this one computes for each key."""
        ...

    def over_all(self, body: Body) -> list[Quantity]:
        """A pass over the keys: what becomes of each quantity that `body` computes for every key. A maximum may lose a
        NaN, but a sum never does."""
        ...


@dataclass(frozen=True, eq=False)
class WeightedKeys:
    """The keys that a query mixes by weights that do not depend on tokens: the coordinates of their values. `inexact`
    is 1 where a product with the weight is rounded, 0 where the weight is surely a power of two. All but `loop` is read
    within a pass only."""

    loop: KeyLoop
    values: Sequence[Bounded]
    weight: Bounded
    inexact: Quantity


def mix_head(a: Arithmetic, keys: WeightedKeys, wanted: Sequence[int]) -> list[Bounded]:
    """The wanted coordinates of what one head mixes for a query: the sum of weight · value, in any order."""
    f, weight, most = a.f, keys.weight, keys.loop.most

    def products() -> Iterator[tuple[Reduction, Quantity]]:
        for v in (keys.values[c] for c in wanted):
            size = f.name(times(plus(weight.value, weight.error), a.size(v)))
            off = plus(times(weight.value, a.off(v)), times(plus(weight.error, a.rounding.flushed), a.size(v)))
            yield "sum", times(weight.value, v.value)
            yield from (("sum", plus(off, times(keys.inexact, a.rounded(size)))), ("sum", size))

    sums = keys.loop.over_all(products)
    mixed = []
    for value, off, size in zip(sums[::3], sums[1::3], sums[2::3], strict=True):
        off = plus(off, most * a.rounding.tiny)
        if most > 1:
            off = f.name(off)
            off = plus(off, a.additions(most, Bounded(value, off), [size]))
        mixed.append(Bounded(value, f.name(off)))
    return mixed


def mix_all(a: Arithmetic, node: Node, operation: Mixed, keys: Callable[[int], WeightedKeys]) -> list[Bounded]:
    """The live channels, in order; `keys` gives those of a head."""

    def compute(a: Arithmetic, live: Sequence[int]) -> list[Bounded]:
        return by_head(operation, live, lambda head, wanted: mix_head(a, keys(head), wanted))

    return exact_and_rounded(a, node, compute)


def by_head(
    operation: Attended | Mixed, live: Sequence[int], mixed: Callable[[int, Sequence[int]], Sequence[Bounded]]
) -> list[Bounded]:
    """The live channels, in order; `mixed` gives the coordinates of a head."""
    by_channel: dict[int, Bounded] = {}
    for head in live_heads(operation, live):
        channels = [channel for channel in live if channel // operation.value_dim == head]
        wanted = [channel % operation.value_dim for channel in channels]
        by_channel |= zip(channels, mixed(head, wanted), strict=True)
    return [by_channel[channel] for channel in live]
