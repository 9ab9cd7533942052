"""Every input tried, one by one: a verdict about one way of running the module."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.judge import Judge
from compiler.pipeline import Spec
from compiler.reference import alone
from compiler.tasks.task import TaskError
from compiler.verifier.results import Counterexample
from compiler.verifier.witness import failure_of

BLOCK = 4_096


@dataclass(frozen=True)
class Tried:
    """`failing` of all `inputs` are answered wrong; `first_wrong`: how many of them in each predicted slot first."""

    inputs: int
    failing: int
    first_wrong: dict[int, int]
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
    inputs, first_wrong, failure = 0, Counter(dict.fromkeys(layout.predicted, 0)), None
    for words in (block for part in parts for block in part.blocks(BLOCK)):
        prompts = layout.prompts(words)
        wrong = _wrong(judge, prompts, layout.answers(words), deadline)
        if wrong is None:
            return None
        inputs += len(prompts)
        first_wrong.update(slot for _, slot in wrong)
        if failure is None and wrong:
            failure = failure_of(spec, judge.reference, task.inputs(words, wrong[0][0]))
        if time.perf_counter() > deadline and inputs < suite.default_size:
            return None
    return Tried(inputs, first_wrong.total(), dict(first_wrong), failure)


def _wrong(
    judge: Judge, prompts: NDArray[np.int32], answers: NDArray[np.int32], deadline: float
) -> list[tuple[int, int]] | None:
    """The rows that are answered wrong, and where first. None where there is no time.

    What the fast engine is sure of is proved. Batches of the plain module are not: it is asked for every sequence.
    """
    if judge.use.name == "fast":
        verdicts = judge.verdicts(prompts, answers)
        return list(zip(verdicts.wrong.tolist(), verdicts.slots.tolist(), strict=True))
    predicted, found = judge.spec.layout.predicted, []
    with alone():
        for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            wrong = judge.reference.first_wrong(prompt, answer, range(len(predicted)))
            if wrong is not None:
                found.append((row, predicted[wrong[0]]))
            if time.perf_counter() > deadline:
                return None
    return found
