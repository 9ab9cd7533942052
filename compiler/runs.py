"""Running a suite: its inputs go to the judge, bunch by bunch, and what becomes of them is tallied."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from compiler.judge import Failure, Judge
from compiler.tallies import Tally
from compiler.tasks.task import Inputs, Part, Words

FIRST_INPUTS = 1024  # so many are judged first, to see how long they take
SLOW = 2.0  # seconds that a bunch of inputs may take


@dataclass(frozen=True)
class SuiteRun:
    """What became of the inputs of each part, and how long that took."""

    tallies: tuple[Tally, ...]
    seconds: float


def run_suite(judge: Judge, parts: Sequence[Part], kept: int, done: Callable[[int], None]) -> SuiteRun:
    """Judge all inputs. `kept` failures of each part are decoded to be shown; `done` is told after each bunch how many
    inputs are judged."""
    start = time.perf_counter()
    pace = _Pace(judge.engine.block)
    tallies: list[Tally] = []
    for part in parts:
        tally = Tally()
        before = sum(own.done for own in tallies)
        for words in _bunches(part, tally.done, pace):
            with pace:
                tally = _tallied(judge, words, tally, kept)
            done(before + tally.done)
        tallies.append(tally)
    return SuiteRun(tuple(tallies), time.perf_counter() - start)


def _bunches(part: Part, start: int, pace: _Pace) -> Iterator[Words]:
    """The inputs from number `start` on, so many at a time as the pace is then."""
    for words in part.blocks(pace.most, start):
        size, first = len(next(iter(words.values()))), 0
        while first < size:
            last = first + pace.inputs
            yield {name: word[first:last] for name, word in words.items()}
            first = last


def _tallied(judge: Judge, words: Words, tally: Tally, kept: int) -> Tally:
    """The tally with the verdicts on further inputs, the first of whose failures are decoded."""
    layout, task = judge.spec.layout, judge.spec.resolved.task

    def inputs(row: int) -> Inputs:
        return task.inputs(words, row)

    verdicts = judge.verdicts(layout.prompts(words), layout.answers(words))
    failures: list[Failure] = []
    cleared: list[int] = []  # closer than the noise that was measured
    for k, row in enumerate(verdicts.wrong.tolist()):
        if len(tally.failures) + len(failures) >= kept:
            break
        failure = judge.failure(inputs(row))
        if failure is None:
            cleared.append(k)
        else:
            failures.append(failure)
    return tally.plus(verdicts.without(cleared) if cleared else verdicts, failures, inputs)


class _Pace:
    """How many inputs are judged at once: as many as suit the engine, and fewer where many of them are decided one by
    one, so that progress is seen and an interruption loses little. What runs in its context is timed."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.inputs = min(most, FIRST_INPUTS)
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self._started
        if seconds > SLOW:
            self.inputs = max(1, self.inputs // 2)
        elif seconds < SLOW / 4:
            self.inputs = min(self.most, self.inputs * 2)
