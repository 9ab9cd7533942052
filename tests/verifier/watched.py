"""A sweep that is watched: of some inputs, in which cell each of them is in every round."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from compiler.verifier import sweep as sweeping
from compiler.verifier.cells import Cells
from compiler.verifier.sweep import Sweep
from tests.verifier.samples import Paths
from tests.verifier.tagged import Tagged

Seen = Callable[[Cells, NDArray[np.int64], NDArray[np.int64]], None]


@contextmanager
def watched(paths: Paths, seen: Seen) -> Iterator[set[int]]:
    """Within it, a sweep tells of each round: `seen(cells, which, inside)`, where the paths `which` are in the cells
    `inside`. An input that is in no cell, or in two, is an `AssertionError`; one whose cell was decided is not seen
    again. Gives the inputs that are not decided so far.
    """
    tagged = Tagged(paths)
    left = set(range(len(paths)))

    def classified(swept: Sweep, setting: Any, cells: Cells) -> Cells:
        undecided = _classified(swept, setting, cells)
        inside = tagged.inside(cells)
        assert inside.sum(0).tolist() == [int(i in left) for i in range(len(paths))], "in no cell, or in two"
        which = np.array(sorted(left), np.int64)
        seen(cells, which, inside.argmax(0)[which])
        left.intersection_update(np.flatnonzero(tagged.inside(undecided).any(0)).tolist())
        return undecided

    _classified = sweeping._classified
    with (
        patch.object(sweeping, "column_cells", tagged.column_cells),
        patch.object(sweeping, "joined", tagged.joined),
        patch.object(sweeping, "_classified", classified),
    ):
        yield left


def stop_after(rounds: int) -> Callable[[], bool]:
    """To be asked once in a round: whether it was the last one."""
    asked = iter([False] * rounds)
    return lambda: next(asked, True)
