"""What an expression evaluates to. Every number remembers which numbers and names of the spec it came from."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from compiler.source.showing import short_repr
from compiler.source.text import Span


@dataclass(frozen=True)
class Leaf:
    """A number of the spec: a scalar of a parameter, a literal (`name`: the definition it is in), or what an index
    name stands for, such as the d of `digit[d]`, where it is used as a number.
    """

    kind: Literal["parameter", "literal", "index"]
    name: str
    value: int | float
    span: Span

    __repr__ = short_repr


@dataclass(frozen=True, eq=False, slots=True)
class Provenance:
    """Where a number comes from. Joining is cheap, as it happens at every operation: the parts are kept as they are.

    `name` is the definition that the number is the value of. The leaves of a parameter are its own number alone; what
    its formula was computed from are its `sources`.
    """

    leaf: Leaf | None = None
    name: str = ""
    parts: tuple[Provenance, ...] = ()
    sources: tuple[Provenance, ...] = ()

    __repr__ = short_repr


NOWHERE = Provenance()


def merged_provenance(first: Provenance, *others: Provenance) -> Provenance:
    """The provenance of a number that was computed from several."""
    parts = tuple(part for part in (first, *others) if part is not NOWHERE)
    if not parts:
        return NOWHERE
    return parts[0] if all(part is parts[0] for part in parts) else Provenance(parts=parts)


def leaves(provenances: Iterable[Provenance], *, with_sources: bool = False) -> set[Leaf]:
    """The numbers of the spec that any of these were computed from; `with_sources` adds those of the parameters."""
    numbers: set[Leaf] = set()
    seen: set[Provenance] = set()
    todo = list(provenances)
    while todo:
        provenance = todo.pop()
        if provenance not in seen:
            seen.add(provenance)
            todo += (*provenance.parts, *provenance.sources) if with_sources else provenance.parts
            if provenance.leaf is not None:
                numbers.add(provenance.leaf)
    return numbers


def names_read(root: Provenance, wanted: AbstractSet[str], known: dict[Provenance, frozenset[str]]) -> frozenset[str]:
    """Which of the `wanted` definitions a number depends on; `known` keeps what was found, for the next call."""
    todo = [root]
    while todo:
        provenance = todo[-1]
        inner = (*provenance.parts, *provenance.sources)
        missing = [part for part in inner if part not in known]
        if missing and provenance not in known:
            todo += missing
            continue
        todo.pop()
        names = {provenance.name} & wanted
        known[provenance] = frozenset(names.union(*(known[part] for part in inner)))
    return known[root]


@dataclass(frozen=True, slots=True)
class Number:
    """An exact integer or a double. `rounded`: a number of the spec's dtype, so that arithmetic rounds to it."""

    value: int | float
    rounded: bool = False
    provenance: Provenance = NOWHERE

    __repr__ = short_repr


def index_number(name: str, value: int, span: Span) -> Number:
    """What an index name that is bound at `span` stands for."""
    if value in (0, 1):
        return Number(value)
    return Number(value, False, Provenance(Leaf("index", name, value, span)))


@dataclass(frozen=True, slots=True)
class Truth:
    value: bool


@dataclass(frozen=True, slots=True)
class Vector:
    items: tuple[Number, ...]

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class Matrix:
    """Numbers by row and column; there is at least one row, and all rows have the same length."""

    rows: tuple[tuple[Number, ...], ...]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), len(self.rows[0])


@dataclass(frozen=True, slots=True)
class Affine:
    """A sum of dimensions times numbers, plus a constant; the keys of `terms` are columns of the axis read."""

    terms: dict[int, Number]
    constant: Number | None = None


@dataclass(frozen=True, slots=True)
class DimensionFamily:
    """A family of dimensions, to be indexed: `sizes` along each index, from column `start` on."""

    name: str
    start: int
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name whose definition failed and was reported; what reads it stays silent."""


Value = Number | Truth | Vector | Matrix | Affine | DimensionFamily | Unknown

KINDS: dict[type, str] = {
    Number: "a number",
    Truth: "a truth value",
    Vector: "a vector",
    Matrix: "a matrix",
    Affine: "an expression in dimensions",
    DimensionFamily: "a family of dimensions",
    Unknown: "unknown",
}
