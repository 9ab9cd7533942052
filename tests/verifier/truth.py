"""What is so: every input of a small task, or many likely ones of a large task, put to the plain module."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compiler.backends.native.engines import UNSURE
from compiler.backends.torch.decode import answer_logits, choose
from compiler.backends.torch.model import build_model
from compiler.backends.torch.reference import Reference, alone, as_tokens
from compiler.evaluation.evaluation import answer
from compiler.evaluation.evaluator import Evaluator
from compiler.pipeline import Spec
from compiler.tasks.task import Inputs, Words

ADVERSARIAL = ("near_carry", "edges", "carries")
LIKELY = 500  # so many inputs of such a suite
ASKED = 3  # so many of them, one by one
RARE = 100  # what fails on fewer than 1 in so many inputs


@dataclass(frozen=True, eq=False)
class Truth:
    """Of so many inputs, whether each token of the answer is wrong after the right ones before it:
    `wrong` [inputs, predicted], bool."""

    wrong: NDArray[np.bool_]

    @property
    def inputs(self) -> int:
        return len(self.wrong)

    @property
    def failing(self) -> int:
        """How many inputs are answered wrong: greedy decoding is right as long as every token is."""
        return int(self.wrong.any(1).sum())

    @property
    def rare(self) -> bool:
        """Fails on fewer than 1 in 100 inputs, but on some."""
        return 0 < RARE * self.failing < self.inputs

    @property
    def steps(self) -> list[int]:
        """How many inputs have a wrong token in each place that is predicted."""
        counts: list[int] = self.wrong.sum(0).tolist()
        return counts


def truth(spec: Spec) -> Truth:
    """Of every input. What is not proved to be within rounding is decided by the plain module, one sequence at a
    time."""
    return Truth(wrong_tokens(spec, _words(spec, "exhaustive")))


def inputs_of(spec: Spec) -> int:
    """How many inputs there are."""
    return spec.resolved.task.suites()["exhaustive"].default_size


def seen_leads(spec: Spec) -> NDArray[np.float64]:
    """How far the right token is ahead of all others, at its closest in the answer of each input [inputs]: from one
    batch, so that it is nearly what is so, and soon known. Below 0 an input fails; -inf where a logit is no number."""
    return _leads(build_model(spec.network).eval(), spec, _every_word(spec))


def smallest_lead(spec: Spec) -> float:
    """The smallest lead that the plain module was seen to have by itself, on the inputs that are closest in a batch."""
    words = _every_word(spec)
    rows = np.argsort(seen_leads(spec))[:ASKED]
    prompts, answers = as_tokens(spec.layout.prompts(words)), as_tokens(spec.layout.answers(words))
    reference, slots = Reference(spec), range(len(spec.layout.predicted))
    with alone():
        found = [reference.logits(prompts[[i]], answers[[i]], slots)[None] for i in rows]
    return float(min(_leads_of(spec, logits, answers[[i]])[0] for i, logits in zip(rows, found, strict=True)))


def likely_failure(spec: Spec) -> Inputs | None:
    """An input that is answered wrong, of some thousand that adders tend to get wrong; None where none is found."""
    model, task = build_model(spec.network).eval(), spec.resolved.task
    for suite in adversarial(spec):
        for words in _words(spec, suite, pairs=LIKELY):
            leads = _leads(model, spec, words)
            for row in np.argsort(leads)[:ASKED]:
                inputs = task.inputs(words, int(row))
                if leads[row] <= 0 and not answer(spec, inputs).right:
                    return inputs
    return None


def adversarial(spec: Spec) -> list[str]:
    """The suites of a task with the inputs that are hardest."""
    suites = spec.resolved.task.suites()
    return [name for name in ADVERSARIAL if name in suites] or ["uniform"]


def leads_of_slots(model: nn.Module, spec: Spec, words: Words) -> NDArray[np.float64]:
    """As `seen_leads`, for each token of the answer [inputs, predicted]."""
    prompts, answers = as_tokens(spec.layout.prompts(words)), as_tokens(spec.layout.answers(words))
    with torch.inference_mode():
        logits = answer_logits(model, prompts, answers, spec.layout)
        return leads_of_tokens(spec, logits, answers[:, torch.tensor(spec.layout.predicted)])


def leads_of_tokens(spec: Spec, logits: Tensor, right: Tensor) -> NDArray[np.float64]:
    """Of logits [B, tokens, classes] where the tokens `right` [B, tokens] are right; float64 [B, tokens]."""
    if spec.network.classes.size <= int(right.max()):
        return np.full(right.shape, -np.inf)
    logits = logits.double() if spec.network.decode == "argmax" else -logits.double()
    chosen = right[..., None]
    leads = logits.gather(2, chosen) - logits.scatter(2, chosen, -torch.inf).amax(-1, keepdim=True)
    return leads.amin(2).nan_to_num(-torch.inf, torch.inf, -torch.inf).numpy()


def _leads(model: nn.Module, spec: Spec, words: Words) -> NDArray[np.float64]:
    """See `seen_leads`."""
    found: NDArray[np.float64] = leads_of_slots(model, spec, words).min(1)
    return found


def _leads_of(spec: Spec, logits: Tensor, answers: Tensor) -> NDArray[np.float64]:
    """Of logits [B, predicted, classes] for right answers [B, A]."""
    found: NDArray[np.float64] = leads_of_tokens(spec, logits, answers[:, torch.tensor(spec.layout.predicted)]).min(1)
    return found


def _every_word(spec: Spec) -> Words:
    """The words of all inputs."""
    blocks = _words(spec, "exhaustive")
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _words(spec: Spec, suite: str, seed: int = 0, pairs: int | None = None) -> list[Words]:
    chosen = spec.resolved.task.suites()[suite]
    parts = chosen.parts(chosen.size(pairs), seed)
    return [words for part in parts for words in part.blocks(max(1, part.size))]


def wrong_tokens(spec: Spec, blocks: Iterable[Words]) -> NDArray[np.bool_]:
    """See `Truth.wrong`."""
    evaluator, layout = Evaluator(spec), spec.layout
    predicted = np.array(layout.predicted)
    found = []
    for words in blocks:
        prompts, answers = layout.prompts(words), layout.answers(words)
        if evaluator.use.name == "fast":
            said = evaluator.engine.said(prompts, answers)
        else:  # whose batches are only likely to say the same
            said = np.full((len(prompts), len(predicted)), UNSURE, np.int32)
        with alone():
            for i in np.flatnonzero((said == UNSURE).any(1)):
                slots = np.flatnonzero(said[i] == UNSURE).tolist()
                logits = evaluator.reference.logits(as_tokens(prompts[i : i + 1]), as_tokens(answers[i : i + 1]), slots)
                said[i, slots] = choose(logits, spec.network.decode).to(torch.int32)
        found.append(said != answers[:, predicted])
    return np.concatenate(found)
