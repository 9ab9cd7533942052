"""Rates at which the answers of a spec are decided: one at a time, by the plain engine, by the fast one; all compared.

A way is timed as `eval` runs it: inputs are made and answered, and what the engine is not sure of is decided by the
plain module, one sequence at a time. Only the failures that `eval` would show are not decoded.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.arithmetic import exponentials
from compiler import Spec
from compiler.backends.elementary.program import NotFollowed
from compiler.backends.native.c_compiler import find_compiler
from compiler.backends.native.c_program import c_source
from compiler.backends.native.columns import columns_for_c
from compiler.backends.native.engines import EngineName, batch_size
from compiler.backends.native.fast_engine import BLOCK, FastEngine, programs, quick_stages
from compiler.backends.native.native import Native, native
from compiler.backends.torch.reference import Reference
from compiler.evaluation.evaluator import AskedInputs, Evaluator, Verdicts
from compiler.evaluation.suite_runs import SuiteToRun, run_suite
from compiler.source.faults import NoRule
from compiler.source.user_cache import SETTING
from compiler.tasks.task import Inputs, Part

SUITE = "uniform"
FIRST_PAIRS = 96  # how many a way decides to see how fast it is
ONE_AT_A_TIME = "one at a time"
PLAIN = "plain, batches"
FAST_TORCH = "fast, torch"
FAST_C = "fast, C"
COMPILED = "compiled C"  # as the fast engine names it

Verdict = NDArray[np.bool_]  # [pairs of a part]


@dataclass(frozen=True)
class Round:
    """One run: seconds, how many pairs were decided one at a time, whether each of a part is right."""

    seconds: float
    close: int
    right: tuple[Verdict, ...]


@dataclass(frozen=True)
class Way:
    """A way to decide the pairs of a suite's parts, on so many threads. `note` is how it runs, for people."""

    name: str
    threads: int
    note: str
    decide: Callable[[Sequence[Part]], Round]

    def run(self, parts: Sequence[Part]) -> Round:
        with _threads(self.threads):
            return self.decide(parts)


@dataclass(frozen=True)
class Rate:
    """The best of some rounds. `close` is the share of the pairs that the plain module decided, one at a time."""

    way: str
    threads: int
    note: str
    pairs: int
    per_second: float
    close: float
    right: tuple[Verdict, ...]


@dataclass(frozen=True)
class SpecRates:
    """All rates of a spec, that of `ONE_AT_A_TIME` first and that of what `eval` uses last.

    `compile_seconds` is how long it takes until the engine can run when its C has to be compiled, `kept_seconds` when
    the cache has it; None where nothing is compiled or kept. `exponentials` is how many an answer takes; None without
    the fast engine. `first_pass` is how many inputs a second of the processor the first pass of the engine
    takes, whatever it decides, where that was asked for. `reason` says why the engine, or its C, is not used.
    `disagreements` are sentences about verdicts that differ.
    """

    spec: str
    length: int
    exponentials: int | None
    rates: tuple[Rate, ...]
    compile_seconds: float | None
    kept_seconds: float | None
    reason: str | None
    disagreements: tuple[str, ...]
    first_pass: float | None = None

    @property
    def used(self) -> Rate:
        return self.rates[-1]

    @property
    def ratio(self) -> float:
        """How much faster than one at a time `eval` is."""
        return self.times(self.used)

    def times(self, rate: Rate) -> float:
        return rate.per_second / self.rates[0].per_second


@dataclass(frozen=True)
class Made:
    """The ways to decide a spec's pairs, and what making them took; see `SpecRates`."""

    ways: tuple[Way, ...]
    compile_seconds: float | None
    kept_seconds: float | None
    reason: str | None


def measured(spec: Spec, seconds: float, rounds: int, seed: int, *, only_used: bool = False) -> SpecRates:
    """Every way in turn, for about so many seconds each, and the best of so many rounds.

    The ways decide the first pairs of the suite, each as many as it has time for. With `only_used`, no other ways than
    one at a time and what `eval` uses, and the first pass of the engine.
    """
    made = _made(spec)
    ways = (made.ways[0], made.ways[-1]) if only_used else made.ways
    rates = _timed(spec, ways, seconds, rounds, seed)
    return SpecRates(
        spec.name,
        spec.layout.length,
        exponentials(spec),
        rates,
        made.compile_seconds,
        made.kept_seconds,
        made.reason,
        disagreements(rates),
        first_pass(spec, seconds, rounds, seed) if only_used else None,
    )


