"""The smallest lead that the torch module has: inputs of the task's suites, and from the closest of them ever closer
ones, one symbol changed at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from compiler.backends.native.engines import batch_size
from compiler.backends.torch.decode import answer_logits, next_logits
from compiler.backends.torch.reference import Reference, as_tokens
from compiler.network.causality import is_causal
from compiler.pipeline import Spec
from compiler.tasks import suites
from compiler.tasks.task import Inputs, TaskError
from compiler.verifier.results import Lead
from compiler.verifier.witness import lead, leads_of_tokens

MOST = 2_000  # inputs that are looked at
BATCHES = 16  # of the plain module's batches at most: fewer inputs where sequences are long
LOOKED_AT_PER_SUITE = 200  # inputs of each suite that samples
OF_PART = 60  # inputs of each part of a suite at most
SHORT = 2_000
ROUNDS = 12
KEPT = 2  # of each token in each round, and of all tokens
CHILDREN = 12  # of each that is kept
ASKED = 2  # of each token, and of all tokens, one by one at the end
MOST_ASKED = 64


@dataclass
class _Met:
    """Inputs that were met, and leads as batches of the module have them, float64 [met, slots]."""

    rows: dict[Inputs, int] = field(default_factory=dict)
    leads: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))


@dataclass(frozen=True)
class _Question:
    """Which leads are asked for, and until when."""

    spec: Spec
    reference: Reference
    slots: tuple[int, ...]
    deadline: float

    @property
    def late(self) -> bool:
        return time.perf_counter() > self.deadline


def closest(
    spec: Spec, reference: Reference, slots: Sequence[int], given: Sequence[Inputs], deadline: float
) -> tuple[list[Lead], int]:
    """The smallest leads that were met in these places of the answer, as the module has them for each input alone; and
    how many inputs were looked at. The same each time, where the deadline does not end it.

    `given` are inputs to begin with.
    """
    random, met, ask = np.random.default_rng(0), _Met(), _Question(spec, reference, tuple(slots), deadline)
    with torch.inference_mode():
        _meet(ask, met, [*given, *_of_suites(spec)])
        for _ in range(ROUNDS):
            before = len(met.rows)
            _meet(ask, met, _children(spec, met, random))
            if len(met.rows) == before:
                break
    every, leads = list(met.rows), list[Lead]()
    places = dict.fromkeys(_smallest(met.leads, ASKED))
    for row, k in sorted(places, key=lambda place: float(met.leads[place]))[:MOST_ASKED]:
        if leads and ask.late:
            break
        smallest = lead(spec, reference, every[row], slots[k])
        leads.append(Lead(smallest, slots[k], every[row], spec.resolved.task.describe(every[row])))
    return leads, len(every)


def _of_suites(spec: Spec) -> Iterator[Inputs]:
    """A few of each; from a short list those that are far apart in it."""
    for suite in suites.looked_at(spec.resolved.task):
        try:
            parts = suite.parts(suite.size(LOOKED_AT_PER_SUITE), 0)
        except TaskError:
            continue
        for part in parts:
            apart = max(1, part.size // OF_PART) if part.size <= SHORT else 1
            yield from islice(part.generate(), 0, OF_PART * apart, apart)


def _meet(ask: _Question, met: _Met, inputs: Sequence[Inputs]) -> None:
    """Look at those that are new, in batches, as long as there is room and time."""
    size = batch_size(ask.spec)
    most = min(MOST, BATCHES * size) - len(met.rows)
    new = [given for given in dict.fromkeys(inputs) if given not in met.rows][:most]
    for first in range(0, len(new), size):
        if met.rows and ask.late:
            break
        block = new[first : first + size]
        leads = _leads(ask, block)
        met.leads = leads if not met.rows else np.concatenate([met.leads, leads])
        met.rows |= {given: len(met.rows) + i for i, given in enumerate(block)}


def _leads(ask: _Question, inputs: Sequence[Inputs]) -> NDArray[np.float64]:
    """By a batch, which may differ from single sequences in rounding: [inputs, slots]; a NaN counts as the lowest."""
    spec, reference, slots = ask.spec, ask.reference, ask.slots
    layout, words = spec.layout, spec.resolved.task.encode(inputs)
    prompts, answers = as_tokens(layout.prompts(words)), as_tokens(layout.answers(words))
    if layout.in_place or is_causal(spec.network):
        index = [layout.predicted.index(slot) for slot in slots]
        logits = answer_logits(reference.model, prompts, answers, layout)[:, index]
    else:
        logits = torch.stack([next_logits(reference.model, prompts, answers, layout, slot) for slot in slots], 1)
    leads = leads_of_tokens(logits, answers[:, list(slots)], spec.network.decode)
    numbers: NDArray[np.float64] = leads.nan_to_num(-np.inf, np.inf, -np.inf).numpy()
    return numbers


def _smallest(leads: NDArray[np.float64], count: int) -> Iterator[tuple[int, int]]:
    """Rows and columns of the smallest leads: so many of each column, and so many of all."""
    for k, column in enumerate(leads.T):
        yield from ((int(row), k) for row in np.argsort(column, kind="stable")[:count])
    for place in np.argsort(leads, axis=None, kind="stable")[:count]:
        yield divmod(int(place), leads.shape[1])


def _children(spec: Spec, met: _Met, random: np.random.Generator) -> list[Inputs]:
    """Of the inputs with the smallest leads: each with one symbol of an operand changed."""
    task, every = spec.resolved.task, list(met.rows)
    parents = task.encode([every[row] for row in sorted({row for row, _ in _smallest(met.leads, KEPT)})])
    words = {word.name: np.repeat(parents[word.name], CHILDREN, 0) for word in task.given}
    count = len(next(iter(words.values())))
    symbols = [(word, place) for word in task.given for place in range(word.length)]
    for row, symbol in enumerate(random.integers(0, len(symbols), count)):
        word, place = symbols[symbol]
        changed = words[word.name]
        near = changed[row, place] + random.choice((-1, 1))
        any_symbol = random.integers(0, word.symbols)
        changed[row, place] = (near if random.random() < 0.5 else any_symbol) % word.symbols
    return [task.inputs(words, row) for row in np.flatnonzero(task.allowed(words)).tolist()]
