"""The inputs of tasks as paths of automata: one path for each input, with the words that the task itself gives."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from compiler.tasks import Task, TaskError
from compiler.tasks.automaton import Automaton, Column, complete, drawn_paths, paths, ways, words_of
from compiler.tasks.task import Inputs, Words
from tests.tasks.packaged import lengths, package_task

SUMS = [("addition", {"base": base, "digits": digits}) for base in (2, 3, 4, 5) for digits in (1, 2, 3)]
REWRITINGS = [
    (kind, {"symbols": symbols, "length": length})
    for kind in ("copy", "reverse")
    for symbols in (1, 2, 3)
    for length in (1, 2, 4)
]
SMALL = [*SUMS, *REWRITINGS]
LARGE = [
    ("addition", {"base": 10, "digits": 10}),
    ("addition", {"base": 2, "digits": 300}),
    ("addition", {"base": 100, "digits": 30}),
    ("copy", {"symbols": 1024, "length": 40}),
    ("reverse", {"symbols": 7, "length": 1024}),
]


def automaton_of(task: Task) -> Automaton:
    found = task.automaton()
    assert found is not None
    return found


def made(kind: str, sizes: dict[str, int]) -> tuple[Task, Automaton]:
    task = package_task(kind, **sizes)
    return task, automaton_of(task)


def every_input(task: Task) -> list[Inputs]:
    suite = task.suites()["exhaustive"]
    return [one for part in suite.parts(suite.default_size, 0) for one in part.generate()]


def every_path(automaton: Automaton) -> list[tuple[int, ...]]:
    """All paths, one step after the other."""
    found: list[tuple[tuple[int, ...], int]] = [((), 0)]
    for column in automaton.columns:
        steps = list(enumerate(zip(column.before.tolist(), column.after.tolist(), strict=True)))
        found = [((*path, s), after) for path, state in found for s, (before, after) in steps if before == state]
    return [path for path, _ in found]


def as_array(found: list[tuple[int, ...]], columns: int) -> NDArray[np.int64]:
    return np.array(found, np.int64).reshape(len(found), columns)


def rows(found: Words) -> list[tuple[tuple[int, ...], ...]]:
    """The words of each input, in the order of their names."""
    return list(zip(*(map(tuple, found[name].tolist()) for name in sorted(found)), strict=True))


def path_of(automaton: Automaton, all_words: dict[str, tuple[int, ...]]) -> list[int]:
    """The path of the input with these words: in each column the one step from here whose letters are the words'."""
    path, state = [], 0
    for column in automaton.columns:
        fits = column.before == state
        for (word, place), symbols in column.letters.items():
            fits &= symbols == all_words[word][place]
        (step,) = np.flatnonzero(fits).tolist()
        path.append(step)
        state = int(column.after[step])
    return path


def assert_valid(automaton: Automaton, found: NDArray[np.int64]) -> None:
    state = np.zeros(len(found), np.int64)
    for k, column in enumerate(automaton.columns):
        assert np.array_equal(column.before[found[:, k]], state)
        state = column.after[found[:, k]]


@pytest.mark.parametrize(("kind", "sizes"), SMALL)
def test_every_input_has_one_path_with_its_words(kind: str, sizes: dict[str, int]) -> None:
    task, automaton = made(kind, sizes)
    found = every_path(automaton)
    of_paths = words_of(automaton, as_array(found, len(automaton.columns)))
    expected = task.encode(every_input(task))
    assert {name: (word.dtype, word.shape) for name, word in of_paths.items()} == {
        name: (np.dtype(np.uint16), word.shape) for name, word in expected.items()
    }
    assert Counter(rows(of_paths)) == Counter(rows(expected))
    assert paths(automaton) == len(found) == len(set(rows(expected)))


