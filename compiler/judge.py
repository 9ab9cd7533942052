"""A built model and the task to ask it with: verdicts on inputs, by teacher forcing or greedy decoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from compiler.causality import is_causal
from compiler.decode import NO_TOKEN, answer_logits, choose, decode_greedily, greedy, next_logits, verdicts
from compiler.diagnostics import fail
from compiler.pipeline import Spec
from compiler.tasks.task import Inputs
from compiler.torch_backend.model import build_model
from compiler.torch_backend.saving import check_weights

Decoding = Literal["teacher", "greedy"]

PROBES = 8  # sequences that are run by the reference too from the start, to see how far batches differ from it
PROBE_EVERY = 1000  # of the later sequences, one in so many
PROBED_TOKENS = 12  # of a long answer, so many of its tokens, others in each sequence
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
        self._probed = 0
        self._since_probe = 0
        if self.device.type != "cpu":
            self.model = build_model(spec.network).eval().to(self.device)

    def verdicts(self, inputs: Sequence[Inputs]) -> tuple[list[bool], int]:
        """Whether each input is answered right, and how many of the verdicts were close.

        What is close is decided by the reference: the plain module on the CPU, decoding one sequence token by token.
        """
        network, layout = self.spec.network, self.spec.layout
        prompts, answers = self._encoded(inputs)
        said, logits = self._run(prompts, answers)
        self._measure_noise(logits, prompts, said)
        roundoff, noise = network.dtype.unit_roundoff, NOISE_FACTOR * self._noise
        own = self.decoding == "greedy" and not layout.in_place
        found = verdicts(logits, answers, layout, network.decode, roundoff, noise, own=own)
        right = found.right.tolist()
        close = found.close.nonzero().flatten().tolist()
        with torch.inference_mode(), one_thread():
            for i in close:
                unsure = found.unsure[i].nonzero().flatten().tolist()
                right[i] = self._right(prompts[i : i + 1], answers[i : i + 1], unsure)
        return right, len(close)

    def _run(self, prompts: Tensor, answers: Tensor) -> tuple[Tensor, Tensor]:
        """What follows each prompt, the right answers [B, A] or the model's own, and the logits [B, predicted, classes]
        of its tokens, on the CPU."""
        layout = self.spec.layout
        with torch.inference_mode():
            if self.decoding == "teacher":
                on_device = prompts.to(self.device), answers.to(self.device)
                return answers, answer_logits(self.model, *on_device, layout).cpu()
            said, logits = decode_greedily(self.model, prompts.to(self.device), layout, self.spec.network.decode)
            return said.cpu().clamp(min=0), logits.cpu()

    def _right(self, prompt: Tensor, answer: Tensor, unsure: Sequence[int]) -> bool:
        """Whether the reference says the right token in these predicted slots, after the right ones before each."""
        layout, decode = self.spec.layout, self.spec.network.decode
        for which in [unsure] if layout.in_place else [[k] for k in unsure]:
            chosen = choose(self._alone(prompt, answer, which), decode)
            if any(int(token) != int(answer[0, layout.predicted[k]]) for k, token in zip(which, chosen, strict=True)):
                return False
        return True

    def _measure_noise(self, logits: Tensor, prompts: Tensor, said: Tensor) -> None:
        """Have the reference read a few sequences of a batch too, and keep the largest difference of each token."""
        size, layout = len(prompts), self.spec.layout
        self._since_probe += size
        probes = min(size, PROBES - self._probed) if self._probed < PROBES else int(self._since_probe >= PROBE_EVERY)
        if not probes:
            return
        self._probed += probes
        self._since_probe = 0
        step = -(-len(layout.predicted) // PROBED_TOKENS)
        with torch.inference_mode(), one_thread():
            for k, i in enumerate(range(0, size, size // probes)[:probes]):
                slots = range(k % step, len(layout.predicted), step)
                alone = self._alone(prompts[i : i + 1], said[i : i + 1], slots)
                difference = (alone - logits[i, slots]).abs().amax(-1).nan_to_num(0.0)
                self._noise[slots] = torch.maximum(self._noise[slots], difference)
        if step > 1:
            self._noise[:] = self._noise.max()  # a token that was not looked at is taken to be as noisy as any

    def _alone(self, prompt: Tensor, said: Tensor, which: Sequence[int]) -> Tensor:
        """The reference's logits [which, classes] in these predicted slots, after what was said before each."""
        layout = self.spec.layout
        if layout.in_place:
            return answer_logits(self.reference, prompt, said, layout)[0, which]
        return torch.cat([next_logits(self.reference, prompt, said, layout.predicted[k]) for k in which])

    def greedy_tokens(self, inputs: Inputs) -> list[int]:
        """The greedy answer to one input, by the reference."""
        prompts, _ = self._encoded([inputs])
        with torch.inference_mode(), one_thread():
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

    def _encoded(self, inputs: Sequence[Inputs]) -> tuple[Tensor, Tensor]:
        """Prompts [B, P] and right answers [B, A] as token ids."""
        layout = self.spec.layout
        words = [self.spec.resolved.task.solve(pair) for pair in inputs]
        prompts = torch.tensor([layout.prompt_tokens(own) for own in words])
        return prompts, torch.tensor([layout.answer_tokens(own) for own in words])


@contextmanager
def one_thread() -> Iterator[None]:
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
