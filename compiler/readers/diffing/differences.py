"""What `diff` finds, as values: written text, names, numbers, ties, products, tensors of files, and counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from compiler.expressions.floats import FloatFormat
from compiler.readers.diffing.matching import NameMatch
from compiler.readers.diffing.text_changes import TextChange
from compiler.source.showing import html_table, short_repr

Likeness = Literal["up to names", "multiplied out", "apart from ties"]
TensorShape = tuple[int, ...]
Dtypes = tuple[FloatFormat | None, FloatFormat | None]


@dataclass(frozen=True)
class EntryChange:
    """One number of a tensor or table that differs, at the named place `label`; None where it does not exist.

    `ulps`: how many numbers of the dtype the two are apart, where both are weights of one dtype.
    """

    tensor: str
    label: str
    before: float | None
    after: float | None
    causes: tuple[str, ...] = ()
    ulps: int | None = None

    @property
    def ratio(self) -> float | None:
        """after / before, to twelve digits, where both are there and not zero."""
        if not self.before or not self.after or not math.isfinite(self.before) or not math.isfinite(self.after):
            return None
        ratio = self.after / self.before
        return float(f"{ratio:.12g}") if math.isfinite(ratio) else None


@dataclass(frozen=True)
class EntryGroup:
    """Entries that one cause changed by one factor (`ratio`), or by many (None)."""

    causes: tuple[str, ...]
    ratio: float | None
    entries: tuple[EntryChange, ...]

    __repr__ = short_repr


@dataclass(frozen=True)
class ShapeChange:
    tensor: str
    before: TensorShape | None
    after: TensorShape | None


@dataclass(frozen=True)
class TieChange:
    """A tensor whose tie changed: the name of the tensor that it is tied to; None where it is stored by itself."""

    tensor: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class ProductChange:
    """A matrix that is stored as other factors than before, which are named from left to right.

    `equal` says whether the products are the same, computed exactly and rounded once; None where that is too much.
    """

    tensor: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    equal: bool | None


@dataclass(frozen=True)
class TensorChange:
    """A tensor that differs in the files of two models. Name, shape and dtype are None where it is missing.

    `differing` is how many numbers differ, in value or in the sign of a zero; `entries` are the first of them.
    `largest` is the largest difference, and `ulps` the same in numbers of `ulps_dtype`, the coarser of the two dtypes.
    """

    names: tuple[str | None, str | None]
    shapes: tuple[TensorShape | None, TensorShape | None]
    dtypes: tuple[str | None, str | None]
    differing: int = 0
    largest: float | None = None
    ulps: int | None = None
    ulps_dtype: str | None = None
    transposed: bool = False
    entries: tuple[EntryChange, ...] = ()


@dataclass(frozen=True)
class CountChange:
    rule: str
    before: int | None
    after: int | None


def _figure(value: object) -> str | None:
    return None if value is None else str(value)


@dataclass(frozen=True)
class Difference:
    """`names` are pairs of names that stand for the same thing. `tensors` are compared where a file is a state dict, or
    stores other tensors than the spec inside says. `notes` say what was read.

    `alike` is None where numbers or options of the networks differ. Otherwise all are equal, apart from what it lists.
    Without two specs (`of_specs` is false) only tensors are compared. `dtypes` are those of the two specs.
    """

    before: str
    after: str
    files: tuple[str, str]
    texts: tuple[TextChange, ...] = ()
    names: tuple[NameMatch, ...] = ()
    shapes: tuple[ShapeChange, ...] = ()
    ties: tuple[TieChange, ...] = ()
    products: tuple[ProductChange, ...] = ()
    groups: tuple[EntryGroup, ...] = ()
    tensors: tuple[TensorChange, ...] = ()
    counts: tuple[CountChange, ...] = ()
    alike: tuple[Likeness, ...] | None = None
    notes: tuple[str, ...] = ()
    of_specs: bool = True
    dtypes: Dtypes = (None, None)

    __repr__ = short_repr

    def _repr_html_(self) -> str:
        """What is written otherwise, and counts, for a notebook; then how many tensors and numbers are others."""
        rows: list[tuple[str, str, str | None, str | None]]
        rows = [(change.section, change.path, change.before, change.after) for change in self.texts]
        rows += [("count", change.rule, _figure(change.before), _figure(change.after)) for change in self.counts]
        rows += [("shape", change.tensor, _figure(change.before), _figure(change.after)) for change in self.shapes]
        rows += [("tie", change.tensor, change.before, change.after) for change in self.ties]
        rows += [("numbers", ", ".join(group.causes), f"{len(group.entries):,} differ", "") for group in self.groups]
        rows += [("tensor", str(change.names[0]), f"{change.differing:,} differ", "") for change in self.tensors]
        return html_table("no difference" if self.empty else "difference", ("", "", self.before, self.after), rows)

    @property
    def empty(self) -> bool:
        """Whether the two say the same; then every count is the same too."""
        numbers = self.shapes or self.ties or self.products or self.groups or self.tensors
        return not (self.texts or self.names or numbers)
