"""Why inputs are open: the time, joined cells, an error that grows at a step, rounding, or a network that is refused.

Each kind is made on purpose.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from compiler.backends.elementary.program import NotFollowed
from compiler.pipeline import Spec, load, load_source
from compiler.source.text import Source
from compiler.verifier import rounds, sweep
from compiler.verifier.model import OutOfTime
from compiler.verifier.reasons import Reason, distinct, ended, joined_cells, lost_at, refused, tied, within_rounding
from compiler.verifier.results import Verification
from compiler.verifier.search import Searched
from compiler.verifier.verify import verify
from tests.helpers import SPECS

# Copies a word. The share of symbols 1 is mixed in the first layer, and made `large`; the third mixes it once more from
# one position, so that the two cancel. No bound knows that. With `own`, a factor of 1024 and the token's own symbol
# hide the share in the first layer's result, and the second takes them away.
MIXING = """\
weightspec: 1
name: mixing
dtype: float64
vocabulary: symbol[symbols] =
task:
  copy: {{symbols: {symbols}, length: {length}}}
  prompt: word =
  answer: copied
stream: one here[symbols] is[symbols] share large again
network:
  embedding:
    symbol[s]: {{one: 1, "here[s]": 1, share: {own} * s}}
    =: {{one: 1}}
  attention first:
    heads: all
    head_dim: 1
    score all: where(query_pos < length or key_pos < length, 0, -inf)
    value all: here[1] / {factor}
    output share: all
  ffn second:
    hidden: up
    activation: relu
    up up: {factor} * (share - {own} * here[1])
    down large: up
  attention third:
    heads: back same
    value_dim: symbols
    score back: where(query_pos < length or key_pos == query_pos - length, 0, -inf)
    score same: where(query_pos < length or key_pos == length, 0, -inf)
    value back[s]: here[s]
    value same[0]: large
    output is[s]: back[s]
    output again: same[0]
  head:
    classes: symbols
    logits symbol[s]: is[s] + where(s == 0, 10, 0) * (large - again)
decode: argmax
ignore: [no-claims, vanishing-equation]
"""
# Symbol 1 has the logit of 2 too, so that it wins by its id alone.
EVEN = """\
weightspec: 1
name: even
dtype: float64
vocabulary: symbol[symbols] =
task:
  copy: {symbols: 3, length: 2}
  prompt: word =
  answer: copied
stream: here[symbols] is[symbols]
network:
  embedding:
    symbol[s]: {"here[s]": 1}
  attention:
    heads: back
    value_dim: symbols
    score back: where(query_pos < length or key_pos == query_pos - length, 0, -inf)
    value back[s]: here[s]
    output is[s]: back[s]
  head:
    classes: symbols
    logits symbol[s]: is[s] + where(s == 2, 1, 0) * is[1]
decode: argmax
ignore: no-claims
"""


def mixing(symbols: int = 2, length: int = 3, own: int = 0, factor: int = 1) -> Spec:
    text = MIXING.format(symbols=symbols, length=length, own=own, factor=factor)
    return load_source(Source("mixing", text))


def reasons_of(found: Verification) -> set[tuple[str, str | None]]:
    """Of the tokens, each of which has one if it is open; those of the whole are no others."""
    assert found.verdict == "open"
    assert all((step.reason is None) == (step.open == 0) for step in found.steps)
    reasons: set[tuple[str, str | None]] = {
        (step.reason.kind, step.reason.step) for step in found.steps if step.reason is not None
    }
    assert {(reason.kind, reason.step) for reason in found.reasons} == reasons
    return reasons


@pytest.mark.parametrize(("own", "factor", "step"), [(0, 1, "first.attention"), (1, 1024, "second.ffn")])
def test_the_step_at_which_an_error_grows_is_named(own: int, factor: int, step: str) -> None:
    found = verify(mixing(own=own, factor=factor), tried=0, budget=600)
    assert reasons_of(found) == {("step", step)}
    (reason,) = found.reasons
    assert reason.number is not None
    assert 0.3 < reason.number <= 1
    assert f"grows at {step}" in reason.text
    assert found.ending == "complete"


def test_every_input_of_that_model_is_right() -> None:
    """So that what is open is so by the bounds alone."""
    assert verify(mixing()).verdict == verify(mixing(own=1, factor=1024)).verdict == "proved"


@pytest.mark.long
def test_a_published_model_with_a_block_that_is_run_twice() -> None:
    """Shortened."""
    found = verify(load(SPECS / "gallery" / "Lokimorty_39p.yaml", {"digits": 1}), tried=0, budget=600)
    assert reasons_of(found) == {("step", "block.attention")}


@pytest.mark.long
def test_a_tie_is_rounding() -> None:
    found = verify(load_source(Source("even", EVEN)), tried=0, budget=600)
    assert reasons_of(found) == {("rounding", None)}
    assert all(reason.number is not None and reason.number >= 0 for reason in found.reasons)


def test_joined_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """With more room for cells, the same spec is proved."""
    spec = load(SPECS / "tiny95-exact.yaml", {"digits": 3})
    assert verify(spec, tried=0, budget=600).verdict == "proved"
    monkeypatch.setattr("compiler.verifier.verify.search", lambda *_: Searched(None, 0))
    monkeypatch.setattr(sweep, "MAX_OPEN", 2)
    monkeypatch.setattr(sweep, "MAX_CELLS", 2)
    assert reasons_of(verify(spec, tried=0, budget=600)) == {("joined", None)}


def test_a_network_that_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_followed(*_: Any) -> Any:
        raise NotFollowed("it has too many weights")

    monkeypatch.setattr(rounds, "translate_wanted", not_followed)
    found = verify(mixing(), tried=0)
    assert reasons_of(found) == {("refused", None)}
    assert found.why == ("it has too many weights",)


def test_without_time_it_is_the_time() -> None:
    found = verify(mixing(), tried=0, budget=1e-9)
    assert reasons_of(found) == {("time", None)}
    assert found.why == ("the time ran out",)


def test_time_that_ends_between_two_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that were swept once, and could be swept more finely, are open for the time, not for what is left of
    them."""

    def slow(*arguments: Any) -> None:
        sweep.sweep_cells(*arguments)
        monkeypatch.setattr(time, "perf_counter", lambda: 1e9)

    monkeypatch.setattr(rounds, "sweep_cells", slow)
    found = verify(load_source(Source("even", EVEN)), tried=0, budget=1e6)
    assert any(step.cells for step in found.steps)
    assert reasons_of(found) == {("time", None)}


