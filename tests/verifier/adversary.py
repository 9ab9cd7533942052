"""Inputs that are all but answered wrong, or wrong: the closest of many, and from these on ever closer ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from compiler.backends.torch.model import build_model
from compiler.backends.torch.reference import Reference, alone, as_tokens
from compiler.pipeline import Spec
from compiler.tasks.task import Inputs
from tests.verifier.truth import leads_of_slots, leads_of_tokens

SUITES = ("edges", "carries", "near_carry")
OF_SUITE = 300
OF_ALL = 300  # drawn symbol by symbol
ROUNDS = 6
KEPT = 4  # of each token in each round
CHILDREN = 10  # of each that is kept
ASKED = 3  # of each token, one by one at the end


@dataclass(frozen=True)
class Close:
    """An input, a place of its answer (number `slot`), and by how much the right token is ahead of all others there, as
    the plain module says it to this input alone: below 0 it is wrong, at 0 it may be; -inf where a logit is no number.
    """

    inputs: Inputs
    slot: int
    lead: float


def closest(spec: Spec, seed: int = 0, given: Iterable[Inputs] = ()) -> list[Close]:
    """For each token of the answer some inputs with the smallest leads that were met.

    It begins with the task's suites, with random inputs and with those `given`. In each round those that are closest
    for a token have children: with other symbols, or with symbols of two of them.
    """
    search = _Search(spec, np.random.default_rng(seed))
    search.add(given)
    search.add(drawn(spec, OF_ALL, seed))
    for suite in (found for name, found in spec.resolved.task.suites().items() if name in SUITES):
        parts = suite.parts(suite.size(OF_SUITE), seed)
        search.add([inputs for part in parts for inputs in part.generate()])
    for _ in range(ROUNDS):
        search.add(search.children())
    return search.asked()


def drawn(spec: Spec, count: int, seed: int) -> list[Inputs]:
    """Each symbol by itself, so that every input has the same probability."""
    task, random = spec.resolved.task, np.random.default_rng(seed)
    words = {word.name: random.integers(0, word.symbols, (count, word.length), np.uint16) for word in task.given}
    return [task.inputs(words, row) for row in range(count)]


class _Search:
    """The inputs that were met, and their leads in a batch, float64 [met, predicted]."""

    def __init__(self, spec: Spec, random: np.random.Generator) -> None:
        self.spec, self.random = spec, random
        self.model = build_model(spec.network).eval()
        self.met: dict[Inputs, int] = {}
        self.leads = np.empty((0, len(spec.layout.predicted)))

    def add(self, inputs: Iterable[Inputs]) -> None:
        new = [one for one in dict.fromkeys(inputs) if one not in self.met]
        if new:
            words = self.spec.resolved.task.encode(new)
            self.leads = np.concatenate([self.leads, leads_of_slots(self.model, self.spec, words)])
            self.met |= {one: len(self.met) + row for row, one in enumerate(new)}

    def best(self, count: int) -> NDArray[np.int64]:
        """The rows with the smallest leads for each token, [predicted, count or fewer]."""
        return np.argsort(self.leads, axis=0, kind="stable")[:count].T

    def children(self) -> list[Inputs]:
        """Of the closest inputs for each token."""
        task, every = self.spec.resolved.task, list(self.met)
        parents = task.encode([every[row] for row in np.unique(self.best(KEPT))])
        symbols = np.concatenate([parents[word.name] for word in task.given], 1).astype(np.int64)
        changed = self.changed(self.mixed(symbols)).astype(np.uint16)
        ends = np.cumsum([word.length for word in task.given])[:-1]
        names = [word.name for word in task.given]
        words = dict(zip(names, np.split(changed, ends, 1), strict=True))
        return [task.inputs(words, row) for row in range(len(changed))]

    def mixed(self, parents: NDArray[np.int64]) -> NDArray[np.int64]:
        """[parents, symbols] to so many children of each, some with symbols of another parent."""
        first = np.repeat(parents, CHILDREN, 0)
        other = parents[self.random.integers(0, len(parents), len(first))]
        taken = (self.random.random((len(first), 1)) < 0.3) & (self.random.random(first.shape) < 0.5)
        return np.where(taken, other, first)

    def changed(self, symbols: NDArray[np.int64]) -> NDArray[np.int64]:
        """With about one, two or four symbols that are a little larger or smaller, any, or the first or the last."""
        count, shape = self.spec.resolved.task.given[0].symbols, symbols.shape
        near = (symbols + self.random.choice((-1, 1), shape)) % count
        kinds = (near, self.random.integers(0, count, shape), self.random.choice((0, count - 1), shape))
        share = self.random.choice((1, 2, 4), (len(symbols), 1)) / shape[1]
        other = np.choose(self.random.integers(0, len(kinds), shape), kinds)
        return np.where(self.random.random(shape) < share, other, symbols)

    def asked(self) -> list[Close]:
        """See `closest`: what the plain module says to one sequence at a time."""
        layout, every, reference = self.spec.layout, list(self.met), Reference(self.spec)
        found = []
        with alone():
            for k, rows in enumerate(self.best(ASKED)):
                for row in rows:
                    words = self.spec.resolved.task.encode([every[row]])
                    prompt, right = as_tokens(layout.prompts(words)), as_tokens(layout.answers(words))
                    logits = reference.logits(prompt, right, [k])[None]
                    (lead,) = leads_of_tokens(self.spec, logits, right[:, torch.tensor([layout.predicted[k]])])[:, 0]
                    found.append(Close(every[row], layout.predicted[k], float(lead)))
        return found
