"""Inputs that may fail: from cells that are open, and from the task's own hard suites."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import islice

from compiler.pipeline import Spec
from compiler.tasks.task import Inputs, TaskError
from compiler.verifier.results import Counterexample
from compiler.verifier.sweep import Sweep
from compiler.verifier.witness import Witnesses

MAX_OF_CELLS = 200
MAX_OF_SUITE = 300


def search(spec: Spec, witnesses: Witnesses, sweeps: Sequence[Sweep], deadline: float) -> list[Counterexample]:
    """The first input that fails, if one is found in time."""
    for inputs in _candidates(spec, witnesses, sweeps):
        if time.perf_counter() > deadline:
            break
        failure = witnesses.fails(inputs)
        if failure is not None:
            return [failure]
    return []


def _candidates(spec: Spec, witnesses: Witnesses, sweeps: Sequence[Sweep]) -> Iterator[Inputs]:
    for found in sweeps:
        if found.open_cells is not None:
            yield from islice(witnesses.inputs(found.open_cells), MAX_OF_CELLS)
    for suite in spec.resolved.task.suites().values():
        try:
            parts = suite.parts(suite.size(MAX_OF_SUITE), 0)
        except TaskError:
            continue
        for part in parts:
            yield from islice(part.generate(), MAX_OF_SUITE)
