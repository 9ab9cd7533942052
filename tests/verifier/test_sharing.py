"""Work that forks share: the same results with any number of them, and none is left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable

import pytest

from compiler.pipeline import load
from compiler.verifier import rounds, sharing
from compiler.verifier.results import Verification
from compiler.verifier.sharing import Watch, do_each
from compiler.verifier.verify import verify
from tests.helpers import SPECS

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="there are no forks here"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),  # of later versions, where threads are around
]


def shared(number: int, work: Callable[[int], object], pieces: int = 5) -> dict[int, object]:
    begun, done = list[int](), dict[int, object]()

    def ends(piece: int, result: object) -> None:
        assert piece in begun
        assert piece not in done
        done[piece] = result

    do_each(number, pieces, work, Watch(begun.append, ends))
    assert not multiprocessing.active_children()
    return done


@pytest.mark.parametrize("number", [1, 2, 7])
def test_each_piece_is_done(number: int) -> None:
    here = os.getpid()
    found = shared(number, lambda piece: (piece * piece, os.getpid() == here))
    assert found == {piece: (piece * piece, number == 1) for piece in range(5)}


def test_results_may_be_large_and_none() -> None:
    assert shared(2, lambda piece: bytes(1 << 20) if piece else None) == {
        piece: bytes(1 << 20) if piece else None for piece in range(5)
    }


@pytest.mark.parametrize("number", [1, 2])
def test_an_exception_of_a_piece_is_raised(number: int) -> None:
    def fails(piece: int) -> int:
        if piece == 2:
            raise ValueError("the third")
        return piece

    with pytest.raises(ValueError, match="the third"):
        shared(number, fails)
    assert not multiprocessing.active_children()


def test_what_an_ended_fork_did_not_send_is_done_here() -> None:
    here = os.getpid()

    def ended(piece: int) -> int:
        if piece == 1 and os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return piece

    begun, done = list[int](), dict[int, int]()
    do_each(2, 5, ended, Watch(begun.append, lambda piece, result: done.update({piece: result})))
    assert done == {piece: piece for piece in range(5)}
    assert begun.count(1) == 2


def test_an_interruption_ends_the_forks() -> None:
    """It is raised where the first result comes in, while another fork is at work."""
    here = os.getpid()

    def interrupts(piece: int) -> int:
        if piece == 0:
            os.kill(here, signal.SIGINT)
        signal.pause()
        return piece

    with pytest.raises(KeyboardInterrupt):
        shared(2, interrupts)
    assert not multiprocessing.active_children()


def without_times(found: Verification) -> object:
    cells = [
        (step.slot, step.right, step.wrong, step.open, step.cells, step.window, step.margin) for step in found.steps
    ]
    return found.verdict, found.failing, found.margin, found.counterexample, found.assumptions, cells


def test_a_verdict_is_the_same_with_any_number(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = load(SPECS / "tiny95.yaml", {"digits": 3, "v_scale": 3})
    monkeypatch.setattr(rounds, "WORTH_FORKS", 0)
    found = []
    for number in (1, 2, 3):
        monkeypatch.setattr(rounds, "forks", lambda pieces, number=number: number)
        found.append(without_times(verify(spec, tried=0, budget=600)))
    assert found[0] == found[1] == found[2]


def test_where_there_are_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "cores", lambda: 2)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: None)
    assert [sharing.forks(pieces) for pieces in (0, 1, 2, 11)] == [1, 1, 2, 2]
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert sharing.forks(11) == 1
