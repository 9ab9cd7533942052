"""Equations beside columns: both have to say the same of inputs that are looked at."""

from __future__ import annotations

from itertools import islice

import numpy as np

from compiler.pipeline import Spec
from compiler.source.diagnostics import SpecError
from compiler.tasks.automaton import Automaton, drawn_paths, every_path, paths, words_of
from compiler.tasks.equations import by_equations
from compiler.tasks.samples import difference
from compiler.tasks.stated import Task
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
    with task.reporting(words):
        by_word = by_equations(task.statement, {word.name: words[word.name] for word in task.given})
    contradiction = difference(task, words, words, by_word)
    if contradiction is not None:
        raise SpecError([contradiction])
    return len(next(iter(words.values())))


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
