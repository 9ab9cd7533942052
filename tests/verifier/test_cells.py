"""Cells against all inputs that they stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from unittest.mock import patch

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from compiler.pipeline import load
from compiler.tasks.automaton import Automaton, complete, ways
from compiler.verifier import sweep as sweeping
from compiler.verifier.cells import UNKNOWN, Cells, Labels, joined, merged, sorted_rows
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


def test_rows_are_sorted_by_their_first_columns_and_alike_rows_keep_their_order() -> None:
    """By one key of ranks where numpy sorts by column after column: also where ranks of ranks are needed, and where
    something is no number."""
    random = np.random.default_rng(3)
    for rows in (0, 1, 2, 50, 20_000):
        wide = np.concatenate([random.integers(-5, 5, rows) * 1e300, random.normal(size=4 * rows)])
        special = random.choice([0.0, -0.0, 1.0, np.inf, -np.inf], rows)
        few = [random.integers(-3, 4, rows) for _ in range(3)]
        for columns in (
            [few[0]],
            [few[0], special, few[1]],
            [*few, *random.permutation(wide[: 4 * rows]).reshape(4, rows)],
        ):
            order, same = sorted_rows(columns)
            assert order.tolist() == np.lexsort(columns[::-1]).tolist()
            ordered = np.stack([column[order] for column in columns], 1)
            assert same[:1].tolist() == [False] * min(1, rows)
            assert same[1:].tolist() == (ordered[1:] == ordered[:-1]).all(1).tolist()
    no_number = np.array([np.nan, 1.0, np.nan])
    assert [part.tolist() for part in sorted_rows([no_number])] == [[1, 0, 2], [False, False, True]]


def test_ways_are_counted_exactly_beyond_int64() -> None:
    random = Random("many")
    automaton = random_automaton(random)
    made, tagged = random_forms(automaton, random), Tagged(every_path(automaton)[:1])
    steps, most = automaton.columns[0].before, max(len(column.before) for column in automaton.columns)
    labels = Labels(None, None, np.zeros(len(steps), np.int64))
    cells = tagged.column_cells(automaton.columns[0], 0, made, labels, most)
    cells = replace(cells, after=cells.before)  # so that each meets itself
    alike = np.full((1, made.constant.shape[2]), np.inf)
    for most_ways in (3, 2**62, 2**200):
        count = np.array([most_ways] * len(cells), object if most_ways > 2**62 else np.int64)
        assert sum(merged(replace(cells, count=count), alike).count.tolist()) == most_ways * len(cells)
        one = replace(joined(cells, replace(cells, count=count)), first=0)
        assert sum(one.count.tolist()) == most_ways * len(one) > 0
