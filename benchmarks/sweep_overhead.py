"""What a sweep costs beside the evaluation of its inputs: `.venv/bin/python -m benchmarks.sweep_overhead [SPEC]`

All times are CPU time of all processes. The inputs are timed with a model that is loaded, prepared and has run before,
on one thread: they are drawn, answered, and what the engine is not sure of is decided by the plain module.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from benchmarks.page import text_table
from compiler import SpecError, read_rows
from compiler.backends.torch.reference import one_thread
from compiler.evaluation.evaluation import planned_suites
from compiler.evaluation.evaluator import Evaluator
from compiler.evaluation.suite_runs import run_suite
from compiler.pipeline import Spec, load_sources
from compiler.sweeps.plan import SweepPoint, sweep_plan

ROOT = Path(__file__).resolve().parent.parent
AXES = ("base=2..11", "digits=1..10", "v_scale=1e4,3e4,1e5,3e5,1e6,3e6,1e7,3e7,1e8,3e8")  # 1,000 points of tiny95
SUITE = "uniform"
T = TypeVar("T")


@dataclass(frozen=True)
class PointCost:
    """Seconds of CPU time for a point without a sweep, and how many of its inputs are right."""

    loading: float
    preparing: float
    inputs: float
    right: int


@click.command()
@click.argument("spec", default=ROOT / "specs" / "tiny95.yaml", type=click.Path(path_type=Path))
@click.option("--set", "axes", multiple=True, default=AXES, show_default=True)
@click.option("--inputs", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--every", type=click.IntRange(min=1), default=5, show_default=True, help="Time each so many-th point.")
def main(spec: Path, axes: tuple[str, ...], inputs: int, every: int) -> None:
    """Sweep over a spec, evaluate some of its points without a sweep, and compare. The exit code is 1 where they find
    something else."""
    try:
        plan = sweep_plan([spec], axes)
    except SpecError as error:
        raise click.UsageError(str(error)) from None
    seconds, right = _swept(spec, axes, inputs)
    points = list(plan.points())[::every]
    with one_thread():
        _alone(points[0], inputs)  # what is imported and made once
        costs = [_alone(point, inputs) for point in points]
    _print(seconds, plan.size, costs)
    different = [point.title for point, cost in zip(points, costs, strict=True) if right[point.settings] != cost.right]
    if different:
        click.echo(f"the sweep finds something else at {', '.join(different)}", err=True)
        sys.exit(1)


def _swept(spec: Path, axes: Sequence[str], inputs: int) -> tuple[float, dict[tuple[str, ...], int]]:
    """CPU time of the command in all its processes, and right answers by settings."""
    settings = [word for axis in axes for word in ("--set", axis)]
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder, "journal.jsonl")
        words = ["sweep", str(spec), *settings, "--suite", SUITE, "--inputs", str(inputs), "--journal", str(journal)]
        before = os.times()
        done = subprocess.run([sys.executable, "cli.py", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        after = os.times()
        if done.returncode:
            raise click.ClickException(done.stderr)
        rows = read_rows(journal)
    used = after.children_user - before.children_user + after.children_system - before.children_system
    return used, {tuple(f"{name}={value}" for name, value in row.settings.items()): row.result.right for row in rows}


def _alone(point: SweepPoint, inputs: int) -> PointCost:
    loading, spec = _timed(lambda: load_sources(point.spec.sources, point.settings))
    preparing, evaluators = _timed(lambda: _prepared(spec, inputs))
    first, right = _timed(lambda: _right(evaluators, spec, inputs))
    again, _ = _timed(lambda: _right(evaluators, spec, inputs))
    return PointCost(loading, preparing + first - again, again, right)


def _prepared(spec: Spec, inputs: int) -> list[Evaluator]:
    planned = planned_suites(spec, [SUITE], inputs, 0)
    sizes = (sum(suite.size for suite in suites) for suites in planned)
    return [Evaluator(choice, inputs=size) for choice, size in zip(spec.choices, sizes, strict=True)]


def _right(evaluators: Sequence[Evaluator], spec: Spec, inputs: int) -> int:
    """How many inputs are answered right."""
    planned = planned_suites(spec, [SUITE], inputs, 0)
    runs = (
        run_suite(evaluator, suite, lambda _: None, lambda _: None)
        for evaluator, suites in zip(evaluators, planned, strict=True)
        for suite in suites
    )
    return sum(tally.right for run in runs for tally in run.tallies)


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    start = time.process_time()
    done = work()
    return time.process_time() - start, done


def _print(swept: float, points: int, costs: Sequence[PointCost]) -> None:
    """Milliseconds for each point, and two shares."""
    inputs, preparing, loading = (
        sum(getattr(cost, name) for cost in costs) / len(costs) for name in ("inputs", "preparing", "loading")
    )
    point = swept / points
    parts = {
        "inputs": inputs,
        "preparing the model and its engine": preparing,
        "loading the variant": loading,
        "processes, counts, keys, journal": point - inputs - preparing - loading,
        "a point of the sweep": point,
    }
    rows = [[name, f"{1000 * part:.1f}", f"{100 * part / inputs:.0f} %"] for name, part in parts.items()]
    click.echo(text_table([f"{points:,} points", "CPU ms each", "of the inputs"], rows), nl=False)
    bare = inputs + preparing
    click.echo(f"{100 * (point - inputs) / inputs:.0f} % more than the inputs; ", nl=False)
    click.echo(f"{100 * (point - bare) / bare:.0f} % more than `evaluate` of loaded variants")


if __name__ == "__main__":
    main()
