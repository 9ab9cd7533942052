"""Inputs of a task, drawn as paths of its automaton, and the sequences of tokens that they are."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray

from compiler.tasks.automaton import Automaton, Column, ways, words_of
from compiler.tasks.layout import Layout

Paths = NDArray[np.int64]


def random_paths(automaton: Automaton, count: int, random: Random) -> Paths:
    """[count, columns]: steps drawn one after the other; some paths prefer a step that they took in another column, so
    that rows of nines are met."""
    _, above = ways(automaton)
    found = []
    for _ in range(count):
        favourite, faithful = random.random(), random.choice((0.0, 0.0, 0.7, 1.0))
        state, path = 0, []
        for k, column in enumerate(automaton.columns):
            steps = [
                s
                for s, (before, after) in enumerate(zip(column.before.tolist(), column.after.tolist(), strict=True))
                if before == state and above[k + 1][after]
            ]
            again = steps[int(favourite * len(steps))]
            path.append(again if random.random() < faithful else random.choice(steps))
            state = int(column.after[path[-1]])
        found.append(path)
    return np.array(found, np.int64).reshape(count, len(automaton.columns))


def every_path(automaton: Automaton) -> Paths:
    """All of them, one step after the other."""
    found: list[tuple[tuple[int, ...], int]] = [((), 0)]
    for column in automaton.columns:
        steps = list(enumerate(zip(column.before.tolist(), column.after.tolist(), strict=True)))
        found = [((*path, s), after) for path, state in found for s, (before, after) in steps if before == state]
    return np.array([path for path, _ in found], np.int64).reshape(len(found), len(automaton.columns))


def random_automaton(random: Random, *, most_columns: int = 4) -> Automaton:
    """A few columns, with steps between any states; at least one path goes through."""
    states = random.randint(1, 3)
    columns = []
    reached = {0}
    for k in range(random.randint(1, most_columns)):
        steps = [(random.choice(sorted(reached)), random.randrange(states))]
        steps += [(random.randrange(states), random.randrange(states)) for _ in range(random.randint(0, 9))]
        random.shuffle(steps)
        reached = {after for before, after in steps if before in reached}
        before, after = np.array(steps, np.int64).T
        columns.append(Column(f"word[{k}]", before, after, {("word", k): np.arange(len(steps))}))
    return Automaton(states, tuple(columns))


def sequences_of(automaton: Automaton, layout: Layout, paths: Paths) -> NDArray[np.int64]:
    """Prompts with right answers, [inputs, time]."""
    found = words_of(automaton, paths)
    return np.concatenate([layout.prompts(found), layout.answers(found)], 1).astype(np.int64)


def state_before(automaton: Automaton, path: Sequence[int], column: int) -> int:
    """The state of a path before a column; after the last one, the state at its end."""
    return int(automaton.columns[column - 1].after[path[column - 1]]) if column else 0
