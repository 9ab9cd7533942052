"""Separable forms: sums over the columns of tables of the automaton's steps, and their exact ranges.

A form's value on an input is a constant plus, for each column, the table's entry for the step that the input takes
there. Its range over all paths with some columns fixed is a sum of shortest and longest paths (dynamic programming).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.fast.bounds import ENGINE_UNIT
from compiler.tasks.automaton import Automaton

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Forms:
    """Forms of some cases: `constant` [cases, forms], `tables` [columns, steps, cases, forms].

    `below` and `above` are the lowest and highest sums [2, columns + 1, states, cases, forms] over the paths from the
    start to a state before column k, and from there to the end; infinite where there are none (low above high).
    `off` [cases, forms] is by how much such sums can be off as they are computed here.
    """

    constant: Array
    tables: Array
    below: Array
    above: Array
    off: Array

    def beside(
        self, case: NDArray[np.int64], first: int, before: NDArray[np.int64], after: int, state: NDArray[np.int64]
    ) -> Array:
        """What the columns before `first`, where the states are `before`, and those from `after` on, where they are
        `state`, add to the constant: lowest and highest, [2, cells, forms]."""
        found: Array = self.below[:, first, before, case] + self.above[:, after, state, case] + self.constant[case]
        return found


def forms(automaton: Automaton, constant: Array, tables: Array) -> Forms:
    """With their ranges. Entries beyond a column's steps do not matter."""
    count, states = len(automaton.columns), automaton.states
    shape = (2, count + 1, states, *constant.shape)
    below, above = np.empty(shape), np.empty(shape)
    below[0], below[1] = np.inf, -np.inf
    above[0], above[1] = np.inf, -np.inf
    below[:, 0, 0] = 0.0
    above[:, count] = 0.0
    for k, column in enumerate(automaton.columns):
        own = tables[k, : len(column.before)]
        _relax(below[:, k + 1], column.after, below[:, k, column.before] + own)
    for k in reversed(range(count)):
        column = automaton.columns[k]
        own = tables[k, : len(column.before)]
        _relax(above[:, k], column.before, above[:, k + 1, column.after] + own)
    sizes = np.abs(constant) + sum(
        np.abs(tables[k, : len(column.before)]).max(0) for k, column in enumerate(automaton.columns)
    )
    return Forms(constant, tables, below, above, 2 * (count + 2) * ENGINE_UNIT * sizes)


def _relax(found: Array, states: NDArray[np.int64], sums: Array) -> None:
    """Lower and raise the ends found [2, states, …] of each state by the sums [2, steps, …] that lead to it."""
    np.minimum.at(found[0], states, sums[0])
    np.maximum.at(found[1], states, sums[1])


def highest(automaton: Automaton, constant: Array, tables: Array) -> Array:
    """No less than the largest value of each form: the largest entry of each column, together."""
    total = constant.copy()
    for k, column in enumerate(automaton.columns):
        total += tables[k, : len(column.before)].max(0)
    return total
