"""The fast engine checked on every run: the plain module is asked about a few sequences of each block too."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from compiler.backends.native.engines import UNSURE
from compiler.backends.torch.decode import NO_TOKEN
from compiler.backends.torch.foreign import ForeignModel, Subject
from compiler.backends.torch.reference import Reference, alone
from compiler.pipeline import Spec
from compiler.source.diagnostics import fail
from compiler.source.document import whole_file
from compiler.source.faults import ToolFault, no_rule
from compiler.tasks.task import Inputs

SEQUENCES = 4  # of the first block, and how many tokens of each at most
TOKENS = 12
LATER_SEQUENCES = 2  # of any other block; one token of each, which a long run has time for (benchmarks/self_check.py)
STRIDE = 7919  # from the sequence of a block to that of the next one: a prime, so that no pattern of inputs is met


class SelfCheck:
    """Compares what an engine is sure of with the reference; which tokens depends on the number of the block alone."""

    def __init__(self, subject: Subject, reference: Reference) -> None:
        self._subject, self._reference = subject, reference
        self._blocks = 0

    def __call__(self, prompts: NDArray[np.int32], answers: NDArray[np.int32], said: NDArray[np.int32]) -> None:
        """Raises `ToolFault` where the reference contradicts what is `said`; see `Engine.said`."""
        right = answers[:, np.array(self._subject.layout.predicted)]
        with alone():
            for row, slots in _chosen(said, right, self._blocks, every=self._subject.layout.in_place):
                for slot, token, _ in self._reference.says(prompts[row], answers[row], slots):
                    if token != said[row, slot]:
                        raise self._contradiction(prompts[row], answers[row], slot, int(said[row, slot]), token)
        self._blocks += 1

    def _contradiction(
        self, prompt: NDArray[np.int32], answer: NDArray[np.int32], slot: int, sure: int, token: int
    ) -> ToolFault:
        subject, labels = self._subject, self._subject.resolved.vocabulary.labels
        place = subject.layout.predicted[slot]
        before = [] if subject.layout.in_place else answer[:place].tolist()
        read = " ".join(subject.layout.spell([*prompt.tolist(), *before], labels))
        first, second = subject.layout.spell([sure, token], labels)
        return ToolFault(
            f"{subject.path}: the fast engine is sure that {subject.title} says {first} as token {place + 1} of the"
            f" answer to `{read}`; the plain module says {second if token != NO_TOKEN else 'a logit that is no number'}"
        )


def _chosen(
    said: NDArray[np.int32], right: NDArray[np.int32], block: int, *, every: bool
) -> Iterator[tuple[int, list[int]]]:
    """A few rows of a block, spread over it, and in each the places to be asked about: of those that are sure, which
    end with the first that is surely wrong. All of them where one pass says `every` token."""
    bounds = np.linspace(0, len(said), min(LATER_SEQUENCES if block else SEQUENCES, len(said)) + 1).astype(int).tolist()
    for number, (start, end) in enumerate(pairwise(bounds)):
        row = start + block * STRIDE % (end - start)
        sure = said[row] != UNSURE
        wrong = np.flatnonzero(sure & (said[row] != right[row])).tolist()
        slots = np.flatnonzero(sure[: wrong[0] + 1] if wrong else sure).tolist()
        if slots and block and not every:
            slots = [slots[(block + number) % len(slots)]]
        if slots:
            yield row, slots if every else slots[:: -(-len(slots) // TOKENS)]


def decoded_otherwise(subject: Subject, engine: str, inputs: Inputs) -> Exception:
    """What it is that an engine is sure of a wrong answer to an input which greedy decoding answers right: a fault of
    the engine, or of a foreign model, which alone was asked both times."""
    shown = subject.resolved.task.describe(inputs)
    match subject:
        case Spec():
            return ToolFault(
                f"{subject.path}: the {engine} engine is sure that {subject.title} answers {shown} wrong; the plain"
                " module decodes the right answer"
            )
        case ForeignModel():
            message = f"the module answers {shown} wrong, and right when it is asked again"
            hint = "it has to compute the same each time: no dropout, no random numbers, nothing kept between calls"
            return fail("bad-module", message, whole_file(subject.path), hint)
        case _:
            return no_rule("model", subject)
