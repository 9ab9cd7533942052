"""Formulas in positions: of query and key, such as an ALiBi slope times the distance, or of one token; and in the
number of tokens of the sequence at hand, which is called `time`."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from compiler.expressions.arithmetic import NotANumber, cast
from compiler.expressions.evaluate import number_value
from compiler.expressions.floats import round_to
from compiler.expressions.formulas import NESTED_TOO_DEEPLY, SET_UP_WORK, Formula, in_place
from compiler.expressions.scope import NAMED_NUMBERS, Scope, Work
from compiler.expressions.syntax import (
    Binary,
    Call,
    ExpressionError,
    ExpressionNode,
    Indexed,
    List,
    Name,
    Transpose,
    Unary,
    free_names,
)
from compiler.expressions.values import Number, index_number
from compiler.source.showing import short_repr

QUERY, KEY, PAIR = "query_pos", "key_pos", "pair"  # names that attention gives a meaning
POSITION = "pos"  # and the one of `position`
TIME = "time"  # the one of both, and of `repeat`
MOST_KEPT = 1 << 14  # numbers of a formula that depends on both positions, for whoever asks for them again
Keys = Callable[[int], range]  # those of a query that no mask hides
RESERVED = (*NAMED_NUMBERS, QUERY, KEY, PAIR, POSITION, TIME)
"""Names that mean something in formulas, so that a spec cannot define them."""


@dataclass(frozen=True, eq=False)
class PositionFormula:
    """An expression in `pos`, which counts from 0, and `time`. Both are numbers of the dtype."""

    formula: Formula
    scope: Scope = field(repr=False)
    _computed: dict[tuple[int, int], Number] = field(default_factory=dict, repr=False)  # by position and length

    @property
    def text(self) -> str:
        return self.formula.text

    def at(self, position: int, time: int = 0) -> Number:
        """The value for one position, in a sequence of `time` tokens. Raises `ExpressionError`, `AlreadyReported`."""
        case = position if self.reads_position else 0, time if self.reads_time else 0
        if case not in self._computed:
            self._computed[case] = self._compute(*case)
        return self._computed[case]

    def stored_at(self, position: int) -> Number:
        """The value for one position as it is stored, not rounded yet. The position is an index here, and `time` has no
        meaning. Raises what `at` raises."""
        index = index_number(POSITION, position, self.formula.span)
        bound = Number(round_to(position, self.scope.dtype), True, index.provenance)
        return _value(self.formula, self.scope, {POSITION: bound})

    def column(self, length: int) -> list[float]:
        """The values for the positions of a sequence of `length` tokens."""
        if not self.reads_position:
            return [float(self.at(0, length).value)] * length
        return [float(self.at(position, length).value) for position in range(length)]

    def cases(self, context: int) -> Iterator[tuple[int, int]]:
        """Positions, each with a length of the sequence, for which it has all values that it has up to the context."""
        for time in lengths(context, varies=self.reads_time):
            yield from ((position, time) for position in range(time if self.reads_position else 1))

    def telling_columns(self, context: int) -> Iterator[set[int | float]]:
        """The values in a sequence, each once, for each length that they vary with."""
        for time in lengths(context, varies=self.reads_time):
            yield {self.at(position, time).value for position in range(time if self.reads_position else 1)}

    def numbers(self, position: int, context: int) -> Iterator[Number]:
        """All values that it has at one position, in sequences up to the context."""
        for time in range(position + 1, context + 1) if self.reads_time else (context,):
            yield self.at(position, time)

    def checked(self) -> PositionFormula:
        """The same formula without a limit on work, after it was computed for every position."""
        return PositionFormula(self.formula, _without_limit(self.scope), self._computed)

    @cached_property
    def reads_time(self) -> bool:
        """Whether the length of the sequence is read."""
        return TIME in self._names

    @cached_property
    def reads_position(self) -> bool:
        return POSITION in self._names

    def _compute(self, position: int, time: int) -> Number:
        return _rounded(self.formula, self.scope, {POSITION: position, TIME: time})

    @cached_property
    def _names(self) -> frozenset[str]:
        return _names_read(self.formula, self.scope)


@dataclass(frozen=True, eq=False)
class PairFormula:
    """An expression in `query_pos` and `key_pos`, which count from 0, and `time`. They are numbers of the dtype."""

    formula: Formula
    scope: Scope = field(repr=False)
    _computed: dict[tuple[int, int, int], Number] = field(default_factory=dict, repr=False)  # of `_telling` cases

    __repr__ = short_repr

    @property
    def text(self) -> str:
        return self.formula.text

    def at(self, query: int, key: int, time: int = 0) -> Number:
        """The value for one pair of positions, in a sequence of `time` tokens. Raises `ExpressionError` and
        `AlreadyReported`."""
        case = self._telling(query, key, time)
        if case in self._computed:
            return self._computed[case]
        number = self._compute(*case)
        if self.by_distance or self.reads_time or len(self._computed) < MOST_KEPT:
            self._computed[case] = number
        return number

    def distances(self, length: int, keys: Keys) -> list[float]:
        """The values by key - query, from 1 - length to length - 1, where distances decide, in sequences of `length`
        tokens; other keys than `keys` are left at zero."""
        return self._row(length - 1, length, keys) + self._row(0, length, keys)[1:]

    def table(self, length: int, keys: Keys) -> list[list[float]]:
        """For sequences of `length` tokens: rows by query, columns by key; other keys than `keys` are left at zero."""
        if not self.by_distance:
            return [self._row(query, length, keys) for query in range(length)]
        values, last = self.distances(length, keys), length - 1
        return [values[last - query : last - query + length] for query in range(length)]

    def _row(self, query: int, length: int, keys: Keys) -> list[float]:
        shown = keys(query)
        return [float(self.at(query, key, length).value) if key in shown else 0.0 for key in range(length)]

    def telling_rows(self, length: int, keys: Keys) -> Iterator[tuple[int, dict[int, int | float]]]:
        """Rows of the table by key, of `keys` only, each with its query, that hold every value in it: two rows, where
        distances decide, or the query does not and the last one sees all keys."""
        two = self.by_distance or (self.same_for_queries and keys(length - 1).start == 0)
        for query in sorted({0, length - 1}) if two else range(length):
            yield query, {key: self.at(query, key, length).value for key in keys(query)}

    def hides_later_keys(self, length: int) -> bool:
        """Whether it is -inf wherever the key comes after the query, in sequences of up to `length` tokens."""
        return all(
            self.at(query, key, time).value == -math.inf
            for time in lengths(length, varies=self.reads_time)
            for query in range(min(1, time) if self.by_distance or self.same_for_queries else time)
            for key in range(query + 1, time)
        )

    def new_keys(self, query: int, keys: Keys) -> range:
        """The keys that may have a value which no smaller query has, in sequences of one length: the first one, where
        distances decide; those that only this query sees, where the query does not."""
        shown = keys(query)
        if query and self.by_distance:
            return range(shown.start, min(1, shown.stop))
        if query and self.same_for_queries:
            return range(max(shown.start, keys(query - 1).stop), shown.stop)
        return shown

    def numbers(self, query: int, key: int, context: int) -> Iterator[Number]:
        """All values that it has for one pair of positions, in sequences up to the context."""
        for time in range(max(query, key) + 1, context + 1) if self.reads_time else (context,):
            yield self.at(query, key, time)

    def checked(self) -> PairFormula:
        """The same formula without a limit on work, after it was computed for every pair in question."""
        return PairFormula(self.formula, _without_limit(self.scope), self._computed)

    @cached_property
    def by_distance(self) -> bool:
        """Whether positions occur only as differences, and are all exact in the dtype."""
        names = {name for name in free_names(self.formula.tree) if name in self.scope.lets}
        return self.scope.dtype.precision >= 24 and not names and _only_differences(self.formula.tree)

    @cached_property
    def reads_time(self) -> bool:
        """Whether the length of the sequence is read."""
        return TIME in self._names

    @cached_property
    def same_for_queries(self) -> bool:
        """Whether key and length are read, and the query is not."""
        return self.reads_time and KEY in self._names and QUERY not in self._names

    def _telling(self, query: int, key: int, time: int) -> tuple[int, int, int]:
        """A case with the same value, one for all cases that have it by what is read."""
        if self.by_distance:
            query, key = max(0, query - key), max(0, key - query)
        names = self._names
        return query if QUERY in names else 0, key if KEY in names else 0, time if TIME in names else 0

    @cached_property
    def _names(self) -> frozenset[str]:
        return _names_read(self.formula, self.scope)

    def _compute(self, query: int, key: int, time: int) -> Number:
        return _rounded(self.formula, self._scope, {QUERY: query, KEY: key, TIME: time})

    @cached_property
    def _scope(self) -> Scope:
        return in_place(self.scope, self.formula)


def lengths(context: int, *, varies: bool) -> range:
    """The lengths of sequences up to the context that a formula has to be looked at for: the longest one is enough
    where it does not vary with the length."""
    return range(1 if varies else context, context + 1)


def timed_rows(scores: Iterable[PairFormula], context: int) -> int:
    """How many queries have numbers of their own in scores that read `time`: one stands for all where none is read."""
    return 1 if all(score.same_for_queries for score in scores) else context


def score_entries(scores: Sequence[PairFormula], context: int) -> int:
    """How many numbers the scores of one step are, up to the context."""
    timed = [score for score in scores if score.reads_time]
    others = (2 * context if score.by_distance else context**2 for score in scores if not score.reads_time)
    return len(timed) * context * timed_rows(timed, context) * context + sum(others)


def _without_limit(scope: Scope) -> Scope:
    return replace(scope, work=Work(sys.maxsize))


def _names_read(formula: Formula, scope: Scope) -> frozenset[str]:
    """The names that a formula mentions, directly or through names under `let`."""
    found: set[str] = set()
    todo = [*formula.names]
    while todo:
        name = todo.pop()
        let = scope.lets.get(name)
        if name not in found and let is not None:
            todo += free_names(let.tree)
        found.add(name)
    return frozenset(found)


def _rounded(formula: Formula, scope: Scope, positions: dict[str, int]) -> Number:
    """The formula as a number of the dtype, where names stand for positions."""
    bound = {name: Number(round_to(position, scope.dtype), True) for name, position in positions.items()}
    try:
        return cast(_value(formula, scope, bound), scope.dtype)
    except NotANumber as error:
        raise ExpressionError("number", str(error), formula.tree.at) from None


def _value(formula: Formula, scope: Scope, bound: dict[str, Number]) -> Number:
    """The formula as a number, where names stand for positions."""
    scope.work.left -= SET_UP_WORK
    scope.work.read |= formula.names
    try:
        return number_value(formula.tree, in_place(scope, formula).bind(bound))
    except RecursionError:
        raise ExpressionError("too-much-work", NESTED_TOO_DEEPLY, formula.tree.at) from None


def _only_differences(root: ExpressionNode) -> bool:
    todo = [root]
    while todo:
        match todo.pop():
            case Name(name=name) if name in (QUERY, KEY):
                return False
            case Binary(operator="-", left=Name(name=left), right=Name(name=right)) if {left, right} == {QUERY, KEY}:
                pass
            case Binary(left=left_side, right=right_side):
                todo += [left_side, right_side]
            case Unary(operand=operand) | Transpose(operand=operand):
                todo.append(operand)
            case Indexed(indices=children) | Call(arguments=children) | List(items=children):
                todo += children
    return True
