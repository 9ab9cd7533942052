"""How many inputs fail in all: at least those in wrong cells that share no input, at most all that are not right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.tasks.automaton import Automaton, ways
from compiler.verifier.cells import Cells
from compiler.verifier.sweep import Sweep, weights

Masks = NDArray[np.uint8]  # [cells, columns, bytes]: the steps, as bits, that inputs of each cell may take
MAX_CELL_PAIRS = 8_000_000  # of cells that are compared one by one
BLOCK = 4_000  # cells that are compared at once


@dataclass(frozen=True, eq=False)
class _Group:
    """Cells that have been counted, and all steps that any of them takes, [columns, bytes]."""

    members: Masks
    steps: NDArray[np.uint8]


def failing(automaton: Automaton, sweeps: Sequence[Sweep]) -> tuple[int, int]:
    """At least, and at most, so many inputs are answered wrong.

    An input may fail in several tokens. So of each token only such cells are added as cannot share an input with those
    that were added before: their paths have no step in common in some column.
    """
    counts = ways(automaton)
    total = sum(counts[0][-1])
    highest = min(total, sum(sweep.wrong + sweep.open for sweep in sweeps))
    added = 0
    groups: list[_Group] = []
    for sweep in sorted(sweeps, key=lambda sweep: -sweep.wrong):
        counted: list[Masks] = []
        for cells in sweep.wrong_cells:
            masks = _over_all_columns(cells, len(automaton.columns))
            alone = np.concatenate(
                [_share_nothing(masks[first : first + BLOCK], groups) for first in range(0, len(masks), BLOCK)]
            )
            inputs = weights(cells, counts)
            added += sum(inputs[i] for i in np.flatnonzero(alone))
            counted.append(masks[alone])
        groups += _grouped(counted)
    return min(max([added, *(sweep.wrong for sweep in sweeps)]), highest), highest


def _over_all_columns(cells: Cells, columns: int) -> Masks:
    """Outside the window any step may be taken."""
    count, _, width = cells.masks.shape
    masks = np.full((count, columns, width), 0xFF, np.uint8)
    masks[:, cells.first : cells.last + 1] = cells.masks
    return masks


def _grouped(parts: Sequence[Masks]) -> list[_Group]:
    """In groups that are alike in the column that tells most of them apart, as long as these are few."""
    masks = np.concatenate(parts) if parts else np.zeros((0, 0, 0), np.uint8)
    if not len(masks):
        return []
    kinds = [np.unique(_hashed(masks[:, k]), return_inverse=True)[1] for k in range(masks.shape[1])]
    best = max((kind for kind in kinds if kind.max() < 64), key=lambda kind: int(kind.max()), default=kinds[0] * 0)
    members = [masks[best == number] for number in range(int(best.max()) + 1)]
    return [_Group(group, np.bitwise_or.reduce(group)) for group in members]


def _hashed(rows: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """A number for each row, the same for equal ones; where others have it too, a group is only larger."""
    factors = np.random.default_rng(0).integers(0, 2**64, rows.shape[1], np.uint64, endpoint=False)
    return np.asarray((rows * factors).sum(1, dtype=np.uint64))


def _share_nothing(masks: Masks, groups: Sequence[_Group]) -> NDArray[np.bool_]:
    """Which of the cells share no input with any that is in a group."""
    alone = np.ones(len(masks), bool)
    for group in groups:
        meet = _meeting(masks, group.steps, np.flatnonzero(alone))
        if len(meet) * len(group.members) > MAX_CELL_PAIRS:
            alone[meet] = False
            continue
        every = np.arange(len(group.members))
        alone[meet] = [not len(_meeting(group.members, masks[i], every)) for i in meet]
    return alone


def _meeting(masks: Masks, steps: NDArray[np.uint8], cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of the cells that may take one of these steps [columns, bytes] in every column. The columns where these are
    few come first, as they leave fewest cells to look at."""
    for column in np.unpackbits(steps, axis=1).sum(1).argsort(kind="stable").tolist():
        if not len(cells):
            break
        common = masks[cells, column] & steps[column]
        cells = cells[(common.view(np.uint64) if common.shape[1] % 8 == 0 else common).any(1)]
    return cells
