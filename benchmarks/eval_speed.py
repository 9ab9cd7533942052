"""How fast an evaluation is: teacher forcing in batches, one pair at a time, and greedy decoding, in one run.

Run it in the folder of the project: `.venv/bin/python -m benchmarks.eval_speed [SPEC]`. `--help` says what is timed.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import click
import torch

from compiler import Spec, SpecError, load
from compiler.engines import Decoding, batch_size
from compiler.judge import Judge
from compiler.tasks.task import Inputs

ROOT = Path(__file__).resolve().parent.parent
SUITE = "uniform"
BATCHES = (16, 32, 64, 128, 256, 512, 1024, 2048)
ONE_AT_A_TIME_PAIRS = 256  # enough for a steady rate; these two ways are slow
GREEDY_PAIRS = 64
SECONDS = 40.0  # no further round is started after this long
LEAST_TIMES_SINGLE = 3.0
LEAST_TIMES_GREEDY = 20.0


@dataclass(frozen=True)
class Way:
    """One way to decide pairs: so many at once, by teacher forcing or greedily."""

    name: str
    judge: Judge
    batch: int
    inputs: Sequence[Inputs]

    def warm_up(self) -> None:
        self._decide(self.inputs[: self.batch])

    def run(self) -> tuple[float, list[bool]]:
        """Seconds for all inputs, tokens made and verdicts read included; and the verdicts."""
        verdicts: list[bool] = []
        start = time.perf_counter()
        for first in range(0, len(self.inputs), self.batch):
            verdicts += self._decide(self.inputs[first : first + self.batch])
        return time.perf_counter() - start, verdicts

    def _decide(self, inputs: Sequence[Inputs]) -> list[bool]:
        layout, words = self.judge.spec.layout, self.judge.spec.resolved.task.encode(inputs)
        right: list[bool] = self.judge.verdicts(layout.prompts(words), layout.answers(words)).right.tolist()
        return right


@dataclass(frozen=True)
class Rate:
    way: Way
    per_second: float
    verdicts: list[bool]


@click.command(context_settings={"max_content_width": 110})
@click.argument("spec", type=click.Path(path_type=Path), default=ROOT / "specs" / "tiny95.yaml")
@click.option(
    "--pairs",
    type=click.IntRange(min=max(BATCHES)),
    default=max(BATCHES),
    show_default=True,
    help="Pairs that each batch size decides; the slow ways decide the first few of them.",
)
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help=f"Rounds through all ways; the best of each counts. No new round is started after {SECONDS:g} seconds.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the pairs.")
def main(spec: Path, pairs: int, repeats: int, seed: int) -> None:
    """Measure pairs per second of an evaluation of SPEC (specs/tiny95.yaml if not given).

    Three ways to decide the same fixed pairs of the uniform suite, on the CPU:

    \b
    batches of N   teacher forcing: one pass over prompt and right answer, N pairs at once
    one at a time  the same with a single pair in each pass
    greedy         decoding token by token, a single pair at a time

    The timed work is what `eval` does for a pair: tokens, forward passes, verdicts. Drawing the pairs, building
    the model and describing failures are left out. Each way runs once to warm up. Then they take turns, so that a
    slow spell of the machine meets all of them, and the best round of each counts. Run nothing else meanwhile:
    torch threads that wait for a busy core can be ten times slower.

    Exit codes: 0 the best batch is at least 3 times one at a time and 20 times greedy; 1 it is not, or two ways
    disagree about a pair; 2 the spec or the call is wrong.

    \b
    .venv/bin/python -m benchmarks.eval_speed
    .venv/bin/python -m benchmarks.eval_speed specs/qwen20.yaml --repeats 7
    """
    try:
        loaded = load(spec)
    except SpecError as error:
        raise click.UsageError(str(error)) from None
    inputs = _inputs(loaded, pairs, seed)
    teacher, greedily = (Judge(loaded, "cpu", decoding, "plain") for decoding in _DECODINGS)
    batched = [Way(f"batches of {size}", teacher, size, inputs) for size in sorted({*BATCHES, batch_size(loaded)})]
    single = Way("one at a time", teacher, 1, inputs[:ONE_AT_A_TIME_PAIRS])
    greedy = Way("greedy, one at a time", greedily, 1, inputs[:GREEDY_PAIRS])
    _print_setting(loaded, pairs, seed)
    rates, rounds = _measure([*batched, single, greedy], repeats)
    *batch_rates, single_rate, greedy_rate = rates
    best = max(batch_rates, key=lambda rate: rate.per_second)
    _print_rates(rates, rounds, best, single_rate, greedy_rate, batch_size(loaded))
    agreed = _agree(rates)
    fast = _ratio("batched / one at a time", best, single_rate, LEAST_TIMES_SINGLE)
    fast &= _ratio("batched / greedy", best, greedy_rate, LEAST_TIMES_GREEDY)
    sys.exit(0 if fast and agreed else 1)


_DECODINGS: tuple[Decoding, Decoding] = ("teacher", "greedy")


def _inputs(spec: Spec, pairs: int, seed: int) -> list[Inputs]:
    """Pairs of the suite, its parts taken in turn, so that the first few are a sample of all parts."""
    suites = spec.resolved.task.suites()
    if SUITE not in suites:
        raise click.UsageError(f"the task of {spec.name} has no suite '{SUITE}'")
    parts = [list(part.generate()) for part in suites[SUITE].parts(pairs, seed)]
    longest = max(map(len, parts))
    turns = chain.from_iterable((part[i] for part in parts if i < len(part)) for i in range(longest))
    return list(turns)


def _measure(ways: Sequence[Way], repeats: int) -> tuple[list[Rate], int]:
    """The best rate of each way, and after how many rounds."""
    start = time.perf_counter()
    for way in ways:
        way.warm_up()
    best = [float("inf")] * len(ways)
    verdicts: list[list[bool]] = [[] for _ in ways]
    rounds = 0
    while rounds < repeats and (rounds == 0 or time.perf_counter() - start < SECONDS):
        for i, way in enumerate(ways):
            seconds, verdicts[i] = way.run()
            best[i] = min(best[i], seconds)
        rounds += 1
    found = zip(ways, best, verdicts, strict=True)
    return [Rate(way, len(way.inputs) / seconds, own) for way, seconds, own in found], rounds


def _print_setting(spec: Spec, pairs: int, seed: int) -> None:
    click.echo(f"spec     {spec.name}, {spec.network.dtype.name}, sequences of {spec.network.context} tokens")
    click.echo(f"pairs    {pairs:,} of the suite {SUITE}, seed {seed}")
    cores = f"{os.cpu_count()} cores, {torch.get_num_threads()} torch threads"
    click.echo(f"machine  {platform.machine()}, {cores}, torch {torch.__version__}, Python {platform.python_version()}")


def _print_rates(rates: Sequence[Rate], rounds: int, best: Rate, single: Rate, greedy: Rate, used: int) -> None:
    click.echo(f"rounds   {rounds}, the best of each way")
    click.echo(f"\n{'teacher forcing, then greedy':<30}{'pairs':>8}{'per second':>12}{'× single':>10}{'× greedy':>10}")
    for rate in rates:
        marks = ["best"] if rate is best else []
        if rate.way.batch == used:
            marks.append("what eval uses")
        times = f"{rate.per_second / single.per_second:>10.2f}{rate.per_second / greedy.per_second:>10.1f}"
        note = f"  {', '.join(marks)}" if marks else ""
        click.echo(f"{rate.way.name:<30}{len(rate.way.inputs):>8,}{rate.per_second:>12,.0f}{times}{note}")
    click.echo(f"\nbest batch size: {best.way.batch}")


def _agree(rates: Sequence[Rate]) -> bool:
    """Whether all ways give the same verdict on each pair that they share."""
    reference = rates[0].verdicts
    disagreeing = [rate.way.name for rate in rates if rate.verdicts != reference[: len(rate.verdicts)]]
    if disagreeing:
        click.echo(f"verdicts differ from those of {rates[0].way.name}: {', '.join(disagreeing)}")
    return not disagreeing


def _ratio(name: str, fast: Rate, slow: Rate, least: float) -> bool:
    ratio = fast.per_second / slow.per_second
    verdict = "ok" if ratio >= least else "TOO SLOW"
    click.echo(f"{name}: {ratio:.1f} (at least {least:g}: {verdict})")
    return ratio >= least


if __name__ == "__main__":
    main()
