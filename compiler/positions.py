"""Formulas in the positions of query and key, such as an ALiBi slope times the distance."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from functools import cached_property

from compiler.expressions.arithmetic import NotANumber, cast
from compiler.expressions.evaluate import number
from compiler.expressions.scope import Scope, Work
from compiler.expressions.syntax import Binary, Call, ExpressionError, Index, List, Name, Node, Transpose, Unary
from compiler.expressions.values import Number
from compiler.floats import round_to
from compiler.formulas import SET_UP_WORK, Formula, in_place

QUERY, KEY, PAIR = "query_pos", "key_pos", "pair"  # names that attention gives a meaning


@dataclass(frozen=True, eq=False)
class PositionFormula:
    """An expression in `query_pos` and `key_pos`, which are numbers of the dtype counted from 0."""

    formula: Formula
    scope: Scope = field(repr=False)

    @property
    def text(self) -> str:
        return self.formula.text

    def at(self, query: int, key: int) -> Number:
        """The value for one pair of positions. Raises `ExpressionError` and `AlreadyReported`."""
        if not self._by_distance_only:
            return self._compute(query, key)
        distance = key - query
        if distance not in self._by_distance:
            self._by_distance[distance] = self._compute(max(0, -distance), max(0, distance))
        return self._by_distance[distance]

    def table(self, length: int, *, causal: bool) -> list[list[float]]:
        """Rows by query, columns by key; under a causal mask later keys are left at zero."""
        return [
            [float(self.at(query, key).value) if key <= query or not causal else 0.0 for key in range(length)]
            for query in range(length)
        ]

    def checked(self) -> PositionFormula:
        """The same formula after it was computed for every pair in question: doing that again is never too much."""
        return PositionFormula(self.formula, replace(self.scope, work=Work(sys.maxsize)))

    @cached_property
    def _by_distance(self) -> dict[int, Number]:
        return {}

    @cached_property
    def _by_distance_only(self) -> bool:
        """Whether positions occur only as differences, and are all exact in the dtype."""
        return self.scope.dtype.precision >= 24 and _only_differences(self.formula.tree)

    @cached_property
    def _scope(self) -> Scope:
        return in_place(self.scope, self.formula)

    def _compute(self, query: int, key: int) -> Number:
        dtype = self.scope.dtype
        self.scope.work.left -= SET_UP_WORK
        positions = {QUERY: Number(round_to(query, dtype), True), KEY: Number(round_to(key, dtype), True)}
        value = number(self.formula.tree, self._scope.bind(positions))
        try:
            return cast(value, dtype)
        except NotANumber as error:
            raise ExpressionError("number", str(error), self.formula.tree.at) from None


def _only_differences(root: Node) -> bool:
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
            case Index(indices=children) | Call(arguments=children) | List(items=children):
                todo += children
    return True
