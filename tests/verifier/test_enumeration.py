"""Where inputs are tried one by one, nothing is said that was not tried."""

from __future__ import annotations

import math
import time
from textwrap import indent
from typing import Any

import pytest

from compiler.backends.native.engines import BatchEngine, EngineUnavailable
from compiler.backends.torch.reference import Reference
from compiler.pipeline import load, load_source
from compiler.source.text import Source
from compiler.verifier import enumeration
from compiler.verifier.enumeration import try_all
from compiler.verifier.verify import verify
from tests.cli.test_verify import SORT
from tests.helpers import SPECS, small
from tests.verifier.test_hard_numbers import COPY, HEAD
from tests.verifier.truth import truth
from tests.verifier.verdicts import check

LOOK = """\
embedding:
  digit[d]: {x: d, y: 1}
attention:
  score head: where(key_pos < 2, 0, -inf)
  value head: 2 * x
  output z: head
head:
  classes: 4
"""


def test_ties_are_never_proved() -> None:
    """Symbol 1 has the logit of 2 too, so that it wins by its id alone: that is a margin of 0."""
    rest = indent(HEAD + "is[s] + where(s == 2, 1, 0) * is[1]", "  ")
    spec = load_source(Source("tied", COPY.format(dtype="float64", decode="argmax", rest=rest)))
    so, every = truth(spec), try_all(spec, 1000, time.perf_counter() + 60)
    assert every is not None
    assert so.failing == every.failing == 0
    assert every.tied == sum(every.first_tied.values()) > 0
    found = verify(spec)
    assert (found.verdict, found.method, found.failing) == ("open", "enumeration", (0, every.tied))
    (reason,) = found.reasons
    assert (reason.kind, reason.number) == ("rounding", 0.0)
    assert reason.text == f"{every.tied:,} of {so.inputs:,} inputs are right by a token's id alone, in a tie of logits"
    assert found.margin is not None
    assert found.margin.proved > 0  # of the other inputs
    check("tied", spec, found, so)
    assert verify(spec, tried=0).verdict == "open"


def test_batches_of_the_plain_module_prove_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are said to be wrong all the time here, and nobody believes them."""

    def never(*_: Any) -> Any:
        raise AssertionError("a batch was asked")

    monkeypatch.setattr(BatchEngine, "said", never)
    text = small(LOOK + "  logits digit[d]: 1e307 * (2 * d * z - d ** 2 * y)", dtype="float64")
    spec = load_source(Source("near the end", text))
    every = try_all(spec, 1000, time.perf_counter() + 60)
    assert every is not None
    assert every.failing == truth(spec).failing > 0


@pytest.mark.parametrize(
    ("asked", "kind"),
    [(1, "late"), (4, "late"), (21, "late"), (0, "interrupted"), (4, "interrupted"), (21, "interrupted")],
)
def test_where_it_is_stopped_the_rest_is_undecided(monkeypatch: pytest.MonkeyPatch, asked: int, kind: str) -> None:
    """After so many inputs of a task that no automaton describes."""
    spec = load_source(Source("sorted", SORT.replace("length: 9", "length: 3")))
    so, left, says, now = truth(spec), [asked], Reference.says, time.perf_counter

    def limited(*arguments: Any) -> Any:
        left[0] -= 1
        if left[0] < 0 and kind == "interrupted":
            raise KeyboardInterrupt
        return says(*arguments)

    def no_fast_engine(*_: Any) -> Any:
        raise EngineUnavailable("not here")

    monkeypatch.setattr("compiler.evaluation.evaluator.fast_engine", no_fast_engine)
    monkeypatch.setattr(Reference, "says", limited)
    monkeypatch.setattr(time, "perf_counter", lambda: now() + (1e9 if left[0] <= 0 < asked else 0))
    monkeypatch.setattr(enumeration, "BLOCK", 4)
    found = verify(spec, budget=1e8 if kind == "late" else math.inf)
    assert found.failing[1] - found.failing[0] == so.inputs - asked
    assert found.failing[0] <= so.failing <= found.failing[1]
    assert found.ending == ("budget" if kind == "late" else "interrupted")
    assert found.method == ("enumeration" if asked else "none")
    assert (found.verdict == "refuted") == (found.counterexample is not None) == (found.failing[0] > 0)
    assert found.verdict != "proved"
    check("sorted", spec, found, so)


@pytest.mark.parametrize("wrong", [False, True])
def test_every_input_is_tried_where_no_automaton_describes_them(wrong: bool) -> None:
    settings = {"v_scale": 1e-3} if wrong else {}
    spec = load(SPECS / "tiny95.yaml", {"base": 4, "digits": 2, **settings})
    so, every = truth(spec), try_all(spec, 1000, time.perf_counter() + 60)
    assert every is not None
    assert (every.inputs, every.failing) == (so.inputs, so.failing)
    assert sum(every.first_wrong.values()) == so.failing
    assert (every.failure is not None) == bool(so.failing)
    assert try_all(spec, so.inputs - 1, time.perf_counter() + 60) is None
