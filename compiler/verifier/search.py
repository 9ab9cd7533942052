"""Inputs that may fail: from cells that are open, and from the task's own suites."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from compiler.backends.native.engines import batch_size
from compiler.backends.torch.reference import Reference
from compiler.evaluation.evaluator import Evaluator
from compiler.pipeline import Spec
from compiler.tasks import suites
from compiler.tasks.task import Inputs, TaskError, Words
from compiler.verifier.results import Counterexample
from compiler.verifier.witness import failure_of

FIRST = 500  # inputs of each suite, which are soon judged: what fails often is found by these
SEARCHED_PER_SUITE = 10_010  # the whole of a leaderboard's test
BLOCK = 2_000  # inputs that are judged at once, or fewer where they are long


@dataclass
class Searched:
    """The first input that failed, if one was found; `looked_at`: of the suites, so many inputs."""

    failure: Counterexample | None
    looked_at: int


def search(spec: Spec, reference: Reference, deadline: float, of_cells: Iterable[Inputs] = ()) -> Searched:
    """The first input that fails, if one is found in time. Those `of_cells` come after the first ones of each suite."""
    searched = Searched(None, 0)
    for inputs in _suspects(spec, searched, of_cells, deadline):
        searched.failure = failure_of(spec, reference, inputs)
        if searched.failure is not None or time.perf_counter() > deadline:
            break
    return searched


def _suspects(spec: Spec, searched: Searched, of_cells: Iterable[Inputs], deadline: float) -> Iterator[Inputs]:
    """Inputs that the module answers wrong: a few of each suite, then those of cells, then all of the suites."""
    evaluator = Evaluator(spec, batch=batch_size(spec))  # what batches suspect is decided by the module alone
    yield from _of_suites(spec, evaluator, searched, FIRST, deadline)
    yield from of_cells
    yield from _of_suites(spec, evaluator, searched, SEARCHED_PER_SUITE, deadline)


def _of_suites(spec: Spec, evaluator: Evaluator, searched: Searched, inputs: int, deadline: float) -> Iterator[Inputs]:
    """Those that the evaluator says are wrong."""
    for words in _blocks(spec, inputs, min(BLOCK, evaluator.engine.block)):
        if time.perf_counter() > deadline:
            return
        verdicts = evaluator.verdicts(spec.layout.prompts(words), spec.layout.answers(words))
        searched.looked_at += len(verdicts.right)
        yield from (spec.resolved.task.inputs(words, int(row)) for row in verdicts.wrong)


def _blocks(spec: Spec, inputs: int, block: int) -> Iterator[Words]:
    """Of so many inputs of each suite; those that are always all run come only where more than a few are wanted, or
    where they are no more than a block."""
    for suite in suites.looked_at(spec.resolved.task):
        if inputs <= FIRST and suite.size(inputs) > BLOCK:
            continue
        try:
            parts = suite.parts(suite.size(inputs), 0)
        except TaskError:
            continue
        try:
            for part in parts:
                yield from part.blocks(block)
        except TaskError:  # `only` allows too few to draw any
            continue
