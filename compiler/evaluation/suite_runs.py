"""Running a suite: its inputs go to the evaluator in blocks, and the verdicts are counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from compiler.evaluation.answer_counts import Tally
from compiler.evaluation.evaluator import AskedInputs, Evaluator, Failure
from compiler.evaluation.overlap import in_order
from compiler.evaluation.saved_runs import LONG, DamagedState, RunState, SavedRun
from compiler.evaluation.self_check import decoded_otherwise
from compiler.tasks.task import Inputs, Part, Words

FIRST_INPUTS = 1024  # of a suite; they show how long inputs take
SAVED_EVERY = 3.0  # seconds, unless saving takes long
SLOW = 2.0  # seconds that a bunch of inputs may take


class Interrupted(KeyboardInterrupt):
    """A long run that was interrupted; the message says how far it was, and what became of that."""


@dataclass(frozen=True)
class SuiteToRun:
    """A suite as it is to be run. `kept` failures of each part are decoded to be shown. `saved` is where the state of a
    long run is kept; None where there is no safe place, or the run is short."""

    name: str
    parts: tuple[Part, ...]
    seed: int | None
    kept: int
    saved: SavedRun | None = None

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    @property
    def is_long(self) -> bool:
        """Whether it is worth saving what was found so far."""
        return self.size > LONG


@dataclass(frozen=True)
class SuiteRun:
    """What became of the inputs of each part, and how long that took; `resumed` of them in an earlier run."""

    tallies: tuple[Tally, ...]
    seconds: float
    resumed: int


def run_suite(
    evaluator: Evaluator, suite: SuiteToRun, done: Callable[[int], None], notice: Callable[[str], None]
) -> SuiteRun:
    """Judge all inputs, except the first of them where an earlier run has left its verdicts.

    `done` is told after each bunch how many inputs are judged, `notice` what a person should know at once. A long run
    is saved every few seconds and at its end. When it is interrupted it is saved too, and raises `Interrupted`.
    """
    start, pace, keeping = time.perf_counter(), _Pace(evaluator.engine.block), _Keeping(suite, notice)
    before = state = keeping.earlier()
    if before.done:
        done(before.done)
    try:
        for number, part in enumerate(suite.parts):
            tally = state.tallies[number] if number < len(state.tallies) else Tally()
            for asked in in_order(_bunches(part, tally.done, pace), evaluator.ask, evaluator.engine.at_once):
                started = time.perf_counter()
                tally = _tallied(evaluator, asked, tally, suite.kept)
                pace.took(len(asked.sure), asked.seconds + time.perf_counter() - started)
                seconds = before.seconds + time.perf_counter() - start
                state = RunState((*state.tallies[:number], tally), seconds)
                done(state.done)
                keeping.now_and_then(state)
            state = RunState((*state.tallies[:number], tally, *state.tallies[number + 1 :]), state.seconds)
    except KeyboardInterrupt:
        if suite.is_long:
            raise Interrupted(keeping.interrupted(state)) from None
        raise
    keeping.save(state)
    return SuiteRun(state.tallies, state.seconds, before.done)


class _Keeping:
    """When the state of a suite is saved, and what is said about it."""

    def __init__(self, suite: SuiteToRun, notice: Callable[[str], None]) -> None:
        self._suite, self._notice = suite, notice
        self._due = time.monotonic() + SAVED_EVERY
        self._problem = "" if suite.saved is not None else "there is no safe cache folder"

    def earlier(self) -> RunState:
        """What an earlier run has left."""
        suite = self._suite
        if suite.saved is None:
            return RunState()
        try:
            state = suite.saved.load(suite.parts)
        except DamagedState as error:
            self._notice(f"the saved state of {suite.name} cannot be used, and is made anew: {error}")
            return RunState()
        if state is None:
            if suite.saved.is_of_other_versions:
                other = (
                    "an earlier run was of another version of weightspec or torch, and only that version can resume it"
                )
                self._notice(f"{suite.name} begins anew: {other}")
            return RunState()
        self._notice(f"{suite.name}: resumed at {state.done:,} of {suite.size:,}")
        return state

    def now_and_then(self, state: RunState) -> None:
        if time.monotonic() >= self._due:
            self.save(state)

    def save(self, state: RunState) -> None:
        if self._suite.saved is None:
            return
        start = time.monotonic()
        try:
            self._suite.saved.save(state)
            self._problem = ""
        except OSError as error:
            problem = error.strerror or str(error)
            if problem != self._problem:
                self._notice(f"the state of {self._suite.name} cannot be saved: {problem}")
            self._problem = problem
        now = time.monotonic()
        self._due = now + max(SAVED_EVERY, 20 * (now - start))

    def interrupted(self, state: RunState) -> str:
        """What is said then, of a state that was saved if it could be."""
        self.save(state)
        suite = self._suite
        progress = f"interrupted in {suite.name} after {state.done:,} of {suite.size:,}, {state.right:,} of them right"
        return f"{progress}; " + (
            f"that could not be saved: {self._problem}" if self._problem else "run the same command again to go on"
        )


def _bunches(part: Part, start: int, pace: _Pace) -> Iterator[Words]:
    """The inputs from number `start` on, in bunches whose size follows the pace."""
    for words in part.blocks(pace.most, start) if start < part.size else ():
        size, first = len(next(iter(words.values()))), 0
        while first < size:
            last = first + pace.inputs
            part_words: Words = {name: word[first:last] for name, word in words.items()}
            yield part_words
            first = last


def _tallied(evaluator: Evaluator, asked: AskedInputs, tally: Tally, kept: int) -> Tally:
    """The tally with the verdicts on further inputs, the first of whose failures are decoded."""

    def inputs(row: int) -> Inputs:
        return evaluator.subject.resolved.task.inputs(asked.words, row)

    verdicts = evaluator.decide(asked)
    failures: list[Failure] = []
    cleared: list[int] = []  # in batches: closer than the noise that was measured
    decided = 0
    for row in verdicts.wrong.tolist():
        if len(tally.failures) + len(failures) >= kept:
            break
        failure = evaluator.failure(inputs(row))
        if failure is not None:
            failures.append(failure)
        elif evaluator.in_batches:
            cleared.append(decided)
        else:
            raise decoded_otherwise(evaluator.subject, evaluator.engine.name, inputs(row))
        decided += 1
    return tally.plus(verdicts.decided(range(decided), cleared) if decided else verdicts, failures, inputs)


class _Pace:
    """How many inputs are judged at once: as many as suit the engine, and fewer where many of them are decided one by
    one, so that progress is seen and an interruption loses little."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.inputs = min(most, FIRST_INPUTS)

    def took(self, inputs: int, seconds: float) -> None:
        """Note how long so many inputs took, with the time of the engine; others may be under way."""
        if seconds > SLOW:
            self.inputs = min(self.inputs, max(1, inputs // 2))
        elif seconds < SLOW / 4:
            self.inputs = max(self.inputs, min(self.most, inputs * 2))
