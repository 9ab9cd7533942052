"""Inputs as the paths of an automaton: all of them in order, drawn ones, and those that go to every corner of it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.tasks import draws
from compiler.tasks.automaton import Automaton, Column, PathCounts, ways

Numbers = NDArray[np.int64]
_NONE = np.empty(0, np.int64)
_MACHINE = 1 << 63  # numbers of paths below it fit an int64
_DRAWN_BITS = 64  # numbers of more bits are drawn one by one


@dataclass(frozen=True, eq=False)
class _Move:
    """The steps of a column that lead from one state to another, and how many paths a step of them begins."""

    steps: Numbers
    after: int
    paths: int


@dataclass(frozen=True, eq=False)
class Paths:
    """All paths of an automaton, numbered from 0: by their steps in the first column, then in the second, and so on."""

    automaton: Automaton

    @cached_property
    def _ways(self) -> tuple[PathCounts, PathCounts]:
        return ways(self.automaton)

    @property
    def count(self) -> int:
        return self._ways[1][0][0]

    @cached_property
    def _moves(self) -> list[dict[int, list[_Move]]]:
        """For each column, and each state before it, where steps lead that are part of a path."""
        alike: dict[tuple[int, int], dict[int, list[tuple[int, Numbers]]]] = {}
        moves = []
        for column, above in zip(self.automaton.columns, self._ways[1][1:], strict=True):
            key = id(column.before), id(column.after)
            if key not in alike:
                alike[key] = _by_states(column)
            moves.append(
                {
                    before: [_Move(steps, after, above[after]) for after, steps in leading if above[after]]
                    for before, leading in alike[key].items()
                }
            )
        return moves

    def numbered(self, numbers: NDArray[Any]) -> Numbers:
        """The paths [paths, columns] of numbers [paths], each below `count`: int64, or objects."""
        rest = numbers.copy()
        state = np.zeros(len(rest), np.int64)
        found = np.empty((len(rest), len(self._moves)), np.int64)
        for k, moves in enumerate(self._moves):
            before = state.copy()
            for one in np.unique(before).tolist():
                rows = np.flatnonzero(before == one)
                ends = np.cumsum(np.array([len(move.steps) * move.paths for move in moves[one]], rest.dtype))
                chosen = np.searchsorted(ends, rest[rows], side="right")
                for number in np.unique(chosen).tolist():
                    move, taking = moves[one][number], rows[chosen == number]
                    within = rest[taking] - (ends[number - 1] if number else 0)
                    step = within // move.paths
                    rest[taking] = within - step * move.paths
                    found[taking, k] = move.steps[step.astype(np.int64)]
                    state[taking] = move.after
        return found

    def in_order(self, numbers: range, size: int) -> Iterator[Numbers]:
        """Paths of consecutive numbers, at most `size` at once."""
        for first in range(numbers.start, numbers.stop, size):
            some = range(first, min(first + size, numbers.stop))
            yield self.numbered(np.array(some, self._dtype))

    def drawn(self, random: Random, numbers: range, size: int) -> Iterator[Numbers]:
        """Of paths that are drawn time after time, all alike likely, those of these numbers; at most `size` at once.

        Paths are drawn as `random.randrange` draws numbers.
        """
        if self.count.bit_length() <= _DRAWN_BITS:
            for block in draws.drawn(random, range(self.count), 1, numbers, size):
                yield self.numbered(block[0, :, 0].astype(self._dtype))
            return
        for _ in range(numbers.start):
            random.randrange(self.count)
        for first in range(numbers.start, numbers.stop, size):
            count = min(size, numbers.stop - first)
            yield self.numbered(np.array([random.randrange(self.count) for _ in range(count)], object))

    @property
    def _dtype(self) -> np.dtype[Any]:
        return np.dtype(np.int64 if self.count < _MACHINE else object)


def _by_states(column: Column) -> dict[int, list[tuple[int, Numbers]]]:
    """For each state before a column the states after it, and the steps that lead to each of these."""
    order = np.lexsort((column.after, column.before))
    before, after = column.before[order], column.after[order]
    starts = np.flatnonzero(np.r_[True, (before[1:] != before[:-1]) | (after[1:] != after[:-1])])
    found: dict[int, list[tuple[int, Numbers]]] = {}
    for steps in np.split(order, starts[1:]) if len(order) else []:
        found.setdefault(int(column.before[steps[0]]), []).append((int(column.after[steps[0]]), steps))
    return found


@dataclass(frozen=True, eq=False)
class Crossing:
    """The steps of a column that are part of a path, by the state before them, and by the state after them."""

    column: Column
    leaving: dict[int, Numbers]
    entering: dict[int, Numbers]

    def from_to(self, state: int, other: int | None) -> Numbers:
        """The steps from a state to another one; None: to any but this state."""
        steps = self.leaving.get(state, _NONE)
        after = self.column.after[steps]
        kept: Numbers = steps[after != state if other is None else after == other]
        return kept

    def into(self, state: int) -> Numbers:
        """The steps from other states to a state."""
        steps = self.entering.get(state, _NONE)
        kept: Numbers = steps[self.column.before[steps] != state]
        return kept


def crossings(automaton: Automaton) -> list[Crossing]:
    """Of all columns; what is alike is shared."""
    below, above = ways(automaton)
    made: dict[tuple[int, int, bytes], Crossing] = {}
    found = []
    for column, reached, leading in zip(automaton.columns, below, above[1:], strict=False):
        can_start, can_end = (np.array([number > 0 for number in row]) for row in (reached, leading))
        usable = can_start[column.before] & can_end[column.after]
        key = id(column.before), id(column.after), usable.tobytes()
        if key not in made:
            steps = np.flatnonzero(usable)
            made[key] = Crossing(column, _grouped(steps, column.before), _grouped(steps, column.after))
        found.append(made[key])
    return found


def _grouped(steps: Numbers, states: Numbers) -> dict[int, Numbers]:
    """Steps by the state that each has."""
    return {state: steps[states[steps] == state] for state in np.unique(states[steps]).tolist()}


def through_all(crossed: Sequence[Crossing], random: Random) -> list[list[int]]:
    """Paths that take each step of each column that is part of a path.

    Each takes one that no path before took, at least, and goes on through others where it can.
    """
    pending = [{state: _shuffled(steps, random) for state, steps in one.leaving.items()} for one in crossed]
    taken = [bytearray(len(one.column.before)) for one in crossed]

    def fresh(k: int, state: int) -> int | None:
        """A step from a state that was not taken yet."""
        steps = pending[k][state]
        while steps and taken[k][steps[-1]]:
            steps.pop()
        return steps.pop() if steps else None

    found = []
    for k, by_state in enumerate(pending):
        for state in by_state:
            while (step := fresh(k, state)) is not None:
                path = completed(crossed, k, [step], random, fresh)
                for column, one in enumerate(path):
                    taken[column][one] = True
                found.append(path)
    return found


def completed(
    crossed: Sequence[Crossing],
    first: int,
    steps: Sequence[int],
    random: Random,
    wanted: Callable[[int, int], int | None] = lambda column, state: None,
) -> list[int]:
    """A path that takes some steps in column `first` and the following ones, and random ones before and after.

    After them `wanted(column, state)` may say which step is taken from a state.
    """
    before: list[int] = []
    state = int(crossed[first].column.before[steps[0]])
    for k in reversed(range(first)):
        before.append(_any(crossed[k].entering[state], random))
        state = int(crossed[k].column.before[before[-1]])
    path = [*reversed(before), *steps]
    state = int(crossed[len(path) - 1].column.after[path[-1]])
    for k in range(len(path), len(crossed)):
        step = wanted(k, state)
        path.append(_any(crossed[k].leaving[state], random) if step is None else step)
        state = int(crossed[k].column.after[path[-1]])
    return path


def through_each(crossed: Sequence[Crossing], steps: Sequence[tuple[int, int]], random: Random) -> Numbers:
    """A path for each step, [steps, columns]; a step is one of a column."""
    found = [completed(crossed, column, [step], random) for column, step in steps]
    return np.array(found, np.int64).reshape(-1, len(crossed))


def untaken(crossed: Sequence[Crossing], paths: Numbers) -> list[tuple[int, int]]:
    """The steps of columns that are part of a path, but of none of these [paths, columns]."""
    found = []
    for k, one in enumerate(crossed):
        usable = np.concatenate([*one.leaving.values(), _NONE])
        found += [(k, step) for step in np.setdiff1d(usable, paths[:, k]).tolist()]
    return found


@dataclass(frozen=True)
class StateRun:
    """To be in a state before each of columns `first` … `last`, and in others before and after these.

    `stays`: `last` is the end, and the state is the last one.
    """

    state: int
    first: int
    last: int
    stays: bool


def runs(crossed: Sequence[Crossing]) -> list[StateRun]:
    """The longest run in each state from each column on, and the longest one that ends in each."""
    count = len(crossed)
    states = {0, *(state for one in crossed for state in one.entering)}
    found: dict[StateRun, None] = {}
    for state in sorted(states):
        enters = [k for k in range(count + 1) if (len(crossed[k - 1].into(state)) if k else state == 0)]
        leaves = [k for k in range(count + 1) if k == count or len(crossed[k].from_to(state, None))]
        breaks = [k for k in range(count) if not len(crossed[k].from_to(state, state))]
        for first in enters:
            latest = next(iter(breaks[bisect_left(breaks, first) :]), count)
            last = max(leaves[: bisect_right(leaves, latest)], default=0)
            found[StateRun(state, first, last, last == count)] = None
        for last in leaves:
            earliest = max(breaks[: bisect_left(breaks, last)], default=-1) + 1
            first = next(iter(enters[bisect_left(enters, earliest) :]), count)
            found[StateRun(state, first, last, last == count)] = None
    return sorted((run for run in found if run.last > run.first), key=lambda run: (run.first - run.last, run.state))


def along(crossed: Sequence[Crossing], run: StateRun, random: Random) -> list[int]:
    """A path with a run."""
    steps = [_any(crossed[k].from_to(run.state, run.state), random) for k in range(run.first, run.last)]
    if run.first:
        steps.insert(0, _any(crossed[run.first - 1].into(run.state), random))
    if not run.stays:
        steps.append(_any(crossed[run.last].from_to(run.state, None), random))
    return completed(crossed, max(run.first - 1, 0), steps, random)


def _any(steps: Numbers, random: Random) -> int:
    return int(steps[random.randrange(len(steps))])


def _shuffled(steps: Numbers, random: Random) -> list[int]:
    order: list[int] = steps.tolist()
    random.shuffle(order)
    return order
