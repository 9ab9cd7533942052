"""Evaluations of several specs at the same time, each in a process of its own and on one thread."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from compiler.diagnostics import Diagnostic, SpecError, fail
from compiler.evaluation import Evaluation, evaluate
from compiler.pipeline import Spec, load
from compiler.reference import one_thread
from compiler.writing import write_document

WORTH_A_PROCESS = 5000  # inputs that take as long as to start a process, where the plain module decides many
MAX_PROCESSES = 8  # if not asked for more: each needs some hundred megabytes


@dataclass(frozen=True)
class Job:
    """Suites to be run on a spec; `inputs` is how many that will be."""

    spec: Spec
    suites: tuple[str, ...]
    pairs: int | None
    seed: int | None
    inputs: int


@dataclass(frozen=True)
class _Order:
    """A job for another process. A spec is read again there, as what was made of it holds functions."""

    path: Path
    settings: tuple[str, ...]
    document: str
    suites: tuple[str, ...]
    pairs: int | None
    seed: int | None


def evaluate_all(
    jobs: Sequence[Job], processes: int | None = None, done: Callable[[Spec], None] | None = None
) -> list[Evaluation]:
    """The evaluations, in the order of the jobs; `done` is called after each. They do not depend on `processes`.

    By default there is a process for each core, where that is worth it. One process is this one. More than one need a
    main module that can be imported, as multiprocessing does.
    Raises `SpecError`.
    """
    number = min(len(jobs), _worth(jobs) if processes is None else processes)
    if number > 1:
        return _in_processes(jobs, number, done)
    found = []
    for job in jobs:
        with one_thread():
            found.append(evaluate(job.spec, job.suites, pairs=job.pairs, seed=job.seed))
        if done is not None:
            done(job.spec)
    return found


def _worth(jobs: Sequence[Job]) -> int:
    """How many processes are worth it: none that has hardly anything to do."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, MAX_PROCESSES, sum(job.inputs for job in jobs) // WORTH_A_PROCESS))


def _in_processes(jobs: Sequence[Job], number: int, done: Callable[[Spec], None] | None) -> list[Evaluation]:
    context = multiprocessing.get_context("spawn")  # a fork would not have torch's threads
    with ProcessPoolExecutor(number, mp_context=context, initializer=_start) as pool, _children_end():
        futures = [pool.submit(_run, _order(job)) for job in jobs]
        specs: dict[Future[Evaluation | tuple[Diagnostic, ...]], Spec] = dict(
            zip(futures, (job.spec for job in jobs), strict=True)
        )
        try:
            for future in as_completed(futures):
                found = future.result()
                if isinstance(found, tuple):
                    raise SpecError(found)
                if done is not None:
                    done(specs[future])
        except BrokenProcessPool:
            message = "a process that evaluated a model was ended from outside, perhaps for want of memory"
            raise fail("process", message, hint="--jobs 1 needs the least") from None
        results = [future.result() for future in futures]
    return [found for found in results if isinstance(found, Evaluation)]


@contextmanager
def _children_end() -> Iterator[None]:
    """On an error or an interruption, do not wait for what other processes are at."""
    before = multiprocessing.active_children()
    try:
        yield
    except BaseException:
        for child in multiprocessing.active_children():
            if child not in before:
                child.terminate()
        raise


def _order(job: Job) -> _Order:
    spec = job.spec
    document = write_document(spec.resolved.document)
    return _Order(spec.path.absolute(), spec.settings, document, job.suites, job.pairs, job.seed)


def _start() -> None:
    """In each of the processes: one thread, and an interruption is its end."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    torch.set_num_threads(1)


def _run(order: _Order) -> Evaluation | tuple[Diagnostic, ...]:
    """The evaluation, or what was found to be wrong: an exception with values in it would not come through."""
    try:
        spec = load(order.path, order.settings, allow_overflow=True)  # it was checked before, with what was asked for
        if write_document(spec.resolved.document) != order.document:
            raise fail("changed", f"{order.path} was changed while it was evaluated")
        return evaluate(spec, order.suites, pairs=order.pairs, seed=order.seed)
    except SpecError as error:
        return error.diagnostics
