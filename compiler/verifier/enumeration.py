"""Every input tried, one by one: a verdict about one way of running the module."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from compiler.judge import Judge
from compiler.pipeline import Spec
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
        verdicts = judge.verdicts(layout.prompts(words), layout.answers(words))
        inputs += len(verdicts.right)
        first_wrong.update(verdicts.slots.tolist())
        if failure is None and len(verdicts.wrong):
            failure = failure_of(spec, judge.reference, task.inputs(words, int(verdicts.wrong[0])))
        if time.perf_counter() > deadline and inputs < suite.default_size:
            return None
    return Tried(inputs, first_wrong.total(), dict(first_wrong), failure)
