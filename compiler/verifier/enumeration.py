"""Every input tried, one by one: a verdict about one way of running the module."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.engines import UNSURE
from compiler.judge import Judge
from compiler.pipeline import Spec
from compiler.reference import alone
from compiler.tasks.task import TaskError
from compiler.verifier.results import Counterexample
from compiler.verifier.witness import failure_of

BLOCK = 4_096


@dataclass(frozen=True)
class Tried:
    """`failing` of all `inputs` are answered wrong; `tied` are right, but in a tie of two logits that its token wins by
    its id alone. `first_wrong` and `first_tied`: how many of them in each predicted slot first."""

    inputs: int
    failing: int
    tied: int
    first_wrong: dict[int, int]
    first_tied: dict[int, int]
    failure: Counterexample | None


def try_all(spec: Spec, most: int, deadline: float) -> Tried | None:
    """None where there are more inputs than `most`, or there is no time."""
    task, layout = spec.resolved.task, spec.layout
    try:
        suite = task.suites()["exhaustive"]
        parts = suite.parts(suite.default_size, 0) if suite.default_size <= most else ()
    except TaskError:
        return None
    if not parts:
        return None
    judge = Judge(spec)
    inputs, failure = 0, None
    first_wrong, first_tied = Counter(dict.fromkeys(layout.predicted, 0)), Counter(dict.fromkeys(layout.predicted, 0))
    for words in (block for part in parts for block in part.blocks(BLOCK)):
        prompts = layout.prompts(words)
        found = _tried(judge, prompts, layout.answers(words), deadline)
        if found is None:
            return None
        wrong, tied = found
        inputs += len(prompts)
        first_wrong.update(wrong.values())
        first_tied.update(tied.values())
        if failure is None and wrong:
            failure = failure_of(spec, judge.reference, task.inputs(words, next(iter(wrong))))
        if time.perf_counter() > deadline and inputs < suite.default_size:
            return None
    return Tried(inputs, first_wrong.total(), first_tied.total(), dict(first_wrong), dict(first_tied), failure)


def _tried(
    judge: Judge, prompts: NDArray[np.int32], answers: NDArray[np.int32], deadline: float
) -> tuple[dict[int, int], dict[int, int]] | None:
    """The rows that are answered wrong, and where first; and of the others those with a tie, and where first. None
    where there is no time.

    What the fast engine is sure of is proved, with a lead. Batches of the plain module are not: it is asked for every
    sequence.
    """
    every = range(len(judge.spec.layout.predicted))
    wrong: dict[int, int] = {}
    tied: dict[int, int] = {}
    unsure = np.ones((len(prompts), len(every)), bool)
    if judge.use.name == "fast":
        verdicts = judge.verdicts(prompts, answers)
        wrong |= zip(verdicts.wrong.tolist(), verdicts.slots.tolist(), strict=True)
        unsure = judge.engine.said(prompts, answers) == UNSURE
    with alone():
        for row in np.flatnonzero(unsure.any(1) & ~np.isin(np.arange(len(prompts)), list(wrong))).tolist():
            for k, token, margin in judge.reference.says(
                prompts[row], answers[row], np.flatnonzero(unsure[row]).tolist()
            ):
                slot = judge.spec.layout.predicted[k]
                if token != answers[row, slot]:
                    wrong[row] = slot
                    tied.pop(row, None)
                    break
                if margin == 0:
                    tied.setdefault(row, slot)
            if time.perf_counter() > deadline:
                return None
    return wrong, tied
