"""What an expression evaluates to. Every number remembers which numbers and names of the spec it came from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from compiler.source import Span


@dataclass(frozen=True)
class Leaf:
    """A number that stands in the spec: a scalar of a parameter, or a literal (`name`: the definition it is in)."""

    kind: Literal["parameter", "literal"]
    name: str
    value: int | float
    span: Span


@dataclass(frozen=True, eq=False)
class Provenance:
    """Where a number comes from: the leaves it was computed from, and every named definition on the way.

    Joining is cheap (`parts` are kept as they are), as it happens at every operation; the sets are made when asked for.
    """

    own_leaves: frozenset[Leaf] = frozenset()
    own_names: frozenset[str] = frozenset()
    parts: tuple[Provenance, ...] = ()

    @cached_property
    def leaves(self) -> frozenset[Leaf]:
        return frozenset().union(*(part.own_leaves for part in self._all()))

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset().union(*(part.own_names for part in self._all()))

    def _all(self) -> list[Provenance]:
        """Itself and everything joined into it, each once."""
        seen: dict[int, Provenance] = {}
        todo = [self]
        while todo:
            one = todo.pop()
            if id(one) not in seen:
                seen[id(one)] = one
                todo += one.parts
        return list(seen.values())


NOWHERE = Provenance()


def union(first: Provenance, *others: Provenance) -> Provenance:
    """The provenance of a number that was computed from several."""
    parts = tuple(part for part in (first, *others) if part is not NOWHERE)
    if not parts:
        return NOWHERE
    return parts[0] if all(part is parts[0] for part in parts) else Provenance(parts=parts)


@dataclass(frozen=True, slots=True)
class Number:
    """An exact integer or a double. `rounded`: a number of the spec's dtype, so that arithmetic rounds to it."""

    value: int | float
    rounded: bool = False
    provenance: Provenance = NOWHERE


@dataclass(frozen=True, slots=True)
class Truth:
    value: bool


@dataclass(frozen=True, slots=True)
class Vector:
    items: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Affine:
    """A sum of dimensions times numbers, plus a constant; the keys of `terms` are columns of the axis read."""

    terms: dict[int, Number]
    constant: Number | None = None


@dataclass(frozen=True, slots=True)
class Dimensions:
    """A family of dimensions, to be indexed: `sizes` along each index, from column `start` on."""

    name: str
    start: int
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name whose definition failed and was reported; what reads it stays silent."""


Value = Number | Truth | Vector | Affine | Dimensions | Unknown

KINDS: dict[type, str] = {
    Number: "a number",
    Truth: "a truth value",
    Vector: "a vector",
    Affine: "an expression in dimensions",
    Dimensions: "a family of dimensions",
    Unknown: "unknown",
}
