"""What is right for given words, and which of them are inputs of the task."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from compiler.tasks.columns import Passage, by_columns, passage
from compiler.tasks.equations import by_equations, permitted
from compiler.tasks.interpreter import TaskWork
from compiler.tasks.statement import InputFault, Statement
from compiler.tasks.task import Words

T = TypeVar("T", Words, Passage)


def allowed(statement: Statement, given: Words, work: TaskWork | None = None) -> NDArray[np.bool_]:
    """Which inputs there are, [inputs]: by `only`, and by the `only`s of columns and of their end.

    Raises `InputFault` for the first input for which that cannot be computed, `ExpressionError` (with its span) for
    formulas that cost more than there is `work`, by default what one input may cost.
    """
    found = permitted(statement, given, work)
    transducer = statement.transducer
    if transducer is not None and (transducer.only is not None or transducer.only_at_end is not None):
        rows = np.flatnonzero(found)
        found[rows] = _of_rows(passage, statement, given, rows, work).admitted
    return found


def solved(statement: Statement, given: Words, work: TaskWork | None = None) -> Words:
    """The right answers, uint16 [inputs, length] each: by columns where there are some, else by equations.

    Those of what is no input are 0. Raises `InputFault` for the first input whose answer cannot be computed,
    `ExpressionError` (with its span) for formulas that cost more than there is `work`.
    """
    solve = by_equations if statement.transducer is None else by_columns
    there = permitted(statement, given, work)
    if there.all():
        return solve(statement, given, work)
    rows = np.flatnonzero(there)
    answers = {word.name: np.zeros((word.length, len(there)), np.uint16).T for word in statement.answers}
    for name, symbols in _of_rows(solve, statement, given, rows, work).items():
        answers[name][rows] = symbols
    return answers


def _of_rows(
    compute: Callable[[Statement, Words, TaskWork | None], T],
    statement: Statement,
    given: Words,
    rows: NDArray[np.intp],
    work: TaskWork | None,
) -> T:
    """What is computed of some inputs alone; a fault names its input among all."""
    try:
        return compute(statement, {name: word[rows] for name, word in given.items()}, work)
    except InputFault as fault:
        raise fault.of(int(rows[fault.row])) from None
