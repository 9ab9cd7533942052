"""The fast engine checked on every run: the plain module is asked about a few sequences of each block too."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from compiler.backends.native.engines import UNSURE
from compiler.backends.torch.decode import NO_TOKEN
from compiler.backends.torch.reference import Reference, alone
from compiler.pipeline import Spec
from compiler.source.faults import ToolFault
from compiler.tasks.task import Inputs

SEQUENCES = 4  # of the first block, and how many tokens of each at most
TOKENS = 12
LATER_SEQUENCES = 2  # of any other block; one token of each, which a long run has time for (benchmarks/self_check.py)
STRIDE = 7919  # from the sequence of a block to that of the next one: a prime, so that no pattern of inputs is met


class SelfCheck:
    """Compares what an engine is sure of with the reference; which tokens depends on the number of the block alone."""

    def __init__(self, spec: Spec, reference: Reference) -> None:
        self._spec, self._reference = spec, reference
        self._blocks = 0

    def __call__(self, prompts: NDArray[np.int32], answers: NDArray[np.int32], said: NDArray[np.int32]) -> None:
        """Raises `ToolFault` where the reference contradicts what is `said`; see `Engine.said`."""
        right = answers[:, np.array(self._spec.layout.predicted)]
        with alone():
            for row, slots in _chosen(said, right, self._blocks, every=self._spec.layout.in_place):
                for slot, token, _ in self._reference.says(prompts[row], answers[row], slots):
                    if token != said[row, slot]:
                        raise self._contradiction(prompts[row], answers[row], slot, int(said[row, slot]), token)
        self._blocks += 1

    def _contradiction(
        self, prompt: NDArray[np.int32], answer: NDArray[np.int32], slot: int, sure: int, token: int
    ) -> ToolFault:
        spec, labels = self._spec, self._spec.network.vocabulary.labels
        place = spec.layout.predicted[slot]
        before = [] if spec.layout.in_place else answer[:place].tolist()
        read = " ".join(spec.layout.spell([*prompt.tolist(), *before], labels))
        first, second = spec.layout.spell([sure, token], labels)
        return ToolFault(
            f"{spec.path}: the fast engine is sure that {spec.title} says {first} as token {place + 1} of the answer to"
            f" `{read}`; the plain module says {second if token != NO_TOKEN else 'a logit that is no number'}"
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


def decoded_otherwise(spec: Spec, engine: str, inputs: Inputs) -> ToolFault:
    """The fault that an engine is sure of a wrong answer to an input which greedy decoding answers right."""
    shown = spec.resolved.task.describe(inputs)
    return ToolFault(
        f"{spec.path}: the {engine} engine is sure that {spec.title} answers {shown} wrong; the plain module decodes"
        " the right answer"
    )
