"""Cells against all inputs that they stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest
import torch

from compiler.pipeline import load
from compiler.tasks.automaton import Automaton, complete, ways
from compiler.verifier.cells import UNKNOWN, Cells, in_case, merged
from compiler.verifier.forms import Forms
from compiler.verifier.sweep import Sweep, sweep, weights
from compiler.verifier.verify import _tails
from tests.helpers import SPECS
from tests.verifier.containment import plain_leads
from tests.verifier.samples import Paths, every_path, random_automaton, random_paths, sequences_of
from tests.verifier.tagged import Tagged
from tests.verifier.test_forms import CASES, random_forms
from tests.verifier.watched import stop_after, watched

GRIDS = (1e-30, 1e-3, 0.3, 1.0, 3.0, 30.0, 1e9, 1e20)


def random_cells(automaton: Automaton, made: Forms, tagged: Tagged, random: Random) -> Iterator[Cells]:
    """Cells while their window grows at random up to all columns, joined on grids of any fineness."""
    count = len(automaton.columns)
    steps = max(len(column.before) for column in automaton.columns)
    begin, special = random.randrange(count), random.randrange(count)  # this one decides the case
    column = automaton.columns[begin]
    expected = np.array([random.randrange(3) for _ in column.before])
    case = np.array([random.randrange(CASES) for _ in automaton.columns[special].before])
    cells = tagged.start(column, begin, made, expected, case if special == begin else None, steps)
    while True:
        yield cells
        cells = merged(cells, np.array([random.choice(GRIDS) for _ in range(made.constant.shape[1])]))
        yield cells
        sides = [k for k in (cells.first - 1, cells.last + 1) if 0 <= k < count]
        if not sides:
            return
        number = random.choice(sides)
        cells, step = tagged.extended(cells, automaton.columns[number], number, made, steps)
        if number == special:
            cells = in_case(cells, case[step])


def check_cells(automaton: Automaton, made: Forms, tagged: Tagged, cells: Cells) -> None:
    paths, below_above = tagged.paths, ways(automaton)
    inside, own = tagged.inside(cells), tagged.without(cells)
    assert (inside.sum(0) == 1).all()  # each input is in one cell
    assert weights(cells, *below_above) == inside.sum(1).tolist()
    assert sum(weights(cells, *below_above)) == len(paths)
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
        cases = range(CASES) if cells.case[i] == UNKNOWN else [int(cells.case[i])]
        for row, case in enumerate(cases):
            sums = sum(made.tables[k, members[:, k], case].astype(np.longdouble) for k in window)
            assert (sums >= cells.low[i, row] - made.off[case]).all()
            assert (sums <= cells.high[i, row] + made.off[case]).all()


@pytest.mark.parametrize("seed", range(60))
def test_cells_hold_all_inputs_that_they_count(seed: int) -> None:
    random = Random(f"cells:{seed}")
    automaton = random_automaton(random)
    paths = every_path(automaton)
    if len(paths) > 3000:
        paths = every_path(automaton := random_automaton(Random(seed), most_columns=3))
    made, tagged = random_forms(automaton, random), Tagged(paths)
    sizes = Counter[bool]()
    for cells in random_cells(automaton, made, tagged, random):
        check_cells(automaton, made, tagged, cells)
        sizes[len(cells) < int(cells.count.sum())] += 1
    assert sizes.total() >= 2


def test_cells_are_joined() -> None:
    """Not only where a grid is coarse: those with equal sums are one."""
    joined = 0
    for seed in range(20):
        random = Random(f"joined:{seed}")
        automaton = random_automaton(random)
        tagged = Tagged(every_path(automaton)[:1])
        for cells in random_cells(automaton, random_forms(automaton, random), tagged, random):
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
        for tail, sequence in list(_tails(spec, automaton, False))[:3]:
            right = tokens[:, len(spec.layout.prompt) + tail.slot]
            leads = plain_leads(spec, tokens, tail.slot, right)
            for rounds in (0, 1, 9):
                found = Sweep(tail.slot)
                with watched(paths, lambda cells, which, inside: None) as left:
                    sweep(found, tail, sequence, fineness, stop_after(rounds))
                assert found.right + found.wrong + found.open == total
                if len(paths) == total:
                    assert found.open == len(left)
                    assert found.right <= int((leads > 0).sum())
                    assert found.wrong <= int((leads < 0).sum())


def _some(automaton: Automaton) -> Paths:
    return random_paths(automaton, 200, Random("some"))
