"""Tasks that rewrite sequences, and answers that are read in place."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import compiler
from compiler.pipeline import Spec, load
from compiler.source.diagnostics import SpecError
from compiler.tasks import TaskError
from compiler.tasks.layout import Layout
from tests.helpers import SPECS, load_text
from tests.tasks.packaged import lengths, package_task

REVERSE = SPECS / "reverse.yaml"
SIZES = {"symbols": 3, "length": 4}


@pytest.mark.parametrize(
    ("kind", "answer", "expected"),
    [("copy", "copied", (2, 0, 1, 1)), ("reverse", "reversed", (1, 1, 0, 2)), ("sort", "sorted", (0, 1, 1, 2))],
)
def test_what_is_right(kind: str, answer: str, expected: tuple[int, ...]) -> None:
    task = package_task(kind, **SIZES)
    assert task.name == kind
    assert task.solve((2, 0, 1, 1)) == {"word": (2, 0, 1, 1), answer: expected}
    assert lengths(task) == {"word": 4, answer: 4}
    assert {word.symbols for word in (*task.given, *task.answers)} == {3}
    assert task.show({answer: expected}) == " ".join(map(str, expected))


def test_inputs_as_they_are_typed() -> None:
    task = package_task("reverse", **SIZES)
    assert task.read(["2", "0", "1", "1"]) == task.read(["2 0 1 1"]) == (2, 0, 1, 1)
    for wrong in (["2", "0", "1"], ["2", "0", "1", "3"], ["2", "0", "1", "-1"], ["a", "b", "c", "d"], ["1" * 50] * 4):
        with pytest.raises(TaskError):
            task.read(wrong)


@pytest.mark.parametrize(
    "sizes", [{"symbols": 0, "length": 2}, {"symbols": 2, "length": 0}, {"symbols": 2}, {"symbols": 2, "length": 5000}]
)
def test_sizes_that_are_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(SpecError, match=r"symbols|length"):
        package_task("sort", **sizes)


def test_suites_hold_what_they_say() -> None:
    task = package_task("sort", **SIZES)
    suites = task.suites()
    assert suites["exhaustive"].by_default
    assert not package_task("sort", symbols=10, length=9).suites()["exhaustive"].by_default
    for suite in suites.values():
        inputs = [one for part in suite.parts(suite.default_size, 0) for one in part.generate()]
        assert len(inputs) == suite.default_size
        assert all(len(one) == 4 and set(one) <= {0, 1, 2} for one in inputs)
    assert len(set(suites["exhaustive"].parts(81, 0)[0].generate())) == 81
    first, again, other = (list(suites["uniform"].parts(50, seed)[0].generate()) for seed in (0, 0, 1))
    assert first == again != other


def layout(settings: dict[str, object]) -> Layout:
    return load(REVERSE, settings).layout


def test_the_answer_is_read_where_the_word_stands() -> None:
    found = layout({"length": 3})
    assert found.in_place
    assert found.read_at == (1, 2, 3)
    assert found.length == 4
    reverse = layout({"length": 3, "task.order": "least_significant_first"})
    assert reverse.read_at == (3, 2, 1)


def test_a_right_model_is_right_and_a_wrong_one_is_not() -> None:
    for length in (1, 3, 8):
        result = compiler.evaluate(load(REVERSE, {"length": length}), ["uniform", "edges"], pairs=300)
        assert result.right == result.pairs
        assert result.decoding == "teacher"
    shifted = "where(key_pos == length + 2 - query_pos, 0, -1000)"
    wrong = compiler.evaluate(load(REVERSE, {"attention.score mirror": shifted}), ["uniform"], pairs=300)
    assert wrong.right == 0
    (failure, *_) = wrong.suites[0].parts[0].failures
    assert failure.got != failure.expected


def test_teacher_and_greedy_agree_in_place() -> None:
    spec = load(REVERSE, {"length": 2, "attention.value mirror[s]": "where(s < 3, 1, 0) * is[s]"})
    by_pass = compiler.evaluate(spec, ["exhaustive"], decoding="teacher")
    token_by_token = compiler.evaluate(spec, ["exhaustive"], decoding="greedy")
    assert 0 < by_pass.right == token_by_token.right < by_pass.pairs


def by_hand(spec: Spec, word: tuple[int, ...]) -> list[int]:
    tokens = torch.tensor([[5, *word]])  # <bos> and the word
    with torch.inference_mode():
        chosen: list[int] = compiler.build(spec)(tokens)[0, 1:].argmax(-1).tolist()
    return chosen


def test_by_hand() -> None:
    spec = load(REVERSE, {"length": 4})
    assert by_hand(spec, (0, 4, 2, 2)) == [2, 2, 4, 0]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("in_place: word", "in_place: wrod", "unknown-name"),
        ("in_place: word", "in_place: reversed", "unknown-name"),
        ("reverse: {symbols: 5, length: 8}", "revers: {symbols: 5, length: 8}", "unknown-key"),
        ("reverse: {symbols: 5, length: 8}", "reverse: {symbols: 5}", "missing-key"),
        ("reverse: {symbols: 5, length: 8}", "reverse: {symbols: 5, length: 2.5}", "wrong-type"),
        ("reverse: {symbols: 5, length: 8}", "reverse: {symbols: 0, length: 8}", "index-range"),
        ("reverse: {symbols: 5, length: 8}", "reverse: {symbols: 5, length: 0}", "task"),
        ("prompt: <bos> word", "prompt: <bos>", "task"),
        ("prompt: <bos> word", "prompt: <bos> 5 word", "unknown-name"),
    ],
)
def test_refused(tmp_path: Path, old: str, new: str, code: str) -> None:
    text = REVERSE.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(SpecError) as caught:
        load_text(tmp_path, text.replace(old, new))
    assert code in [one.code for one in caught.value.diagnostics]
