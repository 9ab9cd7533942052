"""Inputs that stand for cells, and what the torch module says to them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compiler.backends.torch.decode import NO_TOKEN
from compiler.backends.torch.reference import Reference, alone, as_tokens
from compiler.network.ir import Decode
from compiler.network.meanings import lead_sign
from compiler.pipeline import Spec
from compiler.tasks.automaton import Automaton, complete, words_of
from compiler.tasks.task import Inputs, TaskError
from compiler.verifier.cells import Cells
from compiler.verifier.results import Counterexample, Lead


@dataclass(frozen=True, eq=False)
class Witnesses:
    """The torch module, asked about single inputs."""

    spec: Spec
    automaton: Automaton
    reference: Reference

    def inputs(self, cells: Cells) -> list[Inputs]:
        """An input of each cell."""
        paths = complete(self.automaton, cells.first, cells.witness.astype(np.int64))
        return inputs_of_paths(self.spec, self.automaton, paths)

    def fails(self, inputs: Inputs) -> Counterexample | None:
        """The failure by greedy decoding; None where the answer is right."""
        return failure_of(self.spec, self.reference, inputs)

    def lead(self, inputs: Inputs, slot: int) -> float:
        """See `lead`."""
        return lead(self.spec, self.reference, inputs, slot)


def inputs_of_paths(spec: Spec, automaton: Automaton, paths: NDArray[np.int64]) -> list[Inputs]:
    """Those of paths [inputs, columns]."""
    words = words_of(automaton, paths)
    return [spec.resolved.task.inputs(words, row) for row in range(len(paths))]


def lead_of(witnesses: Witnesses, inputs: Inputs, slot: int) -> Lead:
    """The same, with the input."""
    return Lead(witnesses.lead(inputs, slot), slot, inputs, witnesses.spec.resolved.task.describe(inputs))


def lead(spec: Spec, reference: Reference, inputs: Inputs, slot: int) -> float:
    """By how much the module's logit for the right token is ahead of all others, after the right tokens before.

    -inf where it has no logit for that, NaN where one is no number.
    """
    solved = spec.resolved.task.solve(inputs)
    prompt, answer = (
        as_tokens(np.array([tokens], np.int32))
        for tokens in (spec.layout.prompt_tokens(solved), spec.layout.answer_tokens(solved))
    )
    with alone():
        logits = reference.logits(prompt, answer, [spec.layout.predicted.index(slot)])
        return float(leads_of_tokens(logits, answer[0, [slot]], spec.network.decode))


def leads_of_tokens(logits: Tensor, right: Tensor, decode: Decode) -> Tensor:
    """By how much the logits [..., classes] of the tokens `right` [...] are ahead of all others, float64 [...].

    -inf where there is no logit for the token, NaN where one is no number. Differences are rounded once, to nearest: no
    bound that a lead is surely above is above the rounded one.
    """
    logits = lead_sign(decode) * logits.double()
    classes = logits.shape[-1]
    said = right < classes
    chosen = torch.where(said, right, 0)[..., None]
    leads = (logits.gather(-1, chosen) - logits.scatter(-1, chosen, -math.inf)).amin(-1)
    leads = torch.where(said, leads, -math.inf)
    return leads.masked_fill(logits.isnan().any(-1), math.nan)


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
        place(spec, _automaton(spec), slot),
        layout.spell([right[slot]], labels)[0],
        "no number" if said[slot] == NO_TOKEN else layout.spell([said[slot]], labels)[0],
        task.show(spelled) if spelled is not None else " ".join(layout.spell(said, labels)),
        task.show(solved),
    )


def _automaton(spec: Spec) -> Automaton | None:
    """The automaton, if it is not too large."""
    try:
        return spec.resolved.task.automaton()
    except TaskError:
        return None


def place(spec: Spec, automaton: Automaton | None, slot: int) -> str:
    """A place of the answer, for people: `sum[3], 10^7`."""
    answered = spec.layout.answer[slot]
    if answered.token is not None:
        return f"{spec.network.vocabulary.labels[answered.token]} (token {slot + 1})"
    name = str(answered)
    first = answered.places[0].word, answered.places[0].index
    columns = automaton.columns if automaton is not None else ()
    label = next((column.label for column in columns if first in column.letters), name)
    return f"{name}, {label}" if label != name else name
