"""Tables that are linear: their numbers grow evenly with the token, as the values of digits do.

To compute offset + slope · token takes less time than to look a number up, and it is known how far off that can be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from compiler.backends.bounds.arithmetic import ENGINE_TINY, ENGINE_UNIT
from compiler.backends.elementary.program import Array, Lookup, Node, Program

OFF = 32 * ENGINE_UNIT  # of |offset| + |slope · token|: a quarter is what it may be off by, the rest is for roundings


@dataclass(frozen=True, eq=False)
class LinearTable:
    """`offset` + `slope` · token, which is `off` by no more with all roundings: of each position, [positions]."""

    offset: Array
    slope: Array
    off: Array


def as_linear(program: Program, node: Node, table: Array, channel: int) -> LinearTable | None:
    """A channel of a table [positions | 1, tokens | 1, channels] at the positions of a node, for the tokens that are
    possible there; None if they are not linear."""
    tokens, rows = np.arange(program.vocabulary), list(node.positions)
    column = np.broadcast_to(table[:, :, channel], (program.length, program.vocabulary))[rows]
    possible = np.ones(column.shape, np.bool_)
    if program.possible:
        possible = np.array([np.isin(tokens, program.possible[row]) for row in rows])
    first, last, place = possible.argmax(1), tokens[-1] - possible[:, ::-1].argmax(1), np.arange(len(rows))
    slope = (column[place, last] - column[place, first]) / np.maximum(last - first, 1)
    offset = column[place, first] - slope * first
    size = np.abs(offset) + np.abs(slope) * last
    apart = np.abs(offset[:, None] + slope[:, None] * tokens - column)
    if not (np.where(possible, apart, 0.0) <= OFF / 4 * size[:, None]).all():
        return None
    return LinearTable(offset, slope, np.where(slope == 0, 0.0, OFF * size + ENGINE_TINY))


def with_errors_of_linear_tables(program: Program) -> Program:
    """The same program, whose linear tables are off by what computing them is off by too."""
    return replace(program, nodes=tuple(_with_errors(program, node) for node in program.nodes))


def _with_errors(program: Program, node: Node) -> Node:
    operation = node.operation
    if not isinstance(operation, Lookup):
        return node
    error = np.broadcast_to(operation.error, (program.length, program.vocabulary, node.channels)).copy()
    for channel in node.live:
        found = as_linear(program, node, operation.value, channel)
        if found is not None:
            error[list(node.positions), :, channel] += found.off[:, None]
    return replace(node, operation=Lookup(operation.value, error))
