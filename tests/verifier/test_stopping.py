"""A sweep that is stopped at any moment has said nothing that is not so, and everything is counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from compiler.pipeline import Spec, load
from compiler.verifier import sweep as sweeping
from compiler.verifier.cells import Cells, joined
from compiler.verifier.forms import Array
from compiler.verifier.model import OutOfTime
from compiler.verifier.rounds import tails_of
from compiler.verifier.sweep import Sweep, sweep_cells
from tests.helpers import SPECS
from tests.verifier.truth import truth
from tests.verifier.worlds import OWN

WRONG = {"v_scale": 1e-3, "base": 5, "digits": 2}


def stopped_after(calls: int) -> Callable[[], bool]:
    left = [calls]

    def stop() -> bool:
        left[0] -= 1
        return left[0] < 0

    return stop


def sweeps(spec: Spec, calls: int) -> list[Sweep]:
    """Of each token, one that is stopped when it asks for the time once more."""
    found: list[Sweep] = []
    automaton = spec.resolved.task.automaton()
    assert automaton is not None
    with torch.inference_mode():
        for tail in tails_of(spec, automaton, spec.layout.predicted, False, lambda: False):
            found.append(Sweep(tail.slot))
            sweep_cells(found[-1], tail, [], stopped_after(calls))
    return found


@pytest.mark.parametrize("calls", [0, 1, 2, 5, 50])
@pytest.mark.parametrize("name", ["wrong", "right"])
def test_stopped_sweeps(monkeypatch: pytest.MonkeyPatch, calls: int, name: str) -> None:
    monkeypatch.setattr(sweeping, "COMPUTED", 4)
    monkeypatch.setattr(sweeping, "BLOCK", 32)
    path, settings = (SPECS / "tiny95.yaml", WRONG) if name == "wrong" else (OWN / "running.yaml", {"base": 4})
    spec = load(path, settings)
    so = truth(spec)
    assert bool(so.failing) == (name == "wrong")
    open_inputs = 0
    for found, wrong in zip(sweeps(spec, calls), so.steps, strict=True):
        assert found.right + found.wrong + found.open == so.inputs
        assert found.wrong <= wrong <= found.wrong + found.open
        open_inputs += found.open
    assert open_inputs > 0 or calls > 1


def test_cells_are_not_all_made_where_time_is_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time that a sweep asks is between two parts of the cells that it makes, here of one cell each."""
    made: list[int] = []

    def counted(low: Cells, high: Cells, grids: Array) -> Cells:
        made.append(len(low) * len(high))
        return joined(low, high, grids)

    monkeypatch.setattr(sweeping, "BLOCK", 1)
    monkeypatch.setattr(sweeping, "joined", counted)
    found = sweeps(load(OWN / "running.yaml", {"base": 4}), 1)
    assert 0 < len(made) <= len(found)
    assert all(one.late for one in found if one.open)
    assert any(one.open for one in found)


def test_no_more_tails_are_made_where_time_is_out() -> None:
    spec = load(OWN / "running.yaml", {"base": 4})
    automaton = spec.resolved.task.automaton()
    assert automaton is not None
    with torch.inference_mode():
        assert (
            len(list(tails_of(spec, automaton, spec.layout.predicted, False, lambda: False)))
            == len(spec.layout.predicted)
            > 1
        )
        with pytest.raises(OutOfTime):
            list(tails_of(spec, automaton, spec.layout.predicted, False, lambda: True))
