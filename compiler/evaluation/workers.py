"""Processes that compute for this one, each on one thread of torch; an interruption ends them all."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import torch


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def worker_pool(number: int) -> Iterator[ProcessPoolExecutor]:
    """So many processes, each of which imports the main module. What is submitted to them has to be `held_back`.

    On an error or an interruption they are ended, and not waited for.
    """
    context = multiprocessing.get_context("spawn")  # a fork would not have torch's threads
    with ProcessPoolExecutor(number, mp_context=context, initializer=_start) as pool, _children_end():
        yield pool


@contextmanager
def held_back() -> Iterator[None]:
    """Hold back interruptions, here and in the processes that are started, which get them after `_start` only."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _children_end() -> Iterator[None]:
    """On an error or an interruption, end the other processes instead of waiting for them."""
    before = multiprocessing.active_children()
    try:
        yield
    except BaseException:
        for child in multiprocessing.active_children():
            if child not in before:
                child.terminate()
        raise


def _start() -> None:
    """Set up a process: it has one thread, and an interruption ends it."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    torch.set_num_threads(1)
