"""Engines: what a model says in each place of many answers at once, and where that is sure. Those that run the plain
module are here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compiler.backends.torch.decode import NO_TOKEN, answer_logits, decode_greedily, sure_tokens
from compiler.backends.torch.foreign import ForeignModel, Subject
from compiler.backends.torch.model import build_model
from compiler.backends.torch.reference import Reference, alone, as_tokens
from compiler.network.ir import Attention
from compiler.pipeline import Spec
from compiler.source.diagnostics import fail
from compiler.source.faults import no_rule
from compiler.tasks.task import Words

EngineName = Literal["plain", "fast"]
Decoding = Literal["teacher", "greedy"]

UNSURE = NO_TOKEN  # in the place of a token that the reference has to decide
ALONE = 64  # inputs in one call, where each is run by itself: progress is seen, and an interruption is heard
BATCH = 1024  # sequences in one batch of the plain module at most
BATCH_NUMBERS = 800_000  # attention weights in one batch at most: more leave the cache (benchmarks/engine_speed.py)
PROBES = 8  # sequences that are run by the reference too from the start, to see how far batches differ from it
PROBE_EVERY = 1000  # of the later sequences, one in so many
PROBED_TOKENS = 12  # of a long answer, so many of its tokens, others in each sequence
NOISE_FACTOR = 16  # a margin is close up to so many times the largest difference seen


class EngineUnavailable(ValueError):
    """A network that an engine cannot follow; the message is the reason, for people."""


class Engine(Protocol):
    """Something that runs a model on many inputs at once, and knows which of its tokens the reference says too."""

    @property
    def name(self) -> EngineName: ...

    @property
    def detail(self) -> str:
        """How it runs here, for people: `generated C, 2 threads`."""
        ...

    @property
    def block(self) -> int:
        """How many inputs in one call suit it."""
        ...

    @property
    def at_once(self) -> int:
        """How many threads may, and should, ask it at once."""
        ...

    def surely_right(self, words: Words) -> NDArray[np.bool_] | None:
        """Of each of many inputs, whether the reference surely answers it right: a quick look, before `said`; None
        where the engine has no such."""
        ...

    def said(self, prompts: NDArray[np.int32], answers: NDArray[np.int32]) -> NDArray[np.int32]:
        """What the model says in each predicted place of the right answer, after the right tokens before it.

        prompts int32 [B, P], answers int32 [B, A], both C-contiguous; what is said is int32 [B, predicted],
        `UNSURE` where the reference might say something else. What follows a token that is surely wrong
        does not matter.
        """
        ...


@dataclass(frozen=True)
class PlainEngine:
    """The plain module, one sequence at a time: it is sure of nothing, and leaves every token to the reference."""

    predicted: int
    name: EngineName = "plain"
    detail: str = "one sequence at a time"
    block: int = ALONE
    at_once: int = 1

    def surely_right(self, words: Words) -> NDArray[np.bool_] | None:
        """See `Engine`."""
        return None

    def said(self, prompts: NDArray[np.int32], answers: NDArray[np.int32]) -> NDArray[np.int32]:
        """See `Engine`."""
        return np.full((len(prompts), self.predicted), UNSURE, np.int32)


class BatchEngine:
    """The plain module in batches: one teacher-forced pass, or greedy decoding, whose later tokens are the model's own.

    How far a batch differs from the reference is measured on a few sequences, not proved: a token is sure where it is
    ahead by more than rounding and `NOISE_FACTOR` times what was seen. So the verdicts are said to be of batches.
    """

    name: EngineName = "plain"
    at_once = 1

    def __init__(self, subject: Subject, reference: Reference, device: torch.device, decoding: Decoding, batch: int):
        self.block = batch
        self._reference = reference
        self._layout = subject.layout
        self._device, self._decoding = device, decoding
        self._model = reference.model if device.type == "cpu" else _moved(subject, device)
        self._noise = torch.zeros(len(subject.layout.predicted), dtype=torch.float64)
        self._probed = 0
        self._since_probe = 0

    @property
    def detail(self) -> str:
        return f"batches of {self.block:,}"

    def surely_right(self, words: Words) -> NDArray[np.bool_] | None:
        """See `Engine`."""
        return None

    def said(self, prompts: NDArray[np.int32], answers: NDArray[np.int32]) -> NDArray[np.int32]:
        """See `Engine`. With greedy decoding all is `UNSURE` after a token that is wrong."""
        layout, reference = self._layout, self._reference
        asked, right = as_tokens(prompts), as_tokens(answers)
        before, logits = self._run(asked, right)
        self._measure_noise(logits, asked, before)
        roundoff, noise = reference.dtype.unit_roundoff, NOISE_FACTOR * self._noise
        own = self._decoding == "greedy" and not layout.in_place
        found = sure_tokens(logits, right, layout, reference.decode, roundoff, noise, own=own)
        return found.numpy().astype(np.int32)

    def _run(self, prompts: Tensor, answers: Tensor) -> tuple[Tensor, Tensor]:
        """What follows each prompt, the right answers [B, A] or the model's own, and the logits [B, predicted, classes]
        of its tokens, on the CPU."""
        with torch.inference_mode():
            if self._decoding == "teacher":
                on_device = prompts.to(self._device), answers.to(self._device)
                return answers, answer_logits(self._model, *on_device, self._layout).cpu()
            said, logits = decode_greedily(self._model, prompts.to(self._device), self._layout, self._reference.decode)
            return said.cpu().clamp(min=0), logits.cpu()

    def _measure_noise(self, logits: Tensor, prompts: Tensor, said: Tensor) -> None:
        """Have the reference read a few sequences of a batch too, and keep the largest difference of each token."""
        size, layout = len(prompts), self._layout
        self._since_probe += size
        probes = min(size, PROBES - self._probed) if self._probed < PROBES else int(self._since_probe >= PROBE_EVERY)
        if not probes:
            return
        self._probed += probes
        self._since_probe = 0
        step = -(-len(layout.predicted) // PROBED_TOKENS)
        with alone():
            for k, i in enumerate(range(0, size, size // probes)[:probes]):
                slots = range(k % step, len(layout.predicted), step)
                by_itself = self._reference.logits(prompts[i : i + 1], said[i : i + 1], slots)
                difference = (by_itself - logits[i, slots]).abs().amax(-1).nan_to_num(0.0)
                self._noise[slots] = torch.maximum(self._noise[slots], difference)
        if step > 1:
            self._noise[:] = self._noise.max()  # a token that was not looked at is taken to be as noisy as any


def _moved(subject: Subject, device: torch.device) -> nn.Module:
    """The model on a device. Raises `SpecError` for a foreign one, which may have been made for another."""
    match subject:
        case Spec(network=network):
            return build_model(network).eval().to(device)
        case ForeignModel():
            raise fail("device", f"{subject.title} is asked on the CPU, not on {device}", hint="use --device cpu")
        case _:
            raise no_rule("model", subject)


def batch_size(spec: Spec) -> int:
    """How many sequences are run together: `BATCH`, or fewer where their attention weights would be too many."""
    heads = max((step.heads.size for step in spec.network.steps if isinstance(step, Attention)), default=1)
    return max(1, min(BATCH, BATCH_NUMBERS // (heads * spec.network.context**2)))
