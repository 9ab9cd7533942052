"""Suites of stated tasks: which inputs they have, that each is an input, and that they can be gone on with anywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice, product
from math import comb

import numpy as np
import pytest

from compiler.tasks import Task, TaskError
from compiler.tasks.automaton import Automaton
from compiler.tasks.task import Inputs, Words
from tests.tasks.packaged import package_task, task_of

SPEC = """\
weightspec: 1
name: asked
dtype: float32
vocabulary: digit[base] symbol[9] bit[2] = < >
task:
{task}
stream: x
network:
  embedding: {{}}
decode: argmax
"""

BORROWING = """
  sizes: {base: 3, digits: 3}
  given: {a: digit*digits, b: digit*digits}
  answers: {difference: digit*digits}
  columns:
    from: last
    state: {borrow: 2}
    difference: (a - b - borrow) % base
    next borrow: where(a - b - borrow < 0, 1, 0)
    end: {only: borrow == 0}
  numbers: a b difference
  shown: a - b
  prompt: a b =
  answer: difference
"""
OF_ODD_NUMBERS = BORROWING.replace("  columns:", "  only: a[digits - 1] % 2 == 1\n  columns:")
COMPARING = """
  sizes: {base: 3, digits: 3}
  alphabets: {relation: = < >}
  given: {a: digit*digits, b: digit*digits}
  answers: {is: relation}
  columns:
    from: first
    state: {order: 3}
    next order: where(order != 0, order, a < b, 1, a > b, 2, 0)
    end: {is: order}
  prompt: a b =
  answer: is
"""
RISING = """
  sizes: {base: 2, symbols: 5, length: 4}
  alphabets: {item: "symbol[s < symbols]"}
  given: {word: item*length}
  answers: {copied: item*length}
  columns:
    from: first
    state: {least: symbols}
    only: word >= least
    copied: word
    next least: word
  prompt: word =
  answer: copied
"""
DISTINCT = """
  sizes: {base: 4, length: 3}
  given: {word: digit*length}
  answers: {copied: digit*length}
  only: distinct(word)
  equations: {copied: word}
  prompt: word =
  answer: copied
"""
ASKING = """
  sizes: {base: 3, length: 3}
  given: {word: digit*length, query: bit}
  answers: {said: bit}
  columns:
    from: first
    state: {seen: 2}
    next seen: where(seen == 1 or word == query, 1, 0)
    end: {said: seen}
  prompt: word query =
  answer: said
"""
NUMBERS = """
  sizes: {base: 3, digits: 3}
  given: {a: digit*digits, b: digit*digits}
  answers: {difference: digit*digits}
  only: number(a) > number(b)
  equations: {number(difference): number(a) - number(b)}
  numbers: a b difference
  prompt: a b =
  answer: difference
