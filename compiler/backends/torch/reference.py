"""The plain module on the CPU, one sequence at a time and on one thread: what it says is the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compiler.backends.torch.decode import answer_logits, choose, greedy, margins, next_logits, reads_on
from compiler.backends.torch.foreign import ForeignModel, Subject
from compiler.backends.torch.model import build_model
from compiler.backends.torch.saving import check_weights
from compiler.pipeline import Spec
from compiler.source.faults import no_rule


class Reference:
    """The built model of a spec, or the module of a foreign model, and how it is asked about one sequence.

    Raises `SpecError` where the spec was read from a saved model whose weights are not what the spec inside says.
    """

    def __init__(self, subject: Subject) -> None:
        self.layout = subject.layout
        self.model: nn.Module
        match subject:
            case Spec(network=network):
                check_weights(subject)
                self.decode, self.dtype = network.decode, network.dtype
                self.model = build_model(network).eval()
            case ForeignModel():
                self.decode, self.dtype, self.model = subject.decode, subject.dtype, subject.module
            case _:
                raise no_rule("model", subject)

    @property
    def one_pass(self) -> bool:
        """Whether one pass over prompt and answer says every token: it is read in place, or in pieces of a sequence,
        where a pass over some of them is the beginning of one over all."""
        return self.layout.in_place or (reads_on(self.model) and not self.layout.slides)

    def logits(self, prompt: Tensor, answer: Tensor, slots: Sequence[int]) -> Tensor:
        """The logits [slots, classes] in these places of `layout.predicted`, after what the answer [1, A] has before
        each; a pass of its own for each, but one where `one_pass` is enough. To be called `alone`."""
        if self.one_pass:
            return answer_logits(self.model, prompt, answer, self.layout)[0, slots]
        return torch.cat(
            [next_logits(self.model, prompt, answer, self.layout, self.layout.predicted[k]) for k in slots]
        )

    def first_wrong(
        self, prompt: NDArray[np.int32], answer: NDArray[np.int32], slots: Sequence[int]
    ) -> tuple[int, int] | None:
        """The first of these places of `layout.predicted` where it does not say the right token after the right ones,
        and what it says there; None where it says all of them.

        prompt int32 [P], answer int32 [A]. Nothing is asked after the first that is wrong. To be called `alone`.
        """
        for which, logits in self._asked(prompt, answer, slots):
            for k, token in zip(which, choose(logits, self.decode).tolist(), strict=True):
                if token != answer[self.layout.predicted[k]]:
                    return k, token
        return None

    def says(
        self, prompt: NDArray[np.int32], answer: NDArray[np.int32], slots: Sequence[int]
    ) -> Iterator[tuple[int, int, float]]:
        """Each of these places of `layout.predicted`, what is said there after the right tokens before it, and how far
        its logit is ahead of all others: 0 in a tie. Asked one by one, `alone`."""
        for which, logits in self._asked(prompt, answer, slots):
            yield from zip(
                which, choose(logits, self.decode).tolist(), margins(logits, self.decode).tolist(), strict=True
            )

    def _asked(
        self, prompt: NDArray[np.int32], answer: NDArray[np.int32], slots: Sequence[int]
    ) -> Iterator[tuple[Sequence[int], Tensor]]:
        """These places, some after the other, with their logits."""
        tokens, right = as_tokens(prompt[None]), as_tokens(answer[None])
        for which in [slots] if self.one_pass else [[k] for k in slots]:
            yield which, self.logits(tokens, right, which)

    def greedy(self, prompt: Sequence[int]) -> list[int]:
        """The greedy answer to a prompt, all its tokens; `NO_TOKEN` where a logit is no number."""
        with alone():
            tokens: list[int] = greedy(self.model, torch.tensor([prompt]), self.layout, self.decode)[0].tolist()
        return tokens


def as_tokens(tokens: NDArray[np.int32]) -> Tensor:
    """Token ids of any integer type as the module takes them."""
    return torch.from_numpy(tokens.astype(np.int64))


@contextmanager
def one_thread() -> Iterator[None]:
    """A single sequence is too small to share, and one thread rounds the same way on every machine like it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def alone() -> Iterator[None]:
    """Without gradients and on one thread, as the reference is asked."""
    with torch.inference_mode(), one_thread():
        yield
