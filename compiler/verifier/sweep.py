"""One token of the answer over all inputs: a window of columns grows until what lies outside does not matter.

Not one input after the other: in each round the cells that are still open are told apart by one more column, and those
that cannot be told apart any more are joined. Counts are exact: right, wrong and open inputs always sum to all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compiler.backends.bounds.bounded import Bounded
from compiler.source.faults import ToolFault
from compiler.tasks.automaton import PathCounts, complete, ways
from compiler.verifier.cells import (
    UNKNOWN,
    Cells,
    Labels,
    coarser,
    column_cells,
    joined,
    joined_bytes,
    merged,
    merged_to,
    together,
)
from compiler.verifier.forms import Array, Forms, Ranges, forms, outwards
from compiler.verifier.head import Leads, all_of, leads, undecided
from compiler.verifier.model import FORM_SYMBOLS, Stop, Tail
from compiler.verifier.reasons import Reason
from compiler.verifier.sequences import CONSTANT

MAX_CELLS = 100_000  # cells that are looked at in a round: more are joined on a coarser grid
MAX_OPEN = 20_000  # cells that are told apart further
BLOCK = 1 << 17  # cells that are made at once
MAX_CELL_BYTES = 1 << 28  # of the cells of a round, and of a block: fewer where each is large
COMPUTED = 8_192  # cells that are computed at once
Ways = tuple[PathCounts, PathCounts]  # of `ways`
COARSE, FINER = 2.0**-16, 2.0**-10  # the first grid, as a share of a form's whole range; how much finer the next is


@dataclass
class Sweep:
    """What is known of one token so far: exact numbers of inputs, whose sum never changes."""

    slot: int
    right: int = 0
    wrong: int = 0
    open: int = 0
    cells: int = 0
    window: int = 0
    spread: Array = field(default_factory=lambda: np.zeros((0, 0)))  # of the open cells, see `leads`
    lowest_open: Array = field(default_factory=lambda: np.zeros(0))
    wrong_cells: list[Cells] = field(default_factory=list)
    open_cells: Cells | None = None
    lowest: float = np.inf
    lowest_cell: Cells | None = None
    rounding: float = 0.0  # by how much it may change a lead, on an input of that cell
    late: bool = False  # whether time was out before it was done
    reason: Reason | None = None  # why the rest is open, once that was found out
    too_many: bool = False  # whether cells were joined on a coarser grid than was asked for

    def open_steps(self, columns: int, steps: int) -> NDArray[np.bool_]:
        """The steps [columns, steps] that open inputs take."""
        cells, taken = self.open_cells, np.full((columns, steps), self.open_cells is not None)
        if cells is not None:
            masks = np.bitwise_or.reduce(cells.masks, axis=0)
            taken[cells.first : cells.last + 1] = np.unpackbits(masks, axis=1, count=steps, bitorder="little")
        return taken

    @property
    def may_be_finer(self) -> bool:
        """Whether a finer grid could decide more: what is open is not so by rounding alone, nor for too many cells."""
        decided = bool((self.lowest_open + 2 * self.spread.sum(1) > 0).any())
        return self.open > 0 and decided and not self.too_many


@dataclass(frozen=True, eq=False)
class _Setting:
    """What a sweep of one token reads. `grid` [levels, forms]; `hard`, `stop`: see `sweep_cells`; `counts`: how many
    paths lead to each state of each column, and from there to the end."""

    tail: Tail
    forms: Forms
    grid: Array
    hard: Sequence[NDArray[np.bool_]]
    counts: Ways
    stop: Stop

    def column(self, number: int) -> Cells:
        """The cells of one column."""
        sequences = self.tail.sequences
        column = sequences.automaton.columns[number]
        size = len(column.before)
        case = self.tail.case[:size] if self.tail.column == number else None
        labels = Labels(
            sequences.expected(self.tail.slot, number),
            np.zeros(size, np.int64) if self.forms.cases == 1 else case,
            sum((steps[number, :size].astype(np.int64) for steps in self.hard), np.zeros(size, np.int64)),
        )
        return merged(column_cells(column, number, self.forms, labels, sequences.steps), self.grid)


def sweep_cells(swept: Sweep, tail: Tail, hard: Sequence[NDArray[np.bool_]], stop: Stop) -> None:
    """Classify all inputs for one token.

    Sums of forms that differ by less than a grid are taken together. `hard` says where it has to be finer: each of them
    the steps [columns, steps] of all inputs that the one before left open. `stop()` says that time is out: what is
    undecided then stays open.
    """
    sequences, all_forms = tail.sequences, _forms(tail)
    widths = _widths(all_forms, tail)
    grid = np.stack([widths * COARSE * FINER**level for level in range(len(hard) + 1)])
    setting = _Setting(tail, all_forms, grid, hard, ways(sequences.automaton), stop)
    target, _ = sequences.right(tail.slot)
    cells: Cells | None = setting.column(target if target != CONSTANT else max(tail.column, 0))
    while cells is not None:
        if (cells.case != UNKNOWN).all():
            cells = _classified(swept, setting, cells)
        _count_open(swept, setting, cells)
        if not len(cells) or stop():
            swept.late = len(cells) > 0
            break
        number = _next(swept, setting, cells)
        if number is None:
            break
        cells = _grown(swept, setting, cells, setting.column(number))
        swept.late = cells is None
    if swept.lowest_cell is not None:
        witness = complete(sequences.automaton, swept.lowest_cell.first, swept.lowest_cell.witness.astype(np.int64))
        swept.rounding = float(leads_of_paths(tail, witness).within[0])


def _count_open(swept: Sweep, setting: _Setting, cells: Cells) -> None:
    """Raises `ToolFault` where an input is lost, or counted twice."""
    swept.open_cells = cells if len(cells) else None
    swept.open = sum(weights(cells, setting.counts))
    total = sum(setting.counts[0][-1])
    if swept.right + swept.wrong + swept.open != total:
        raise ToolFault(
            f"verify finds token {swept.slot} right on {swept.right:,} inputs, wrong on {swept.wrong:,} and open on"
            f" {swept.open:,}; all inputs are {total:,}"
        )


def leads_of_paths(tail: Tail, paths: NDArray[np.int64]) -> Leads:
    """Of single inputs, given as paths [inputs, columns]."""
    target, right = tail.sequences.right(tail.slot)
    expected = right[paths[:, target]] if target != CONSTANT else np.full(len(paths), right[0])
    values = values_of_paths(tail, paths)[tail.program.decision.node]
    return leads(tail.arithmetic, tail.program.decision, values, expected, [])


def values_of_paths(tail: Tail, paths: NDArray[np.int64]) -> list[list[Bounded]]:
    """As `Tail.values`, of single inputs: their forms are known."""
    all_forms = _forms(tail)
    case = tail.case[paths[:, tail.column]] if tail.column != CONSTANT else np.zeros(len(paths), np.int64)
    total = all_forms.constant[:, case]
    for number, steps in enumerate(paths.T):
        total = outwards(total, all_forms.tables[:, number, steps, case])
    return tail.values(Ranges(case, *total))


def _grown(swept: Sweep, setting: _Setting, cells: Cells, column: Cells) -> Cells | None:
    """The cells with one more column; None where time is out before they are made, as of large bases it may be."""
    room, grid = MAX_CELL_BYTES // joined_bytes(cells, column), setting.grid
    if len(cells) > min(MAX_OPEN, room):
        cells = _merged(swept, cells, coarser(grid), min(MAX_OPEN, room))
        swept.too_many = True
    size = max(1, min(BLOCK, room) // len(column))
    parts = [cells.chosen(slice(first, first + size)) for first in range(0, len(cells), size)]
    below = column.first < cells.first
    grown: list[Cells] = []
    for part in parts:
        if grown and setting.stop():
            return None
        grown.append(joined(column, part, grid) if below else joined(part, column, grid))
        if sum(map(len, grown)) > 2 * min(MAX_CELLS, room):
            grown = [_merged(swept, together(grown), grid, min(MAX_CELLS, room))]
    return _merged(swept, together(grown), grid, min(MAX_CELLS, room))


def _merged(swept: Sweep, cells: Cells, grid: Array, most: int) -> Cells:
    cells, too_many = merged_to(cells, grid, most)
    swept.too_many = swept.too_many or too_many
    return cells


def _forms(tail: Tail) -> Forms:
    if tail.attention is not None:
        return tail.attention.forms
    cases, sequences = int(tail.case.max(initial=0)) + 1, tail.sequences
    columns = len(sequences.automaton.columns)
    return forms(sequences.automaton, np.zeros((2, cases, 0)), np.zeros((2, columns, sequences.steps, cases, 0)))


def _widths(all_forms: Forms, tail: Tail) -> Array:
    """The whole range of each form, [forms]; what is only a bound keeps no cells apart."""
    low, high = all_forms.below[0, -1], all_forms.below[1, -1]
    with np.errstate(invalid="ignore"):
        width = np.where(np.isfinite(low) & np.isfinite(high), high - low, 0.0).max((0, 1), initial=0.0)
    widths: Array = np.where(width > 0, width, 1.0)
    return widths if tail.attention is None else np.where(tail.attention.bounds, np.inf, widths)


def weights(cells: Cells, counts: Ways) -> list[int]:
    """Of each cell, how many inputs it stands for; `counts` are those of `ways`."""
    low, high = counts[0][cells.first], counts[1][cells.last + 1]
    states = zip(cells.count.tolist(), cells.before.tolist(), cells.after.tolist(), strict=True)
    return [count * low[before] * high[after] for count, before, after in states]


def _classified(swept: Sweep, setting: _Setting, cells: Cells) -> Cells:
    """Count the cells that are decided, until time is out; those that are not."""
    swept.cells += len(cells)
    swept.window = cells.last - cells.first + 1
    leads = _leads(setting, cells)
    inputs = weights(cells, setting.counts)
    right = leads.lowest > 0
    swept.right += sum(inputs[i] for i in np.flatnonzero(right))
    swept.wrong += sum(inputs[i] for i in np.flatnonzero(leads.behind))
    if leads.behind.any():
        swept.wrong_cells.append(cells.chosen(leads.behind))
    if right.any():
        i = int(np.where(right, leads.lowest, np.inf).argmin())
        if leads.lowest[i] < swept.lowest:
            swept.lowest, swept.lowest_cell = float(leads.lowest[i]), cells.chosen(np.array([i]))
    rest = ~right & ~leads.behind
    swept.spread, swept.lowest_open = leads.spread[rest], leads.lowest[rest]
    return cells.chosen(rest)


def _leads(setting: _Setting, cells: Cells) -> Leads:
    """Those of all cells, as far as there is time."""
    tail, ranges = setting.tail, box(setting.forms, cells)
    symbols = [FORM_SYMBOLS + i for i in range(setting.forms.constant.shape[2])]
    parts = []
    for first in range(0, len(cells), COMPUTED):
        block = slice(first, first + COMPUTED)
        if first and setting.stop():
            parts.append(undecided(len(cells) - first, len(symbols)))
            break
        values = tail.logit_inputs(ranges.block(block))
        parts.append(leads(tail.arithmetic, tail.program.decision, values, cells.expected[block], symbols))
    return all_of(parts)


def box(all_forms: Forms, cells: Cells) -> Ranges:
    """What the forms are in cells whose case is known; any steps are taken beside the window."""
    outside = all_forms.beside(cells.case, cells.first, cells.before, cells.last + 1, cells.after)
    return Ranges(cells.case, *outwards(outside, np.stack([cells.low[:, 0], cells.high[:, 0]])))


def _next(swept: Sweep, setting: _Setting, cells: Cells) -> int | None:
    """The column that the window grows by: towards the query's own, then where more is left to vary."""
    forms, columns = setting.forms, len(setting.tail.sequences.automaton.columns)
    first, last = cells.first, cells.last
    if (cells.case == UNKNOWN).any():
        return first - 1 if setting.tail.column < first else last + 1
    if first == 0 and last == columns - 1:
        return None
    if first == 0 or last == columns - 1:
        return last + 1 if first == 0 else first - 1
    with np.errstate(all="ignore"):
        below = np.diff(forms.below[:, first, cells.before, cells.case], axis=0)[0]
        above = np.diff(forms.above[:, last + 1, cells.after, cells.case], axis=0)[0]
        whole = below + above + cells.high[:, 0] - cells.low[:, 0]
        weight = np.where(whole > 0, swept.spread / whole, 0.0)
        if not weight.any():
            weight = np.where(whole > 0, 1 / whole, 0.0)
        left, right = np.nan_to_num(below * weight).sum(), np.nan_to_num(above * weight).sum()
    return first - 1 if left >= right else last + 1
