"""Pieces of work that do not depend on each other, done by forks of this process at the same time where that can be.

A fork has all that the work reads, without a copy of it; only results are sent. It is left out where a fork could find
locks that another thread holds, in processes that are themselves one of several, and where the system is not Linux.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkContext, ForkProcess
from typing import Any, Generic, TypeVar

from compiler.evaluation.workers import cores, held_back
from compiler.source.faults import no_rule

T = TypeVar("T")
MAX_FORKS = 8


def forks(pieces: int) -> int:
    """How many forks so many pieces are shared by; 1: they are done by this process, one after the other."""
    alone = threading.active_count() == 1 and multiprocessing.parent_process() is None
    return max(1, min(pieces, cores(), MAX_FORKS)) if alone and sys.platform == "linux" else 1


@dataclass(frozen=True)
class Watch(Generic[T]):
    """What is called in this process when a piece is begun, and with its result."""

    begins: Callable[[int], None]
    ends: Callable[[int, T], None]


def do_each(number: int, pieces: int, work: Callable[[int], T], watch: Watch[T]) -> None:
    """Do all pieces, with this `number` of forks, or without any. An exception of a piece is raised here.

    On an error or an interruption the forks are ended.
    """
    left = set(range(pieces))
    if number > 1:

        def ends(piece: int, result: T) -> None:
            left.discard(piece)
            watch.ends(piece, result)

        _in_forks(number, pieces, work, Watch(watch.begins, ends))
    for piece in sorted(left):  # also where a fork was ended from outside, perhaps for want of memory
        watch.begins(piece)
        watch.ends(piece, work(piece))


def _in_forks(number: int, pieces: int, work: Callable[[int], T], watch: Watch[T]) -> None:
    context = multiprocessing.get_context("fork")
    turn = context.Value("i", 0)
    started = list[tuple[ForkProcess, Connection]]()
    try:
        with held_back():
            started.extend(_start(context, turn, pieces, work) for _ in range(number))
        _receive([connection for _, connection in started], watch)
    finally:
        for process, connection in started:
            process.terminate()
            connection.close()
        for process, _ in started:
            process.join()


def _start(context: ForkContext, turn: Any, pieces: int, work: Callable[[int], T]) -> tuple[ForkProcess, Connection]:
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(turn, pieces, work, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _work(turn: Any, pieces: int, work: Callable[[int], T], results: Connection) -> None:
    """In a fork: take the next piece until there is none."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    while True:
        with turn.get_lock():
            piece, turn.value = turn.value, turn.value + 1
        if piece >= pieces:
            return
        results.send(("begins", piece, None))
        try:
            results.send(("ends", piece, work(piece)))
        except Exception as error:
            results.send(("failed", piece, error))


def _receive(connections: Sequence[Connection], watch: Watch[T]) -> None:
    """Until all forks have ended."""
    left = list(connections)
    while left:
        for connection in wait(left):
            assert isinstance(connection, Connection)
            try:
                what, piece, result = connection.recv()
            except (EOFError, OSError):
                left.remove(connection)
                continue
            match what:
                case "begins":
                    watch.begins(piece)
                case "ends":
                    watch.ends(piece, result)
                case "failed":
                    raise result
                case _:
                    raise no_rule("message of a fork", what)
