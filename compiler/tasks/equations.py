"""What is right by the equations of a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.expressions.formulas import Formula
from compiler.expressions.syntax import ExpressionError, Indexed, free_names
from compiler.source.faults import no_rule
from compiler.tasks import digits, integers
from compiler.tasks.integers import Integers
from compiler.tasks.interpreter import (
    Batch,
    Faults,
    FormulaScope,
    Letters,
    Refusal,
    TaskWork,
    Value,
    integers_of,
    truth_of,
    within,
    word_of,
)
from compiler.tasks.statement import AnswerEquation, Statement, WordShape
from compiler.tasks.task import Words

_AT_ONCE = 1 << 14  # inputs that are computed together: few enough for the cache, and for large integers
_SHOWN_BITS = 64


def by_equations(statement: Statement, given: Words, work: TaskWork | None = None) -> Words:
    """The answer words, uint16 [inputs, length] each, that equations give for given words.

    Raises `InputFault` for the first input that they cannot be computed for, `ExpressionError` (with its span) for
    formulas that cost more than there is `work`, by default what one input may cost.
    """
    count = _count(given)
    answers = {word.name: np.zeros((word.length, count), np.uint16).T for word in statement.answers}
    for start in range(0, count, _AT_ONCE):
        batch = batch_of(statement, {name: word[start : start + _AT_ONCE] for name, word in given.items()}, work)
        for equation, source in zip(statement.equations, statement.sources, strict=True):
            shape = statement.word(equation.word)
            assert shape is not None
            answer = answers[shape.name][start : start + _AT_ONCE]
            if source is None:
                _solve(equation, shape, batch, answer)
            else:
                answer.T[source.places] = given[source.word][start : start + _AT_ONCE].T[source.come_from]
        _raise_first(batch.faults, start)
    return answers


def permitted(statement: Statement, given: Words, work: TaskWork | None = None) -> NDArray[np.bool_]:
    """Which inputs there are by the `only` of the task, and by what is required `also`, [inputs].

    Raises as `by_equations` does.
    """
    count = _count(given)
    found = np.ones(count, bool)
    conditions = [condition for condition in (statement.only, *statement.also) if condition is not None]
    for start in range(0, count, _AT_ONCE) if conditions else ():
        batch = batch_of(statement, {name: word[start : start + _AT_ONCE] for name, word in given.items()}, work)
        part = found[start : start + _AT_ONCE]
        for condition in conditions:
            rows = np.flatnonzero(part)
            if len(rows):
                part[rows] = truth_of(FormulaScope(batch, condition, rows if len(rows) < len(part) else None))
        _raise_first(batch.faults, start)
    return found


def batch_of(statement: Statement, given: Words, work: TaskWork | None = None) -> Batch:
    """The inputs of these words, as the equations of a task read them."""
    words: dict[str, Value] = {}
    for shape in statement.given:
        letters = given[shape.name]
        whole = Letters(letters, shape.symbols)
        words[shape.name] = Integers(letters[:, 0], 0, shape.symbols - 1) if shape.single else whole
    count = _count(given)
    values = {**constants_of(statement), **words}
    return Batch(count, values, Faults(np.zeros(count, bool)), work=TaskWork() if work is None else work)


def constants_of(statement: Statement) -> Mapping[str, Integers]:
    return {name: integers.constant(value) for name, value in statement.constants.items()}


@dataclass(frozen=True, eq=False)
class MovedFrom:
    """Where symbols of an answer come from, by their places alone: `come_from` in a given word, to `places`."""

    word: str
    come_from: NDArray[np.intp]
    places: NDArray[np.intp]


def sources_of(statement: Statement) -> tuple[MovedFrom | None, ...]:
    """For `Statement.sources`; None of an equation that does more, or may fail."""
    return tuple(_source(statement, equation) for equation in statement.equations)


def _source(statement: Statement, equation: AnswerEquation) -> MovedFrom | None:
    node, answer = equation.formula.tree, statement.word(equation.word)
    if equation.form != "symbols" or not isinstance(node, Indexed):
        return None
    word = next((word for word in statement.given if word.name == node.base.name), None)
    given = {word.name for word in statement.given}
    if word is None or answer is None or word.symbols > answer.symbols or given & free_names(node.indices[0]).keys():
        return None
    come_from = []
    for aimed in equation.aimed:
        batch = Batch(1, constants_of(statement), Faults(np.zeros(1, bool)))
        try:
            place = integers_of(
                FormulaScope(batch, Formula(node.indices[0], equation.formula.scalar), indices=aimed.indices)
            )
        except ExpressionError:
            return None
        if batch.faults.failed.any() or not isinstance(place.values, int) or not 0 <= place.values < word.length:
            return None
        come_from.append(place.values)
    places = [aimed.place for aimed in equation.aimed]
    return MovedFrom(word.name, np.array(come_from, np.intp), np.array(places, np.intp))


def check_symbol(value: Integers, shape: WordShape, scope: FormulaScope) -> Integers:
    """A symbol of a word; rows that give none fail."""

    def outside(shown: str) -> str:
        return f"symbol {shown} is out of range: '{shape.name}' has 0 to {shape.symbols - 1}"

    return within(value, 0, shape.symbols - 1, Refusal("out-of-range", scope.formula.tree, outside), scope)


def _solve(equation: AnswerEquation, shape: WordShape, batch: Batch, answer: NDArray[np.uint16]) -> None:
    """Write the symbols [inputs, length] that an equation gives."""
    scope = FormulaScope(batch, equation.formula)
    match equation.form:
        case "symbols":
            for aimed in equation.aimed:
                here = FormulaScope(batch, equation.formula, indices=aimed.indices)
                answer[:, aimed.place] = check_symbol(integers_of(here), shape, here).values
        case "word":
            letters = word_of(scope)
            answer[:] = letters.values
            if letters.symbols > shape.symbols:
                largest = Integers(letters.values.max(axis=1), 0, letters.symbols - 1)
                check_symbol(largest, shape, scope)
        case "number":
            answer[:] = _written(integers_of(scope), shape, scope)
        case _:
            raise no_rule("form of an equation", equation.form)


def _written(number: Integers, shape: WordShape, scope: FormulaScope) -> NDArray[np.uint16]:
    """The digits [inputs, length] of a number; rows where it is negative or too large fail."""
    base, length = shape.symbols, shape.length
    limit = base**length
    most = str(limit - 1) if limit.bit_length() <= _SHOWN_BITS else f"{base}**{length} - 1"

    def outside(shown: str) -> str:
        return f"{shown} is out of range: '{shape.name}' holds 0 to {most}"

    values = within(number, 0, limit - 1, Refusal("out-of-range", scope.formula.tree, outside), scope).values
    if isinstance(values, int):
        values = np.full(scope.count, values, np.int64 if values < 1 << 63 else object)
    if values.dtype == object:
        return digits.word_of_integers(values.tolist(), base, length)
    return digits.word(values.astype(np.uint64)[None], base, length)


def _count(given: Words) -> int:
    return len(next(iter(given.values())))


def _raise_first(faults: Faults, start: int) -> None:
    fault = faults.first()
    if fault is not None:
        raise fault.of(start + fault.row)
