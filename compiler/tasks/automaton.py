"""The inputs of a task as the paths of a finite automaton that reads them column by column.

Addition reads both operands from the least significant digit up, and its state is the carry. What a path has in one
column decides every symbol of the prompt and of the answer that belongs to this column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

SymbolPlace = tuple[str, int]  # a word, and which of its symbols
PathCounts = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Column:
    """The steps that a path can take in one column: step s leads from state `before[s]` to `after[s]`, int64 [steps].

    `letters`: for each place of a word that belongs to the column, the symbol of the word there, int64 [steps].
    `label` names the column for people, such as `10^3`.
    """

    label: str
    before: Numbers
    after: Numbers
    letters: Mapping[SymbolPlace, Numbers]


@dataclass(frozen=True, eq=False)
class Automaton:
    """Each input is one path from state 0 through all columns, in order; it may end in any state.

    Every place of every word, of operands and answers, belongs to exactly one column. Every step is part of a path: see
    `trimmed`.
    """

    states: int
    columns: tuple[Column, ...]


def trimmed(automaton: Automaton) -> Automaton:
    """Without the steps that no path takes: nothing leads to them, or they lead to no end. Equal columns stay one."""
    import numpy as np

    below, above = ways(automaton)
    made: dict[tuple[int, bytes], Column] = {}
    columns = []
    for k, column in enumerate(automaton.columns):
        reached, leads_on = (np.array([number > 0 for number in row]) for row in (below[k], above[k + 1]))
        kept = reached[column.before] & leads_on[column.after]
        if kept.all():
            columns.append(column)
            continue
        key = id(column.before), kept.tobytes()
        shared = made.get(key)
        before, after = (shared.before, shared.after) if shared else (column.before[kept], column.after[kept])
        letters = {place: symbols[kept] for place, symbols in column.letters.items()}
        columns.append(Column(column.label, before, after, letters))
        made.setdefault(key, columns[-1])
    return replace(automaton, columns=tuple(columns))


def paths(automaton: Automaton) -> int:
    """How many paths there are, which is how many inputs the task has."""
    below, _ = ways(automaton)
    return sum(below[-1])


def ways(automaton: Automaton) -> tuple[PathCounts, PathCounts]:
    """(below, above), each [columns + 1][states]: the paths from the start to a state before a column, and from there
    to the end. Before column k there are below[k][s] · above[k][s] paths through state s; the last row is the end."""
    moves = [_moves(automaton.states, column) for column in automaton.columns]
    below = [tuple(int(s == 0) for s in range(automaton.states))]
    for column in moves:
        counts = [0] * automaton.states
        for before, after, steps in column:
            counts[after] += below[-1][before] * steps
        below.append(tuple(counts))
    above = [(1,) * automaton.states]
    for column in reversed(moves):
        counts = [0] * automaton.states
        for before, after, steps in column:
            counts[before] += steps * above[-1][after]
        above.append(tuple(counts))
    return tuple(below), tuple(reversed(above))


def words_of(automaton: Automaton, paths: Numbers) -> dict[str, NDArray[np.uint16]]:
    """The words of inputs, each [inputs, length] by its name, as `Task.encode` gives them.

    `paths` [inputs, columns], int64, are valid: the step that each input takes in each column.
    """
    import numpy as np

    lengths = Counter(word for column in automaton.columns for word, _ in column.letters)
    found = {word: np.empty((len(paths), length), np.uint16) for word, length in lengths.items()}
    for column, steps in zip(automaton.columns, paths.T, strict=True):
        for (word, place), symbols in column.letters.items():
            found[word][:, place] = symbols[steps]
    return found


def drawn_paths(automaton: Automaton, count: int) -> Numbers:
    """So many valid paths [count, columns], at random, the same ones each time."""
    import numpy as np

    random = np.random.default_rng(0)
    _, above = ways(automaton)
    paths = np.empty((count, len(automaton.columns)), np.int64)
    state = np.zeros(count, np.int64)
    for k, column in enumerate(automaton.columns):
        leads_on = np.array([number > 0 for number in above[k + 1]])[column.after]
        paths[:, k] = _steps_from(state, column.before, leads_on, random)
        state = column.after[paths[:, k]]
    return paths


def every_path(automaton: Automaton) -> Numbers:
    """All paths [paths, columns], for those who know that they are few."""
    import numpy as np

    found, state = np.zeros((1, 0), np.int64), np.zeros(1, np.int64)
    for column in automaton.columns:
        path, step = np.nonzero(state[:, None] == column.before[None])
        found, state = np.concatenate([found[path], step[:, None]], 1), column.after[step]
    return found


def complete(automaton: Automaton, column: int, segment: Numbers, random: np.random.Generator | None = None) -> Numbers:
    """A whole path [cells, columns] for each segment of a path, `segment` [cells, width], both int64.

    A segment is the steps in column `column` and those that follow, one at least. Before and after it, a path takes
    the first steps that lead on, or `random` ones. Raises `ValueError` where the steps of a segment are of no path.
    """
    import numpy as np

    columns = automaton.columns
    end = column + segment.shape[1]
    found = np.empty((len(segment), len(columns)), np.int64)
    found[:, column:end] = segment
    below, above = (np.array([[count > 0 for count in row] for row in rows]) for rows in ways(automaton))

    state = columns[column].before[segment[:, 0]]
    valid = below[column][state]
    for k in range(column, end):
        valid &= columns[k].before[found[:, k]] == state
        state = columns[k].after[found[:, k]]
    if not np.all(valid & above[end][state]):
        raise ValueError("the steps of a segment are not of one path")
    for k in range(end, len(columns)):
        found[:, k] = _steps_from(state, columns[k].before, above[k + 1][columns[k].after], random)
        state = columns[k].after[found[:, k]]
    state = columns[column].before[segment[:, 0]]
    for k in reversed(range(column)):
        found[:, k] = _steps_from(state, columns[k].after, below[k][columns[k].before], random)
        state = columns[k].before[found[:, k]]
    return found


def _moves(states: int, column: Column) -> list[tuple[int, int, int]]:
    """(before, after, steps): how many steps lead from one state to another, where some do."""
    import numpy as np

    pairs, counts = np.unique(column.before * states + column.after, return_counts=True)
    before, after = np.divmod(pairs, states)
    return list(zip(before.tolist(), after.tolist(), counts.tolist(), strict=True))


def _steps_from(
    states: Numbers, ends: Numbers, usable: NDArray[np.bool_], random: np.random.Generator | None
) -> Numbers:
    """For each of the states [paths] the first usable step, or a random one; `ends` is the state that each step has at
    one of its ends."""
    import numpy as np

    chosen = np.zeros(len(states), np.int64)
    for state in np.unique(states):
        rows, steps = np.flatnonzero(states == state), np.flatnonzero(usable & (ends == state))
        chosen[rows] = steps[0] if random is None else random.choice(steps, len(rows))
    return chosen