@pytest.mark.parametrize(("spec", "kind"), [(mixing(), "step"), (load_source(Source("even", EVEN)), "time")])
def test_time_that_ends_before_the_second_arithmetic(monkeypatch: pytest.MonkeyPatch, spec: Spec, kind: str) -> None:
    """It could help against rounding, but not against an error of a step."""
    tails_of = rounds.tails_of

    def only_first(spec: Spec, automaton: Any, wanted: Any, here: bool, stop: Any) -> Any:
        if here:
            raise OutOfTime
        return tails_of(spec, automaton, wanted, here, stop)

    monkeypatch.setattr(rounds, "tails_of", only_first)
    found = verify(spec, tried=0, budget=600)
    assert {kind for kind, _ in reasons_of(found)} == {kind}
    assert found.ending == "budget"


def interrupting(call: int) -> Callable[[str, int, int], None]:
    """A progress that raises `KeyboardInterrupt` the time it is called for the `call`-th time."""
    calls = [0]

    def progress(place: str, done: int, total: int) -> None:
        calls[0] += 1
        if calls[0] == call:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("call", [1, 2, 3, 4, 5, 6])
def test_an_interruption_is_the_reason_for_what_it_leaves_open(call: int) -> None:
    """Also of tokens that were swept before: no tie is said to be there."""
    spec = load(SPECS / "tiny95-exact.yaml", {"digits": 2})
    found = verify(spec, tried=0, progress=interrupting(call))
    if found.verdict == "proved":
        assert call > len(found.steps)
        assert found.ending == "complete"
        return
    assert found.ending == "interrupted"
    assert {step.why_open for step in found.steps if step.open} == {"it was interrupted"} == {*found.why}
    assert sum(step.right + step.wrong + step.open for step in found.steps) == found.inputs * len(found.steps)


@pytest.mark.parametrize("where", ["_confirm", "_look", "find_reasons"])
def test_an_interruption_later_keeps_what_is_known(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    module = "rounds" if where == "find_reasons" else "verify"
    monkeypatch.setattr(f"compiler.verifier.{module}.{where}", interrupted)
    proved = verify(load(SPECS / "tiny95-exact.yaml", {"digits": 2}), tried=0)
    assert proved.verdict == "proved"
    opened = verify(mixing(), tried=0, budget=600)
    assert opened.verdict == "open"
    assert "interrupted" in {proved.ending, opened.ending}
    assert opened.failing == (0, opened.inputs)


REASONS = [
    (ended("budget"), "time", "the time ran out", "time"),
    (ended("interrupted"), "time", "it was interrupted", "time"),
    (joined_cells("10^3"), "joined", "one of 10.3, each", "joined cells"),
    (lost_at("a.ffn", 0.00057, 1.0), "step", "0.057 % of a channel .* 100 % after", "error at a.ffn"),
    (within_rounding(3.2e-5), "rounding", "by 3.2e-05", "rounding"),
    (tied(3, 1000), "rounding", "3 of 1,000 inputs are right by a token's id alone", "rounding"),
    (refused("too large"), "refused", "too large", "not followed"),
]


@pytest.mark.parametrize(("reason", "kind", "said", "short"), REASONS, ids=[said for _, _, said, _ in REASONS])
def test_what_is_said(reason: Reason, kind: str, said: str, short: str) -> None:
    assert (reason.kind, reason.short) == (kind, short)
    assert re.search(said, reason.text)


def test_of_each_kind_and_step_the_worst_is_said_once() -> None:
    reasons = [lost_at("a", 0.0, 0.5), within_rounding(1.0), lost_at("b", 0.0, 0.1), lost_at("a", 0.1, 0.7)]
    assert distinct([*reasons, within_rounding(0.5), ended("budget"), ended("budget")]) == (
        reasons[3],
        reasons[1],
        reasons[2],
        ended("budget"),
    )
