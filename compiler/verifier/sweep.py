"""One token of the answer over all inputs: a window of columns grows until what lies outside does not matter.

Not one input after the other: in each round the cells that are still open are told apart by one more column, and those
that cannot be told apart any more are joined. Counts are exact: right, wrong and open inputs always sum to all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from compiler.tasks.automaton import ways
from compiler.verifier.cells import UNKNOWN, Cells, extended, in_case, merged, start
from compiler.verifier.forms import Array, Forms, forms
from compiler.verifier.head import leads
from compiler.verifier.model import FORM_SYMBOLS, Tail
from compiler.verifier.sequences import CONSTANT, Sequences

MAX_CELLS = 100_000  # cells that are looked at in a round: more are joined on a coarser grid
MAX_OPEN = 4_000  # cells that are told apart further
BLOCK = 4_096  # cells that are computed at once


@dataclass
class Sweep:
    """What is known of one token so far: exact numbers of inputs, whose sum never changes."""

    slot: int
    right: int = 0
    wrong: int = 0
    open: int = 0
    cells: int = 0
    window: int = 0
    spread: Array = field(default_factory=lambda: np.zeros((0, 0)))
    wrong_cells: list[Cells] = field(default_factory=list)
    open_cells: Cells | None = None
    lowest: float = np.inf
    lowest_cell: Cells | None = None
    why_open: str | None = None


def sweep(found: Sweep, tail: Tail, sequences: Sequences, fineness: float, stop: Callable[[], bool]) -> None:
    """Classify all inputs for one token. Sums of forms that differ by less than `fineness` of a form's whole range are
    taken together. `stop()` says that time is out: what is undecided then stays open."""
    automaton = sequences.automaton
    below, above = ways(automaton)
    all_forms = _forms(tail, sequences)
    target, right = sequences.right(tail.slot)
    total = sum(below[-1])
    single = len(all_forms.constant) == 1
    begin = target if target != CONSTANT else max(tail.column, 0)
    column = automaton.columns[begin]
    cells = start(
        column,
        begin,
        all_forms,
        right if target == begin else np.full(len(column.before), right[0]),
        np.zeros(len(column.before), np.int64)
        if single
        else tail.case[: len(column.before)]
        if tail.column == begin
        else None,
        sequences.steps,
    )
    grid = _widths(all_forms) * fineness
    cells = _joined(cells, grid, MAX_CELLS)
    found.open = total
    while True:
        if (cells.case != UNKNOWN).all():
            cells = _classified(found, tail, all_forms, cells, below, above)
        if not len(cells):
            break
        found.open_cells = cells
        found.open = _inputs(cells, below, above)
        assert found.right + found.wrong + found.open == total
        number = _next(tail, all_forms, cells, len(automaton.columns), found)
        if number is None:
            found.why_open = "what is left cannot be told apart from a tie: the bounds on rounding are too wide"
            break
        if stop():
            found.why_open = "the time ran out"
            break
        cells = _joined(cells, grid, MAX_OPEN)
        cells, step = extended(cells, automaton.columns[number], number, all_forms, sequences.steps)
        if number == tail.column and not single:
            cells = in_case(cells, tail.case[step])
        cells = _joined(cells, grid, MAX_CELLS)
    found.open = 0 if not len(cells) else found.open
    found.open_cells = cells if len(cells) else None
    assert found.right + found.wrong + found.open == total


def _forms(tail: Tail, sequences: Sequences) -> Forms:
    if tail.attention is not None:
        return tail.attention.forms
    cases = int(tail.case.max(initial=0)) + 1
    return forms(
        sequences.automaton,
        np.zeros((cases, 0)),
        np.zeros((len(sequences.automaton.columns), sequences.steps, cases, 0)),
    )


def _widths(all_forms: Forms) -> Array:
    """[forms]"""
    low, high = all_forms.below[0, -1], all_forms.below[1, -1]
    width = np.where(np.isfinite(low) & np.isfinite(high), high - low, 0.0).max((0, 1), initial=0.0)
    return np.where(width > 0, width, 1.0)


def _joined(cells: Cells, grid: Array, most: int) -> Cells:
    found = merged(cells, grid)
    while len(found) > most and grid.size:
        grid = grid * 8
        found = merged(found, grid)
    return found


def _inputs(cells: Cells, below: Sequence[Sequence[int]], above: Sequence[Sequence[int]]) -> int:
    return sum(weights(cells, below, above))


def weights(cells: Cells, below: Sequence[Sequence[int]], above: Sequence[Sequence[int]]) -> list[int]:
    """Of each cell, how many inputs it stands for."""
    low, high = below[cells.first], above[cells.last + 1]
    states = zip(cells.count, cells.before.tolist(), cells.after.tolist(), strict=True)
    return [count * low[before] * high[after] for count, before, after in states]


def _classified(
    found: Sweep,
    tail: Tail,
    all_forms: Forms,
    cells: Cells,
    below: Sequence[Sequence[int]],
    above: Sequence[Sequence[int]],
) -> Cells:
    """Count the cells that are decided; those that are not, with a side to grow on."""
    found.cells += len(cells)
    found.window = cells.last - cells.first + 1
    symbols = [FORM_SYMBOLS + i for i in range(all_forms.constant.shape[1])]
    outside = all_forms.beside(cells.case, cells.first, cells.before, cells.last + 1, cells.after)
    low, high = outside[0] + cells.low[:, 0], outside[1] + cells.high[:, 0]
    parts = []
    for first in range(0, len(cells), BLOCK):
        block = slice(first, first + BLOCK)
        values = tail.logit_inputs(cells.case[block], low[block], high[block])
        parts.append(leads(tail.arithmetic, tail.program.decision, values, cells.expected[block], symbols))
    lowest = np.concatenate([part.lowest for part in parts])
    behind = np.concatenate([part.behind for part in parts])
    spread = np.concatenate([part.spread for part in parts])
    inputs = weights(cells, below, above)
    right = lowest > 0
    found.right += sum(inputs[i] for i in np.flatnonzero(right))
    found.wrong += sum(inputs[i] for i in np.flatnonzero(behind))
    if behind.any():
        found.wrong_cells.append(cells.chosen(behind))
    if right.any():
        i = int(np.where(right, lowest, np.inf).argmin())
        if lowest[i] < found.lowest:
            found.lowest, found.lowest_cell = float(lowest[i]), cells.chosen(np.array([i]))
    undecided = ~right & ~behind
    found.spread = spread[undecided]
    return cells.chosen(undecided)


def _next(tail: Tail, all_forms: Forms, cells: Cells, columns: int, found: Sweep) -> int | None:
    """The column that the window grows by: towards the query's own, then where more is left to vary."""
    first, last = cells.first, cells.last
    if (cells.case == UNKNOWN).any():
        return first - 1 if tail.column < first else last + 1
    if first == 0 and last == columns - 1:
        return None
    if first == 0 or last == columns - 1:
        return last + 1 if first == 0 else first - 1
    with np.errstate(all="ignore"):
        below = (
            all_forms.below[1, first, cells.before, cells.case] - all_forms.below[0, first, cells.before, cells.case]
        )
        above = (
            all_forms.above[1, last + 1, cells.after, cells.case]
            - all_forms.above[0, last + 1, cells.after, cells.case]
        )
        whole = below + above + cells.high[:, 0] - cells.low[:, 0]
        weight = np.where(whole > 0, found.spread / whole, 0.0)
        if not weight.any():
            weight = np.where(whole > 0, 1 / whole, 0.0)
        left, right = np.nan_to_num(below * weight).sum(), np.nan_to_num(above * weight).sum()
    return first - 1 if left >= right else last + 1
