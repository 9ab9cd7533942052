"""Work that forks share: the same results, and no fork is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from compiler.pipeline import load
from compiler.verifier import rounds, sharing
from compiler.verifier import verify as verifying
from compiler.verifier.results import Verification
from compiler.verifier.sharing import Divided, processes, shared_out
from tests.helpers import ROOT, SPECS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a fork with its parent")
PIECES = 7


class Both:
    """Work of which this process and a fork surely do a piece each: with its first, either waits for the other."""

    def __init__(self, of_fork: Callable[[int], int]) -> None:
        self.here, self.of_fork, self.begun, self.told = os.getpid(), of_fork, list[int](), list[int]()
        self.forks, self.this = os.pipe(), os.pipe()
        self.fork = 0

    def do(self, piece: int) -> int:
        if os.getpid() != self.here:
            if not self.fork:
                self.fork = os.getpid()
                os.write(self.forks[1], self.fork.to_bytes(8, "little"))
                os.read(self.this[0], 1)
            return self.of_fork(piece)
        self.begun.append(piece)
        if not self.fork:
            self.fork = int.from_bytes(os.read(self.forks[0], 8), "little")
            os.write(self.this[1], b"!" * PIECES)
        return piece * piece

    @property
    def work(self) -> Divided[int]:
        return Divided(PIECES, self.do, self.told.append)


def fails(piece: int) -> int:
    raise ValueError(piece)


def ended(piece: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return piece


def waits(piece: int) -> int:
    signal.pause()
    return piece


def is_gone(fork: int) -> bool:
    try:
        os.waitpid(fork, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


@pytest.mark.parametrize("number", [2, 3])
def test_each_piece_is_done_once(number: int) -> None:
    both = Both(lambda piece: piece * piece)
    assert sorted(shared_out(both.work, number)) == [(piece, piece * piece) for piece in range(PIECES)]
    assert 0 < len(both.begun) < PIECES
    assert sorted(both.told) == list(range(PIECES))
    assert is_gone(both.fork)


def test_one_process_does_the_pieces_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "MOST_PIECES", 2)
    told: list[int] = []
    assert list(shared_out(Divided(4, str, told.append), 1)) == [(0, "0"), (1, "1"), (2, "2"), (3, "3")]
    assert told == [0, 1, 2, 3]


@pytest.mark.parametrize("of_fork", [fails, ended])
def test_what_a_fork_does_not_hand_over_is_done_here(of_fork: Callable[[int], int]) -> None:
    both = Both(of_fork)
    assert sorted(shared_out(both.work, 2)) == [(piece, piece * piece) for piece in range(PIECES)]
    assert sorted(both.begun) == list(range(PIECES))
    assert is_gone(both.fork)


def test_an_interruption_ends_a_fork() -> None:
    both = Both(waits)
    for piece, _ in (shared := shared_out(both.work, 2)):
        assert both.begun == [piece]
        break
    with pytest.raises(KeyboardInterrupt):
        shared.throw(KeyboardInterrupt())
    assert is_gone(both.fork)


KILLED = """
import os, signal, sys
from compiler.verifier.sharing import Divided, shared_out
told, tell = os.pipe()
here = os.getpid()
def do(piece):
    if os.getpid() != here:
        os.write(tell, b"!")
        signal.pause()
    os.read(told, 1)
    os.kill(here, signal.SIGKILL)
list(shared_out(Divided(2, do, lambda piece: None), 2))
"""


def test_a_fork_ends_where_its_parent_is_killed() -> None:
    """The fork has the output too: that ends with the last of both."""
    killed = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert (killed.returncode, killed.stderr) == (-signal.SIGKILL, b"")


def test_other_threads_keep_the_work_in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "cores", lambda: 3)
    for alone, number in ((True, 3), (False, 1)):
        monkeypatch.setattr(threading, "active_count", lambda alone=alone: 1 if alone else 2)
        assert (processes(8), processes(1)) == (number, 1)


@pytest.mark.parametrize("settings", [{"v_scale": 0.05}, {}])
def test_a_verdict_is_the_same_whoever_shares_the_work(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, object]
) -> None:
    monkeypatch.setattr(rounds, "WORTH_FORKS", 0)
    forked: list[int] = []
    fork = os.fork

    def counted() -> int:
        forked.append(1)
        return fork()

    monkeypatch.setattr(os, "fork", counted)
    found: list[Verification] = []
    for number in (1, 2, 3):
        monkeypatch.setattr(verifying, "processes", lambda threads, number=number: number)
        spec = load(SPECS / "tiny95.yaml", {"digits": 2, **settings})
        found.append(replace(verifying.verify(spec), seconds=0.0))
        assert bool(forked) == (number > 1)
    assert found[0] == found[1] == found[2]
