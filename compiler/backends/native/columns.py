"""Where the tokens of a program come from in the words of many inputs, so that compiled code reads these themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.backends.elementary.program import Program
from compiler.tasks.layout import Layout, Slot
from compiler.tasks.task import Words

MOST_TOKENS = 5000  # each is a row of a table in C
Addresses = NDArray[np.uintp]


@dataclass(frozen=True)
class TokenSource:
    """A column by its number, and the token of symbol 0, which those of the others follow. Without one, the only
    token."""

    column: int | None
    first: int


@dataclass(frozen=True)
class Columns:
    """The columns (word, index) that are read, and what is made of them: the tokens that a program reads at each
    position, and the right ones in the slots that it says."""

    names: tuple[tuple[str, int], ...]
    read: tuple[TokenSource, ...]
    right: tuple[TokenSource, ...]

    def addresses(self, words: Words) -> tuple[Addresses, list[NDArray[np.uint16]]]:
        """Where each column begins; and the arrays that have them, one number after the other in each column."""
        arrays = {name: _by_column(words[name]) for name in {name for name, _ in self.names}}
        firsts = {name: array.ctypes.data for name, array in arrays.items()}
        starts = [firsts[name] + index * arrays[name].strides[1] for name, index in self.names]
        return np.array(starts, dtype=np.uintp), list(arrays.values())


def _by_column(word: NDArray[np.uint16]) -> NDArray[np.uint16]:
    whole = word.dtype == np.uint16 and word.strides[0] == word.itemsize
    return word if whole else np.asfortranarray(word, dtype=np.uint16)


def columns_for_c(programs: Sequence[Program], layout: Layout) -> Columns | None:
    """For the only one of the programs, which says all of the answer; None where there are several, a token is not a
    symbol and a number that is added, or there are too many."""
    if len(programs) != 1 or programs[0].slots != layout.predicted or programs[0].starts != (0,):
        return None
    numbers: dict[tuple[str, int], int] = {}
    right = [layout.answer[slot] for slot in layout.predicted]
    read = (*layout.prompt, *layout.answer)[: programs[0].length]
    if len(read) + len(right) > MOST_TOKENS or not all(map(_is_plain, (*read, *right))):
        return None
    sources = [[_source(slot, numbers) for slot in some] for some in (read, right)]
    return Columns(tuple(numbers), tuple(sources[0]), tuple(sources[1])) if numbers else None


def _source(slot: Slot, numbers: dict[tuple[str, int], int]) -> TokenSource:
    if slot.token is not None:
        return TokenSource(None, slot.token)
    (place,) = slot.places
    return TokenSource(numbers.setdefault((place.word, place.index), len(numbers)), slot.tokens[0])


def _is_plain(slot: Slot) -> bool:
    """Whether its token is a symbol and a number that is added."""
    first = slot.possible[0]
    return len(slot.places) < 2 and slot.possible == tuple(range(first, first + len(slot.possible)))