@pytest.mark.parametrize(("kind", "sizes"), [*SMALL, *LARGE])
def test_each_place_belongs_to_one_column(kind: str, sizes: dict[str, int]) -> None:
    task, automaton = made(kind, sizes)
    places = [place for column in automaton.columns for place in column.letters]
    assert sorted(places) == sorted((word, i) for word, length in lengths(task).items() for i in range(length))
    assert len({column.label for column in automaton.columns}) == len(automaton.columns)
    for column in automaton.columns:
        for numbers in (column.before, column.after, *column.letters.values()):
            assert numbers.dtype == np.int64
            assert numbers.shape == column.before.shape
            assert numbers.min() >= 0
        assert max(column.before.max(), column.after.max()) < automaton.states
        assert all(symbols.max() < task.given[0].symbols for symbols in column.letters.values())


@pytest.mark.parametrize(("kind", "sizes"), SMALL)
def test_ways_are_counted_exactly(kind: str, sizes: dict[str, int]) -> None:
    _, automaton = made(kind, sizes)
    found = every_path(automaton)
    below, above = ways(automaton)
    assert len(below) == len(above) == len(automaton.columns) + 1
    for k in range(len(automaton.columns) + 1):
        prefixes = {path[:k] for path in found}
        reached = Counter(int(automaton.columns[k - 1].after[path[-1]]) if path else 0 for path in prefixes)
        assert below[k] == tuple(reached[s] for s in range(automaton.states))
        through = Counter(int(automaton.columns[k - 1].after[path[k - 1]]) if k else 0 for path in found)
        for s in range(automaton.states):
            assert below[k][s] * above[k][s] == through[s]


@pytest.mark.parametrize(("kind", "sizes"), [*SMALL, *LARGE])
def test_all_paths_go_through_each_column(kind: str, sizes: dict[str, int]) -> None:
    _, automaton = made(kind, sizes)
    inputs = paths(automaton)
    for below, above in zip(*ways(automaton), strict=True):
        assert sum(x * y for x, y in zip(below, above, strict=True)) == inputs


@pytest.mark.parametrize(
    ("kind", "sizes", "inputs"),
    [
        ("addition", {"base": 10, "digits": 10}, 10**20),
        ("addition", {"base": 100, "digits": 30}, 100**60),
        ("reverse", {"symbols": 7, "length": 1024}, 7**1024),
    ],
)
def test_large_numbers_of_inputs_are_exact(kind: str, sizes: dict[str, int], inputs: int) -> None:
    _, automaton = made(kind, sizes)
    assert paths(automaton) == inputs


def test_columns_of_addition() -> None:
    _, automaton = made("addition", {"base": 10, "digits": 3})
    assert [column.label for column in automaton.columns] == ["10^0", "10^1", "10^2", "10^3"]
    assert [len(column.before) for column in automaton.columns] == [100, 200, 200, 2]
    assert set(automaton.columns[1].letters) == {("a", 1), ("b", 1), ("sum", 2)}
    assert set(automaton.columns[3].letters) == {("sum", 0)}
    below, _ = ways(automaton)
    assert below[1] == (55, 45)  # 45 of the 100 pairs of digits give a carry


def test_columns_of_a_reversal() -> None:
    _, automaton = made("reverse", {"symbols": 4, "length": 3})
    assert [column.label for column in automaton.columns] == ["word[0]", "word[1]", "word[2]"]
    assert set(automaton.columns[0].letters) == {("word", 0), ("reversed", 2)}
    assert automaton.states == 1


def test_sort_has_none() -> None:
    assert package_task("sort", symbols=3, length=4).automaton() is None


def test_columns_that_are_too_large() -> None:
    message = "a column of two digits in base 1024 has 2,097,152 cases; at most 20,000 are followed"
    with pytest.raises(TaskError, match=message):
        package_task("addition", base=1024, digits=2).automaton()
    with pytest.raises(TaskError, match="base 101 has 20,402 cases"):
        package_task("addition", base=101, digits=2).automaton()
    assert package_task("addition", base=100, digits=1).automaton() is not None


