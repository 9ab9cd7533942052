"""What names mean while an expression is evaluated, and how much work is left."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from compiler.expressions.syntax import Node
from compiler.expressions.values import Number, Value
from compiler.floats import FloatFormat
from compiler.limits import MAX_WORK
from compiler.source import Span

NAMED_NUMBERS = {"pi": math.pi, "inf": math.inf}


class AlreadyReported(Exception):
    """The expression reads a name whose own definition is wrong, which was reported there."""


@dataclass
class Work:
    """Counts evaluated nodes, so that a small spec cannot ask for unbounded time."""

    left: int = MAX_WORK


@dataclass(frozen=True)
class Let:
    """A name that stands for an expression: it is evaluated anew, in parentheses as it were, wherever it is read.

    `earlier` are the names of that kind which it can read itself, so that none can read itself; `others` are the rest.
    """

    tree: Node
    place: Callable[[int, int], Span]
    earlier: Mapping[str, Let]
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scope:
    """What names mean in an expression.

    `indices` are names bound for the moment, such as those of a family, and come before `names`; `lets` stand for
    expressions. `definition` is the constant or parameter being defined, if it is one; `elsewhere` explains names that
    exist but cannot be read here, and `candidates` are further names to suggest; `place` gives the span of a range of
    the expression's text.
    """

    names: Mapping[str, Value]
    dtype: FloatFormat
    place: Callable[[int, int], Span]
    work: Work = field(default_factory=Work)
    definition: str = ""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    indices: Mapping[str, Number] = field(default_factory=dict)
    candidates: tuple[str, ...] = ()
    lets: Mapping[str, Let] = field(default_factory=dict)

    def bind(self, indices: Mapping[str, Number]) -> Scope:
        """The scope with further names in front, such as the indices of a family."""
        if not indices:
            return self
        bound = {**self.indices, **indices}
        known = (self.names, self.dtype, self.place, self.work, self.definition, self.elsewhere)
        return Scope(*known, bound, self.candidates, self.lets)

    def meaning(self, name: str) -> Value | None:
        """The value that a name stands for, if it has one here."""
        return self.indices.get(name) or self.names.get(name)

    def knows(self, name: str) -> bool:
        """Whether a name has any meaning here, so that it cannot be the name of an index."""
        return name in self.indices or name in self.names or name in self.lets or name in NAMED_NUMBERS
