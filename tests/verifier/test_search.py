"""The search for an input that fails, where no sweep has refuted a spec."""

from __future__ import annotations

import time
from typing import Any

import pytest

from compiler.backends.torch.reference import Reference
from compiler.evaluation.evaluation import answer
from compiler.evaluation.evaluator import Evaluator, Verdicts
from compiler.pipeline import load
from compiler.verifier import search as searching
from tests.helpers import SPECS


def test_what_fails_often_is_found_among_the_first_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a `unit` that is a quarter too small, some in a thousand random inputs fail."""
    monkeypatch.setattr(searching, "SEARCHED_PER_SUITE", 1)
    spec = load(SPECS / "qwen20.yaml", {"unit": 746.875})
    found = searching.search(spec, Reference(spec), time.perf_counter() + 60)
    assert found.failure is not None
    assert found.looked_at > 0
    assert not answer(spec, found.failure.inputs).right


def test_long_inputs_are_judged_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as suit the engine: 2,000 inputs of 300 digits would take 16 GB, and minutes."""
    sizes: list[tuple[int, int]] = []
    judged = Evaluator.verdicts

    def counted(evaluator: Evaluator, prompts: Any, answers: Any) -> Verdicts:
        sizes.append((len(prompts), evaluator.engine.block))
        return judged(evaluator, prompts[:1], answers[:1])

    monkeypatch.setattr(Evaluator, "verdicts", counted)
    monkeypatch.setattr(searching, "SEARCHED_PER_SUITE", 1)
    spec = load(SPECS / "tiny95.yaml", {"digits": 40, "v_scale": 1e294}, allow_overflow=True)
    searching.search(spec, Reference(spec), time.perf_counter() + 5)
    assert sizes
    assert all(size <= block < searching.BLOCK for size, block in sizes)
