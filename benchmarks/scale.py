"""What a sweep costs on a Dask cluster, and what a million points take: `.venv/bin/python -m benchmarks.scale [SPEC]`

The same points are computed in this process, and then by clusters of some workers on this machine. Then a cluster is
handed points on which nothing is done. Times are CPU time, as other work on the machine matters less to it. All points
are computed with an empty cache of compiled code.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from logging import CRITICAL
from pathlib import Path
from unittest.mock import patch

import click
import torch
from distributed import Client, LocalCluster

from benchmarks.engine_speed import ROOT
from benchmarks.page import NoSection, TableWriter, cores, cpu, markdown_table, put, text_table
from compiler import SpecError
from compiler.source.user_cache import SETTING
from compiler.source.versions import running_versions
from compiler.sweeps import cluster
from compiler.sweeps.cluster import point_on_worker
from compiler.sweeps.plan import SweepPlan, sweep_plan
from compiler.sweeps.results import PointQuestion, PointResult, SweepRow
from compiler.sweeps.sweeping import sweep_rows

AXES = ("base=2..11", "digits=1..10", "v_scale=1e4..1e8..*10")  # 500 points of tiny95
SUITE = "uniform"
ROUNDS = 4
MILLION = 1_000_000
SIZES = (1, 10, 100, 1000)  # workers for a million points


@dataclass(frozen=True)
class SweepCost:
    """CPU seconds of a point where so many `workers` compute; 0: this process. `busy` is the share of the time that a
    worker spends on points."""

    workers: int
    seconds: float
    busy: float
    results: tuple[PointResult, ...]


@dataclass(frozen=True)
class Scale:
    """What a point takes, in CPU seconds: `computing` in a worker, `serving` where the scheduler and the sweep are."""

    computing: float
    serving: float

    def seconds(self, points: int, workers: int) -> float:
        """How long so many points take with so many workers, each with a core: one scheduler serves all of them."""
        return points * max(self.computing / workers, self.serving)

    @property
    def most_workers(self) -> int:
        """How many workers one scheduler keeps busy."""
        return max(1, int(self.computing / self.serving))


@click.command(context_settings={"max_content_width": 110})
@click.argument("spec", default=ROOT / "specs" / "tiny95.yaml", type=click.Path(path_type=Path))
@click.option("--set", "axes", multiple=True, default=AXES, show_default=True, metavar="NAME=VALUES")
@click.option("--points", type=click.IntRange(min=1), default=60, show_default=True, help="Drawn from the product.")
@click.option("--inputs", type=click.IntRange(min=1), default=1000, show_default=True, help="For each point.")
@click.option(
    "--workers", type=click.IntRange(min=1), multiple=True, default=(1, 2), show_default=True, help="Repeatable."
)
@click.option("--page", type=click.Path(path_type=Path), metavar="FILE.md", help="Write both tables into the page.")
def main(
    spec: Path, axes: tuple[str, ...], points: int, inputs: int, workers: tuple[int, ...], page: Path | None
) -> None:
    """Sweep over variants of SPEC in this process, and on clusters of --workers; compare rows and times.

    The exit code is 1 where a cluster finds something else.
    """
    try:
        plan = sweep_plan([spec], axes, sample=points, large=True)
    except SpecError as error:
        raise click.UsageError(str(error)) from None
    asked = PointQuestion((SUITE,), inputs)
    costs = _costs(plan, asked, workers)
    scale = Scale(costs[-1].seconds, _serving(plan, asked))
    write = text_table if page is None else markdown_table
    tables = {
        "cost": f"{_about(plan, inputs)}\n\n{cost_table(costs, write)}\n{_served(scale, costs[0])}\n",
        "million": million_table(scale, write),
    }
    try:
        for name, table in tables.items():
            click.echo(table) if page is None else put(page, name, table)
    except (OSError, NoSection) as error:
        raise click.UsageError(str(error)) from None
    if any(cost.results != costs[0].results for cost in costs):
        click.echo("a cluster finds something else than this process", err=True)
        sys.exit(1)


def cost_table(costs: Sequence[SweepCost], write: TableWriter) -> str:
    """A row for this process, then for each number of workers; shares are of what a point costs here."""
    header = ["workers", "CPU ms of a point", "share", "busy with points"]
    return write(header, [_cost_row(cost, costs[0]) for cost in costs])


def _cost_row(cost: SweepCost, here: SweepCost) -> list[str]:
    share = f"{100 * cost.seconds / here.seconds:.0f} %"
    return [str(cost.workers or "this process"), f"{1000 * cost.seconds:.1f}", share, f"{100 * cost.busy:.0f} %"]


def million_table(scale: Scale, write: TableWriter) -> str:
    """How long a million points would take, by workers; one row has as many as one scheduler keeps busy."""
    sizes = sorted({*SIZES, scale.most_workers})
    rows = [[f"{size:,}", _duration(scale.seconds(MILLION, size)), _limit(scale, size)] for size in sizes]
    return write(["workers", f"{MILLION:,} points", "what it waits for"], rows)


def _limit(scale: Scale, workers: int) -> str:
    return "the workers" if workers <= scale.most_workers else "the scheduler"


def _about(plan: SweepPlan, inputs: int) -> str:
    spec = plan.specs[0].path.stem
    machine = f"{cpu()}, {cores()} cores; torch {torch.__version__}"
    return f"{plan.size:,} points of {spec}, {inputs:,} inputs each; {machine}"


def _served(scale: Scale, here: SweepCost) -> str:
    share = f"{100 * scale.serving / here.seconds:.1f} %"
    return f"to hand out a point and to keep its result: {1000 * scale.serving:.1f} CPU ms, {share} of a point"


def _duration(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"


def _costs(plan: SweepPlan, asked: PointQuestion, workers: Sequence[int]) -> list[SweepCost]:
    """That of this process, then of each cluster. They take turns, so that a slow spell of the machine meets all."""
    numbers = [point.number for point in plan.points()]
    parts = [replace(plan, chosen=tuple(numbers[i::ROUNDS])) for i in range(min(ROUNDS, len(numbers)))]
    with ExitStack() as stack:
        clusters = ((stack.enter_context(_empty_cache()), stack.enter_context(_cluster(size))) for size in workers)
        places = [_Place(size, *made) for size, made in zip(workers, clusters, strict=True)]
        places = [_Place(0, stack.enter_context(_empty_cache())), *places]
        for place in places:
            place.warm_up(plan, asked)
        turns = [[_cost(place, part, asked) for place in places] for part in parts]
    return [_together(costs, plan.size) for costs in zip(*turns, strict=True)]


@dataclass(frozen=True)
class _Place:
    """Where points are computed: by so many `workers` of a cluster; 0: by this process."""

    workers: int
    folder: Path
    cluster: tuple[str, Client] | None = None

    def rows(self, plan: SweepPlan, asked: PointQuestion) -> list[SweepRow]:
        address = None if self.cluster is None else self.cluster[0]
        return list(sweep_rows(plan, asked, self.folder / "journal", scheduler=address))

    def warm_up(self, plan: SweepPlan, asked: PointQuestion) -> None:
        """Compute a point in each process, which imports what it needs once."""
        first = next(plan.points())
        call = running_versions(), first.spec.sources, first.settings, asked
        point_on_worker(*call) if self.cluster is None else self.cluster[1].run(point_on_worker, *call)

    def time(self) -> float:
        """CPU seconds until now."""
        times: list[float] = [used_time()] if self.cluster is None else [*self.cluster[1].run(used_time).values()]
        return sum(times)


def _cost(place: _Place, plan: SweepPlan, asked: PointQuestion) -> SweepCost:
    """That of all points of the plan together."""
    before, began = place.time(), time.perf_counter()
    rows = place.rows(plan, asked)
    used, passed = place.time() - before, time.perf_counter() - began
    busy = sum(row.result.seconds for row in rows) / (max(1, place.workers) * passed)
    return SweepCost(place.workers, used, busy, _results(rows))


def _together(parts: Sequence[SweepCost], points: int) -> SweepCost:
    results = tuple(result for part in parts for result in part.results)
    busy = sum(part.busy * len(part.results) for part in parts) / points
    return SweepCost(parts[0].workers, sum(part.seconds for part in parts) / points, busy, results)


def _serving(plan: SweepPlan, asked: PointQuestion) -> float:
    """CPU seconds of scheduler, client and journal for a point on which a worker does nothing."""
    with (
        _empty_cache() as folder,
        _cluster(1) as (address, client),
        patch.object(cluster, "point_on_worker", nothing_done),
    ):
        client.run(nothing_done)  # what is imported once
        before = time.process_time()
        rows = list(sweep_rows(plan, asked, folder / "journal", scheduler=address))
        return (time.process_time() - before) / len(rows)


def nothing_done(*_: object) -> PointResult:
    """Instead of a point, on a worker."""
    return PointResult()


@contextmanager
def _cluster(workers: int) -> Iterator[tuple[str, Client]]:
    """The address of a cluster on this machine, whose scheduler is in this process, and a client of it."""
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0", silence_logs=CRITICAL) as started,  # type: ignore[no-untyped-call]
        Client(started, set_as_default=False) as client,  # type: ignore[no-untyped-call]
    ):
        yield started.scheduler_address, client


def used_time() -> float:
    """CPU seconds of this process and of those that it started, such as compilers."""
    return sum(os.times()[:4])


def _results(rows: Iterable[SweepRow]) -> tuple[PointResult, ...]:
    """What must not depend on where it was computed."""
    return tuple(replace(row.result, seconds=0.0) for row in rows)


@contextmanager
def _empty_cache() -> Iterator[Path]:
    """A new folder, which has the cache of this process and of those that it starts, and is gone afterwards."""
    before = os.environ.get(SETTING)
    with tempfile.TemporaryDirectory(prefix="weightspec-") as folder:
        os.environ[SETTING] = str(Path(folder, "cache"))
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ[SETTING]
            else:
                os.environ[SETTING] = before


if __name__ == "__main__":
    main()
