"""Every input tried, one by one: a verdict about one way of running the module."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from compiler.backends.native.engines import UNSURE
from compiler.backends.torch.reference import alone
from compiler.evaluation.evaluator import Evaluator
from compiler.evaluation.self_check import decoded_otherwise
from compiler.pipeline import Spec
from compiler.tasks.task import TaskError
from compiler.verifier.reasons import Ending
from compiler.verifier.results import Counterexample
from compiler.verifier.witness import failure_of

BLOCK = 4_096


@dataclass(frozen=True)
class Tried:
    """`failing` of all `inputs` are answered wrong; `tied` are right, but in a tie of two logits that its token wins by
    its id alone; `untried` were not reached, and `ending` says why. `first_wrong` and `first_tied`: how many of them in
    each predicted slot first."""

    inputs: int
    failing: int
    tied: int
    untried: int
    first_wrong: dict[int, int]
    first_tied: dict[int, int]
    failure: Counterexample | None
    ending: Ending


@dataclass(frozen=True)
class _Block:
    """`tried` inputs; the rows that are answered wrong, and where first; and of the others those with a tie."""

    tried: int
    wrong: dict[int, int]
    tied: dict[int, int]
    failure: Counterexample | None
    ending: Ending


def try_all(spec: Spec, most: int, deadline: float) -> Tried | None:
    """None where there are more inputs than `most`. After the deadline, or a `KeyboardInterrupt`, what is known."""
    task, layout = spec.resolved.task, spec.layout
    try:
        suite = task.suites()["cases" if task.cases else "exhaustive"]
        parts = suite.parts(suite.default_size, 0) if suite.default_size <= most else ()
    except TaskError:
        return None
    if not parts:
        return None
    evaluator = Evaluator(spec)
    blocks: list[_Block] = []  # each is counted whole or not at all
    ending: Ending = "complete"
    try:
        size = min(BLOCK, evaluator.engine.block)
        for words in (block for part in parts for block in part.blocks(size)):
            if time.perf_counter() > deadline:
                ending = "budget"
                break
            tried = _tried(evaluator, layout.prompts(words), layout.answers(words), deadline)
            if tried.wrong and all(block.failure is None for block in blocks):
                inputs = task.inputs(words, min(tried.wrong))
                failure = failure_of(spec, evaluator.reference, inputs)
                if failure is None:
                    raise decoded_otherwise(spec, evaluator.engine.name, inputs)
                tried = replace(tried, failure=failure)
            blocks.append(tried)
            if tried.ending != "complete":
                ending = tried.ending
                break
    except KeyboardInterrupt:
        ending = "interrupted"
    first_wrong, first_tied = Counter(dict.fromkeys(layout.predicted, 0)), Counter(dict.fromkeys(layout.predicted, 0))
    for block in blocks:
        first_wrong.update(block.wrong.values())
        first_tied.update(block.tied.values())
    return Tried(
        suite.default_size,
        first_wrong.total(),
        first_tied.total(),
        suite.default_size - sum(block.tried for block in blocks),
        dict(first_wrong),
        dict(first_tied),
        next((block.failure for block in blocks if block.failure is not None), None),
        ending,
    )


def _tried(evaluator: Evaluator, prompts: NDArray[np.int32], answers: NDArray[np.int32], deadline: float) -> _Block:
    """What became of these, as far as there was time. What the engine is sure of is proved, with a lead."""
    predicted = evaluator.spec.layout.predicted
    expected = answers[:, predicted]
    tokens = evaluator.said(prompts, answers)
    surely_wrong = (tokens != UNSURE) & (tokens != expected)
    first = np.where(surely_wrong.any(1), surely_wrong.argmax(1), len(predicted))
    unsure = (tokens == UNSURE) & (np.arange(len(predicted)) < first[:, None])
    rows = np.flatnonzero(unsure.any(1)).tolist()
    wrong = {row: predicted[first[row]] for row in np.flatnonzero(surely_wrong.any(1) & ~unsure.any(1)).tolist()}
    tied: dict[int, int] = {}
    asked: dict[int, tuple[int, int]] = {}
    ending: Ending = "complete"
    try:
        with alone():
            for row in rows:
                if asked and time.perf_counter() > deadline:
                    ending = "budget"
                    break
                asked[row] = _asked(evaluator, prompts[row], answers[row], np.flatnonzero(unsure[row]).tolist())
    except KeyboardInterrupt:
        ending = "interrupted"
    for row, (failed, even) in asked.items():
        if min(failed, first[row]) < len(predicted):
            wrong[row] = predicted[min(failed, first[row])]
        elif even < len(predicted):
            tied[row] = predicted[even]
    return _Block(len(prompts) - len(rows) + len(asked), wrong, tied, None, ending)


def _asked(
    evaluator: Evaluator, prompt: NDArray[np.int32], answer: NDArray[np.int32], places: list[int]
) -> tuple[int, int]:
    """The first of these places of `layout.predicted` where the module says something wrong to one input, and the first
    where it is right in a tie; their number where there is none."""
    predicted = evaluator.spec.layout.predicted
    even = len(predicted)
    for k, token, margin in evaluator.reference.says(prompt, answer, places):
        if token != answer[predicted[k]]:
            return k, even
        if margin == 0:
            even = min(even, k)
    return len(predicted), even
