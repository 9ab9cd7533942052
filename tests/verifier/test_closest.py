"""The search for the smallest lead: over all tokens, the same each time, and as single sequences have it."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
import torch

from compiler.backends.torch.reference import Reference
from compiler.network.ir import Decode
from compiler.pipeline import Spec, load, load_source
from compiler.source.text import Source
from compiler.verifier import closest as closing
from compiler.verifier.closest import closest
from compiler.verifier.results import Lead
from compiler.verifier.verify import verify
from compiler.verifier.witness import lead, leads_of_tokens
from tests.cli.test_verify import SORT
from tests.helpers import SPECS, small
from tests.verifier.truth import smallest_lead
from tests.verifier.worlds import OWN

# Adds two numbers of one digit, as long as there is no carry.
FEW = """\
embedding:
  digit[d]: {x: d, y: 1}
attention:
  score head: where(key_pos < 2, 0, -inf)
  value head: 2 * x
  output z: head
head:
  classes: 4
"""


def searched(spec: Spec, given: Any = ()) -> tuple[list[Lead], int]:
    return closest(spec, Reference(spec), spec.layout.predicted, given, time.perf_counter() + 600)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("running", {"base": 4}), ("column", {"base": 3}), ("telescope", {"base": 4}), ("copy", {}), ("table", {})],
)
def test_of_a_small_world_it_is_the_smallest_of_all(name: str, settings: dict[str, Any]) -> None:
    spec = load(OWN / f"{name}.yaml", settings)
    leads, tried = searched(spec)
    assert min(one.lead for one in leads) == pytest.approx(smallest_lead(spec), rel=1e-3)
    assert tried <= closing.MOST
    assert {one.slot for one in leads} == set(spec.layout.predicted)


def test_it_is_what_the_module_has_for_the_input_alone() -> None:
    spec = load(SPECS / "qwen20.yaml", {"digits": 3})
    leads, _ = searched(spec)
    for one in leads:
        assert lead(spec, Reference(spec), one.inputs, one.slot) == one.lead
        assert one.text == spec.resolved.task.describe(one.inputs)


def test_it_is_the_same_each_time() -> None:
    spec = load(SPECS / "tiny95-exact.yaml", {"digits": 3})
    assert searched(spec) == searched(spec)


def test_it_gets_closer_by_changing_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    """Than the suites alone come."""
    spec = load(SPECS / "tiny95.yaml")
    best = min(one.lead for one in searched(spec)[0])
    monkeypatch.setattr(closing, "ROUNDS", 0)
    assert best < min(one.lead for one in searched(spec)[0])


def test_inputs_that_are_given_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "_of_suites", lambda _: iter(()))
    monkeypatch.setattr(closing, "ROUNDS", 0)
    leads, tried = searched(load(SPECS / "tiny95.yaml"), [(4417080765, 582918995), (1, 2)])
    assert tried == 2
    assert min(leads, key=lambda one: one.lead).inputs == (4417080765, 582918995)
    assert min(one.lead for one in leads) < 0


def test_it_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a batch, and the input that is closest in it."""
    spec = load(SPECS / "tiny95-exact.yaml", {"digits": 3})
    monkeypatch.setattr(closing, "batch_size", lambda _: 8)
    leads, tried = closest(spec, Reference(spec), spec.layout.predicted, (), -math.inf)
    assert (len(leads), tried) == (1, 8)


def test_a_task_that_no_automaton_describes() -> None:
    """The logits are -(i - word[0])², which is right for words of one symbol."""
    look = """  attention:
    score head: where(key_pos == 0, 0, -inf)
    value head: x
    output y: head
  head:
"""
    text = SORT.replace("length: 9", "length: 1").replace("stream: x", "stream: x y").replace("  head:\n", look)
    spec = load_source(
        Source("sorted", text.replace("i * x - i / 8", "2 * i * y - i ** 2").replace("=: -1", "=: -100"))
    )
    found = verify(spec)
    assert (found.verdict, found.method) == ("proved", "enumeration")
    assert found.seen is not None
    assert (found.seen.lead, found.tried) == (1.0, 4)
    assert [step.seen for step in found.steps] == [found.seen]


def test_what_a_verification_says_was_seen() -> None:
    """The smallest of all tokens that are right on all inputs, none of which is below what is proved of its token."""
    for settings in ({"digits": 2}, {"digits": 2, "v_scale": 0.05}):
        found = verify(load(SPECS / "tiny95.yaml", settings))
        right = [step for step in found.steps if step.right == found.inputs]
        assert [step.slot for step in right] == [step.slot for step in found.steps if step.seen is not None]
        for step in right:
            assert step.seen is not None
            assert step.margin is not None
            assert 0 < step.margin.proved <= step.seen.lead
        assert found.seen in [step.seen for step in right]
        assert found.seen == min((step.seen for step in right if step.seen is not None), key=lambda one: one.lead)


def test_the_smallest_lead_of_a_known_model() -> None:
    """The logit of the right digit d is d² and that of another one is 2 d e - e², so that the lead is (d - e)²; but for
    the digit 3, whose logit is raised by 1/2, so that 2 leads by 1/2."""
    raised = "  logits digit[d]: 2 * d * z - d ** 2 * y + where(d == 3, y / 2, 0)"
    spec = load_source(Source("few", small(FEW + raised, stream="x y z").replace("digits: 2", "digits: 1")))
    leads, _ = searched(spec)
    assert min(one.lead for one in leads) == pytest.approx(smallest_lead(spec))


@pytest.mark.parametrize("decode", ["argmax", "argmin"])
def test_leads(decode: Decode) -> None:
    sign = 1 if decode == "argmax" else -1
    logits = sign * torch.tensor([[1.0, 3.0, 2.5], [1.0, 3.0, 2.5], [0.0, math.nan, 1.0], [1.0, 1.0, 0.0]])
    right = torch.tensor([1, 0, 0, 1])
    assert leads_of_tokens(logits, right, decode).tolist()[:2] == [0.5, -2.0]
    assert math.isnan(leads_of_tokens(logits, right, decode)[2])
    assert float(leads_of_tokens(logits, right, decode)[3]) == 0.0
    assert leads_of_tokens(logits, right + 3, decode).tolist()[0] == -math.inf
    assert leads_of_tokens(logits[:, :1], right * 0, decode).tolist()[0] == math.inf
