"""Ranges of separable forms against all paths of small automata, in fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from random import Random

import numpy as np
import pytest

from compiler.tasks.automaton import Automaton
from compiler.verifier.forms import Array, Forms, forms, highest
from tests.verifier.samples import Paths, every_path, random_automaton, state_before

CASES, FORMS = 2, 3
SIZES = (1.0, 1.0, 1e-8, 1e8, 1e16, 0.0)  # of entries: those of one sum may differ by a lot


def random_forms(automaton: Automaton, random: Random) -> Forms:
    steps = max(len(column.before) for column in automaton.columns)
    shape = (len(automaton.columns), steps, CASES, FORMS)
    tables = np.array([random.gauss(0, random.choice(SIZES)) for _ in range(int(np.prod(shape)))]).reshape(shape)
    constant = np.array([[random.gauss(0, random.choice(SIZES)) for _ in range(FORMS)] for _ in range(CASES)])
    return forms(automaton, constant, tables)


def exact_sum(made: Forms, path: Sequence[int], columns: range, case: int, form: int) -> Fraction:
    """What these columns of a path add to a form."""
    return sum((Fraction(made.tables[k, path[k], case, form]) for k in columns), Fraction(0))


def assert_range(ends: Array, sums: Sequence[Fraction], off: float) -> None:
    """The ends are the smallest and the largest sum, up to what sums are off by."""
    low, high = ends.tolist()
    assert abs(Fraction(low) - min(sums)) <= off
    assert abs(Fraction(high) - max(sums)) <= off


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
    for k in range(count + 1):
        for state, through in enumerate(each_state(automaton, paths, k)):
            for case in range(CASES):
                for form in range(FORMS):
                    off = made.off[case, form]
                    below = [exact_sum(made, path, range(k), case, form) for path in through]
                    above = [exact_sum(made, path, range(k, count), case, form) for path in through]
                    if through:  # else a state may have a way to it, but none from it
                        assert_range(made.below[:, k, state, case, form], below, off)
                        assert_range(made.above[:, k, state, case, form], above, off)


@pytest.mark.parametrize("seed", range(40))
def test_ranges_beside_a_window(seed: int) -> None:
    random = Random(f"window:{seed}")
    automaton = random_automaton(random, most_columns=3)
    made, paths, count = random_forms(automaton, random), every_path(automaton), len(automaton.columns)
    for path in random.sample(paths.tolist(), min(4, len(paths))):
        first = random.randrange(count)
        after = random.randint(first, count)
        before, state = state_before(automaton, path, first), state_before(automaton, path, after)
        for case in range(CASES):
            ends = made.beside(np.array([case]), first, np.array([before]), after, np.array([state]))
            assert ends.shape == (2, 1, FORMS)
            for form in range(FORMS):
                constant = Fraction(made.constant[case, form])
                below = {
                    exact_sum(made, other, range(first), case, form)
                    for other in paths.tolist()
                    if state_before(automaton, other, first) == before
                }
                above = {
                    exact_sum(made, other, range(after, count), case, form)
                    for other in paths.tolist()
                    if state_before(automaton, other, after) == state
                }
                assert_range(ends[:, 0, form], [constant + x + y for x in below for y in above], made.off[case, form])


@pytest.mark.parametrize("seed", range(20))
def test_what_sums_are_off_by_is_small(seed: int) -> None:
    """No more than a few roundings of each number."""
    random = Random(f"off:{seed}")
    automaton = random_automaton(random)
    made = random_forms(automaton, random)
    most = np.abs(made.constant) + np.abs(made.tables).max(1).sum(0)
    assert (made.off <= 2.0**-48 * most).all()
    assert (made.off > 0).all()


@pytest.mark.parametrize("seed", range(20))
def test_the_highest_is_no_less_than_any_sum(seed: int) -> None:
    random = Random(f"highest:{seed}")
    automaton = random_automaton(random, most_columns=3)
    made, count = random_forms(automaton, random), len(automaton.columns)
    found = highest(automaton, made.constant, made.tables)
    for path in every_path(automaton).tolist():
        for case in range(CASES):
            for form in range(FORMS):
                total = Fraction(made.constant[case, form]) + exact_sum(made, path, range(count), case, form)
                assert total <= Fraction(found[case, form]) + Fraction(made.off[case, form])


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