"""
TASKS = {
    "borrowing": BORROWING,
    "odd numbers": OF_ODD_NUMBERS,
    "comparing": COMPARING,
    "rising": RISING,
    "distinct": DISTINCT,
    "asking": ASKING,
    "numbers": NUMBERS,
}
SMALL = tuple(TASKS)


def stated(text: str) -> Task:
    return task_of(SPEC.format(task=text.strip("\n")))


def inputs_of(task: Task, suite: str, size: int | None = None, seed: int = 0) -> list[Inputs]:
    found = task.suites()[suite]
    return [one for part in found.parts(found.size(size), seed) for one in part.generate()]


def by_trying(task: Task) -> set[Inputs]:
    """All inputs of a task: all choices of symbols, and whether each is allowed, one at a time."""
    choices = [
        range(word.symbols**word.length) if word.name in task.numbers else range(word.symbols)
        for word in task.given
        for _ in range(1 if word.name in task.numbers else word.length)
    ]
    return {one for one in product(*choices) if task.allowed(task.given_words([one]))[0]}


def rows_of(blocks: Iterator[Words]) -> list[tuple[tuple[str, tuple[int, ...]], ...]]:
    return [
        tuple((name, tuple(word[row].tolist())) for name, word in sorted(block.items()))
        for block in blocks
        for row in range(len(next(iter(block.values()))))
    ]


@pytest.mark.parametrize("name", SMALL)
def test_the_exhaustive_suite_has_each_input_once(name: str) -> None:
    task = stated(TASKS[name])
    expected = by_trying(task)
    suite = task.suites()["exhaustive"]
    (part,) = suite.parts(suite.default_size, 0)
    found = list(part.generate())
    assert suite.by_default
    assert suite.default_size == part.size == len(found) == task.count
    assert len(found) == len(set(found))
    assert set(found) == expected


@pytest.mark.parametrize("name", SMALL)
def test_inputs_of_every_suite_are_inputs_and_come_in_blocks_from_anywhere(name: str) -> None:
    task = stated(TASKS[name])
    allowed = by_trying(task)
    for suite in task.suites().values():
        for part in suite.parts(suite.size(60), 1):
            inputs = list(part.generate())
            assert len(inputs) == part.size
            assert set(inputs) <= allowed, suite.name
            whole = rows_of(part.blocks(1000))
            assert whole == rows_of(iter([task.encode(inputs)])), suite.name
            for size, start in ((7, 0), (16, 5), (1, part.size - 1), (7, part.size // 2)):
                blocks = list(part.blocks(size, start))
                assert all(0 < len(next(iter(block.values()))) <= size for block in blocks)
                assert rows_of(iter(blocks)) == whole[start:], (suite.name, size, start)


@pytest.mark.parametrize("name", SMALL)
def test_uniform_draws_are_even_and_hang_on_the_seed(name: str) -> None:
    task = stated(TASKS[name])
    if name == "comparing":
        task = stated(TASKS[name].replace("digits: 3", "digits: 2"))
    every = len(by_trying(task))
    drawn = Counter(inputs_of(task, "uniform", 100 * every))
    assert len(drawn) == every
    assert sum((count - 100) ** 2 / 100 for count in drawn.values()) < every + 6 * (2 * every) ** 0.5
    assert inputs_of(task, "uniform", 50) == inputs_of(task, "uniform", 50)
    assert inputs_of(task, "uniform", 50) != inputs_of(task, "uniform", 50, seed=1)


def path_of(automaton: Automaton, words: Words, row: int) -> list[int]:
    """The steps of an input: those that read its symbols, one after the other."""
    state, path = 0, []
    for column in automaton.columns:
        fits = column.before == state
        for (word, place), symbols in column.letters.items():
            fits &= symbols == words[word][row, place]
        (step,) = np.flatnonzero(fits).tolist()
        path.append(step)
        state = int(column.after[step])
    return path


def steps_taken(task: Task, suite: str) -> set[tuple[int, int]]:
    automaton = task.automaton()
    assert automaton is not None
    words = task.encode(inputs_of(task, suite))
    return {
        taken for row in range(len(words[task.given[0].name])) for taken in enumerate(path_of(automaton, words, row))
    }


@pytest.mark.parametrize("name", ["borrowing", "odd numbers", "comparing", "rising", "asking"])
def test_transitions_take_every_step_that_some_input_takes(name: str) -> None:
    task = stated(TASKS[name])
    assert steps_taken(task, "transitions") == steps_taken(task, "exhaustive")
    automaton = task.automaton()
    assert automaton is not None
    most = max(len(column.before) for column in automaton.columns)
    assert len(inputs_of(task, "transitions")) <= 3 * most


def carries(a: int, b: int, base: int, length: int) -> list[int]:
    """The carry into each column, and out of the last one."""
    found, carry = [0], 0
    for k in range(length):
        carry = (a // base**k % base + b // base**k % base + carry) // base
        found.append(carry)
    return found


@pytest.mark.parametrize(("base", "digits"), [(10, 6), (2, 4)])
def test_long_runs_of_an_addition_are_chains_of_carries_of_every_length(base: int, digits: int) -> None:
    task = package_task("addition", base=base, digits=digits)
    found = [carries(pair[0], pair[1], base, digits) for pair in inputs_of(task, "long_runs")]
    for last in range(1, digits + 1):
        assert [0, *[1] * last, 0][: digits + 1] in [one[: last + 2] for one in found]
        assert [*[0] * last, 1] in [one[: last + 1] for one in found]
        assert [0, *[1] * last] in [one[digits - last :] for one in found]
    assert [0] * (digits + 1) in found


def test_long_runs_of_a_comparison_differ_at_last() -> None:
    found = inputs_of(stated(COMPARING), "long_runs")
    differing = {next((k for k in range(3) if one[k] != one[3 + k]), 3) for one in found}
    assert differing == {0, 1, 2, 3}


SUITES_OF_COLUMNS = ("transitions", "long_runs")


@pytest.mark.parametrize(
    ("asked", "by_default"),
    [
        ("", SUITES_OF_COLUMNS),
        ('\n  suites: {few: {only: "a[0] == 1"}}', SUITES_OF_COLUMNS),
        ("\n  suites: near_carry", ()),
    ],
)
def test_suites_of_columns_run_unless_the_author_chose_others(asked: str, by_default: tuple[str, ...]) -> None:
    suites = stated(BORROWING.rstrip() + asked).suites()
    assert tuple(name for name in SUITES_OF_COLUMNS if suites[name].by_default) == by_default


def test_suites_of_columns_run_where_the_author_asks_for_them() -> None:
    suites = stated(BORROWING.rstrip() + "\n  suites: near_carry long_runs").suites()
    assert [name for name in SUITES_OF_COLUMNS if suites[name].by_default] == ["long_runs"]
    assert not any(package_task("addition", base=10, digits=10).suites()[name].by_default for name in SUITES_OF_COLUMNS)
    assert not set(SUITES_OF_COLUMNS) & set(package_task("reverse", symbols=3, length=4).suites())


def test_columns_that_are_too_large_have_no_such_suites() -> None:
    suites = package_task("addition", base=1000, digits=2).suites()
    for name in SUITES_OF_COLUMNS:
        with pytest.raises(TaskError, match="at most 20,000 are followed"):
            suites[name].parts(suites[name].default_size, 0)


@pytest.mark.parametrize(("base", "digits"), [(10, 40), (3, 200)])
def test_columns_count_and_draw_where_drawing_again_would_not_do(base: int, digits: int) -> None:
    task = stated(BORROWING.replace("base: 3, digits: 3", f"base: {base}, digits: {digits}"))
    every = base**digits
    assert task.count == every * (every + 1) // 2
    pairs = inputs_of(task, "uniform", 300)
    assert all(a >= b for a, b in pairs)
    assert sum(a < every // 2 for a, _ in pairs) in range(45, 106)  # a quarter, within five deviations


def test_few_inputs_of_many_words_are_all_run() -> None:
    task = stated(RISING.replace("length: 4", "length: 12"))
    suite = task.suites()["exhaustive"]
    assert task.combinations > 10**8
    assert suite.by_default
    assert suite.default_size == comb(16, 4)
    (part,) = suite.parts(suite.default_size, 0)
    words = list(part.generate())
    assert len(set(words)) == comb(16, 4)
    assert all(tuple(sorted(word)) == word for word in words)


def test_what_is_too_much_is_said_before_anything_is_run() -> None:
    suite = stated(RISING.replace("length: 4", "length: 100")).suites()["exhaustive"]
    assert suite.default_size == comb(104, 4)
    assert not suite.by_default
    (part,) = suite.parts(suite.default_size, 0)
    assert list(islice(part.generate(), 1)) == [(0,) * 100]
    larger = stated(RISING.replace("length: 4", "length: 300")).suites()["exhaustive"]
    with pytest.raises(TaskError, match=f"exhaustive would be {comb(304, 4):,} inputs; at most 100,000,000 are run"):
        larger.parts(larger.default_size, 0)


def test_draws_that_are_all_excluded_end() -> None:
    task = stated(DISTINCT.replace("length: 3", "length: 12").replace("distinct(word)", "all(word[k] == 3, k, length)"))
    (part,) = task.suites()["uniform"].parts(10, 0)
    with pytest.raises(TaskError, match="1000 inputs were drawn, and `only` allows none of them"):
        list(part.generate())


def test_rare_inputs_are_drawn_as_long_as_they_come() -> None:
    task = stated(DISTINCT.replace("base: 4, length: 3", "base: 4, length: 4"))
    found = inputs_of(task, "uniform", 2000)
    assert len(found) == 2000
    assert all(len(set(word)) == 4 for word in found)


def test_edges_that_are_all_excluded() -> None:
    text = DISTINCT.replace("base: 4, length: 3", "base: 5, length: 6")
    none = "number(word) % 7 == 4 and word[0] == 3 and word[1] == 1 and word[2] == 4"
    assert "edges" not in stated(text.replace("distinct(word)", none)).suites()


@pytest.mark.parametrize("restricted", [True, False])
def test_suites_of_an_author_satisfy_his_condition(restricted: bool) -> None:
    text = DISTINCT if restricted else DISTINCT.replace("  only: distinct(word)\n", "")
    task = stated(text.rstrip() + '\n  suites: {hard: {only: "word[0] == 2 and word[1] != 3", size: 40}}')
    found = inputs_of(task, "hard")
    assert len(found) == 40
    assert all(word[0] == 2 and word[1] != 3 and (not restricted or len(set(word)) == 3) for word in found)
