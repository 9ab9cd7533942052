"""Answers that hang on tokens which a causal model has not seen where it says them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.expressions.syntax import ExpressionError
from compiler.tasks import solving
from compiler.tasks.interpreter import TaskWork
from compiler.tasks.layout import Layout, Slot
from compiler.tasks.stated import Task
from compiler.tasks.statement import InputFault
from compiler.tasks.task import Inputs

TRIED = 64  # pairs of inputs for each symbol of the answer
MAX_SLOTS = 64  # symbols of an answer that are looked at: the first ones
MOST_WORK = 60_000  # nodes that may be evaluated for all of them


@dataclass(frozen=True)
class Unseen:
    """Two inputs that look alike up to where a symbol of the answer is read, and have different symbols there."""

    slot: int
    first: Inputs
    second: Inputs


def unseen(task: Task, layout: Layout) -> Unseen | None:
    """The first symbol of an answer, read in the prompt, that hangs on later tokens; None where none was found.

    What is found is certain: no causal model is right for both inputs. Inputs are drawn, the same ones each time.
    """
    random, work = np.random.default_rng(0), TaskWork(MOST_WORK)
    for slot, position in list(enumerate(layout.read_at))[:MAX_SLOTS]:
        seen = {(place.word, place.index) for other in layout.prompt[: position + 1] for place in other.places}
        pair = _pair(task, seen, layout.answer[slot], random, work)
        if pair is not None:
            return Unseen(slot, *pair)
    return None


def _pair(
    task: Task, seen: set[tuple[str, int]], answer: Slot, random: np.random.Generator, work: TaskWork
) -> tuple[Inputs, Inputs] | None:
    """Two inputs that agree on the symbols that are seen, and not on a symbol of the answer."""
    first = {word.name: random.integers(0, word.symbols, (TRIED, word.length), np.uint16) for word in task.given}
    second = {name: word.copy() for name, word in first.items()}
    unlike = 0
    for word in task.given:
        for index in range(word.length):
            if (word.name, index) not in seen:
                second[word.name][:, index] = random.integers(0, word.symbols, TRIED, np.uint16)
                unlike += 1
    if not unlike:
        return None
    statement = task.statement
    try:
        is_input = [solving.allowed(statement, given, work) for given in (first, second)]
        rows = np.flatnonzero(is_input[0] & is_input[1])
        kept = [{name: word[rows] for name, word in given.items()} for given in (first, second)]
        solved = [{**given, **solving.solved(statement, given, work)} for given in kept]
    except (InputFault, ExpressionError):
        return None  # an evaluation reports it, or it costs too much
    differ: NDArray[np.bool_] = np.zeros(len(rows), bool)
    for place in answer.places:
        differ |= solved[0][place.word][:, place.index] != solved[1][place.word][:, place.index]
    found = np.flatnonzero(differ)
    if not len(found):
        return None
    return task.inputs(solved[0], int(found[0])), task.inputs(solved[1], int(found[0]))
