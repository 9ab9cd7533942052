"""Equations beside columns: both have to say the same of inputs that are looked at."""

from __future__ import annotations

from itertools import islice

import numpy as np

from compiler.pipeline import Spec
from compiler.source.diagnostics import fail
from compiler.tasks.automaton import Automaton, drawn_paths, every_path, paths, words_of
from compiler.tasks.equations import by_equations
from compiler.tasks.stated import Task
from compiler.tasks.statement import InputFault
from compiler.tasks.suites import every_word
from compiler.tasks.task import Words

ALL = 10_000  # so many inputs are all compared
DRAWN = 1_000  # of more, so many paths are drawn


def cross_check(spec: Spec, automaton: Automaton | None) -> int | None:
    """For how many inputs the equations of a task say what its columns say; None where it does not have both.

    Raises `SpecError` for an input of which they say something else.
    """
    task = spec.resolved.task
    if task.statement.transducer is None or not task.statement.equations:
        return None
    words = _words(task, automaton)
    try:
        by_word = by_equations(task.statement, {word.name: words[word.name] for word in task.given})
    except InputFault as fault:
        text = task.describe(task.inputs(words, fault.row))
        raise fail("task", f"for {text} the equations fail: {fault.message}", fault.span) from None
    differs = np.any([(by_word[word.name] != words[word.name]).any(1) for word in task.answers], axis=0)
    if differs.any():
        row = int(differs.argmax())
        said = (
            task.show({word.name: tuple(answers[word.name][row].tolist()) for word in task.answers})
            for answers in (words, by_word)
        )
        columns, equations = said
        message = f"for {task.describe(task.inputs(words, row))} the columns say {columns}, the equations {equations}"
        raise fail("task", message, hint="columns define what is right; equations beside them are a cross-check")
    return len(differs)


def _words(task: Task, automaton: Automaton | None) -> Words:
    """Of inputs, with what is right by the columns: all if they are few, else of paths that are drawn."""
    if automaton is not None:
        few = paths(automaton) <= ALL
        words: Words = words_of(automaton, every_path(automaton) if few else drawn_paths(automaton, DRAWN))
        given = {word.name: words[word.name] for word in task.given}
    else:  # the first of all there are
        (given,) = islice(every_word(task, DRAWN), 1)
    rows = np.flatnonzero(task.allowed(given))
    return task.with_answers({name: word[rows] for name, word in given.items()})
