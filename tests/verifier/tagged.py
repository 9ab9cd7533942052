"""Cells of which it is known which of some inputs are in which: masks have a bit for each, after those of the steps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from compiler.tasks.automaton import Column
from compiler.verifier import cells as making
from compiler.verifier.cells import Cells, Labels
from compiler.verifier.forms import Array, Forms
from tests.verifier.samples import Paths


@dataclass(frozen=True, eq=False)
class Tagged:
    """`paths` [inputs, columns] are followed. Cells are made and grown by the functions under test; those that are
    joined keep the bits of both."""

    paths: Paths

    @property
    def size(self) -> int:
        """Bytes of a mask that are not for steps."""
        return -(-len(self.paths) // 8)

    def column_cells(self, column: Column, number: int, forms: Forms, labels: Labels, steps: int) -> Cells:
        cells = making.column_cells(column, number, forms, labels, steps)
        taken = np.zeros((len(cells), 8 * self.size), np.uint8)
        taken[:, : len(self.paths)] = cells.witness == self.paths[:, number]
        own = np.packbits(taken, -1, bitorder="little")[:, None]
        return replace(cells, masks=np.concatenate([cells.masks, own], -1))

    def joined(self, low: Cells, high: Cells, grids: Array | None = None) -> Cells:
        """Pair by pair, so that it is known what is in both."""
        pairs = making.joined(low, high)
        masks = pairs.masks.copy()
        masks[:, :, -self.size :] = np.bitwise_and.reduce(masks[:, :, -self.size :], 1)[:, None]  # in both
        found = replace(pairs, masks=masks)
        if grids is None:
            return found
        found = making.merged(found, grids)
        at_once, own = making.joined(self.without(low), self.without(high), grids), self.without(found)
        for row in making.ROWS:
            np.testing.assert_array_equal(getattr(at_once, row), getattr(own, row))
        return found

    def inside(self, cells: Cells) -> NDArray[np.bool_]:
        """[cells, inputs]"""
        found = np.unpackbits(cells.masks[:, 0, -self.size :], axis=-1, bitorder="little")
        return found[:, : len(self.paths)].astype(bool)

    def without(self, cells: Cells) -> Cells:
        """The cells as they would be, had nothing been followed."""
        return replace(cells, masks=cells.masks[:, :, : -self.size])
