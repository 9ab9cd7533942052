"""What stands where in a sequence, by the steps of the task's automaton."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from compiler.source.faults import NoRule
from compiler.tasks.automaton import Automaton
from compiler.tasks.layout import Layout, Slot

Numbers = NDArray[np.int64]
CONSTANT = -1  # the column of what is the same for all inputs


@dataclass(frozen=True, eq=False)
class Sequences:
    """What is read of all sequences of prompt and right answer.

    `columns`: the column of each position, or `CONSTANT`. `tokens` [steps, positions], int64: the token there after
    each step of its column; those of a column with fewer steps are repeated.
    """

    automaton: Automaton
    layout: Layout
    columns: tuple[int, ...]
    tokens: Numbers

    @cached_property
    def steps(self) -> int:
        """The steps of the column that has most."""
        return max(len(column.before) for column in self.automaton.columns)

    def right(self, slot: int) -> tuple[int, Numbers]:
        """The right token of the answer: its column, or `CONSTANT`, and the token after each of the column's steps."""
        return _tokens(self.automaton, self.layout, self.layout.answer[slot])

    def expected(self, slot: int, column: int) -> Numbers | None:
        """The right token of the answer after each step of the column; None where another column decides it."""
        target, right = self.right(slot)
        if target == CONSTANT:
            return np.full(len(self.automaton.columns[column].before), right[0])
        return right if target == column else None


def sequences(automaton: Automaton, layout: Layout, positions: range) -> Sequences:
    """These positions of prompt and answer."""
    slots: Sequence[Slot] = (*layout.prompt, *layout.answer)
    most = max(len(column.before) for column in automaton.columns)
    tokens = np.empty((most, len(positions)), np.int64)
    columns = []
    for i, position in enumerate(positions):
        column, after_steps = _tokens(automaton, layout, slots[position])
        columns.append(column)
        tokens[:, i] = padded(after_steps, most)
    return Sequences(automaton, layout, tuple(columns), tokens)


def padded(numbers: NDArray[np.int64], size: int) -> Numbers:
    """With the first number repeated up to this size."""
    return np.concatenate([numbers, np.full(size - len(numbers), numbers[0])])


def _tokens(automaton: Automaton, layout: Layout, slot: Slot) -> tuple[int, Numbers]:
    if slot.token is not None:
        return CONSTANT, np.array([slot.token])
    columns = {
        k
        for place in slot.places
        for k, column in enumerate(automaton.columns)
        if (place.word, place.index) in column.letters
    }
    if len(columns) != 1:
        raise NoRule(f"a token of symbols that belong to several columns, such as {slot}")
    (number,) = columns
    letters = automaton.columns[number].letters
    chosen = np.zeros_like(automaton.columns[number].before)
    for place in slot.places:
        chosen = chosen * place.choices + letters[place.word, place.index]
    return number, np.array(slot.tokens)[chosen]
