"""The inputs of a task as the paths of a finite automaton that reads them column by column.

Addition reads both operands from the least significant digit up, and its state is the carry. What a path has in one
column decides every symbol of the prompt and of the answer that belongs to this column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

Place = tuple[str, int]  # a word, and which of its symbols


@dataclass(frozen=True, eq=False)
class Column:
    """The steps that a path can take in one column: step s leads from state `before[s]` to `after[s]`, int64 [steps].

    `letters`: for each place of a word that belongs to the column, the symbol of the word there, int64 [steps].
    `label` names the column for people, such as `10^3`.
    """

    label: str
    before: Numbers
    after: Numbers
    letters: Mapping[Place, Numbers]


@dataclass(frozen=True, eq=False)
class Automaton:
    """Each input is one path from state 0 through all columns, in order; it may end in any state.

    Every place of every word, of operands and answers, belongs to exactly one column.
    """

    states: int
    columns: tuple[Column, ...]
