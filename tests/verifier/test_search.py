"""The search for an input that fails, where no sweep has refuted a spec."""

from __future__ import annotations

import time

import pytest

from compiler.evaluation import answer
from compiler.pipeline import load
from compiler.reference import Reference
from compiler.verifier import search as searching
from compiler.verifier.witness import Witnesses
from tests.helpers import SPECS


def test_what_fails_often_is_found_among_the_first_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a `unit` that is a quarter too small, some in a thousand random inputs fail."""
    monkeypatch.setattr(searching, "OF_SUITE", 1)
    spec = load(SPECS / "qwen20.yaml", {"unit": 746.875})
    automaton = spec.resolved.task.automaton()
    assert automaton is not None
    witnesses = Witnesses(spec, automaton, Reference(spec))
    (found,) = searching.search(spec, witnesses, [], time.perf_counter() + 60)
    assert not answer(spec, found.inputs).right
