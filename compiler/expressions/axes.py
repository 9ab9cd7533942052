"""Named dimensions: an axis is laid out in declared order, a family (`candidate[10]`) with its last index fastest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

from compiler.source.showing import short_repr


@dataclass(frozen=True)
class Family:
    """Dimensions under one name: one of them where `sizes` is empty, else one for each index tuple."""

    name: str
    sizes: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        return prod(self.sizes)

    def __str__(self) -> str:
        return self.name + (f"[{', '.join(map(str, self.sizes))}]" if self.sizes else "")


@dataclass(frozen=True)
class Axis:
    """An ordered list of named dimensions: the residual stream, hidden units, heads, tokens."""

    families: tuple[Family, ...]

    __repr__ = short_repr

    @cached_property
    def size(self) -> int:
        return sum(family.size for family in self.families)

    @cached_property
    def starts(self) -> dict[str, int]:
        """The position of the first dimension of each family."""
        starts, offset = {}, 0
        for family in self.families:
            starts[family.name] = offset
            offset += family.size
        return starts

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The name of each dimension, such as `place` or `candidate[3]`."""
        return tuple(
            family.name + (f"[{', '.join(map(str, index))}]" if index else "")
            for family in self.families
            for index in product(*map(range, family.sizes))
        )

    @cached_property
    def positions(self) -> dict[str, int]:
        """Where each label stands."""
        return {label: position for position, label in enumerate(self.labels)}

    @cached_property
    def _by_name(self) -> dict[str, Family]:
        return {family.name: family for family in reversed(self.families)}

    def family(self, name: str) -> Family | None:
        return self._by_name.get(name)

    def extended(self, size: int) -> Axis:
        """The axis with one more, fastest running index on every family, such as a coordinate within each head."""
        return Axis(tuple(Family(family.name, (*family.sizes, size)) for family in self.families))

    def first(self, size: int) -> Axis:
        """The axis of the first `size` dimensions; a family that is cut keeps its first members."""
        kept: list[Family] = []
        left = size
        for family in self.families:
            if family.size > left:
                if len(family.sizes) == 1 and left:
                    return Axis((*kept, Family(family.name, (left,))))
                break
            kept.append(family)
            left -= family.size
        return Axis((*kept, *(Family(label) for label in self.labels[size - left : size])))

    def __str__(self) -> str:
        return " ".join(map(str, self.families))