def first_pass(spec: Spec, seconds: float, rounds: int, seed: int) -> float | None:
    """How many inputs a second of the processor the first pass of the engine takes: values alone, or with errors of
    attention that are known. As compiled C, whatever it decides; None where there is no such pass."""
    try:
        (program,) = made = programs(spec)
        stage, columns = next(quick_stages(program), None), columns_for_c(made, spec.layout)
    except (NotFollowed, NoRule, ValueError):
        return None
    if stage is None or columns is None:
        return None
    library = native(c_source(stage.program, stage.margins, columns))
    if not isinstance(library, Native):
        return None
    *_, part = _parts(spec, 3 * BLOCK, seed)
    words = next(iter(part.blocks(BLOCK)))
    taken = list[float]()
    while len(taken) < rounds or sum(taken) < seconds:
        start = time.process_time()
        library.check(columns, words)
        taken.append(time.process_time() - start)
    return BLOCK / min(taken)


def blocks_measured(spec: Spec, sizes: Sequence[int], seconds: float, rounds: int, seed: int) -> list[list[Rate]]:
    """For each block size the rates of the plain engine, of torch tensors, and of C on one thread where there is C."""
    fast, found = _fast_judges(spec), []
    for size in sizes:
        ways = [_judging(PLAIN, _Recording(spec, "plain", batch=size), 1)]
        for evaluator in fast:
            assert isinstance(evaluator.engine, FastEngine)
            evaluator.engine = replace(evaluator.engine, block=size)
            ways.append(_judging(FAST_C if _is_compiled(evaluator) else FAST_TORCH, evaluator, 1))
        found.append(list(_timed(spec, ways, seconds, rounds, seed)))
    return found


def self_check_measured(spec: Spec, pairs: int) -> tuple[str, float, float]:
    """How `eval` runs so many pairs, the seconds that it takes, and those that its check of the engine takes of them.

    Raises `ValueError`, with the reason, where the fast engine cannot follow the spec.
    """
    evaluator = Evaluator(spec, inputs=pairs)
    if evaluator.reason is not None:
        raise ValueError(evaluator.reason)
    check, spent = evaluator.self_check, 0.0

    def timed(*arguments: NDArray[np.int32]) -> None:
        nonlocal spent
        start = time.perf_counter()
        check(*arguments)
        spent += time.perf_counter() - start

    evaluator.self_check = timed
    suite = SuiteToRun(SUITE, _parts(spec, pairs, 0), None, 0)
    return evaluator.engine.detail, run_suite(evaluator, suite, lambda done: None, lambda notice: None).seconds, spent


def _fast_judges(spec: Spec) -> list[_Recording]:
    """The fast engine on torch tensors, and compiled for one thread, where there are such."""
    with _threads(1):
        evaluators = [_on_tensors(spec), _Recording(spec, inputs=sys.maxsize)]
    evaluators = [evaluator for evaluator in evaluators if evaluator.reason is None]
    return evaluators[:1] + [evaluator for evaluator in evaluators[1:] if _is_compiled(evaluator)]


def _made(spec: Spec) -> Made:
    threads = torch.get_num_threads()
    find_compiler()  # asked once in a process, which is no part of compiling
    single = _one_at_a_time(spec)
    plain = _judging(PLAIN, _Recording(spec, "plain", batch=batch_size(spec)))
    with _empty_cache():
        compiled, compile_seconds = _engine(spec, threads)
        if compiled.reason is not None:
            return Made((single, plain), None, None, compiled.reason)
        tensors = _judging(FAST_TORCH, _on_tensors(spec))
        if not _is_compiled(compiled):
            return Made((single, plain, tensors), None, None, compiled.engine.detail)
        on_one, kept_seconds = _engine(spec, 1)
    ways = [single, plain, tensors, _judging(FAST_C, on_one, 1)]
    if threads > 1:
        ways.append(_judging(FAST_C, compiled))
    return Made(tuple(ways), compile_seconds, kept_seconds, None)


def _engine(spec: Spec, threads: int) -> tuple[_Recording, float]:
    """The fast engine for many inputs, and how long it took to have it."""
    with _threads(threads):
        start = time.perf_counter()
        evaluator = _Recording(spec, inputs=sys.maxsize)
        return evaluator, time.perf_counter() - start


