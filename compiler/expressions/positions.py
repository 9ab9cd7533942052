"""Formulas in positions: of query and key, such as an ALiBi slope times the distance, or of one token."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
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
from compiler.expressions.values import Number

QUERY, KEY, PAIR = "query_pos", "key_pos", "pair"  # names that attention gives a meaning
POSITION = "pos"  # and the one of `position`
Keys = Callable[[int], range]  # those of a query that no mask hides
RESERVED = (*NAMED_NUMBERS, QUERY, KEY, PAIR, POSITION)
"""Names that mean something in formulas, so that a spec cannot define them."""


@dataclass(frozen=True, eq=False)
class PositionFormula:
    """An expression in `pos`, which is a number of the dtype counted from 0."""

    formula: Formula
    scope: Scope = field(repr=False)

    @property
    def text(self) -> str:
        return self.formula.text

    def at(self, position: int) -> Number:
        """The value for one position. Raises `ExpressionError` and `AlreadyReported`."""
        return _value(self.formula, self.scope, {POSITION: position})

    def column(self, length: int) -> list[float]:
        """The values for positions 0 … length - 1."""
        return [float(self.at(position).value) for position in range(length)]

    def checked(self) -> PositionFormula:
        """The same formula without a limit on work, after it was computed for every position."""
        return PositionFormula(self.formula, _without_limit(self.scope))


@dataclass(frozen=True, eq=False)
class PairFormula:
    """An expression in `query_pos` and `key_pos`, which are numbers of the dtype counted from 0."""

    formula: Formula
    scope: Scope = field(repr=False)

    @property
    def text(self) -> str:
        return self.formula.text

    def at(self, query: int, key: int) -> Number:
        """The value for one pair of positions. Raises `ExpressionError` and `AlreadyReported`."""
        if not self.by_distance:
            return self._compute(query, key)
        distance = key - query
        if distance not in self._computed:
            self._computed[distance] = self._compute(max(0, -distance), max(0, distance))
        return self._computed[distance]

    def table(self, length: int, keys: Keys) -> list[list[float]]:
        """Rows by query, columns by key; other keys than `keys` are left at zero."""
        if not self.by_distance:
            return [self._row(query, length, keys) for query in range(length)]
        first = length - 1
        values = self._row(first, length, keys) + self._row(0, length, keys)[1:]
        return [values[first - query : first - query + length] for query in range(length)]

    def _row(self, query: int, length: int, keys: Keys) -> list[float]:
        shown = keys(query)
        return [float(self.at(query, key).value) if key in shown else 0.0 for key in range(length)]

    def telling_rows(self, length: int, keys: Keys) -> Iterator[tuple[int, dict[int, int | float]]]:
        """Rows of the table by key, of `keys` only, each with its query, that hold every value in it: two rows, where
        distances decide."""
        queries = sorted({0, length - 1}) if self.by_distance else range(length)
        for query in queries:
            yield query, {key: self.at(query, key).value for key in keys(query)}

    def hides_later_keys(self, length: int) -> bool:
        """Whether it is -inf wherever the key comes after the query, for all positions below `length`."""
        queries = range(length) if not self.by_distance else range(min(1, length))
        return all(self.at(query, key).value == -math.inf for query in queries for key in range(query + 1, length))

    def new_keys(self, query: int, keys: Keys) -> range:
        """The keys that may have a value which no smaller query has: the first one, where distances decide."""
        shown = keys(query)
        return range(shown.start, min(1, shown.stop)) if self.by_distance and query else shown

    def checked(self) -> PairFormula:
        """The same formula without a limit on work, after it was computed for every pair in question."""
        return PairFormula(self.formula, _without_limit(self.scope))

    @cached_property
    def by_distance(self) -> bool:
        """Whether positions occur only as differences, and are all exact in the dtype."""
        names = {name for name in free_names(self.formula.tree) if name in self.scope.lets}
        return self.scope.dtype.precision >= 24 and not names and _only_differences(self.formula.tree)

    @cached_property
    def _computed(self) -> dict[int, Number]:
        """By distance, where that alone decides."""
        return {}

    def _compute(self, query: int, key: int) -> Number:
        return _value(self.formula, self._scope, {QUERY: query, KEY: key})

    @cached_property
    def _scope(self) -> Scope:
        return in_place(self.scope, self.formula)


def _without_limit(scope: Scope) -> Scope:
    return replace(scope, work=Work(sys.maxsize))


def _value(formula: Formula, scope: Scope, positions: dict[str, int]) -> Number:
    """The formula as a number of the dtype, where names stand for positions."""
    dtype = scope.dtype
    scope.work.left -= SET_UP_WORK
    scope.work.read |= formula.names
    bound = {name: Number(round_to(position, dtype), True) for name, position in positions.items()}
    try:
        return cast(number_value(formula.tree, in_place(scope, formula).bind(bound)), dtype)
    except NotANumber as error:
        raise ExpressionError("number", str(error), formula.tree.at) from None
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
