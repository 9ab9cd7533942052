"""Sets of inputs: those that take some way through a window of columns, where some forms lie in a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.tasks.automaton import Column
from compiler.verifier.forms import Array, Forms, outwards
from compiler.verifier.sequences import Numbers

UNKNOWN = -1
LARGE_GROUP = 64  # of cells that are joined
ROWS = ("expected", "case", "level", "before", "after", "low", "high", "count", "witness", "masks")


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells over the same window of columns, from `first` to `last`.

    `expected`: the right token, or `UNKNOWN`. `case`: of the query, or `UNKNOWN`. `level`: how finely they are told
    apart. `before` and `after`: the states around the window.
    `low` and `high` [cells, cases, forms]: what the window adds to forms, in every case, or in the
    one that is known. `count`: ways through the window, as Python integers. `witness` [cells, window]: one of them, its
    steps. `masks` [cells, window, bytes]: the steps, as bits, that any of them takes in each column.
    """

    first: int
    last: int
    expected: Numbers
    case: Numbers
    level: Numbers
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
        rows: dict[str, Any] = {name: getattr(self, name)[index] for name in ROWS}
        return replace(self, **rows)


@dataclass(frozen=True, eq=False)
class Labels:
    """Of the steps of one column, [steps] each. `expected` and `case`: where this column decides them, or they are
    known."""

    expected: Numbers | None
    case: Numbers | None
    level: Numbers


