"""Sets of inputs: those that take some way through a window of columns, where some forms lie in a box."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from compiler.tasks.automaton import Column
from compiler.verifier.forms import Array, Forms

Numbers = NDArray[np.int64]
UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells over the same window of columns, from `first` to `last`.

    `expected`: the right token, or `UNKNOWN`. `case`: of the query, or `UNKNOWN`. `before` and `after`: the states
    around the window. `low` and `high` [cells, cases, forms]: what the window adds to forms, in every case, or in the
    one that is known. `count`: ways through the window, as Python integers. `witness` [cells, window]: one of them, its
    steps. `masks` [cells, window, bytes]: the steps, as bits, that any of them takes in each column.
    """

    first: int
    last: int
    expected: Numbers
    case: Numbers
    before: Numbers
    after: Numbers
    low: Array
    high: Array
    count: NDArray[np.object_]
    witness: NDArray[np.int16]
    masks: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.expected)

    def chosen(self, index: NDArray[np.bool_] | NDArray[np.int64]) -> Cells:
        parts = ("expected", "case", "before", "after", "low", "high", "count", "witness", "masks")
        return replace(self, **{part: getattr(self, part)[index] for part in parts})


def start(
    column: Column, number: int, forms: Forms, expected: Numbers | None, case: Numbers | None, bits: int
) -> Cells:
    """Each step of one column. `expected` and `case` [steps], where this column decides them."""
    size = len(column.before)
    own = forms.tables[number, :size]
    steps = np.arange(size)
    cells = Cells(
        number,
        number,
        np.full(size, UNKNOWN) if expected is None else expected,
        np.full(size, UNKNOWN),
        column.before,
        column.after,
        own,
        own,
        np.full(size, 1, object),
        steps.astype(np.int16)[:, None],
        one_bit(steps, bits)[:, None],
    )
    return cells if case is None else in_case(cells, case)


def in_case(cells: Cells, case: Numbers) -> Cells:
    """With the case [cells] known."""
    rows = np.arange(len(cells))
    return replace(cells, case=case, low=cells.low[rows, case][:, None], high=cells.high[rows, case][:, None])


def one_bit(steps: Numbers, bits: int) -> NDArray[np.uint8]:
    """[steps, bytes]: of each step, its bit."""
    found = np.zeros((len(steps), -(-bits // 8)), np.uint8)
    found[np.arange(len(steps)), steps // 8] = 1 << (steps % 8)
    return found


def extended(cells: Cells, column: Column, number: int, forms: Forms, bits: int) -> tuple[Cells, Numbers]:
    """With one more column, just below or above the window; and the step there [cells]."""
    below = number < cells.first
    inner, outer = (column.after, column.before) if below else (column.before, column.after)
    border = cells.before if below else cells.after
    pairs = [
        (cell, step)
        for state in np.unique(border)
        for cell, step in [np.meshgrid(np.flatnonzero(border == state), np.flatnonzero(inner == state), indexing="ij")]
    ]
    which = np.concatenate([cell.ravel() for cell, _ in pairs])
    step = np.concatenate([one.ravel() for _, one in pairs])
    known = cells.case[which]
    added = forms.tables[number, step]
    if cells.low.shape[1] == 1 and added.shape[1] > 1:
        added = added[np.arange(len(step)), known][:, None]
    grown = cells.chosen(which)
    own_witness, own_mask = step.astype(np.int16)[:, None], one_bit(step, bits)[:, None]
    order = (own_witness, grown.witness) if below else (grown.witness, own_witness)
    masks = (own_mask, grown.masks) if below else (grown.masks, own_mask)
    return (
        replace(
            grown,
            first=min(cells.first, number),
            last=max(cells.last, number),
            before=outer[step] if below else grown.before,
            after=grown.after if below else outer[step],
            low=grown.low + added,
            high=grown.high + added,
            witness=np.concatenate(order, 1),
            masks=np.concatenate(masks, 1),
        ),
        step,
    )


def merged(cells: Cells, grid: Array) -> Cells:
    """Those that agree in all but the box, and in the box up to a grid [forms], as one: the hull is sound."""
    if not len(cells):
        return cells
    with np.errstate(invalid="ignore", over="ignore"):
        places = np.round((cells.low + cells.high) / (2 * grid)).reshape(len(cells), -1)
    labels = np.stack([cells.expected, cells.case, cells.before, cells.after], 1).astype(np.float64)
    keys = np.concatenate([labels, places], 1)
    order = np.lexsort(keys.T[::-1])
    sorted_keys = keys[order]
    new = np.concatenate([[True], (sorted_keys[1:] != sorted_keys[:-1]).any(1)])
    starts = np.flatnonzero(new)
    if len(starts) == len(cells):
        return cells
    groups = cells.chosen(order)
    firsts = groups.chosen(starts)
    return replace(
        firsts,
        low=np.minimum.reduceat(groups.low, starts),
        high=np.maximum.reduceat(groups.high, starts),
        count=np.add.reduceat(groups.count, starts),
        masks=np.bitwise_or.reduceat(groups.masks, starts),
    )
