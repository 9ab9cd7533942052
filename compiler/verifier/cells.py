"""Sets of inputs: those that take some way through a window of columns, where some forms lie in a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.tasks.automaton import Column
from compiler.verifier.forms import Array, Forms, outwards
from compiler.verifier.sequences import Numbers

UNKNOWN = -1
AT_ONCE = 1 << 18  # bytes of rows that are combined at once: so many stay in a core's cache
ROWS = ("expected", "case", "level", "before", "after", "low", "high", "count", "witness", "masks")


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells over the same window of columns, from `first` to `last`.

    `expected`: the right token, or `UNKNOWN`. `case`: of the query, or `UNKNOWN`. `level`: how finely they are told
    apart. `before` and `after`: the states around the window.
    `low` and `high` [cells, cases, forms]: what the window adds to forms, in every case, or in the
    one that is known. `count`: ways through the window, as int64 or, where that is too small, as Python integers.
    `witness` [cells, window]: one of them, its steps. `masks` [cells, window, bytes]: the steps, as bits, that any of
    them takes in each column.
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
    count: NDArray[np.int64] | NDArray[np.object_]
    witness: NDArray[np.int16]
    masks: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.expected)

    def chosen(self, index: slice | NDArray[np.bool_] | NDArray[np.int64]) -> Cells:
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
        np.full(size, 1),
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
    lows, highs = _sums((low, i), (high, j), case)
    expected = np.where(low.expected[i] == UNKNOWN, high.expected[j], low.expected[i])
    level, before, after = np.minimum(low.level[i], high.level[j]), low.before[i], high.after[j]
    labels = (expected, case, level, before, after)
    every = np.arange(len(i))
    order, starts = (every, every) if grids is None else _alike(labels, lows, highs, grids)
    firsts, i, j = order[starts], i[order], j[order]
    kind = _kind(int(low.count.max(initial=0)) * int(high.count.max(initial=0)) * len(i))
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
        np.add.reduceat(low.count.astype(kind)[i] * high.count.astype(kind)[j], starts),
        np.concatenate([low.witness[i[starts]], high.witness[j[starts]]], 1),
        np.concatenate([_any_of(low.masks, i, starts), _any_of(high.masks, j, starts)], 1),
    )


def _sums(low: tuple[Cells, Numbers], high: tuple[Cells, Numbers], case: Numbers) -> tuple[Array, Array]:
    """What pairs of cells add to forms, from and to: [pairs, cases, forms] each."""
    known = case if (case != UNKNOWN).all() else None
    _, cases, forms = low[0].low.shape if known is None else (0, 1, low[0].low.shape[2])
    lows, highs = np.empty((2, len(case), cases, forms))
    size = max(1, AT_ONCE // (16 * cases * max(1, forms)))
    for first in range(0, len(case), size):
        part = slice(first, first + size)
        of = None if known is None else known[part]
        lows[part], highs[part] = outwards(
            *(np.stack([_in_case(ends, k[part], of) for ends in (c.low, c.high)]) for c, k in (low, high))
        )
    return lows, highs


def _in_case(numbers: Array, index: Numbers, case: Numbers | None) -> Array:
    """Those of an index [cells, cases, forms], or [cells, 1, forms] where the case is known."""
    if numbers.shape[1] == 1 or case is None:
        return numbers.take(index, 0)
    return numbers[index, case][:, None]


def _kind(most: int) -> type:
    """Of integers that are no larger."""
    return np.int64 if most < 1 << 63 else object


def together(parts: Sequence[Cells]) -> Cells:
    """Cells over one window, all of them."""
    if len(parts) == 1:
        return parts[0]
    rows: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ROWS}
    return replace(parts[0], **rows)


def merged(cells: Cells, grids: Array) -> Cells:
    """Those that are alike as one: the hull is sound."""
    return merged_to(cells, grids, len(cells))[0]


def merged_to(cells: Cells, grids: Array, most: int) -> tuple[Cells, bool]:
    """As `merged`; where more are left, what comes of it is merged on a coarser grid, and at last on none: those that
    differ in all else stay. Whether a coarser one was needed."""
    labels = [cells.expected, cells.case, cells.level, cells.before, cells.after]
    low, high = cells.low, cells.high
    firsts, group, too_many = np.arange(len(cells)), np.arange(len(cells)), False
    while True:
        order, starts = _alike(labels, low, high, grids)
        if len(starts) < len(order):
            low, high = _grouped(np.minimum, low, order, starts), _grouped(np.maximum, high, order, starts)
            place = np.empty_like(order)
            place[order] = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(order)))
            chosen, group = order[starts], place[group]
            labels, firsts = [label[chosen] for label in labels], firsts[chosen]
        if len(firsts) <= most or not np.isfinite(grids).any():
            break
        too_many, grids = True, coarser(grids)
    if len(firsts) == len(cells):
        return cells, too_many
    order, sizes = np.argsort(group, kind="stable"), np.bincount(group)
    starts = np.cumsum(sizes) - sizes
    kind = _kind(int(cells.count.max()) * len(cells))
    found = replace(
        cells.chosen(firsts),
        low=low,
        high=high,
        count=np.add.reduceat(cells.count.astype(kind)[order], starts),
        masks=_any_of(cells.masks, order, starts),
    )
    return found, too_many


def coarser(grids: Array) -> Array:
    """The next grids, where too many cells are left."""
    with np.errstate(over="ignore"):
        return grids * 8


def _alike(labels: Sequence[Numbers], low: Array, high: Array, grids: Array) -> tuple[Numbers, Numbers]:
    """Cells that agree in their labels, of which the third is the level, and in the box up to their level's grid
    [levels, forms]: an order in which they stand together, their own where none do, and where each starts in it."""
    level, apart, cases = labels[2], np.flatnonzero(np.isfinite(grids[0])), low.shape[1]
    grid = grids[level].T if (level != level[:1]).any() else grids[level[:1]].T
    with np.errstate(all="ignore"):
        places = [np.round((low[:, c, f] + high[:, c, f]) / 2 / grid[f]) for c in range(cases) for f in apart]
    every = np.arange(len(low))
    order, same = sorted_rows([*labels, *places])
    return (every, every) if not same.any() else (order, np.flatnonzero(~same))


def sorted_rows(columns: Sequence[NDArray[Any]]) -> tuple[Numbers, NDArray[np.bool_]]:
    """The order of rows, the first column counting most; those that are the same keep theirs. And which rows, in this
    order, are the same as the one before. Rows, and integers, are fewer than 2^31."""
    rows = len(columns[0])
    key, many = np.zeros(rows, np.int64), 1
    for column in columns:
        ranks, kinds = _ranks(column)
        if many * kinds >= 1 << 62:
            key, many = _ranks(key, dense=True)
        key, many = key * kinds + ranks, many * kinds
    if many * rows >= 1 << 62:
        key, many = _ranks(key, dense=True)
    ordered = np.sort(key * rows + np.arange(rows))  # no two are equal, so that any sort does
    ordered, order = np.divmod(ordered, max(1, rows))
    return order, np.concatenate([np.zeros(min(1, rows), bool), ordered[1:] == ordered[:-1]])


def _ranks(column: NDArray[Any], dense: bool = False) -> tuple[Numbers, int]:
    """Integers from 0 that are in the order of the numbers, and their range."""
    if column.dtype.kind == "i" and not dense:
        least = column.min(initial=0)
        return column - least, int(column.max(initial=0) - least) + 1
    numbers, ranks = np.unique(column, return_inverse=True)
    return ranks, len(numbers)


def _any_of(masks: NDArray[np.uint8], order: Numbers, starts: Numbers) -> NDArray[np.uint8]:
    """As `_grouped`, the bits that any of the cells has; word by word where they fill words."""
    rows = np.ascontiguousarray(masks.reshape(len(masks), masks.shape[1] * masks.shape[2]))
    words = rows.view(np.uint64) if rows.shape[1] % 8 == 0 else rows
    return _grouped(np.bitwise_or, words, order, starts).view(np.uint8).reshape(len(starts), *masks.shape[1:])


def _grouped(combine: np.ufunc, rows: NDArray[Any], order: Numbers, starts: Numbers) -> NDArray[Any]:
    """What comes of the rows in this order, from each start to the next; as many at once as stay in the cache."""
    flat, sizes = rows.reshape(len(rows), prod(rows.shape[1:])), np.diff(starts, append=len(order))
    found, several = flat.take(order[starts], 0), np.flatnonzero(sizes > 1)
    order, ends = order[np.repeat(sizes > 1, sizes)], np.append(0, np.cumsum(sizes[several]))
    members = max(1, AT_ONCE // max(1, flat.itemsize * flat.shape[1]))
    cuts = np.unique(np.append(np.searchsorted(ends, np.arange(0, len(order), members)), len(several)))
    for first, last in pairwise(cuts.tolist()):
        part = flat.take(order[ends[first] : ends[last]], 0)
        found[several[first:last]] = combine.reduceat(part, ends[first:last] - ends[first], 0)
    return found.reshape(len(starts), *rows.shape[1:])