@pytest.mark.parametrize(("kind", "sizes"), [SUMS[1], SUMS[4], SUMS[5], REWRITINGS[5]])
def test_every_segment_is_completed(kind: str, sizes: dict[str, int]) -> None:
    _, automaton = made(kind, sizes)
    found = every_path(automaton)
    columns = len(automaton.columns)
    for start, end in product(range(columns), range(1, columns + 1)):
        if start < end:
            segments = as_array(sorted({path[start:end] for path in found}), end - start)
            whole = complete(automaton, start, segments)
            assert whole.dtype == np.int64
            assert whole.shape == (len(segments), columns)
            assert np.array_equal(whole[:, start:end], segments)
            assert_valid(automaton, whole)


def test_no_segments_are_completed_to_no_paths() -> None:
    _, automaton = made("addition", {"base": 10, "digits": 4})
    assert complete(automaton, 2, np.empty((0, 2), np.int64)).shape == (0, 5)
    assert {name: word.shape for name, word in words_of(automaton, np.empty((0, 5), np.int64)).items()} == {
        "a": (0, 4),
        "b": (0, 4),
        "sum": (0, 5),
    }


@pytest.mark.parametrize(("kind", "sizes"), SMALL)
def test_paths_that_are_drawn_are_paths(kind: str, sizes: dict[str, int]) -> None:
    _, automaton = made(kind, sizes)
    found = drawn_paths(automaton, 50)
    assert {tuple(path) for path in found.tolist()} <= set(every_path(automaton))
    assert (found == drawn_paths(automaton, 50)).all()
    assert len(np.unique(found, axis=0)) > 1 or paths(automaton) == 1


def test_dead_ends_are_avoided() -> None:
    """State 1 has no way on, state 2 none to it: completions go round both, and segments through them are refused."""

    def column(steps: list[tuple[int, int]], place: int) -> Column:
        before, after = np.array(steps, np.int64).T
        return Column(f"word[{place}]", before, after, {("word", place): np.arange(len(steps))})

    automaton = Automaton(
        3, (column([(0, 1), (0, 0)], 0), column([(2, 0), (0, 0)], 1), column([(0, 1), (0, 0)], 2), column([(0, 0)], 3))
    )
    assert paths(automaton) == 1
    assert drawn_paths(automaton, 3).tolist() == 3 * [[1, 1, 1, 0]]
    for k, step in enumerate((1, 1, 1, 0)):
        assert complete(automaton, k, np.array([[step]])).tolist() == [[1, 1, 1, 0]]
    for k, steps in ((0, [0]), (1, [0]), (2, [0]), (0, [0, 1]), (1, [1, 0])):
        with pytest.raises(ValueError, match="not of one path"):
            complete(automaton, k, np.array([steps]))


@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_random_inputs_of_large_tasks(data: st.DataObject) -> None:
    task, automaton = made(*data.draw(st.sampled_from(LARGE)))
    (word, *_) = task.given
    if task.name == "addition":
        limit = task.limit(word)
        numbers = st.integers(0, limit - 1)
        some = data.draw(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=3))
        some += [(a, limit - 1 - a) for a, _ in some]  # nines throughout: the longest chains of carries
    else:
        seed = data.draw(st.integers(0, 2**32))
        drawn = np.random.default_rng(seed).integers(0, word.symbols, (3, word.length))
        some = [tuple(row) for row in drawn.tolist()]
    found = np.array([path_of(automaton, task.solve(one)) for one in some])
    assert rows(words_of(automaton, found)) == rows(task.encode(some))
    start = data.draw(st.integers(0, found.shape[1] - 1))
    end = data.draw(st.integers(start + 1, found.shape[1]))
    whole = complete(automaton, start, found[:, start:end])
    assert np.array_equal(whole[:, start:end], found[:, start:end])
    assert_valid(automaton, whole)