def column_cells(column: Column, number: int, forms: Forms, labels: Labels, steps: int) -> Cells:
    """Each step of one column; `steps`: those of the column that has most."""
    size, expected, case = len(column.before), labels.expected, labels.case
    added, rows = forms.tables[:, number, :size], np.arange(size)
    if case is not None:
        added = added[:, rows, case][:, :, None]
    masks = np.zeros((size, 1, 8 * -(-steps // 64)), np.uint8)  # whole words
    masks[rows, 0, rows // 8] = 1 << (rows % 8)
    return Cells(
        number,
        number,
        np.full(size, UNKNOWN) if expected is None else expected,
        np.full(size, UNKNOWN) if case is None else case,
        labels.level,
        column.before,
        column.after,
        added[0],
        added[1],
        np.full(size, 1, object),
        rows.astype(np.int16)[:, None],
        masks,
    )


def joined_bytes(cells: Cells, column: Cells) -> int:
    """What each cell takes in memory, about, once one more column is `joined`: less where that tells the case."""
    known = any(bool((part.case != UNKNOWN).all()) for part in (cells, column))
    cases = 1 if known else max(cells.low.shape[1], column.low.shape[1])
    masks = (cells.masks.shape[1] + column.masks.shape[1]) * (cells.masks.shape[2] + 2)
    return int(128 + 16 * cases * cells.low.shape[2] + masks)


def joined(low: Cells, high: Cells, grids: Array | None = None) -> Cells:
    """Cells over two windows, one just below the other: all pairs whose states meet; as they would be `merged`."""
    pairs = [
        np.meshgrid(np.flatnonzero(low.after == state), np.flatnonzero(high.before == state), indexing="ij")
        for state in np.unique(low.after)
    ]
    i, j = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    case = np.where(low.case[i] == UNKNOWN, high.case[j], low.case[i])
    lows, highs = outwards(
        *(np.stack([_in_case(part.low, k, case), _in_case(part.high, k, case)]) for part, k in ((low, i), (high, j)))
    )
    expected = np.where(low.expected[i] == UNKNOWN, high.expected[j], low.expected[i])
    level, before, after = np.minimum(low.level[i], high.level[j]), low.before[i], high.after[j]
    labels = (expected, case, level, before, after)
    every = np.arange(len(i))
    order, starts = (every, every) if grids is None else _alike(labels, lows, highs, grids)
    firsts, i, j = order[starts], i[order], j[order]
    return Cells(
        low.first,
        high.last,
        expected[firsts],
        case[firsts],
        level[firsts],
        before[firsts],
        after[firsts],
        _grouped(np.minimum, lows, order, starts),
        _grouped(np.maximum, highs, order, starts),
        np.add.reduceat(low.count[i] * high.count[j], starts),
        np.concatenate([low.witness[i[starts]], high.witness[j[starts]]], 1),
        np.concatenate([_any_of(low.masks, i, starts), _any_of(high.masks, j, starts)], 1),
    )


def _in_case(numbers: Array, index: Numbers, case: Numbers) -> Array:
    """Those of an index [cells, cases, forms], or [cells, 1, forms] where the case is known."""
    if numbers.shape[1] == 1 or (case == UNKNOWN).any():
        return numbers[index]
    return numbers[index, case][:, None]


def together(parts: Sequence[Cells]) -> Cells:
    """Cells over one window, all of them."""
    if len(parts) == 1:
        return parts[0]
    rows: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ROWS}
    return replace(parts[0], **rows)


def merged(cells: Cells, grids: Array) -> Cells:
    """Those that are alike as one: the hull is sound."""
    labels = (cells.expected, cells.case, cells.level, cells.before, cells.after)
    order, starts = _alike(labels, cells.low, cells.high, grids)
    if len(starts) == len(cells):
        return cells
    return replace(
        cells.chosen(order[starts]),
        low=_grouped(np.minimum, cells.low, order, starts),
        high=_grouped(np.maximum, cells.high, order, starts),
        count=np.add.reduceat(cells.count[order], starts),
        masks=_any_of(cells.masks, order, starts),
    )


def _alike(labels: Sequence[Numbers], low: Array, high: Array, grids: Array) -> tuple[Numbers, Numbers]:
    """Cells that agree in their labels, of which the third is the level, and in the box up to their level's grid
    [levels, forms]: an order in which they stand together, their own where none do, and where each starts in it."""
    with np.errstate(all="ignore"):
        apart = np.isfinite(grids[0])
        middle = (low[..., apart] + high[..., apart]) / 2
        places = np.round(middle / grids[labels[2]][:, None, apart])
    places = places.reshape(len(low), places.shape[1] * places.shape[2])
    keys = np.concatenate([np.stack(labels, 1).astype(np.float64), places], 1)
    order = np.lexsort(keys.T[::-1])
    sorted_keys = keys[order]
    new = np.ones(len(order), bool)
    new[1:] = (sorted_keys[1:] != sorted_keys[:-1]).any(1)
    return (np.arange(len(order)) if new.all() else order), np.flatnonzero(new)


def _any_of(masks: NDArray[np.uint8], order: Numbers, starts: Numbers) -> NDArray[np.uint8]:
    """As `_grouped`, the bits that any of the cells has; word by word where they fill words."""
    rows = np.ascontiguousarray(masks.reshape(len(masks), masks.shape[1] * masks.shape[2]))
    words = rows.view(np.uint64) if rows.shape[1] % 8 == 0 else rows
    return _grouped(np.bitwise_or, words, order, starts).view(np.uint8).reshape(len(starts), *masks.shape[1:])


def _grouped(combine: np.ufunc, rows: NDArray[Any], order: Numbers, starts: Numbers) -> NDArray[Any]:
    """What comes of the rows in this order, from each start to the next: of all groups at once, member by member, and
    at last of the few that are large, which numpy's `reduceat` would take long for."""
    sizes = np.diff(starts, append=len(order))
    found, largest_first = rows[order[starts]], np.argsort(-sizes, kind="stable")
    for member in range(1, min(int(sizes.max(initial=0)), LARGE_GROUP)):
        groups = largest_first[: np.searchsorted(-sizes[largest_first], -member)]
        found[groups] = combine(found[groups], rows[order[starts[groups] + member]])
    for group in np.flatnonzero(sizes > LARGE_GROUP):
        members = order[starts[group] + LARGE_GROUP : starts[group] + sizes[group]]
        found[group] = combine(found[group], combine.reduce(rows[members], axis=0))
    return found
