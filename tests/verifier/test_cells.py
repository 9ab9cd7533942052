"""Cells against all inputs that they stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from unittest.mock import patch

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from compiler.pipeline import load
from compiler.tasks.automaton import Automaton, complete, ways
from compiler.verifier import sweep as sweeping
from compiler.verifier.cells import UNKNOWN, Cells, Labels, merged
from compiler.verifier.forms import Forms
from compiler.verifier.rounds import tails_of
from compiler.verifier.sweep import Sweep, sweep_cells, weights
from tests.helpers import SPECS
from tests.verifier.containment import plain_leads
from tests.verifier.samples import Paths, every_path, random_automaton, random_paths, sequences_of
from tests.verifier.tagged import Tagged
from tests.verifier.test_forms import CASES, random_forms
from tests.verifier.watched import stop_after, watched

TOKENS = 3
GRIDS = (1e-30, 1e-3, 0.3, 1.0, 3.0, 30.0, 1e9, 1e20, np.inf)


def random_cells(
    automaton: Automaton, made: Forms, tagged: Tagged, random: Random, begin: int, special: int
) -> Iterator[Cells]:
    """Cells while their window grows at random up to all columns, joined on grids of any fineness. Column `begin` comes
    first and decides the right token, column `special` the case; both by the number of the step."""
    count = len(automaton.columns)
    most = max(len(column.before) for column in automaton.columns)
    size = made.constant.shape[2]

    def column(number: int) -> Cells:
        one = automaton.columns[number]
        steps = len(one.before)
        expected, case = np.arange(steps) % TOKENS, np.arange(steps) % CASES
        level = np.array([random.randrange(2) for _ in range(steps)])
        labels = Labels(expected if number == begin else None, case if number == special else None, level)
        cells = tagged.column_cells(one, number, made, labels, most)
        return merged(cells, grids(random, size)) if random.random() < 0.5 else cells

    cells = column(begin)
    while True:
        yield cells
        cells = merged(cells, grids(random, size))
        yield cells
        sides = [k for k in (cells.first - 1, cells.last + 1) if 0 <= k < count]
        if not sides:
            return
        number = random.choice(sides)
        cells = tagged.joined(column(number), cells) if number < cells.first else tagged.joined(cells, column(number))


def grids(random: Random, forms: int) -> NDArray[np.float64]:
    """[levels, forms]; what is infinite keeps no cells apart."""
    coarse = np.array([random.choice(GRIDS) for _ in range(forms)])
    return np.stack([coarse, coarse * random.choice((1.0, 1e-3))])


def check_cells(automaton: Automaton, made: Forms, tagged: Tagged, cells: Cells, begin: int, special: int) -> None:
    paths, below_above = tagged.paths, ways(automaton)
    inside, own = tagged.inside(cells), tagged.without(cells)
    assert (inside.sum(0) == 1).all()  # each input is in one cell
    assert weights(cells, below_above) == inside.sum(1).tolist()
    assert sum(weights(cells, below_above)) == len(paths)
    window = range(cells.first, cells.last + 1)
    for i in range(len(cells)):
        members = paths[inside[i]]
        if not len(members):  # there is no way from the start to it, or from it to the end
            continue
        witness = complete(automaton, cells.first, cells.witness[i : i + 1].astype(np.int64))
        assert (members == witness).all(1).any()
        for j, k in enumerate(window):
            bits = np.flatnonzero(np.unpackbits(own.masks[i, j], bitorder="little"))
            assert set(members[:, k].tolist()) <= set(bits.tolist())
        ends = automaton.columns[cells.first].before, automaton.columns[cells.last].after
        assert (ends[0][members[:, cells.first]] == cells.before[i]).all()
        assert (ends[1][members[:, cells.last]] == cells.after[i]).all()
        assert (members[:, begin] % TOKENS == cells.expected[i]).all()
        assert cells.case[i] == UNKNOWN or (members[:, special] % CASES == cells.case[i]).all()
        assert (cells.case[i] == UNKNOWN) == (special not in window)
        cases = range(CASES) if cells.case[i] == UNKNOWN else [int(cells.case[i])]
        for row, case in enumerate(cases):
            sums = np.stack([made.tables[:, k, members[:, k], case] for k in window]).astype(np.longdouble).sum(0)
            room = 2.0**-58 * np.abs(made.tables[:, list(window), :, case]).max((0, 2)).sum(0)  # of these sums here
            assert (sums[0] >= cells.low[i, row] - room).all()
            assert (sums[1] <= cells.high[i, row] + room).all()


@pytest.mark.parametrize("seed", range(60))
def test_cells_hold_all_inputs_that_they_count(seed: int) -> None:
    random = Random(f"cells:{seed}")
    automaton = random_automaton(random)
    paths = every_path(automaton)
    if len(paths) > 3000:
        paths = every_path(automaton := random_automaton(Random(seed), most_columns=3))
    made, tagged = random_forms(automaton, random), Tagged(paths)
    sizes = Counter[bool]()
    begin, special = (random.randrange(len(automaton.columns)) for _ in range(2))
    for cells in random_cells(automaton, made, tagged, random, begin, special):
        check_cells(automaton, made, tagged, cells, begin, special)
        sizes[len(cells) < int(cells.count.sum())] += 1
    assert sizes.total() >= 2


def test_cells_are_joined() -> None:
    """Not only where a grid is coarse: those with equal sums are one."""
    joined = 0
    for seed in range(20):
        random = Random(f"joined:{seed}")
        automaton = random_automaton(random)
        tagged = Tagged(every_path(automaton)[:1])
        for cells in random_cells(automaton, random_forms(automaton, random), tagged, random, 0, 0):
            joined += max(cells.count) > 1
    assert joined > 10


@pytest.mark.parametrize("fineness", [2.0**-1, 2.0**-6, 2.0**-46])
@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("tiny95", {"base": 3, "digits": 2}),
        ("tiny95", {"base": 2, "digits": 3, "v_scale": 20}),
        ("qwen20", {"base": 2, "digits": 3}),
        ("reverse", {}),
    ],
)
def test_a_sweep_decides_as_many_inputs_as_it_counts(name: str, sizes: dict[str, object], fineness: float) -> None:
    spec = load(SPECS / f"{name}.yaml", sizes)
    automaton = spec.resolved.task.automaton()
    assert automaton is not None
    total = sum(ways(automaton)[0][-1])
    paths = every_path(automaton) if total < 3000 else _some(automaton)
    tokens = sequences_of(automaton, spec.layout, paths)
    with torch.inference_mode():
        for tail in list(tails_of(spec, automaton, spec.layout.predicted, False, lambda: False))[:3]:
            right = tokens[:, len(spec.layout.prompt) + tail.slot]
            leads = plain_leads(spec, tokens, tail.slot, right)
            for rounds in (0, 1, 9):
                found = Sweep(tail.slot)
                with (
                    watched(paths, lambda cells, which, inside: None) as left,
                    patch.object(sweeping, "COARSE", fineness),
                ):
                    sweep_cells(found, tail, [], stop_after(rounds))
                assert found.right + found.wrong + found.open == total
                if len(paths) == total:
                    assert found.open == len(left)
                    assert found.right <= int((leads > 0).sum())
                    assert found.wrong <= int((leads < 0).sum())


def _some(automaton: Automaton) -> Paths:
    return random_paths(automaton, 200, Random("some"))
