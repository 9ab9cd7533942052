"""Inputs as arrays of words: the same, in the same order, as one by one, from any place on, in blocks of any size."""

from __future__ import annotations

from itertools import islice
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from compiler.tasks import Task, TaskError
from compiler.tasks.draws import drawn
from compiler.tasks.layout import Layout, Slot, SymbolPlace
from compiler.tasks.task import Inputs, Part, Symbols, Words
from tests.tasks.packaged import PACKAGED, lengths, package_task

BASES = [2, 3, 7, 10, 16, 255, 256, 257, 1000, 1023, 1024]
COMPARED = 300  # inputs of one part


def addition(base: int, digits: int) -> Task:
    return package_task("addition", base=base, digits=digits)


@st.composite
def tasks(draw: st.DrawFn) -> Task:
    """Tasks of every kind. Numbers have from one bit to a few hundred: more and less than a word of the machine."""
    kind = draw(st.sampled_from(PACKAGED))
    if kind == "addition":
        base = draw(st.sampled_from(BASES))
        return addition(base, draw(st.integers(1, 4) | st.integers(1, 130 if base == 2 else 40)))
    sizes = st.tuples(st.integers(1, 1024), st.integers(1, 30)) | st.tuples(st.integers(1, 5), st.integers(1, 8))
    symbols, length = draw(sizes)
    return package_task(kind, symbols=symbols, length=length)


def rows(words: Words) -> list[dict[str, Symbols]]:
    assert all(word.dtype == np.uint16 and word.ndim == 2 for word in words.values())
    (count,) = {len(word) for word in words.values()}
    return [{name: tuple(word[row].tolist()) for name, word in words.items()} for row in range(count)]


def check_blocks(task: Task, part: Part, size: int, start: int) -> None:
    """Compare the first inputs from `start` on with those that the part generates one by one."""
    expected = list(islice(part.generate(), start, start + COMPARED))
    found: list[Inputs] = []
    for block in part.blocks(size, start):
        solved = rows(block)
        inputs = [task.inputs(block, row) for row in range(len(solved))]
        assert solved == [task.solve(one) for one in inputs]
        assert len(inputs) == min(size, part.size - start - len(found)) > 0
        found += inputs
        if len(found) >= COMPARED:
            break
    assert found[:COMPARED] == expected


@settings(max_examples=40, deadline=None)
@given(task=tasks(), data=st.data())
def test_blocks_are_the_inputs_in_their_order(task: Task, data: st.DataObject) -> None:
    suite = data.draw(st.sampled_from(list(task.suites().values())))
    size = data.draw(st.integers(0, 1000)) if suite.sampled else suite.default_size
    try:
        parts = suite.parts(size, data.draw(st.integers(0, 10)))
    except TaskError:
        assert suite.name in ("adderboard", "transitions", "long_runs") or suite.default_size > 10**8
        return
    for part in parts:
        start = data.draw(st.integers(0, min(part.size, 2000)))
        check_blocks(task, part, data.draw(st.integers(1, 400)), start)
    assert sum(part.size for part in parts) == size


@pytest.mark.parametrize(
    ("size", "start"),
    [(1, 0), (7, 9_500), (333, 4_321), pytest.param(65_536, 0, marks=pytest.mark.long), (10, 10_000)],
)
@pytest.mark.parametrize("name", ["adderboard", "uniform", "edges"])
def test_blocks_of_ten_digits(name: str, size: int, start: int) -> None:
    task = addition(10, 10)
    for part in task.suites()[name].parts(30_000, 5):
        check_blocks(task, part, size, min(start, part.size))


