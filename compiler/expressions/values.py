"""What an expression evaluates to. Every number remembers which numbers and names of the spec it came from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from compiler.source import Span


@dataclass(frozen=True)
class Leaf:
    """A number that stands in the spec: a scalar of a parameter, or a literal (`name`: the definition it is in)."""

    kind: Literal["parameter", "literal"]
    name: str
    value: int | float
    span: Span


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a number comes from: the leaves it was computed from, and every named definition on the way."""

    leaves: frozenset[Leaf] = frozenset()
    names: frozenset[str] = frozenset()

    def __or__(self, other: Provenance) -> Provenance:
        if self is other or other is NOWHERE:
            return self
        if self is NOWHERE:
            return other
        return Provenance(self.leaves | other.leaves, self.names | other.names)


NOWHERE = Provenance()


def union(parts: Iterable[Provenance]) -> Provenance:
    total = NOWHERE
    for part in parts:
        total = total | part
    return total


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
