"""A sweep that is watched: of some inputs, in which cell each of them is in every round."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from compiler.tasks.automaton import Column
from compiler.verifier import cells as making
from compiler.verifier import sweep as sweeping
from compiler.verifier.cells import Cells, Numbers
from compiler.verifier.forms import Forms
from compiler.verifier.model import Tail
from compiler.verifier.sweep import Sweep
from tests.verifier.samples import Paths

Seen = Callable[[Cells, NDArray[np.int64], NDArray[np.int64], Cells], None]


@contextmanager
def watched(paths: Paths, seen: Seen) -> Iterator[None]:
    """Within it, a sweep tells of each round: `seen(cells, which, inside, left)`, where the paths `which` are in the
    cells `inside`, before those of all cells are chosen that are `left`. An input that is in no cell, or in two, is an
    `AssertionError`; one whose cell was decided is not seen again.

    Each path has a bit in the masks of cells, after those of the steps.
    """
    size = -(-len(paths) // 8)
    gone: set[int] = set()

    def start(column: Column, number: int, *rest: Any) -> Cells:
        cells = making.start(column, number, *rest)
        tags = np.zeros((len(cells), 1, 8 * size), np.uint8)
        for i, path in enumerate(paths):
            tags[:, 0, i] = cells.witness[:, 0] == path[number]
        masks = np.concatenate([cells.masks, np.packbits(tags, -1, bitorder="little")], -1)
        return replace(cells, masks=masks)

    def extended(cells: Cells, column: Column, number: int, forms: Forms, bits: int) -> tuple[Cells, Numbers]:
        grown, step = making.extended(cells, column, number, forms, 8 * cells.masks.shape[-1])
        kept = np.zeros((len(grown), 8 * size), np.uint8)
        kept[:, : len(paths)] = step[:, None] == paths[:, number][None]
        masks = grown.masks.copy()
        masks[:, :, -size:] &= np.packbits(kept, -1, bitorder="little")[:, None]
        return replace(grown, masks=masks), step

    def tags(cells: Cells) -> NDArray[np.bool_]:
        """[cells, paths]"""
        bits = np.bitwise_or.reduce(cells.masks[:, :, -size:], 1)
        return np.unpackbits(bits, axis=-1, bitorder="little")[:, : len(paths)].astype(bool)

    def classified(found: Sweep, tail: Tail, all_forms: Forms, cells: Cells, *rest: Any) -> Cells:
        left = _classified(found, tail, all_forms, cells, *rest)
        inside = tags(cells)
        expected = [i not in gone for i in range(len(paths))]
        assert inside.sum(0).tolist() == [int(one) for one in expected], "an input is in no cell, or in two"
        which = np.flatnonzero(expected)
        seen(cells, which, inside.argmax(0)[which], left)
        gone.update(set(range(len(paths))) - set(np.flatnonzero(tags(left).any(0)).tolist()))
        return left

    _classified = sweeping._classified
    with (
        patch.object(sweeping, "start", start),
        patch.object(sweeping, "extended", extended),
        patch.object(sweeping, "_classified", classified),
    ):
        yield


def stop_after(rounds: int) -> Callable[[], bool]:
    """To be asked once in a round: whether it was the last one."""
    asked = iter([False] * rounds)
    return lambda: next(asked, True)
