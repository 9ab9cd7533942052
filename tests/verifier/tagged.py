"""Cells of which it is known which of some inputs are in which: masks have a bit for each, after those of the steps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from compiler.tasks.automaton import Column
from compiler.verifier import cells as making
from compiler.verifier.cells import Cells, Numbers
from compiler.verifier.forms import Forms
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

    def start(
        self, column: Column, number: int, forms: Forms, expected: Numbers | None, case: Numbers | None, bits: int
    ) -> Cells:
        cells = making.start(column, number, forms, expected, case, bits)
        own = self._bits(cells.witness[:, 0].astype(np.int64), number)[:, None]
        return replace(cells, masks=np.concatenate([cells.masks, own], -1))

    def extended(self, cells: Cells, column: Column, number: int, forms: Forms, bits: int) -> tuple[Cells, Numbers]:
        grown, step = making.extended(cells, column, number, forms, 8 * cells.masks.shape[-1])
        masks = grown.masks.copy()
        masks[:, :, -self.size :] &= self._bits(step, number)[:, None]
        return replace(grown, masks=masks), step

    def inside(self, cells: Cells) -> NDArray[np.bool_]:
        """[cells, inputs]"""
        found = np.bitwise_or.reduce(cells.masks[:, :, -self.size :], 1)
        return np.unpackbits(found, axis=-1, bitorder="little")[:, : len(self.paths)].astype(bool)

    def without(self, cells: Cells) -> Cells:
        """The cells as they would be, had nothing been followed."""
        return replace(cells, masks=cells.masks[:, :, : -self.size])

    def _bits(self, step: Numbers, number: int) -> NDArray[np.uint8]:
        """[cells, bytes]: the inputs that take the step of each cell in a column."""
        taken = np.zeros((len(step), 8 * self.size), np.uint8)
        taken[:, : len(self.paths)] = step[:, None] == self.paths[:, number]
        return np.packbits(taken, -1, bitorder="little")
