"""Evaluation of a spec on suites of inputs: k of n, by teacher forcing or greedy decoding, with every failure real."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch

from compiler.diagnostics import did_you_mean, fail
from compiler.ir import Attention
from compiler.judge import Decoding, Failure, Judge
from compiler.limits import MAX_PAIRS
from compiler.pipeline import Spec
from compiler.tasks import tasks_with_protocols
from compiler.tasks.task import EvaluationProtocol, Inputs, Part, Suite, TaskError

Progress = Callable[[str, int, int], None]

BATCH = 1024  # sequences in one batch at most
BATCH_NUMBERS = 800_000  # attention weights in one batch at most: more leave the cache (benchmarks/eval_speed.py)
SHOWN_FAILURES = 5


@dataclass(frozen=True)
class PartResult:
    """`right` of `pairs` inputs; `close` of them had a margin near zero and were decided one at a time.

    `failures` are the first wrong ones, as many as were asked for.
    """

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
    protocol: EvaluationProtocol | None = None

    @property
    def qualified(self) -> bool | None:
        """Whether as many inputs are right as the protocol asks for; None without one."""
        return None if self.protocol is None else self.right >= self.protocol.needed(self.pairs)

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
    protocol: str | None = None,
    pairs: int | None = None,
    seed: int | None = None,
    decoding: Decoding = "teacher",
    failures: int | None = SHOWN_FAILURES,
    device: str = "cpu",
    batch: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Run suites of the spec's task; by default all that a task runs by default, in their default sizes.

    A `protocol` is a test that others have fixed: it has suites of its own, and no size or seed to choose.
    A model that is not causal is decoded greedily, whatever `decoding` says: teacher forcing would show it the answer.
    `pairs` is the size of each suite that samples, `seed` (0 if None) decides what it draws, `failures` is how many
    wrong answers of each part are kept (None for all), `batch` the number of sequences in one forward pass.
    `progress(suite, done, total)` is called after each batch.
    Raises `SpecError` for a suite, protocol, size or device that cannot be had.
    """
    if decoding not in ("teacher", "greedy"):
        raise fail("bad-value", f"decoding is teacher or greedy, not '{decoding}'")
    names = [suites] if isinstance(suites, str) else suites
    test = None
    if protocol is not None:
        if names or pairs is not None or seed is not None:
            message = f"the protocol {protocol} says itself which inputs are run: give no suites, pairs or seed with it"
            raise fail("bad-value", message, hint="to choose them, leave the protocol out")
        test = _protocol(spec, protocol)
        names = test.suites
    chosen = _chosen(spec, names)
    if pairs is not None and not 1 <= pairs <= MAX_PAIRS:
        raise fail("bad-value", f"pairs has to be from 1 to {MAX_PAIRS:,}, not {pairs}")
    if failures is not None and failures < 0:
        raise fail("bad-value", f"the number of failures to keep cannot be {failures}")
    kept = sys.maxsize if failures is None else failures
    planned = [(suite, _parts(suite, pairs, seed or 0)) for suite in chosen]
    judge = Judge(spec, device, decoding)
    size_of_batch = batch or batch_size(spec)
    results = []
    for suite, parts in planned:
        drawn_with = seed or 0 if suite.sampled else None
        results.append(_run_suite(judge, suite.name, drawn_with, parts, size_of_batch, kept, progress))
    name = torch.cuda.get_device_name(judge.device) if judge.device.type == "cuda" else str(judge.device)
    threads, version = torch.get_num_threads(), torch.__version__
    return Evaluation(tuple(results), judge.decoding, spec.network.dtype.name, name, threads, version, test)


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


def _parts(suite: Suite, pairs: int | None, seed: int) -> tuple[Part, ...]:
    try:
        return suite.parts(suite.size(pairs), seed)
    except TaskError as error:
        raise fail("task", str(error)) from None


def _run_suite(
    judge: Judge,
    name: str,
    seed: int | None,
    parts: tuple[Part, ...],
    batch: int,
    kept: int,
    progress: Progress | None,
) -> SuiteResult:
    total = sum(part.size for part in parts)
    done = 0

    def report(more: int) -> None:
        nonlocal done
        done += more
        if progress is not None:
            progress(name, done, total)

    start = time.perf_counter()
    results = tuple(_run_part(judge, part, batch, kept, report) for part in parts)
    return SuiteResult(name, seed, results, time.perf_counter() - start)


def _run_part(judge: Judge, part: Part, batch: int, kept: int, report: Callable[[int], None]) -> PartResult:
    right = close = 0
    failures: list[Failure] = []
    for inputs in _batches(part.generate(), batch):
        verdicts, close_here = judge.verdicts(inputs)
        right += sum(verdicts)
        close += close_here
        for pair in (pair for pair, verdict in zip(inputs, verdicts, strict=True) if not verdict):
            if len(failures) == kept:
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


def _protocol(spec: Spec, name: str) -> EvaluationProtocol:
    task = spec.resolved.task
    known = task.protocols()
    if name in known:
        return known[name]
    if known:
        raise fail("unknown-name", f"the task {task.kind} has no protocol '{name}'{did_you_mean(name, known)}")
    raise fail("unknown-name", f"the task {task.kind} has no protocols", hint=tasks_with_protocols())


def _chosen(spec: Spec, names: Sequence[str] | None) -> list[Suite]:
    known = spec.resolved.task.suites()
    if not names:
        return [suite for suite in known.values() if suite.by_default]
    for name in names:
        if name not in known:
            raise fail("unknown-name", f"no suite '{name}'{did_you_mean(name, known)}")
    return [known[name] for name in dict.fromkeys(names)]