def _on_tensors(spec: Spec) -> _Recording:
    """The fast engine for many inputs, as where there is no compiler."""
    with _setting("CC", os.path.join(os.sep, "none", "cc")):
        return _Recording(spec, inputs=sys.maxsize)


def _is_compiled(evaluator: Evaluator) -> bool:
    return COMPILED in evaluator.engine.detail


class _Recording(Evaluator):
    """Keeps whether each input was right."""

    def __init__(self, spec: Spec, engine: EngineName = "fast", inputs: int = 0, batch: int | None = None) -> None:
        super().__init__(spec, engine=engine, inputs=inputs, batch=batch)
        self.right: list[Verdict] = []

    def decide(self, asked: AskedInputs) -> Verdicts:
        found = super().decide(asked)
        self.right.append(found.right)
        return found


def _judging(name: str, evaluator: _Recording, threads: int | None = None) -> Way:
    def decide(parts: Sequence[Part]) -> Round:
        evaluator.right.clear()
        run = run_suite(evaluator, SuiteToRun(SUITE, tuple(parts), None, 0), lambda done: None, lambda notice: None)
        ends = np.cumsum([part.size for part in parts])[:-1]
        right = np.split(np.concatenate(evaluator.right), ends)
        return Round(run.seconds, sum(tally.close for tally in run.tallies), tuple(right))

    return Way(name, threads or torch.get_num_threads(), evaluator.engine.detail, decide)


def _one_at_a_time(spec: Spec) -> Way:
    reference, task, layout = Reference(spec), spec.resolved.task, spec.layout

    def is_right(inputs: Inputs) -> bool:
        words = task.solve(inputs)
        return reference.greedy(layout.prompt_tokens(words)) == layout.answer_tokens(words)

    def decide(parts: Sequence[Part]) -> Round:
        start = time.perf_counter()
        right = [np.array([is_right(inputs) for inputs in part.generate()], dtype=bool) for part in parts]
        return Round(time.perf_counter() - start, 0, tuple(right))

    return Way(ONE_AT_A_TIME, 1, "greedy decoding by the plain module", decide)


def _timed(spec: Spec, ways: Sequence[Way], seconds: float, rounds: int, seed: int) -> tuple[Rate, ...]:
    """The ways take turns, so that a slow spell of the machine meets all of them."""
    parts = [_parts(spec, _size(spec, way, seconds / rounds, seed), seed) for way in ways]
    best: list[Round | None] = [None] * len(ways)
    for _ in range(rounds):
        for i, way in enumerate(ways):
            found, before = way.run(parts[i]), best[i]
            best[i] = found if before is None or found.seconds < before.seconds else before
    return tuple(_rate(way, found) for way, found in zip(ways, best, strict=True) if found is not None)


def _rate(way: Way, found: Round) -> Rate:
    pairs = sum(map(len, found.right))
    close = found.close / pairs
    return Rate(way.name, way.threads, way.note, pairs, pairs / found.seconds, close, found.right)


def _size(spec: Spec, way: Way, seconds: float, seed: int) -> int:
    """How many pairs take that long; finding out warms up too."""
    size = FIRST_PAIRS
    while (took := way.run(_parts(spec, size, seed)).seconds) < seconds / 4:
        size *= 4
    return max(FIRST_PAIRS, int(size * seconds / took))


def _parts(spec: Spec, pairs: int, seed: int) -> tuple[Part, ...]:
    """The first pairs of the suite: those of a part do not depend on how many there are."""
    return spec.resolved.task.suites()[SUITE].parts(pairs, seed)


def disagreements(rates: Sequence[Rate]) -> tuple[str, ...]:
    """A sentence for each two ways whose verdicts differ on the pairs that both decided."""
    found = []
    for one, other in combinations(rates, 2):
        common = [(a[: len(b)], b[: len(a)]) for a, b in zip(one.right, other.right, strict=True)]
        wrong, size = sum(int((a != b).sum()) for a, b in common), sum(len(a) for a, _ in common)
        if wrong:
            found.append(f"{one.way} and {other.way} differ about {wrong:,} of {size:,} pairs")
    return tuple(found)


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _empty_cache() -> Iterator[None]:
    """A cache that has nothing yet, and is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="weightspec-") as folder, _setting(SETTING, folder):
        yield


@contextmanager
def _setting(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
