"""Separable forms: sums over the columns of tables of the automaton's steps, and their exact ranges.

A form's value on an input is a constant plus, for each column, the table's entry for the step that the input takes
there. Its range over all paths with some columns fixed is a sum of shortest and longest paths (dynamic programming).
All sums are rounded outwards: pairs of arrays [2, …] are what a real number is surely not below, and not above.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.tasks.automaton import Automaton, Column

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Forms:
    """Forms of some cases: `constant` [2, cases, forms], `tables` [2, columns, steps, cases, forms].

    `below` and `above` are the lowest and highest sums [2, columns + 1, states, cases, forms] over the paths from the
    start to a state before column k, and from there to the end; infinite where there are none (low above high).
    """

    constant: Array
    tables: Array
    below: Array
    above: Array

    @property
    def cases(self) -> int:
        return int(self.constant.shape[1])

    def beside(
        self, case: NDArray[np.int64], first: int, before: NDArray[np.int64], after: int, state: NDArray[np.int64]
    ) -> Array:
        """What the columns before `first`, where the states are `before`, and those from `after` on, where they are
        `state`, add to the constant: [2, cells, forms]."""
        states, cases = self.below.shape[2:4]
        if len(case) < states * states * cases:
            outside = outwards(self.below[:, first, before, case], self.above[:, after, state, case])
            return outwards(outside, self.constant[:, case])
        with np.errstate(invalid="ignore"):  # where no path leads from a state to another one
            every = outwards(self.below[:, first, :, None], self.above[:, after, None])
            every = outwards(every, self.constant[:, None, None])  # [2, states, states, cases, forms]
        return every[:, before, state, case]


@dataclass(frozen=True, eq=False)
class Ranges:
    """Of cells: the `case` [cells], and what their forms are, from `low` to `high` [cells, forms]."""

    case: NDArray[np.int64]
    low: Array
    high: Array

    def block(self, part: slice) -> Ranges:
        """Those of some of the cells."""
        return Ranges(self.case[part], self.low[part], self.high[part])


def outwards(x: Array, y: Array) -> Array:
    """The sum of two pairs [2, …], each rounded outwards where it is rounded (Knuth's TwoSum says by how much)."""
    total = x + y
    with np.errstate(invalid="ignore"):
        part = total - x
        lost = total - part
        np.subtract(x, lost, out=lost)
        lost += np.subtract(y, part, out=part)
    np.nextafter(total[0], -np.inf, out=total[0], where=lost[0] < 0)
    np.nextafter(total[1], np.inf, out=total[1], where=lost[1] > 0)
    return total


def forms(automaton: Automaton, constant: Array, tables: Array) -> Forms:
    """With their ranges. Entries beyond a column's steps do not matter."""
    count, states = len(automaton.columns), automaton.states
    shape = (2, count + 1, states, *constant.shape[1:])
    below, above = np.empty(shape), np.empty(shape)
    below[0], below[1] = np.inf, -np.inf
    above[0], above[1] = np.inf, -np.inf
    below[:, 0, 0] = 0.0
    above[:, count] = 0.0
    between = [_between_states(column, tables[:, k]) for k, column in enumerate(automaton.columns)]
    for k, (before, after, added) in enumerate(between):
        _relax(below[:, k + 1], after, outwards(below[:, k, before], added))
    for k, (before, after, added) in reversed(list(enumerate(between))):
        _relax(above[:, k], before, outwards(above[:, k + 1, after], added))
    return Forms(constant, tables, below, above)


def _between_states(column: Column, table: Array) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """The pairs of states that steps of a column lead from and to, and the lowest and highest entries [2, pairs, …] of
    its table [2, steps, …] between them: an outward sum of the lowest is the lowest sum."""
    order = np.lexsort((column.after, column.before))
    before, after = column.before[order], column.after[order]
    new = np.ones(len(order), bool)
    new[1:] = (before[1:] != before[:-1]) | (after[1:] != after[:-1])
    starts = np.flatnonzero(new)
    ends = [end(table[side][order], starts) for side, end in enumerate((np.minimum.reduceat, np.maximum.reduceat))]
    return before[starts], after[starts], np.stack(ends)


def _relax(ends: Array, states: NDArray[np.int64], sums: Array) -> None:
    """Lower and raise the ends [2, states, …] of each state by the sums [2, pairs, …] that lead to it."""
    np.minimum.at(ends[0], states, sums[0])
    np.maximum.at(ends[1], states, sums[1])
