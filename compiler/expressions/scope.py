"""What names mean while an expression is evaluated, and how much work is left."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from compiler.expressions.floats import FloatFormat
from compiler.expressions.syntax import ExpressionError, ExpressionNode, TextRange
from compiler.expressions.values import Number, Value
from compiler.source.limits import MAX_WORK
from compiler.source.showing import short_repr
from compiler.source.text import Span

NAMED_NUMBERS = {"pi": math.pi, "inf": math.inf}


class AlreadyReported(Exception):
    """The expression reads a name whose own definition is wrong, which was reported there."""


@dataclass
class Work:
    """Counts what is computed, in evaluated nodes, so that a small spec cannot ask for unbounded time.

    `read` are the names that the expressions computed so far mention, also in branches that are not taken.
    """

    left: int = MAX_WORK
    reported: bool = False
    read: set[str] = field(default_factory=set)

    __repr__ = short_repr

    def spend(self, amount: int, at: TextRange) -> None:
        """Raises `ExpressionError` the first time that too little is left, then `AlreadyReported`."""
        self.left -= amount
        if self.left < 0:
            if self.reported:
                raise AlreadyReported
            self.reported = True
            raise ExpressionError("too-much-work", f"more than {MAX_WORK} steps to compute this spec", at)


@dataclass(frozen=True)
class Let:
    """A name that stands for an expression, which is evaluated anew wherever the name is read, as if in parentheses.

    `earlier` are the names under `let` that the expression can read. So no name can read itself.
    """

    tree: ExpressionNode
    place: Callable[[int, int], Span]
    earlier: Lets


@dataclass(frozen=True)
class Lets:
    """The first `count` of the names under `let`. `every` is shared by all of a step: there may be very many."""

    every: Mapping[str, tuple[int, Let]] = field(default_factory=dict)
    count: int = 0

    def get(self, name: str) -> Let | None:
        order, let = self.every.get(name, (self.count, None))
        return let if order < self.count else None

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return islice(self.every, self.count)


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
    lets: Lets = field(default_factory=Lets)

    __repr__ = short_repr

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
