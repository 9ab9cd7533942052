"""Inputs that stand for cells, and what the torch module says to them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from compiler.decode import NO_TOKEN
from compiler.meanings import lead_sign
from compiler.pipeline import Spec
from compiler.reference import Reference, alone, as_tokens
from compiler.tasks.automaton import Automaton, complete, words
from compiler.tasks.task import Inputs
from compiler.verifier.cells import Cells
from compiler.verifier.results import Counterexample


@dataclass(frozen=True, eq=False)
class Witnesses:
    """The torch module, asked about single inputs."""

    spec: Spec
    automaton: Automaton
    reference: Reference

    def inputs(self, cells: Cells) -> list[Inputs]:
        """An input of each cell."""
        paths = complete(self.automaton, cells.first, cells.witness.astype(np.int64))
        found = words(self.automaton, paths)
        return [self.spec.resolved.task.inputs(found, row) for row in range(len(paths))]

    def fails(self, inputs: Inputs) -> Counterexample | None:
        """The failure by greedy decoding; None where the answer is right."""
        return failure_of(self.spec, self.reference, inputs)

    def lead(self, inputs: Inputs, slot: int) -> float:
        """By how much the module's logit for the right token is ahead of all others, after the right tokens before.

        -inf where it has no logit for that, NaN where one is no number.
        """
        solved = self.spec.resolved.task.solve(inputs)
        prompt, answer = (
            as_tokens(np.array([tokens], np.int32))
            for tokens in (self.spec.layout.prompt_tokens(solved), self.spec.layout.answer_tokens(solved))
        )
        with alone():
            logits = self.reference.logits(prompt, answer, [self.spec.layout.predicted.index(slot)])[0].double()
        sign = lead_sign(self.spec.network.decode)
        token = int(answer[0, slot])
        if logits.isnan().any():
            return math.nan
        if token >= len(logits):
            return -math.inf
        others = torch.cat([logits[:token], logits[token + 1 :]])
        return float((sign * (logits[token] - others)).min()) if len(others) else math.inf


def failure_of(spec: Spec, reference: Reference, inputs: Inputs) -> Counterexample | None:
    """How the module fails on an input by greedy decoding; None where the answer is right."""
    task, layout = spec.resolved.task, spec.layout
    solved = task.solve(inputs)
    right = layout.answer_tokens(solved)
    said = reference.greedy(layout.prompt_tokens(solved))
    slot = next((slot for slot in layout.predicted if said[slot] != right[slot]), None)
    if slot is None:
        return None
    labels = spec.network.vocabulary.labels
    spelled = layout.read_answer(said)
    return Counterexample(
        inputs,
        task.describe(inputs),
        slot,
        place(spec, task.automaton(), slot),
        layout.spell([right[slot]], labels)[0],
        "no number" if said[slot] == NO_TOKEN else layout.spell([said[slot]], labels)[0],
        task.show(spelled) if spelled is not None else " ".join(layout.spell(said, labels)),
        task.show({name: solved[name] for name in task.answers}),
    )


def place(spec: Spec, automaton: Automaton | None, slot: int) -> str:
    """A place of the answer, for people: `sum[3], 10^7`."""
    one = spec.layout.answer[slot]
    if one.token is not None:
        return f"{spec.network.vocabulary.labels[one.token]} (token {slot + 1})"
    name = f"{one.word}[{one.index}]"
    columns = automaton.columns if automaton is not None else ()
    label = next((column.label for column in columns if (one.word, one.index) in column.letters), name)
    return f"{name}, {label}" if label != name else name
