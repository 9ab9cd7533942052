"""The fast engine: a spec's programs, as compiled C where that is worth it, or on torch tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compiler.backends.bounds.cost import numbers_kept, without_followed_errors
from compiler.backends.bounds.faint import without_faint_terms
from compiler.backends.bounds.margins import BINS, sufficient_leads, with_known_errors
from compiler.backends.bounds.passes import prepared
from compiler.backends.bounds.tensors import said
from compiler.backends.elementary.model import translate
from compiler.backends.elementary.program import Array, Attended, NotFollowed, Program
from compiler.backends.native.c_program import c_source
from compiler.backends.native.columns import Columns, columns_for_c
from compiler.backends.native.engines import UNSURE, EngineName, EngineUnavailable
from compiler.backends.native.native import NativeUnavailable, Tokens, native
from compiler.backends.native.recorded import recorded
from compiler.pipeline import Spec
from compiler.source.diagnostics import SpecError
from compiler.source.faults import NoRule
from compiler.tasks.task import Words

WORTH_COMPILING = 5_000  # sequences for each program that take torch as long as it takes to compile it
WORTH_RECORDING = 1000  # sequences that take about as long as recording the calls of a program
BLOCK = 1 << 14
MOST_ROWS = 1 << 16  # sequences from several starts that are run at once
TENSOR_NUMBERS = 1 << 19  # numbers in one tensor on the CPU: more leave the cache
DEVICE_NUMBERS = 1 << 25
KEPT_TENSORS = 64  # as large as the largest may be, that are kept at once
SAMPLE = 200  # inputs that show whether a quick stage decides enough
MOST_LEFT = 0.25  # of the inputs: where a quick stage leaves more, it is not worth its time
TENSOR_BLOCK = 1 << 11  # sequences at once at most, on the CPU
DEVICE_BLOCK = 1 << 16


@dataclass(frozen=True, eq=False)
class _Runner:
    """Says the slots of one program: sequences [B, length] to tokens [B, slots]. `check`: which inputs are surely
    answered right, where one program says all. `decided`: how many inputs each stage decided, where there are two."""

    program: Program
    run: Callable[[Tokens], Tokens]
    check: Callable[[Words], NDArray[np.bool_]] | None = None
    decided: Callable[[], str] | None = None


@dataclass(frozen=True, eq=False)
class FastEngine:
    """See `compiler.backends.native.engines.Engine`. `how` it runs is a part of the `detail`."""

    how: str
    at_once: int
    runners: tuple[_Runner, ...]
    predicted: tuple[int, ...]
    block: int
    name: EngineName = "fast"

    @property
    def detail(self) -> str:
        """How it runs, and of one program how many inputs each stage decided."""
        decided = self.runners[0].decided
        return self.how if decided is None else f"{self.how}, {decided()}"

    def surely_right(self, words: Words) -> NDArray[np.bool_] | None:
        """See `Engine`."""
        check = self.runners[0].check
        return None if check is None else check(words)

    def said(self, prompts: Tokens, answers: Tokens) -> Tokens:
        tokens = np.empty((len(prompts), len(self.predicted)), dtype=np.int32)
        places = {slot: k for k, slot in enumerate(self.predicted)}
        at_once = max(1, MOST_ROWS // max(1, len(prompts)))
        for runner in self.runners:
            starts = list(runner.program.at_each_start())
            for first in range(0, len(starts), at_once):
                some = starts[first : first + at_once]
                rows = runner.run(_read(prompts, answers, some))
                for alone, said_rows in zip(some, np.split(rows, len(some)), strict=True):
                    tokens[:, [places[slot] for slot in alone.slots]] = said_rows
        return tokens


def _read(prompts: Tokens, answers: Tokens, starts: Sequence[Program]) -> Tokens:
    """What a program reads of them from each start, one after the other: [starts · B, length]."""
    length, end = starts[0].length, prompts.shape[1]
    rows = np.empty((len(starts), len(prompts), length), dtype=np.int32)
    for into, alone in zip(rows, starts, strict=True):
        first, last = alone.positions.start, alone.positions.stop
        of_prompt = min(length, max(0, end - first))
        into[:, :of_prompt] = prompts[:, first : first + of_prompt]
        into[:, of_prompt:] = answers[:, max(0, first - end) : max(0, last - end)]
    return rows.reshape(-1, length)


def programs(spec: Spec) -> tuple[Program, ...]:
    """What is run for a spec. Raises `NotFollowed`."""
    return tuple(prepared(program, spec.network, "fast engine") for program in translate(spec.network, spec.layout))


def fast_engine(spec: Spec, device: torch.device, inputs: int, threads: int) -> FastEngine:
    """The engine for so many inputs in all, which so many threads may ask at once where it is compiled.

    Raises `EngineUnavailable` where the network cannot be followed.
    """
    try:
        made = programs(spec)
        are_few = inputs * max(len(program.starts) for program in made) < WORTH_COMPILING * len(made)
        first = [None if are_few else _worth_it(program, spec) for program in made]
    except (NotFollowed, NoRule) as error:
        raise EngineUnavailable(str(error)) from None

    def runners(make: _Make) -> tuple[_Runner, ...]:
        return tuple(_in_stages(program, stage, make) for program, stage in zip(made, first, strict=True))

    why = "too few inputs to compile C for" if are_few else "C runs on the CPU"
    if not are_few and device.type == "cpu":
        compiled = partial(_compiled, columns=columns_for_c(made, spec.layout))
        how = f"compiled C, {_count(threads, 'thread')}"
        try:
            return FastEngine(how, threads, runners(compiled), spec.layout.predicted, BLOCK)
        except EngineUnavailable as error:
            why = str(error)
    on_tensors = runners(partial(_on_tensors, device=device))
    return FastEngine(f"torch tensors on {device}: {why}", 1, on_tensors, spec.layout.predicted, BLOCK)


def _in_stages(program: Program, first: QuickStage | None, make: _Make) -> _Runner:
    """A quick stage before the bounds, if it can be made. Raises `EngineUnavailable`."""
    if first is not None:
        with suppress(EngineUnavailable):
            quick = make(first.program, first.margins)
            both = _Stages(quick, partial(make, program, None), first.how)
            return _Runner(program, both.run, None if quick.check is None else both.check, both.decided)
    return make(program, None)


def _worth_it(program: Program, spec: Spec) -> QuickStage | None:
    """A quick stage that decides enough of a sample. Raises `NoRule`."""
    sample = _sample(program, spec)
    if sample is None:
        return None
    return next((stage for stage in quick_stages(program) if stage.share_decided(sample) >= stage.least), None)


@dataclass(frozen=True, eq=False)
class QuickStage:
    """A program that takes less time than bounds of each input do, and `how` it decides; with `margins` values alone
    are computed. `least`: the share of a sample that it has to decide, to be worth its time."""

    program: Program
    how: str
    least: float
    margins: Array | None = None

    def share_decided(self, sample: Tensor) -> float:
        """The share of some sequences [batch, length] of which it is sure."""
        with torch.inference_mode():
            return float((said(self.program, sample, self.margins) != UNSURE).all(1).double().mean())


def quick_stages(program: Program) -> Iterator[QuickStage]:
    """Values alone; or errors of attention that are known for all inputs, without faint terms if possible, where all
    others are not followed, if this decides all of a sample, or are. Raises `NoRule`."""
    if not any(isinstance(node.operation, Attended) for node in program.nodes):
        for bins in BINS:
            margins = sufficient_leads(program, bins)
            if np.isfinite(margins).all():
                yield QuickStage(program, "by values alone", 1 - MOST_LEFT if bins == BINS[-1] else 1.0, margins)
        return
    for less in filter(None, (without_faint_terms(program), program)):
        known = with_known_errors(less)
        how = "by wider bounds" if known is None else "by known errors of attention"
        yield QuickStage(without_followed_errors(known or less), how, 1.0)
        if (known or less) is not program:
            yield QuickStage(known or less, how, 1 - MOST_LEFT)


def _sample(program: Program, spec: Spec) -> Tensor | None:
    """Some of the sequences that a program reads, of inputs of the first suite; None where the task draws none."""
    try:
        part = next(iter(spec.resolved.task.suites().values())).parts(SAMPLE, 0)[-1]
        words = next(iter(part.blocks(SAMPLE)))
    except (SpecError, StopIteration, IndexError):
        return None
    start = next(program.at_each_start())
    return torch.from_numpy(_read(spec.layout.prompts(words), spec.layout.answers(words), [start]))


_Make = Callable[[Program, Array | None], _Runner]  # with margins or bounds; it raises `EngineUnavailable`


def _compiled(program: Program, margins: Array | None, columns: Columns | None) -> _Runner:
    try:
        library = native(c_source(program, margins, columns))
    except (NotFollowed, NoRule) as error:
        raise EngineUnavailable(str(error)) from None
    if isinstance(library, NativeUnavailable):
        raise EngineUnavailable(library.reason)

    def run(tokens: Tokens) -> Tokens:
        said_tokens = np.empty((len(tokens), len(program.slots)), dtype=np.int32)
        library.run(tokens, said_tokens)
        return said_tokens

    return _Runner(program, run, None if columns is None else lambda words: library.check(columns, words))


def _on_tensors(program: Program, margins: Array | None, device: torch.device) -> _Runner:
    size, some = _tensor_block(program, device), torch.zeros((2, program.length), dtype=torch.int32, device=device)

    def compute(tokens: Tensor) -> Tensor:
        return said(program, tokens, margins)

    @cache
    def repeated() -> Callable[[Tensor], Tensor]:
        return recorded(compute, some)

    asked = 0

    def run(tokens: Tokens) -> Tokens:
        nonlocal asked
        asked += len(tokens)
        with torch.inference_mode():
            said_by = repeated() if asked >= WORTH_RECORDING else compute
            parts = [
                said_by(torch.from_numpy(tokens[first : first + size]).to(device)).cpu().numpy()
                for first in range(0, len(tokens), size)
            ]
        return np.concatenate(parts) if parts else np.empty((0, len(program.slots)), dtype=np.int32)

    try:
        run(np.zeros((1, program.length), dtype=np.int32))  # what has no rule is refused before anything is asked
    except NoRule as error:
        raise EngineUnavailable(str(error)) from None
    return _Runner(program, run)


@dataclass(eq=False)
class _Stages:
    """A quick stage first. What it is not sure of is left to the bounds, which are made ready then; and so is all, once
    many inputs were left."""

    quick: _Runner
    make_bounds: Callable[[], _Runner]
    how: str
    made: list[_Runner | None] = field(default_factory=list)  # the bounds, or None where they cannot be made
    asked: int = 0
    left: int = 0
    by_bounds: int = 0
    lock: Lock = field(default_factory=Lock, init=False)  # of the counts
    making: Lock = field(default_factory=Lock, init=False)  # threads that ask at once compile once

    def decided(self) -> str:
        return f"{self.asked - self.left:,} inputs {self.how}, {self.by_bounds:,} by bounds"

    def _count(self, asked: int = 0, left: int = 0, by_bounds: int = 0) -> None:
        with self.lock:
            self.asked, self.left, self.by_bounds = self.asked + asked, self.left + left, self.by_bounds + by_bounds

    def _bounds(self) -> _Runner | None:
        with self.making:
            if not self.made:
                try:
                    self.made.append(self.make_bounds())
                except EngineUnavailable:
                    self.made.append(None)
            return self.made[0]

    def _only_bounds(self) -> _Runner | None:
        return self._bounds() if self.left > MOST_LEFT * self.asked else None

    def run(self, tokens: Tokens) -> Tokens:
        bounds = self._only_bounds()
        if bounds is not None:
            return self._bounded(bounds, tokens)
        tokens_said = self.quick.run(tokens)
        rows = np.flatnonzero((tokens_said == UNSURE).any(1))
        self._count(len(tokens), len(rows))
        if len(rows) and (bounds := self._bounds()) is not None:
            tokens_said[rows] = self._bounded(bounds, tokens[rows])
        return tokens_said

    def _bounded(self, bounds: _Runner, tokens: Tokens) -> Tokens:
        tokens_said = bounds.run(tokens)
        self._count(by_bounds=int(np.count_nonzero((tokens_said != UNSURE).all(1))))
        return tokens_said

    def check(self, words: Words) -> NDArray[np.bool_]:
        bounds = self._only_bounds()
        check = self.quick.check if bounds is None else bounds.check
        assert check is not None
        sure = check(words)
        decided = int(np.count_nonzero(sure))  # the others are run
        self._count(decided) if bounds is None else self._count(by_bounds=decided)
        return sure


def _tensor_block(program: Program, device: torch.device) -> int:
    """How many sequences make the largest tensor, and all that are kept, as large as they should be."""
    largest = program.length
    for node in program.nodes:
        if isinstance(node.operation, Attended):
            largest = max(largest, len(node.positions) * program.length)
    numbers, most = (TENSOR_NUMBERS, TENSOR_BLOCK) if device.type == "cpu" else (DEVICE_NUMBERS, DEVICE_BLOCK)
    return max(1, min(most, numbers // largest, KEPT_TENSORS * numbers // numbers_kept(program)))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
