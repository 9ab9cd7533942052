"""A look at some inputs of a task that a user states, so that mistakes show before a model is asked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from compiler.source.diagnostics import Diagnostic, Note
from compiler.tasks import automaton, solving, suites
from compiler.tasks.columns import columns_of, steps_of
from compiler.tasks.equations import by_equations, permitted
from compiler.tasks.interpreter import TaskWork
from compiler.tasks.stated import Task
from compiler.tasks.statement import AnswerEquation, Statement
from compiler.tasks.task import TRIED_IN_FULL, TaskError, Words

LOOKED_AT = 60_000  # nodes that may be evaluated to look at inputs of one spec, for all sizes together
ALL = 1000  # inputs that are all looked at, where there are no more
DRAWN = 64  # random inputs that are looked at
DRAWN_FOR = 1000  # and so many are drawn for them where `only` excludes some
EDGES = 6  # regular words of each given word
MOST_EDGES = 36
_ROWS = 2000  # so many more inputs cost as much again
_STEPS = 20  # of columns, that cost as much as a node


def is_empty(task: Task, work: TaskWork) -> bool:
    """Whether `only` is known to exclude every input: by trying them where they are few, or by columns.

    It is not known where that costs more than there is `work`, which it takes. Raises `TaskError` for an input.
    """
    if not task.is_restricted:
        return False
    if task.combinations <= TRIED_IN_FULL:
        (given,) = suites.every_word(task, TRIED_IN_FULL, 0)
        return _within(work, 1 + task.combinations // _ROWS, task, given) is False
    statement = task.statement
    if statement.transducer is None:
        return False
    cost = columns_of(statement) * (1 + steps_of(statement) // _STEPS)
    if cost > work.left:
        return False
    work.left -= cost
    try:
        steps = task.automaton()
    except TaskError:
        return False
    return steps is not None and automaton.paths(steps) == 0


def _within(work: TaskWork, scale: int, task: Task, given: Words) -> bool | None:
    """Whether there is an input among given words; None where there is too little work, each node costing `scale`."""
    share = TaskWork(work.left // scale)
    left = share.left
    try:
        with task.reporting(given):
            found = bool(solving.allowed(task.statement, given, share).any())
    except TaskError:
        if share.left >= 0:
            raise
        found = None
    work.left -= scale * (left - share.left)
    return found


def fault(task: Task, work: TaskWork) -> Diagnostic | None:
    """What is wrong with the first of some inputs for which something is; None where nothing was found.

    The answers of equations that stand beside columns are compared with those of the columns. Where all that costs
    more than there is `work`, which it takes, nothing is said.
    """
    if task.cases:
        return None
    statement, given = task.statement, _some(task)
    try:
        with task.reporting(given):
            rows = np.flatnonzero(solving.allowed(statement, given, work))[: _looked_at(task)]
        if not len(rows):
            return None
        kept = {name: word[rows] for name, word in given.items()}
        with task.reporting(kept):
            answers = solving.solved(statement, kept, work)
            for suite in task.author_suites:
                permitted(suite.narrowed, kept, work)
            if statement.transducer is not None and statement.equations:
                return difference(task, kept, answers, by_equations(statement, kept, work))
    except TaskError as error:
        return None if work.left < 0 else error.diagnostics[0]
    return None


def difference(task: Task, given: Words, by_steps: Words, by_formula: Words) -> Diagnostic | None:
    """Where the columns of a task and its equations do not agree; symbols that no equation gives are not compared."""
    for equation in task.statement.equations:
        places = [aimed.place for aimed in equation.aimed]
        columns, equations = by_steps[equation.word], by_formula[equation.word]
        unlike = np.flatnonzero((columns[:, places] != equations[:, places]).any(axis=1))
        if len(unlike):
            row = int(unlike[0])
            said = [f"`{task.text(equation.word, word[row].tolist())}`" for word in (columns, equations)]
            message = f"for {task.describe(task.inputs(given, row))}: '{equation.word}' is {said[0]} by the columns"
            message += f" and {said[1]} by the equations"
            return Diagnostic("contradiction", message, equation.formula.span, notes=_written(task.statement, equation))
    return None


def _written(statement: Statement, equation: AnswerEquation) -> tuple[Note, ...]:
    """Where the columns say what the answer of an equation is."""
    transducer = statement.transducer
    formulas = dict((*transducer.answers, *transducer.at_end)) if transducer is not None else {}
    return tuple(Note("the columns", formula.span) for name, formula in formulas.items() if name == equation.word)


def _looked_at(task: Task) -> int:
    return task.combinations if task.combinations <= ALL else DRAWN + MOST_EDGES


def _some(task: Task) -> Mapping[str, NDArray[np.uint16]]:
    """Every combination of symbols where they are few, else regular words, and random ones."""
    if task.combinations <= ALL:
        (every,) = suites.every_word(task, ALL, 0)
        return every
    count = DRAWN_FOR if task.is_restricted else DRAWN
    random = np.random.default_rng(0)
    words = {}
    for k, word in enumerate(task.given):
        regular = np.array(suites.edge_words(word)[:EDGES], np.uint16)
        chosen = regular[np.arange(MOST_EDGES) // EDGES**k % len(regular)]
        words[word.name] = np.vstack([chosen, random.integers(0, word.symbols, (count, word.length), np.uint16)])
    return words
