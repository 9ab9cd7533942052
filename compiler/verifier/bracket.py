"""How many inputs fail in all: at least those in wrong cells that share no input, at most all that are not right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from compiler.tasks.automaton import Automaton, ways
from compiler.verifier.cells import Cells
from compiler.verifier.sweep import Sweep, weights

MAX_PAIRS = 4_000_000  # of cells that are compared


def failing(automaton: Automaton, sweeps: Sequence[Sweep]) -> tuple[int, int]:
    """At least, and at most, so many inputs are answered wrong.

    An input may fail in several tokens. So of each token only such cells are added as cannot share an input with those
    that were added before: their paths have no step in common in some column.
    """
    total = sum(ways(automaton)[0][-1])
    highest = min(total, sum(sweep.wrong + sweep.open for sweep in sweeps))
    lowest = max((sweep.wrong for sweep in sweeps), default=0)
    added = 0
    taken: list[NDArray[np.uint8]] = []
    for sweep in sorted(sweeps, key=lambda one: -one.wrong):
        own: list[NDArray[np.uint8]] = []
        for cells in sweep.wrong_cells:
            masks = _over_all_columns(cells, len(automaton.columns))
            alone = _share_nothing(masks, taken)
            counts = weights(cells, *ways(automaton))
            added += sum(counts[i] for i in np.flatnonzero(alone))
            own.append(masks[alone])
        taken += own
    return min(max(lowest, added), highest), highest


def _over_all_columns(cells: Cells, columns: int) -> NDArray[np.uint8]:
    """[cells, columns, bytes]: outside the window any step may be taken."""
    count, _, width = cells.masks.shape
    masks = np.full((count, columns, width), 0xFF, np.uint8)
    masks[:, cells.first : cells.last + 1] = cells.masks
    return masks


def _share_nothing(masks: NDArray[np.uint8], taken: Sequence[NDArray[np.uint8]]) -> NDArray[np.bool_]:
    """Which of the cells share no input with any of those."""
    alone = np.ones(len(masks), bool)
    for others in taken:
        if len(masks) * len(others) > MAX_PAIRS:
            alone[:] = False
            continue
        for i in np.flatnonzero(alone):
            common = (masks[i] & others).any(-1).all(-1)
            alone[i] = not common.any()
    return alone
