"""Ranges of separable forms against all paths of small automata, in fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from random import Random

import numpy as np
import pytest

from compiler.tasks.automaton import Automaton
from compiler.verifier.forms import Array, Forms, forms, outwards
from tests.verifier.samples import Paths, every_path, random_automaton, state_before

CASES, FORMS = 2, 3
SIZES = (1.0, 1.0, 1e-8, 1e8, 1e16, 0.0)  # of entries: those of one sum may differ by a lot


def random_forms(automaton: Automaton, random: Random) -> Forms:
    """Of entries that are known, or not quite."""
    steps = max(len(column.before) for column in automaton.columns)
    return forms(
        automaton,
        _pairs((CASES, FORMS), random),
        _pairs((len(automaton.columns), steps, CASES, FORMS), random),
    )


def _pairs(shape: tuple[int, ...], random: Random) -> Array:
    size = int(np.prod(shape))
    low = np.array([random.gauss(0, random.choice(SIZES)) for _ in range(size)]).reshape(shape)
    apart = np.array([random.choice((0.0, 0.0, 1e-9, 0.5)) for _ in range(size)]).reshape(shape)
    return np.stack([low, low + apart])


def exact_sum(made: Forms, end: int, path: Sequence[int], columns: range, case: int, form: int) -> Fraction:
    """What these columns of a path add to a form, at least (0) or at most (1)."""
    return sum((Fraction(made.tables[end, k, path[k], case, form]) for k in columns), Fraction(0))


def size_of(made: Forms, case: int, form: int) -> Fraction:
    """What sums are rounded by depends on it."""
    sizes = np.abs(made.constant).max(0) + np.abs(made.tables).max((0, 2)).sum(0)
    return Fraction(float(sizes[case, form]))


def assert_range(ends: Array, sums: Sequence[Sequence[Fraction]], size: Fraction) -> None:
    """The ends are the smallest sum or a little less, and the largest or a little more."""
    low, high = Fraction(ends[0]), Fraction(ends[1])
    assert 0 <= min(sums[0]) - low <= size * Fraction(2.0**-49)
    assert 0 <= high - max(sums[1]) <= size * Fraction(2.0**-49)


def each_state(automaton: Automaton, paths: Paths, k: int) -> list[list[Sequence[int]]]:
    """The paths through each state before a column."""
    found: list[list[Sequence[int]]] = [[] for _ in range(automaton.states)]
    for path in paths.tolist():
        found[state_before(automaton, path, k)].append(path)
    return found


@pytest.mark.parametrize("seed", range(40))
def test_ranges_below_and_above(seed: int) -> None:
    random = Random(f"forms:{seed}")
    automaton = random_automaton(random, most_columns=3)
    made, paths, count = random_forms(automaton, random), every_path(automaton), len(automaton.columns)
    for k, case, form in product(range(count + 1), range(CASES), range(FORMS)):
        size = size_of(made, case, form)
        for state, through in enumerate(each_state(automaton, paths, k)):
            if through:  # else a state may have a way to it, but none from it
                below, above = (
                    [[exact_sum(made, end, path, columns, case, form) for path in through] for end in (0, 1)]
                    for columns in (range(k), range(k, count))
                )
                assert_range(made.below[:, k, state, case, form], below, size)
                assert_range(made.above[:, k, state, case, form], above, size)


@pytest.mark.parametrize("seed", range(40))
def test_ranges_beside_a_window(seed: int) -> None:
    random = Random(f"window:{seed}")
    automaton = random_automaton(random, most_columns=3)
    made, paths, count = random_forms(automaton, random), every_path(automaton), len(automaton.columns)
    for path in random.sample(paths.tolist(), min(4, len(paths))):
        first = random.randrange(count)
        after = random.randint(first, count)
        before, state = state_before(automaton, path, first), state_before(automaton, path, after)
        below = [other for other in paths.tolist() if state_before(automaton, other, first) == before]
        above = [other for other in paths.tolist() if state_before(automaton, other, after) == state]
        for case, form in product(range(CASES), range(FORMS)):
            ends = made.beside(np.array([case]), first, np.array([before]), after, np.array([state]))
            assert ends.shape == (2, 1, FORMS)
            sums = []
            for end in (0, 1):
                one = {exact_sum(made, end, other, range(first), case, form) for other in below}
                two = {exact_sum(made, end, other, range(after, count), case, form) for other in above}
                sums.append([Fraction(made.constant[end, case, form]) + x + y for x in one for y in two])
            assert_range(ends[:, 0, form], sums, size_of(made, case, form))


@pytest.mark.parametrize("seed", range(20))
def test_sums_are_rounded_outwards(seed: int) -> None:
    random = Random(f"outwards:{seed}")
    pairs = [np.sort(_pairs((40,), random), 0) for _ in range(2)]
    found = outwards(*pairs)
    for low, high, x, y in zip(*found, *(pair.T for pair in pairs), strict=True):
        exact = [Fraction(x[end]) + Fraction(y[end]) for end in (0, 1)]
        assert Fraction(low) <= exact[0]
        assert Fraction(high) >= exact[1]
        for computed, one in ((low, exact[0]), (high, exact[1])):
            assert abs(Fraction(computed) - one) <= abs(one) * Fraction(2.0**-52)
            if Fraction(float(one)) == one:  # what is exact stays so
                assert Fraction(computed) == one


def test_a_state_without_a_way_has_an_empty_range() -> None:
    random = Random("empty")
    automaton = Automaton(3, random_automaton(random).columns)
    made = random_forms(automaton, random)
    reached = {0}
    for k, column in enumerate(automaton.columns):
        for state in range(3):
            low, high = made.below[:, k, state]
            assert (low <= high).all() if state in reached else (low == np.inf).all() and (high == -np.inf).all()
        steps = zip(column.before.tolist(), column.after.tolist(), strict=True)
        reached = {after for before, after in steps if before in reached}
