"""Where the engine and the torch module contradict each other there is an alarm, and no verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

import pytest
from click.testing import CliRunner

import cli
from compiler.backends.torch.reference import Reference
from compiler.pipeline import Spec, load, load_source
from compiler.source.faults import ToolFault
from compiler.source.text import Source
from compiler.verifier import head, rounds, sweep
from compiler.verifier import verify as verifying
from compiler.verifier.enumeration import Tried, try_all
from compiler.verifier.head import Leads
from compiler.verifier.results import Lead
from compiler.verifier.search import Searched
from compiler.verifier.verify import verify
from compiler.verifier.witness import Witnesses
from tests.helpers import SPECS, small
from tests.verifier.test_reasons import mixing

PAIRS = ((0, 0), (1, 0), (0, 1), (3, 3))
WRONG = {"v_scale": 1e-3, "base": 5, "digits": 2}
RIGHT = {"base": 5, "digits": 2}


def spec(settings: dict[str, Any]) -> Spec:
    return load(SPECS / "tiny95.yaml", settings)


def unsound(monkeypatch: pytest.MonkeyPatch, change: Callable[[Leads], Leads]) -> None:
    """The engine's last step is made to claim something else."""

    def changed(*arguments: Any) -> Leads:
        return change(head.leads(*arguments))

    monkeypatch.setattr(sweep, "leads", changed)


def without_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "MOST_PROBED", 0)


def test_no_alarm_without_a_contradiction() -> None:
    assert verify(spec(RIGHT)).verdict == "proved"
    assert verify(spec(WRONG)).verdict == "refuted"


def test_a_lead_below_what_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The witness of the lowest cell is asked, also without a search."""
    unsound(monkeypatch, lambda found: replace(found, lowest=2 * found.lowest))
    without_probes(monkeypatch)
    monkeypatch.setattr(verifying, "closest", lambda *_: ([], 0))
    with pytest.raises(
        ToolFault, match=r"finds sum\[\d\].* right on \d+ \+ \d+, by a lead of .* the torch module's lead"
    ):
        verify(spec(RIGHT))


def test_inputs_that_are_called_right_and_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """No lead of a PROVED model is below 0."""
    unsound(monkeypatch, lambda found: replace(found, lowest=abs(found.lowest), behind=found.behind & False))
    without_probes(monkeypatch)
    with pytest.raises(ToolFault, match=r"the torch module's lead of the right token is -"):
        verify(spec(WRONG))


def test_the_search_finds_what_the_witnesses_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    unsound(monkeypatch, lambda found: replace(found, lowest=2 * found.lowest))
    without_probes(monkeypatch)
    monkeypatch.setattr(verifying, "lead_of", lambda _, inputs, slot: Lead(inf, slot, inputs, "a witness"))
    with pytest.raises(ToolFault, match=r"right on \d+ \+ \d+, by a lead of"):
        verify(spec(RIGHT))


def test_the_bound_on_a_single_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few inputs are followed by themselves, so that an engine that proves nothing is compared too."""
    unsound(monkeypatch, lambda found: replace(found, lowest=found.lowest + 1e18))
    with pytest.raises(ToolFault, match="followed by itself"):
        verify(spec(RIGHT))


def test_inputs_that_are_called_both_right_and_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    unsound(monkeypatch, lambda found: replace(found, lowest=-found.lowest))
    without_probes(monkeypatch)
    with pytest.raises(ToolFault, match=r"right on .* inputs, wrong on .* all inputs are 625"):
        verify(spec(WRONG))


def test_an_input_that_is_called_wrong_and_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Witnesses, "fails", lambda *_: None)
    with pytest.raises(ToolFault, match=r"wrong on .* inputs, one of them .* the whole answer is right"):
        verify(spec(WRONG))


def test_a_module_that_says_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of its logits have the other sign."""
    logits = Reference.logits
    monkeypatch.setattr(Reference, "logits", lambda *arguments: -logits(*arguments))
    with pytest.raises(ToolFault):
        verify(spec(RIGHT))


@pytest.mark.parametrize("wrong", [1, 0])
def test_trying_every_input_has_to_agree(monkeypatch: pytest.MonkeyPatch, wrong: int) -> None:
    """Of tokens that sweeps decide; here the last one is left open, so that inputs are tried."""
    chosen = spec(RIGHT if wrong else WRONG)

    def tried(*arguments: Any, **options: Any) -> Tried | None:
        found = try_all(*arguments, **options)
        assert found is not None
        first = dict.fromkeys(found.first_wrong, 0) | {chosen.layout.predicted[0]: wrong}
        return replace(found, failing=wrong, first_wrong=first, failure=None)

    def leave_open(asked: Any) -> None:
        last = asked.state.slots[chosen.layout.predicted[-1]]
        last.right, last.open = 0, last.right

    monkeypatch.setattr(verifying, "try_all", tried)
    monkeypatch.setattr(verifying, "_confirm", leave_open)
    with pytest.raises(ToolFault, match="of 625 inputs"):
        verify(chosen)


def test_a_counterexample_to_what_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for one is made to find the failure of another model."""
    other = verify(spec(WRONG)).counterexample
    assert other is not None
    chosen = mixing()
    found = replace(other, slot=chosen.layout.predicted[0])

    def decided(asked: Any) -> None:
        first = asked.state.slots[found.slot]
        first.right, first.open = first.open, 0

    monkeypatch.setattr(verifying, "_confirm", decided)
    monkeypatch.setattr(verifying, "search", lambda *_: Searched(found, 1))
    with pytest.raises(ToolFault, match=r"right on every input; on .* the torch module says"):
        verify(chosen, tried=0)


def test_it_is_a_fault_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a verdict nor a wrong spec: the exit code is 4, and it is said what to send."""
    unsound(monkeypatch, lambda found: replace(found, lowest=found.lowest + 1e18))
    arguments = ("verify", str(SPECS / "tiny95.yaml"), "--set", "base=5", "--set", "digits=2")
    result = CliRunner().invoke(cli.main, arguments)
    assert (result.exit_code, result.stdout) == (4, "")
    assert "fault of weightspec: verify finds sum[" in result.stderr
    assert "Please report it" in result.stderr


def test_the_lead_of_the_smallest_logit_where_that_is_said() -> None:
    """The logit of 0 is 0, that of another digit d is d: 0 is said."""
    text = small("embedding:\n  digit[d]: {x: 1}\n  =: {x: 1}\nhead:\n  classes: 4\n  logits digit[d]: d * x\n")
    smallest = load_source(Source("smallest", text.replace("argmax", "argmin")))
    automaton = smallest.resolved.task.automaton()
    assert automaton is not None
    witnesses, slot = Witnesses(smallest, automaton, Reference(smallest)), smallest.layout.predicted[-1]
    found = {
        smallest.layout.answer_tokens(smallest.resolved.task.solve(pair))[slot]: witnesses.lead(pair, slot)
        for pair in PAIRS
    }
    assert found[0] == 1
    assert found[1] == -1
