"""An engine that contradicts the plain module is found out on the run itself, and that is a fault, not a verdict."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import compiler.backends.native.fast_engine
import compiler.evaluation.evaluator
import compiler.evaluation.self_check
from compiler.backends.elementary.model import translate
from compiler.backends.elementary.program import Program
from compiler.backends.native.engines import UNSURE
from compiler.evaluation.evaluation import evaluate
from compiler.evaluation.evaluator import Evaluator
from compiler.network import ir
from compiler.pipeline import Spec, load
from compiler.source.faults import ToolFault
from compiler.tasks.layout import Layout
from compiler.verifier.enumeration import try_all
from tests.cli.test_cli import invoke
from tests.helpers import SPECS, load_text, small
from tests.scripted import Scripted

TINY95 = str(SPECS / "tiny95.yaml")
Tokens = NDArray[np.int32]


@pytest.fixture
def taken_for_silu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fast engine follows every activation as if it were silu."""

    def spoiled(network: ir.Network, layout: Layout) -> tuple[Program, ...]:
        steps = tuple(
            replace(step, activation="silu") if isinstance(step, ir.FeedForward) else step for step in network.steps
        )
        return translate(replace(network, steps=steps), layout)

    monkeypatch.setattr(compiler.backends.native.fast_engine, "translate", spoiled)


@pytest.mark.usefixtures("taken_for_silu")
def test_an_activation_that_is_taken_for_another_is_a_fault() -> None:
    with pytest.raises(ToolFault) as raised:
        evaluate(load(TINY95), ["edges"])
    message = str(raised.value)
    assert message.startswith(f"{TINY95}: the fast engine is sure that tiny95 says 1 as token ")
    assert "of the answer to `<bos> 0 0 0 9 9 9 9 9 9 9 + " in message
    assert message.endswith("the plain module says 0")


@pytest.mark.usefixtures("taken_for_silu")
def test_the_command_line_says_what_to_send() -> None:
    result = invoke("eval", TINY95, "--suite", "edges")
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr.startswith(f"fault of weightspec: {TINY95}: the fast engine is sure that tiny95 says")
    assert "Please report it, with the spec and these lines:" in result.stderr
    assert "no verdict follows from it" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.usefixtures("taken_for_silu")
def test_as_json_it_is_an_error_among_the_others() -> None:
    result = invoke("eval", TINY95, "--suite", "edges", "--json")
    assert result.exit_code == 4
    found = json.loads(result.stdout)
    assert list(found) == ["errors", "warnings"]
    (error,) = found["errors"]
    assert error["code"] == "fault"
    assert "the fast engine is sure that tiny95 says" in error["message"]
    assert "Please report it" in result.stderr


@pytest.mark.usefixtures("taken_for_silu")
def test_what_is_only_tried_is_checked_too() -> None:
    spec = load(TINY95, {"digits": 2})
    with pytest.raises(ToolFault, match="the fast engine is sure that tiny95 --set digits=2 says"):
        try_all(spec, 100_000, math.inf)


@pytest.mark.usefixtures("taken_for_silu")
@pytest.mark.parametrize("command", [("build", "--eval", "--suite", "edges"), ("report", "--suite", "edges")])
def test_every_command_that_evaluates_ends_with_it(command: tuple[str, ...]) -> None:
    assert invoke(command[0], TINY95, *command[1:]).exit_code == 4


def engine_that_says(monkeypatch: pytest.MonkeyPatch, spec: Spec, say: Callable[[int, Tokens], Tokens]) -> None:
    monkeypatch.setattr(compiler.evaluation.evaluator, "fast_engine", lambda *_: Scripted(spec, say))


def other(right: Tokens, slot: int) -> Tokens:
    """The right answer but for one token."""
    return np.where(np.arange(len(right)) == slot, (right + 1) % 10, right).astype(np.int32)


@pytest.mark.parametrize("slot", range(3))
def test_a_token_that_is_always_wrong_is_found_whichever_it_is(monkeypatch: pytest.MonkeyPatch, slot: int) -> None:
    spec = load(SPECS / "qwen20.yaml", {"digits": 2})
    engine_that_says(monkeypatch, spec, lambda _, right: other(right, slot))
    with pytest.raises(ToolFault, match=rf"as token {slot + 1} of the answer"):
        evaluate(spec, ["uniform"], pairs=8)


def test_a_token_that_is_called_right_and_is_not_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All logits are equal: the module says 0 to everything, and the engine is sure of the right answers."""
    spec = load_text(tmp_path, small("embedding:\n  digit[d]: {x: 0}"))
    engine_that_says(monkeypatch, spec, lambda _, right: right)
    with pytest.raises(ToolFault, match="the plain module says 0"):
        evaluate(spec, ["edges"])


def test_a_wrong_answer_that_the_module_answers_right_is_a_fault_where_it_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of many inputs, which the check of a few sequences does not meet."""
    spec = load(SPECS / "qwen20.yaml", {"digits": 2})
    engine_that_says(monkeypatch, spec, lambda number, right: other(right, 1) if number == 11 else right)
    with pytest.raises(ToolFault, match=r"the fast engine is sure that .* wrong; the plain module decodes the right"):
        evaluate(spec, ["uniform"], pairs=40)


def test_blocks_are_checked_in_other_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first block in all tokens of its sequences, the others in one of each; what is not sure in none."""
    spec = load(SPECS / "qwen20.yaml", {"digits": 3})
    engine_that_says(monkeypatch, spec, lambda number, right: np.full_like(right, UNSURE) if number >= 256 else right)
    evaluator = Evaluator(spec)
    asked: list[list[tuple[int, list[int]]]] = []
    chosen = compiler.evaluation.self_check._chosen

    def spied(said: Tokens, right: Tokens, block: int, *, every: bool) -> list[tuple[int, list[int]]]:
        asked.append(list(chosen(said, right, block, every=every)))
        return asked[-1]

    monkeypatch.setattr(compiler.evaluation.self_check, "_chosen", spied)
    (part,) = spec.resolved.task.suites()["near_carry"].parts(320, 0)
    for words in part.blocks(64):
        evaluator.verdicts(spec.layout.prompts(words), spec.layout.answers(words))
    every = list(range(len(spec.layout.predicted)))
    assert [[slots for _, slots in block] for block in asked[:1]] == [[every] * 4]
    assert all(len(slots) == 1 for block in asked[1:4] for _, slots in block)
    assert len({tuple(row for row, _ in block) for block in asked[:4]}) == 4
    assert {slot for block in asked[1:4] for _, (slot,) in block} == set(every)
    assert [len(block) for block in asked] == [4, 2, 2, 2, 0]
