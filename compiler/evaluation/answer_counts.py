"""Counts that grow while inputs are judged: right answers, the first failures, failures of each class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from compiler.evaluation.evaluator import Failure, Verdicts
from compiler.tasks.task import Inputs

MAX_CLASSES = 100_000  # that are told apart in one part of a suite

ClassKey = tuple[int, int, int]  # place of the answer, right token, token said there
Classes = Mapping[ClassKey, tuple[int, Inputs]]


@dataclass(frozen=True)
class Tally:
    """What became of the first `done` inputs of a part.

    `failures` are the first wrong ones, as many as were asked for. Each wrong input is in one class, by its first wrong
    token: `classes` has how many are in it, and the first of them. Once there are `MAX_CLASSES`, inputs of further ones
    are counted together, in `other`.
    """

    done: int = 0
    right: int = 0
    close: int = 0
    batched: int = 0
    failures: tuple[Failure, ...] = ()
    classes: Classes = field(default_factory=dict)
    other: int = 0

    def plus(self, verdicts: Verdicts, failures: Sequence[Failure], inputs: Callable[[int], Inputs]) -> Tally:
        """A new tally with the verdicts on the inputs that come next; `inputs(i)` is the input number i of them.

        An interruption leaves this tally whole.
        """
        classes, other = self._classes(verdicts, inputs)
        size, right = len(verdicts.right), int(np.count_nonzero(verdicts.right))
        close, batched = self.close + verdicts.close, self.batched + int(np.count_nonzero(verdicts.batched))
        kept = (*self.failures, *failures)
        return Tally(self.done + size, self.right + right, close, batched, kept, classes, other)

    def _classes(self, verdicts: Verdicts, inputs: Callable[[int], Inputs]) -> tuple[Classes, int]:
        if not len(verdicts.wrong):
            return self.classes, self.other
        said = verdicts.said + 1  # of a token that is none, 0
        width = int(max(verdicts.expected.max(), said.max())) + 1
        codes = (verdicts.slots * width + verdicts.expected) * width + said
        distinct, firsts, counts = np.unique(codes, return_index=True, return_counts=True)
        classes, other = dict(self.classes), self.other
        for i in np.argsort(firsts):  # in the order of the inputs, so that blocks of any size find the same
            place, token = divmod(int(distinct[i]), width)
            key, count = (*divmod(place, width), token - 1), int(counts[i])
            if key in classes:
                before, first = classes[key]
                classes[key] = before + count, first
            elif len(classes) < MAX_CLASSES:
                classes[key] = count, inputs(int(verdicts.wrong[firsts[i]]))
            else:
                other += count
        return classes, other
