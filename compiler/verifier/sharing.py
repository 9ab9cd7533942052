"""Pieces of work that do not depend on each other, shared with forks of this process.

A fork has all that the work reads, without a copy of it; only results are sent. It cannot outlive this process, which
ends it on an error or an interruption: the kernel does so where this process is killed.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Generic, TypeVar

from compiler.evaluation.workers import cores, held_back

Result = TypeVar("Result")
MOST_PROCESSES = 8
MOST_PIECES = 1 << 10  # that forks are asked for: so many numbers lie in a pipe until they are read
PARENT_DEATH_SIGNAL = 1  # of prctl(2)


def processes(threads: int) -> int:
    """How many may share work where so many threads are this one's to use: a fork of a process with other threads may
    find their locks taken, and only Linux ends it with its parent."""
    alone = sys.platform == "linux" and threading.active_count() == 1
    return min(threads, cores(), MOST_PROCESSES) if alone else 1


@dataclass(frozen=True)
class Divided(Generic[Result]):
    """Work in so many `pieces`, by their numbers, each of which has a result. This process is told of each of them:
    when it begins here, or when a fork hands it over."""

    pieces: int
    do: Callable[[int], Result]
    tell: Callable[[int], None]

    def here(self, piece: int) -> tuple[int, Result]:
        self.tell(piece)
        return piece, self.do(piece)


def shared_out(work: Divided[Result], number: int) -> Generator[tuple[int, Result]]:
    """Each piece and its result, in any order, by so many processes. What a fork does not hand over, as where it failed
    or was ended for want of memory, is done here."""
    left, forks = set(range(work.pieces)), list[_Fork[Result]]()
    queue = _queue(min(work.pieces, MOST_PIECES))
    try:
        with held_back():
            forks.extend(_fork(work, queue) for _ in range(1, min(number, work.pieces)))
        for piece in iter(lambda: _taken(queue), None):
            left.discard(piece)
            yield work.here(piece)
        for fork in forks:
            for piece, result in fork.handed_over():
                left.discard(piece)
                work.tell(piece)
                yield piece, result
        for piece in sorted(left):
            yield work.here(piece)
    finally:
        for fork in forks:
            fork.end()
        os.close(queue)


def _queue(pieces: int) -> int:
    """A pipe that the numbers of all pieces can be read from, by any process."""
    queue, put = os.pipe()
    os.write(put, b"".join(piece.to_bytes(2, "little") for piece in range(pieces)))
    os.close(put)
    return queue


def _taken(queue: int) -> int | None:
    """The next piece that nobody has; None where there is none. Reading a number from a pipe is atomic."""
    number = os.read(queue, 2)
    return int.from_bytes(number, "little") if number else None


@dataclass(frozen=True)
class _Fork(Generic[Result]):
    process: int
    results: BinaryIO

    def handed_over(self) -> Iterator[tuple[int, Result]]:
        while True:
            try:
                yield pickle.load(self.results)
            except (EOFError, OSError, pickle.UnpicklingError):
                return

    def end(self) -> None:
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        self.results.close()


def _fork(work: Divided[Result], queue: int) -> _Fork[Result]:
    parent = os.getpid()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch's own threads, which a fork does without
        process = os.fork()
    if process == 0:
        try:  # interruptions are held back here: they are for the parent
            ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
            os.close(reading)
            if os.getppid() == parent:
                _hand_over(work, queue, writing)
        finally:
            os._exit(0)
    os.close(writing)
    return _Fork(process, os.fdopen(reading, "rb"))


def _hand_over(work: Divided[Result], queue: int, writing: int) -> None:
    """All results at the end: the parent has no time for them before."""
    done: list[tuple[int, Result]] = []
    try:
        done.extend((piece, work.do(piece)) for piece in iter(lambda: _taken(queue), None))
    finally:
        with os.fdopen(writing, "wb") as results:
            for each in done:
                pickle.dump(each, results, pickle.HIGHEST_PROTOCOL)