@pytest.mark.parametrize(
    ("task", "base", "length"),
    [
        (addition(10, 4), 10, 8),
        (addition(3, 8), 3, 16),
        (addition(1024, 1), 1024, 2),
        (package_task("copy", symbols=10, length=8), 10, 8),
        (package_task("sort", symbols=2, length=26), 2, 26),
        (package_task("reverse", symbols=1, length=1000), 1, 1000),
    ],
)
def test_exhaustive_starts_anywhere(task: Task, base: int, length: int) -> None:
    """Input number n is n itself, written in the base: operand after operand, the most significant symbol first."""
    (part,) = task.suites()["exhaustive"].parts(0, 0)
    assert part.size == base**length
    for start in {0, part.size // 3, max(0, part.size - 40)}:
        found = [row for block in islice(part.blocks(17, start), 3) for row in rows(block)]
        assert len(found) == min(3 * 17, part.size - start)
        for number, words in enumerate(found, start):
            written = [symbol for word in task.given for symbol in words[word.name]]
            assert written == [number // base**k % base for k in reversed(range(length))]
            assert task.solve(task.inputs({name: np.array([word]) for name, word in words.items()}, 0)) == words


@settings(max_examples=100, deadline=None)
@given(task=tasks(), data=st.data())
def test_encode_is_solve_for_many(task: Task, data: st.DataObject) -> None:
    numbers = [
        st.integers(0, (task.limit(word) if task.width(word) == 1 else word.symbols) - 1)
        for word in task.given
        for _ in range(task.width(word))
    ]
    inputs: list[Inputs] = data.draw(st.lists(st.tuples(*numbers), max_size=20))
    words = task.encode(inputs)
    assert rows(words) == [task.solve(one) for one in inputs]
    assert [task.inputs(words, row) for row in range(len(inputs))] == inputs
    assert {name: word.shape[1] for name, word in words.items()} == lengths(task)


@pytest.mark.parametrize(("base", "digits"), [(2, 62), (2, 63), (2, 64), (2, 126), (10, 18), (10, 19), (10, 1024)])
def test_carries_go_through_all_limbs(base: int, digits: int) -> None:
    task, largest = addition(base, digits), base**digits - 1
    inputs = [(largest, 1), (1, largest), (largest, largest), (largest, 0), (0, 0)]
    assert rows(task.encode(inputs)) == [task.solve(pair) for pair in inputs]


def integers(numbers: NDArray[np.uint64]) -> list[int]:
    """Those that numbers [parts, ...] are, in their order."""
    parts = [part.ravel().tolist() for part in numbers]
    return [sum(part << 64 * k for k, part in enumerate(own)) for own in zip(*parts, strict=True)]


@pytest.mark.parametrize("start", [0, 1, 4_001])
@pytest.mark.parametrize("bits", [1, 2, 4, 10, 31, 32, 33, 34, 50, 63, 64, 65, 96, 97, 200])
def test_draws_are_those_of_python(bits: int, start: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compiler.tasks.draws._AT_ONCE", 1 << 12)  # words, of which more than one time is needed
    least = 1 << bits - 1  # nearly half of what is drawn is not below it, and nothing where it is the largest
    for bound in {least, least + least // 3, 2 * least - 1}:
        random = Random(f"{bits} {start}")
        random.random()  # the generator is taken over where it stands
        found = list(drawn(random, range(bound), 3, range(start, start + 1000), 155))
        assert [block.shape for block in found] == [(-(-bits // 64), 155, 3)] * 6 + [(-(-bits // 64), 70, 3)]
        expected = [random.randrange(bound) for _ in range(3 * (start + 1000))][3 * start :]
        assert integers(np.concatenate(found, 1)) == expected


@pytest.mark.parametrize("low", [1, 1 << 63, (1 << 64) - 3, (1 << 128) - 3, 1 << 191])
@pytest.mark.parametrize("size", [5, 1 << 62, (1 << 64) - 1, (1 << 128) - 1])
def test_draws_begin_anywhere(low: int, size: int) -> None:
    """What is carried out of a part goes into the next one."""
    among = range(low, low + size)
    (found,) = drawn(Random(0), among, 1, range(200), 200)
    random = Random(0)
    assert integers(found) == [random.randrange(low, low + size) for _ in range(200)]


def layout_with(symbols: tuple[int, ...]) -> Layout:
    """A layout in which these tokens stand for the digits."""

    def digit(word: str, index: int) -> Slot:
        return Slot(None, (SymbolPlace(word, index, len(symbols)),), symbols)

    return Layout(
        prompt=(Slot(7), *(digit("a", i) for i in (2, 1, 0)), Slot(9), *(digit("b", i) for i in range(3)), Slot(3)),
        answer=(Slot(3), *(digit("sum", i) for i in range(4)), digit("sum", 0), Slot(8)),
        classes=15,
        spelling={},
    )


@pytest.mark.parametrize(
    "symbols", [tuple(range(5, 15)), tuple(range(10)), (9, 3, 1, 4, 0, 5, 2, 6, 8, 7), tuple(range(65_526, 65_536))]
)
@pytest.mark.parametrize("size", [1, 50, 5000])
def test_tokens_of_many_are_those_of_each(symbols: tuple[int, ...], size: int) -> None:
    task, layout = addition(10, 3), layout_with(symbols)
    (*_, part) = task.suites()["uniform"].parts(3 * size, 1)
    (words,) = part.blocks(size)
    for found, one_by_one in (
        (layout.prompts(words), layout.prompt_tokens),
        (layout.answers(words), layout.answer_tokens),
    ):
        assert found.dtype == np.int32
        assert found.flags.c_contiguous
        assert found.tolist() == [one_by_one(own) for own in rows(words)]
