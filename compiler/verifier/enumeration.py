"""Every input tried, one by one: a verdict about one way of running the module."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from compiler.backends.native.engines import UNSURE
from compiler.backends.torch.reference import alone
from compiler.evaluation.evaluator import Evaluator
from compiler.evaluation.self_check import decoded_otherwise
from compiler.pipeline import Spec
from compiler.source.faults import ToolFault
from compiler.tasks import suites
from compiler.tasks.stated import Task
from compiler.tasks.task import TaskError, Words
from compiler.verifier.reasons import Ending
from compiler.verifier.results import Counterexample
from compiler.verifier.witness import failure_of

BLOCK = 4_096
AT_ONCE = 1 << 16  # combinations of which it is found out what `only` excludes
MAX_LOOKED_AT = 10  # times as many combinations as inputs may be tried are looked at, where `only` excludes most
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Tried:
    """`failing` of all `inputs` are answered wrong; `tied` are right, but in a tie of two logits that its token wins by
    its id alone; `untried` were not reached, and `ending` says why. `first_wrong` and `first_tied`: how many of them in
    each predicted slot first. `exact`: whether there are so many inputs, and not fewer, as `only` may exclude some of
    the untried ones."""

    inputs: int
    failing: int
    tied: int
    untried: int
    first_wrong: dict[int, int]
    first_tied: dict[int, int]
    failure: Counterexample | None
    ending: Ending
    exact: bool = True

    @property
    def decided(self) -> int:
        return self.inputs - self.tied - self.untried


@dataclass(frozen=True)
class _Block:
    """`tried` inputs; the rows that are answered wrong, and where first; and of the others those with a tie."""

    tried: int
    wrong: dict[int, int]
    tied: dict[int, int]
    failure: Counterexample | None
    ending: Ending


def try_all(
    spec: Spec, most: int, deadline: float, *, inputs: int | None = None, progress: Progress | None = None
) -> Tried | None:
    """None where there are more inputs than `most`. After the deadline, or a `KeyboardInterrupt`, what is known.

    `inputs` is how many there are, where that is known. `progress("inputs", done, total)` counts them. Raises
    `TaskError` for an input whose right answer cannot be computed.
    """
    task, layout = spec.resolved.task, spec.layout
    every = task.combinations
    if min(every, every if inputs is None else inputs) > most or every > MAX_LOOKED_AT * most:
        return None
    evaluator = Evaluator(spec, inputs=every if inputs is None else inputs)
    blocks: list[_Block] = []  # each is counted whole or not at all
    ending: Ending = "complete"
    looked_at = reached = pending = 0
    try:
        for combinations, words in _blocks(task, min(BLOCK, evaluator.engine.block)):
            if time.perf_counter() > deadline:
                ending = "budget"
                break
            pending += 0 if words is None else len(next(iter(words.values())))
            if combinations:
                reached, pending, looked_at = reached + pending, 0, looked_at + combinations
            if words is None:
                continue
            prompts = layout.prompts(words)
            tried = _tried(evaluator, prompts, layout.answers(words), deadline)
            if tried.wrong and all(block.failure is None for block in blocks):
                failing = task.inputs(words, min(tried.wrong))
                failure = failure_of(spec, evaluator.reference, failing)
                if failure is None:
                    raise decoded_otherwise(spec, evaluator.engine.name, failing)
                tried = replace(tried, failure=failure)
            blocks.append(tried)
            if progress is not None:
                progress("inputs", looked_at, every)
            if tried.ending != "complete":
                ending = tried.ending
                break
    except KeyboardInterrupt:
        ending = "interrupted"
    first_wrong, first_tied = Counter(dict.fromkeys(layout.predicted, 0)), Counter(dict.fromkeys(layout.predicted, 0))
    for block in blocks:
        first_wrong.update(block.wrong.values())
        first_tied.update(block.tied.values())
    decided = sum(block.tried for block in blocks)
    total = every if inputs is None else inputs
    if inputs is None and task.is_restricted:  # what was not looked at may be excluded
        total = decided if ending == "complete" else every - looked_at + reached
    elif ending == "complete" and decided != total:
        raise ToolFault(f"verify finds {total:,} inputs of {task.name} by its columns, and {decided:,} by trying all")
    return Tried(
        total,
        first_wrong.total(),
        first_tied.total(),
        total - decided,
        dict(first_wrong),
        dict(first_tied),
        next((block.failure for block in blocks if block.failure is not None), None),
        ending,
        exact=ending == "complete" or inputs is not None or not task.is_restricted,
    )


def inputs_allowed(task: Task, most: int, deadline: float) -> int | None:
    """How many combinations of symbols are inputs; None where there are more than `most` to look at, no time for all,
    or one of which it cannot be told."""
    if task.combinations > most:
        return None
    allowed = 0
    for given in suites.every_word(task, AT_ONCE):
        if time.perf_counter() > deadline:
            return None
        try:
            allowed += int(task.allowed(given).sum())
        except TaskError:
            return None
    return allowed


def untried(spec: Spec, ending: Ending) -> Tried:
    """Nothing is known of any input."""
    every, none = spec.resolved.task.combinations, dict.fromkeys(spec.layout.predicted, 0)
    exact = not spec.resolved.task.is_restricted
    return Tried(every, 0, 0, every, none, dict(none), None, ending, exact)


def with_failure(every: Tried, failure: Counterexample | None) -> Tried:
    """With an input that is known to fail, where none of those that were tried does."""
    if failure is None or every.failing or not every.untried:
        return every
    first_wrong = {**every.first_wrong, failure.slot: 1}
    return replace(every, failing=1, untried=every.untried - 1, first_wrong=first_wrong, failure=failure)


def _blocks(task: Task, size: int) -> Iterator[tuple[int, Words | None]]:
    """The words of inputs, a block after the other, and how many combinations of symbols these complete: those that
    `only` excludes are not among the inputs. None where no more inputs are among them."""
    if task.cases:
        (part,) = task.suites()["cases"].parts(len(task.cases), 0)
        yield from ((len(next(iter(words.values()))), words) for words in part.blocks(size))
        return
    for given in suites.every_word(task, AT_ONCE if task.is_restricted else size):
        count = len(next(iter(given.values())))
        if not task.is_restricted:
            yield count, task.with_answers(given)
            continue
        rows = np.flatnonzero(task.allowed(given))
        for first in range(0, len(rows), size):
            chosen = rows[first : first + size]
            yield 0, task.with_answers({name: word[chosen] for name, word in given.items()})
        yield count, None


def _tried(evaluator: Evaluator, prompts: NDArray[np.int32], answers: NDArray[np.int32], deadline: float) -> _Block:
    """What became of these, as far as there was time. What the engine is sure of is proved, with a lead."""
    predicted = evaluator.subject.layout.predicted
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
    predicted = evaluator.subject.layout.predicted
    even = len(predicted)
    for k, token, margin in evaluator.reference.says(prompt, answer, places):
        if token != answer[predicted[k]]:
            return k, even
        if margin == 0:
            even = min(even, k)
    return len(predicted), even
