"""Inputs that may fail: from cells that are open, and from the task's own suites."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from compiler.backends.native.engines import batch_size
from compiler.evaluation.evaluator import Evaluator
from compiler.pipeline import Spec
from compiler.tasks.task import Inputs, TaskError, Words
from compiler.verifier.results import Counterexample
from compiler.verifier.sweep import Sweep
from compiler.verifier.witness import Witnesses

FIRST = 500  # inputs of each suite, which are soon judged: what fails often is found by these
OF_CELLS = 300
SEARCHED_PER_SUITE = 10_010  # the whole of a leaderboard's test
BLOCK = 2_000  # inputs that are judged at once, or fewer where they are long


def search(spec: Spec, witnesses: Witnesses, sweeps: Sequence[Sweep], deadline: float) -> list[Counterexample]:
    """The first input that fails, if one is found in time."""
    for inputs in _suspects(spec, witnesses, sweeps, deadline):
        failure = witnesses.fails(inputs)
        if failure is not None:
            return [failure]
        if time.perf_counter() > deadline:
            break
    return []


def _suspects(spec: Spec, witnesses: Witnesses, sweeps: Sequence[Sweep], deadline: float) -> Iterator[Inputs]:
    """Inputs that the module answers wrong: a few of each suite, then those of open cells, then all of the suites."""
    evaluator = Evaluator(spec, batch=batch_size(spec))  # what batches suspect is decided by the module alone
    yield from _of_suites(spec, evaluator, FIRST, deadline)
    for swept in sweeps:
        if swept.open_cells is not None:
            first = swept.open_cells.chosen(np.arange(min(OF_CELLS, len(swept.open_cells))))
            for inputs in witnesses.inputs(first):
                if time.perf_counter() > deadline:
                    return
                if not witnesses.lead(inputs, swept.slot) > 0:
                    yield inputs
    yield from _of_suites(spec, evaluator, SEARCHED_PER_SUITE, deadline)


def _of_suites(spec: Spec, evaluator: Evaluator, inputs: int, deadline: float) -> Iterator[Inputs]:
    """Those that the evaluator says are wrong."""
    for words in _blocks(spec, inputs, min(BLOCK, evaluator.engine.block)):
        if time.perf_counter() > deadline:
            return
        verdicts = evaluator.verdicts(spec.layout.prompts(words), spec.layout.answers(words))
        yield from (spec.resolved.task.inputs(words, int(row)) for row in verdicts.wrong)


def _blocks(spec: Spec, inputs: int, block: int) -> Iterator[Words]:
    """Of so many inputs of each suite; those that are always all run come only where more than a few are wanted, or
    where they are no more than a block."""
    for suite in spec.resolved.task.suites().values():
        if inputs <= FIRST and suite.size(inputs) > BLOCK:
            continue
        try:
            parts = suite.parts(suite.size(inputs), 0)
        except TaskError:
            continue
        for part in parts:
            yield from part.blocks(block)
