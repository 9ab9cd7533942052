"""Evaluation of a spec on suites of inputs: k of n, by teacher forcing or greedy decoding, with every failure real."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import torch
from torch import Tensor, nn

from compiler.decode import NO_TOKEN, answer_logits, greedy, teacher_force
from compiler.diagnostics import did_you_mean, fail
from compiler.ir import Attention
from compiler.limits import MAX_PAIRS
from compiler.pipeline import Spec
from compiler.tasks.task import Inputs, Part, Suite, TaskError
from compiler.torch_backend.model import build_model

Decoding = Literal["teacher", "greedy"]
Progress = Callable[[str, int, int], None]

BATCH = 1024  # sequences in one batch at most
BATCH_NUMBERS = 800_000  # attention weights in one batch at most: more leave the cache (benchmarks/eval_speed.py)
SHOWN_FAILURES = 5
PROBES = 8  # sequences of the first batch that are run by themselves too, to see how far batches differ from them
NOISE_FACTOR = 16  # a margin is close up to so many times the largest difference seen


@dataclass(frozen=True)
class Failure:
    """An input that is answered wrong. `got` is what greedy decoding says, in the task's own words."""

    inputs: Inputs
    text: str
    expected: str
    got: str


@dataclass(frozen=True)
class PartResult:
    """`right` of `pairs` inputs. `close`: answers whose margin lies within rounding of zero; these were decided
    by running them one at a time on the CPU."""

    label: str
    pairs: int
    right: int
    close: int
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class SuiteResult:
    suite: str
    seed: int | None  # None where the suite draws nothing
    parts: tuple[PartResult, ...]
    seconds: float

    @property
    def pairs(self) -> int:
        return sum(part.pairs for part in self.parts)

    @property
    def right(self) -> int:
        return sum(part.right for part in self.parts)


@dataclass(frozen=True)
class Evaluation:
    suites: tuple[SuiteResult, ...]
    decoding: Decoding
    dtype: str
    device: str
    threads: int
    torch_version: str

    @property
    def pairs(self) -> int:
        return sum(suite.pairs for suite in self.suites)

    @property
    def right(self) -> int:
        return sum(suite.right for suite in self.suites)

    @property
    def seconds(self) -> float:
        return sum(suite.seconds for suite in self.suites)


@dataclass(frozen=True)
class Answer:
    """One decoded answer. `tokens` are ids, `NO_TOKEN` where a logit was no number."""

    text: str
    expected: str
    right: bool
    prompt_tokens: tuple[int, ...]
    tokens: tuple[int, ...]
    right_tokens: tuple[int, ...]


def evaluate(
    spec: Spec,
    suites: Sequence[str] | None = None,
    *,
    pairs: int | None = None,
    seed: int = 0,
    decoding: Decoding = "teacher",
    device: str = "cpu",
    batch: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Run suites of the spec's task; by default all that a task runs by default, in their default sizes.

    `pairs` is the size of each suite that samples, `batch` the number of sequences in one forward pass.
    `progress(suite, done, total)` is called after each batch.
    Raises `SpecError` for a suite, size or device that cannot be had.
    """
    chosen = _chosen(spec, suites)
    if pairs is not None and not 1 <= pairs <= MAX_PAIRS:
        raise fail("bad-value", f"pairs has to be from 1 to {MAX_PAIRS:,}, not {pairs}")
    judge = Judge(spec, device, decoding)
    size_of_batch = batch or batch_size(spec)
    results = []
    for suite in chosen:
        size = pairs if pairs is not None and suite.sampled else suite.default_size
        try:
            parts = suite.parts(size, seed)
        except TaskError as error:
            raise fail("task", str(error)) from None
        start = time.perf_counter()
        done, total = 0, sum(part.size for part in parts)
        part_results = []
        for part in parts:

            def report(more: int, suite: Suite = suite, total: int = total) -> None:
                nonlocal done
                done += more
                if progress is not None:
                    progress(suite.name, done, total)

            part_results.append(_run_part(judge, part, size_of_batch, report))
        seconds = time.perf_counter() - start
        results.append(SuiteResult(suite.name, seed if suite.sampled else None, tuple(part_results), seconds))
    name = torch.cuda.get_device_name(judge.device) if judge.device.type == "cuda" else str(judge.device)
    return Evaluation(
        tuple(results), decoding, spec.network.dtype.name, name, torch.get_num_threads(), torch.__version__
    )


def batch_size(spec: Spec) -> int:
    """How many sequences are run together: `BATCH`, or fewer where their attention weights would be too many."""
    heads = max((step.heads.size for step in spec.network.steps if isinstance(step, Attention)), default=1)
    return max(1, min(BATCH, BATCH_NUMBERS // (heads * spec.network.context**2)))


def answer(spec: Spec, inputs: Inputs) -> Answer:
    """Greedy decoding of one input."""
    judge = Judge(spec, "cpu", "greedy")
    task, layout = spec.resolved.task, spec.layout
    words = task.solve(inputs)
    tokens = judge.greedy_tokens(inputs)
    right_tokens = layout.answer_tokens(words)
    return Answer(
        judge.describe(tokens),
        task.show({name: words[name] for name in task.answers}),
        tokens == right_tokens,
        tuple(layout.prompt_tokens(words)),
        tuple(tokens),
        tuple(right_tokens),
    )


class Judge:
    """A built model with the task and layout to ask it with."""

    def __init__(self, spec: Spec, device: str, decoding: Decoding) -> None:
        self.spec = spec
        self.decoding = decoding
        self.device = _device(device)
        self.reference = build_model(spec.network).eval()
        self.model: nn.Module = self.reference
        self._noise = torch.zeros(len(spec.layout.predicted), dtype=torch.float64)
        self._probed = False
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
        if size == 1 and self.model is self.reference:
            return
        probes = 1 if self._probed else min(size, PROBES)
        self._probed = True
        for i in range(0, size, size // probes):
            with _one_thread():
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


def _run_part(judge: Judge, part: Part, batch: int, report: Callable[[int], None]) -> PartResult:
    right = close = 0
    failures: list[Failure] = []
    for inputs in _batches(part.generate(), batch):
        verdicts, close_here = judge.verdicts(inputs)
        right += sum(verdicts)
        close += close_here
        for pair in (pair for pair, verdict in zip(inputs, verdicts, strict=True) if not verdict):
            if len(failures) == SHOWN_FAILURES:
                break
            failure = judge.failure(pair)
            if failure is None:  # closer than the noise that was measured
                right, close = right + 1, close + 1
            else:
                failures.append(failure)
        report(len(inputs))
    return PartResult(part.label, part.size, right, close, tuple(failures))


def _batches(inputs: Iterator[Inputs], size: int) -> Iterator[list[Inputs]]:
    while batch := list(islice(inputs, size)):
        yield batch


def _chosen(spec: Spec, names: Sequence[str] | None) -> list[Suite]:
    known = spec.resolved.task.suites()
    if not names:
        return [suite for suite in known.values() if suite.by_default]
    for name in names:
        if name not in known:
            raise fail("unknown-name", f"no suite '{name}'{did_you_mean(name, known)}")
    return [known[name] for name in dict.fromkeys(names)]


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise fail("device", f"no device '{name}' here: {reason}", hint="use --device cpu") from None
    return device
