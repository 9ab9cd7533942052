"""Where sweeps and the torch module contradict each other, nothing that the sweeps call wrong is believed."""

from __future__ import annotations

from typing import Any

import pytest

from compiler.pipeline import load, load_source
from compiler.reference import Reference
from compiler.source import Source
from compiler.verifier.verify import verify
from compiler.verifier.witness import Witnesses
from tests.helpers import SPECS, small
from tests.verifier.truth import truth
from tests.verifier.verdicts import check

PAIRS = ((0, 0), (1, 0), (0, 1), (3, 3))
WRONG = {"v_scale": 1e-3, "base": 5, "digits": 2}


@pytest.mark.parametrize("tried", [0, 1000])
def test_wrong_cells_whose_input_does_not_fail_are_open(monkeypatch: pytest.MonkeyPatch, tried: int) -> None:
    """The module is made to say that it never fails, as far as it is asked about single inputs."""
    spec = load(SPECS / "tiny95.yaml", WRONG)
    so, real = truth(spec), verify(spec, tried=0)
    assert any(step.wrong for step in real.steps)

    def never(*_: Any) -> None:
        return None

    monkeypatch.setattr(Witnesses, "fails", never)
    found = verify(spec, tried=tried)
    check("made to disagree", spec, found, so)
    assert found.verdict == ("refuted" if tried else "open")
    assert found.failing[0] == (so.failing if tried else 0)
    for step, before in zip(found.steps, real.steps, strict=True):
        assert (step.right, step.wrong, step.open) == (before.right, 0, before.wrong + before.open)
    if not tried:
        assert any("disagree" in reason for reason in found.why)


def test_the_lead_of_the_smallest_logit_where_that_is_said() -> None:
    """The logit of 0 is 0, that of another digit d is d: 0 is said."""
    text = small("embedding:\n  digit[d]: {x: 1}\n  =: {x: 1}\nhead:\n  classes: 4\n  logits digit[d]: d * x\n")
    spec = load_source(Source("smallest", text.replace("argmax", "argmin")))
    automaton = spec.resolved.task.automaton()
    assert automaton is not None
    witnesses, slot = Witnesses(spec, automaton, Reference(spec)), spec.layout.predicted[-1]
    found = {
        spec.layout.answer_tokens(spec.resolved.task.solve(pair))[slot]: witnesses.lead(pair, slot) for pair in PAIRS
    }
    assert found[0] == 1
    assert found[1] == -1
