"""How many inputs fail, from wrong cells that are made up."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from compiler.tasks.automaton import Automaton, ways
from compiler.verifier import bracket
from compiler.verifier.bracket import failing
from compiler.verifier.cells import Cells, Labels, merged
from compiler.verifier.forms import Forms
from compiler.verifier.sweep import Sweep, weights
from tests.verifier.samples import every_path, random_automaton
from tests.verifier.tagged import Tagged
from tests.verifier.test_forms import random_forms

Flags = NDArray[np.bool_]


def made_up(automaton: Automaton, made: Forms, tagged: Tagged, random: Random, share: float) -> tuple[Sweep, Flags]:
    """A sweep that calls some of its cells wrong, some right, and leaves some open. [2, inputs]: those that surely are
    wrong, and those that may be."""
    count, steps = len(automaton.columns), max(len(column.before) for column in automaton.columns)

    def column(number: int) -> Cells:
        zeros = np.zeros(len(automaton.columns[number].before), np.int64)
        return tagged.column_cells(automaton.columns[number], number, made, Labels(None, zeros, zeros), steps)

    cells = column(random.randrange(count))
    found, sure = Sweep(0), np.zeros(len(tagged.paths), bool)
    while True:
        cells = merged(cells, np.full((1, made.constant.shape[2]), random.choice((1e-9, 1.0, 10.0))))
        fate = np.array([random.random() for _ in range(len(cells))])
        wrong, right = fate < share, fate > 1 - share
        inputs = weights(cells, ways(automaton))
        found.wrong += sum(inputs[i] for i in np.flatnonzero(wrong))
        found.right += sum(inputs[i] for i in np.flatnonzero(right))
        if wrong.any():
            found.wrong_cells.append(tagged.without(cells.chosen(wrong)))
            sure |= tagged.inside(cells.chosen(wrong)).any(0)
        cells = cells.chosen(~wrong & ~right)
        found.open = sum(weights(cells, ways(automaton)))
        sides = [k for k in (cells.first - 1, cells.last + 1) if 0 <= k < count]
        if not sides or not len(cells) or random.random() < 0.2:
            may = sure | tagged.inside(cells).any(0) if len(cells) else sure
            return found, np.stack([sure, may])
        number = random.choice(sides)
        cells = tagged.joined(column(number), cells) if number < cells.first else tagged.joined(cells, column(number))


def check(seed: object, most_pairs: int | None = None) -> tuple[bool, bool]:
    """Whether the bracket is tighter than what one token says alone, and whether it is as tight as it can be."""
    random = Random(f"bracket:{seed}")
    automaton = random_automaton(random)
    made, tagged = random_forms(automaton, random), Tagged(every_path(automaton))
    share = random.choice((0.05, 0.3))
    swept = [made_up(automaton, made, tagged, random, share) for _ in range(random.randint(1, 4))]
    for one, (sure, may) in swept:
        assert one.wrong == sure.sum()
        assert one.wrong + one.open == may.sum()
    sure, may = np.any([flags for _, flags in swept], 0)
    lowest, highest = failing(automaton, [one for one, _ in swept])
    assert lowest <= sure.sum()
    assert highest >= may.sum()
    assert highest <= len(tagged.paths)
    assert lowest >= max(one.wrong for one, _ in swept)
    return lowest > max(one.wrong for one, _ in swept), lowest == sure.sum()


def test_the_bracket_holds_what_fails() -> None:
    found = Counter[str]()
    for seed in range(150):
        tighter, exact = check(seed)
        found["tighter"] += tighter
        found["exact"] += exact
    assert found["tighter"] > 10
    assert found["exact"] > 50


def test_where_there_are_too_many_cells_to_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bracket, "MAX_CELL_PAIRS", 3)
    for seed in range(50):
        check(seed)


def test_nothing_is_known_of_no_token() -> None:
    automaton = random_automaton(Random(1))
    assert failing(automaton, []) == (0, 0)
    total = sum(ways(automaton)[0][-1])
    assert failing(automaton, [Sweep(0, open=total)]) == (0, total)
