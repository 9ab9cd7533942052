"""A built model and the task to ask it with: verdicts on inputs, by teacher forcing or greedy decoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from compiler.causality import is_causal
from compiler.decode import NO_TOKEN, answer_logits, greedy, teacher_force
from compiler.diagnostics import fail
from compiler.pipeline import Spec
from compiler.tasks.task import Inputs
from compiler.torch_backend.model import build_model
from compiler.torch_backend.saving import check_weights

Decoding = Literal["teacher", "greedy"]

PROBES = 8  # sequences of the first batch that are run by themselves too, to see how far batches differ from them
PROBE_EVERY = 8  # of the later batches, one in so many has one sequence run by itself
NOISE_FACTOR = 16  # a margin is close up to so many times the largest difference seen


@dataclass(frozen=True)
class Failure:
    """An input that is answered wrong. `got` is what greedy decoding says, in the task's own words."""

    inputs: Inputs
    text: str
    expected: str
    got: str


class Judge:
    """A built model with the task and layout to ask it with.

    `decoding` is greedy for a model that is not causal: teacher forcing would show it the answer.
    """

    def __init__(self, spec: Spec, device: str, decoding: Decoding) -> None:
        self.spec = spec
        one_pass = is_causal(spec.network) or spec.layout.in_place
        self.decoding: Decoding = decoding if one_pass else "greedy"
        self.device = _device(device)
        check_weights(spec)
        self.reference = build_model(spec.network).eval()
        self.model: nn.Module = self.reference
        self._noise = torch.zeros(len(spec.layout.predicted), dtype=torch.float64)
        self._batches = 0
        if self.device.type != "cpu":
            self.model = build_model(spec.network).eval().to(self.device)

    def verdicts(self, inputs: Sequence[Inputs]) -> tuple[list[bool], int]:
        """Whether each input is answered right, and how many of the verdicts were close.

        A close one is decided by the reference: the plain module on the CPU, decoding one sequence token by token.
        """
        prompts, answers = self._encoded(inputs)
        if self.decoding == "greedy":
            return (self._greedy(prompts) == answers).all(1).tolist(), 0
        logits = self._logits(self.model, prompts, answers)
        self._measure_noise(logits, prompts, answers)
        network, layout = self.spec.network, self.spec.layout
        forced = teacher_force(
            logits, answers, layout, network.decode, network.dtype.unit_roundoff, NOISE_FACTOR * self._noise
        )
        right = forced.right.tolist()
        close = forced.close.nonzero().flatten().tolist()
        for i in close:
            right[i] = self.greedy_tokens(inputs[i]) == answers[i].tolist()
        return right, len(close)

    def _measure_noise(self, logits: Tensor, prompts: Tensor, answers: Tensor) -> None:
        """Run a few sequences of a batch again by themselves, and keep the largest difference of each position."""
        size = len(prompts)
        self._batches += 1
        if (size == 1 and self.model is self.reference) or self._batches % PROBE_EVERY != 1:
            return
        probes = min(size, PROBES) if self._batches == 1 else 1
        for i in range(0, size, size // probes):
            alone = self._logits(self.reference, prompts[i : i + 1], answers[i : i + 1])
            difference = (alone[0] - logits[i]).abs().amax(-1).nan_to_num(0.0)
            self._noise = torch.maximum(self._noise, difference)

    def _logits(self, model: nn.Module, prompts: Tensor, answers: Tensor) -> Tensor:
        """Answer logits [B, predicted, classes], on the CPU."""
        device = self.device if model is self.model else torch.device("cpu")
        with torch.inference_mode():
            return answer_logits(model, prompts.to(device), answers.to(device), self.spec.layout).cpu()

    def greedy_tokens(self, inputs: Inputs) -> list[int]:
        """The greedy answer to one input, by the reference."""
        prompts, _ = self._encoded([inputs])
        with torch.inference_mode(), _one_thread():
            decoded = greedy(self.reference, prompts, self.spec.layout, self.spec.network.decode)
        tokens: list[int] = decoded[0].tolist()
        return tokens

    def failure(self, inputs: Inputs) -> Failure | None:
        """What greedy decoding says to an input; None where that is right after all."""
        task = self.spec.resolved.task
        words = task.solve(inputs)
        tokens = self.greedy_tokens(inputs)
        if tokens == self.spec.layout.answer_tokens(words):
            return None
        expected = task.show({name: words[name] for name in task.answers})
        return Failure(inputs, task.describe(inputs), expected, self.describe(tokens))

    def describe(self, tokens: Sequence[int]) -> str:
        """Answer tokens in the task's words, or as they are where they spell no answer."""
        words = self.spec.layout.read_answer(tokens)
        if words is not None:
            return self.spec.resolved.task.show(words)
        if NO_TOKEN in tokens:
            return f"NaN logits at answer token {tokens.index(NO_TOKEN) + 1}"
        return " ".join(self.spec.layout.spell(tokens, self.spec.network.vocabulary.labels))

    def _greedy(self, prompts: Tensor) -> Tensor:
        """Greedy answers [B, A] to prompts [B, P], on the CPU."""
        with torch.inference_mode():
            return greedy(self.model, prompts.to(self.device), self.spec.layout, self.spec.network.decode).cpu()

    def _encoded(self, inputs: Sequence[Inputs]) -> tuple[Tensor, Tensor]:
        """Prompts [B, P] and right answers [B, A] as token ids."""
        layout = self.spec.layout
        words = [self.spec.resolved.task.solve(pair) for pair in inputs]
        prompts = torch.tensor([layout.prompt_tokens(own) for own in words])
        return prompts, torch.tensor([layout.answer_tokens(own) for own in words])


@contextmanager
def _one_thread() -> Iterator[None]:
    """A single sequence is too small to share, and one thread rounds the same way on every machine like it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise fail("device", f"no device '{name}' here: {reason}", hint="use --device cpu") from None
    return device
