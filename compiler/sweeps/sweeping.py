"""A sweep: every point that no journal knows is computed, on as many cores as are wanted; the rows come in order."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from compiler.evaluation.evaluation import check_inputs
from compiler.evaluation.workers import cores, held_back, worker_pool
from compiler.pipeline import Spec, load_sources
from compiler.source.diagnostics import SpecError, did_you_mean, fail
from compiler.source.extras import optional_module
from compiler.sweeps.journal import Journal, opened_journal
from compiler.sweeps.plan import Axes, SweepPlan, SweepPoint, sweep_plan
from compiler.sweeps.points import point_result
from compiler.sweeps.results import ENDED, Computing, KeyedPoint, PointQuestion, PointResult, SweepRow, point_key

WORTH_STARTING = 4  # points for each process that is started without being asked for
AHEAD = 2  # points that are handed to a process before it needs them

Done = Callable[[SweepRow, int, int], None]


def sweep(
    specs: str | Path | Sequence[str | Path],
    axes: Axes = (),
    *,
    suites: Sequence[str] | None = None,
    inputs: int | None = None,
    seed: int | None = None,
    budget: float | None = None,
    sample: int | None = None,
    large: bool = False,
    journal: str | Path | None = None,
    restart: bool = False,
    processes: int | None = 1,
    scheduler: str | Path | None = None,
    progress: Done | None = None,
    notice: Callable[[str], None] | None = None,
) -> Iterator[SweepRow]:
    """Count and evaluate each variant of specs, and verify each for `budget` seconds where that is given.

    `axes` are `{name: values}` or texts `name=values`: see `sweep_plan`, also for `sample` and `large`; `seed` is that
    of the sample too. `suites` and `inputs` are as for `evaluate`. A point with an error is a row too. What is in the
    `journal` is not computed again, unless it is to `restart`; what is computed is added to it. `processes` (None: a
    process for each core, where there is enough to do) make no difference to the rows; several need a main module that
    can be imported. Nor does a `scheduler`: the address of a Dask scheduler, or its scheduler file; the workers of its
    cluster then compute the points, instead of processes. `progress(row, done, total)` is called for each row as soon
    as it is known, `notice(text)` with what a person should know. The rows come in the order of the points.
    Raises `SpecError` at once where the call is wrong, and later where the journal cannot be written, where the
    scheduler cannot be reached or is lost, and for workers that could find other results.
    """
    paths = [specs] if isinstance(specs, str | Path) else list(specs)
    plan = sweep_plan(paths, axes, sample=sample, seed=seed or 0, large=large)
    names = (suites,) if isinstance(suites, str) else suites
    asked = PointQuestion(None if names is None else tuple(names), inputs, seed, budget)
    path = None if journal is None else Path(journal)
    return sweep_rows(
        plan,
        asked,
        path,
        restart=restart,
        processes=processes,
        scheduler=None if scheduler is None else str(scheduler),
        progress=progress,
        notice=notice,
    )


def sweep_rows(
    plan: SweepPlan,
    asked: PointQuestion,
    journal: Path | None,
    *,
    restart: bool = False,
    processes: int | None = 1,
    scheduler: str | None = None,
    progress: Done | None = None,
    notice: Callable[[str], None] | None = None,
) -> Iterator[SweepRow]:
    """The rows of a plan, as `sweep` explains. Raises `SpecError`, at once for a suite that no spec has."""
    check_question(plan, asked)
    told = notice or (lambda text: None)
    computing: AbstractContextManager[Computing]
    if scheduler is None:
        number = processes_for(plan, asked) if processes is None else processes
        computing = nullcontext(partial(_computed, processes=max(1, min(number, plan.size))))
    else:
        optional_module("distributed", "weightspec[dask]")
        from compiler.sweeps.cluster import computing_cluster

        computing = computing_cluster(scheduler, told)
    return _rows(plan, asked, journal, restart, computing, progress, told)


def check_question(plan: SweepPlan, asked: PointQuestion) -> None:
    """Refuse a size or a suite that cannot be. Suites are those of the first variant of each spec.
    Raises `SpecError`."""
    check_inputs(asked.inputs)
    if asked.budget is not None and not asked.budget > 0:
        raise fail("bad-value", f"the budget is a number of seconds above 0, not {asked.budget}")
    try:
        known = dict.fromkeys(name for spec in _first_points(plan, asked) for name in _suites(spec))
    except SpecError:
        return  # which the row of the point will say
    for name in asked.suites or ():
        if name not in known:
            raise fail("unknown-name", f"no suite '{name}'{did_you_mean(name, known)}")


def _first_points(plan: SweepPlan, asked: PointQuestion) -> Iterator[Spec]:
    """The first variant of each spec. Raises `SpecError`."""
    for number in range(0, plan.product, plan.product // len(plan.specs)):
        point = plan.point(number)
        yield load_sources(point.spec.sources, point.settings, asked.leniency)


def _suites(spec: Spec) -> Iterator[str]:
    return (name for choice in spec.choices for name in choice.resolved.task.suites())


def processes_for(plan: SweepPlan, asked: PointQuestion) -> int:
    """How many processes pay off on this machine: one for each core, if there is enough to do."""
    return min(cores(), plan.size if asked.budget is not None else plan.size // WORTH_STARTING)


def _rows(
    plan: SweepPlan,
    asked: PointQuestion,
    path: Path | None,
    restart: bool,
    computing: AbstractContextManager[Computing],
    progress: Done | None,
    notice: Callable[[str], None],
) -> Iterator[SweepRow]:
    ready: dict[int, SweepRow] = {}
    done = 0

    def told(row: SweepRow) -> None:
        nonlocal done
        ready[row.point.number] = row
        done += 1
        if progress is not None:
            progress(row, done, plan.size)

    with computing as computed, opened_journal(path, notice) as journal:
        if restart:
            journal.results.clear()
        numbers = (point.number for point in plan.points())
        following = next(numbers, None)
        for (point, key), result in computed(_missing(plan, asked, journal, told), asked):
            row = SweepRow(point, key, result, known=False)
            journal.append(row)
            told(row)
            while following in ready:
                yield ready.pop(following)
                following = next(numbers, None)
        yield from (ready[number] for number in sorted(ready))


def _missing(
    plan: SweepPlan, asked: PointQuestion, journal: Journal, told: Callable[[SweepRow], None]
) -> Iterator[KeyedPoint]:
    """The points that the journal does not know; it is told of each that it does."""
    for point in plan.points():
        key = point_key(point, asked)
        if key in journal.results:
            told(SweepRow(point, key, journal.results[key], known=True))
        else:
            yield point, key


def _computed(
    points: Iterator[KeyedPoint], asked: PointQuestion, processes: int
) -> Iterator[tuple[KeyedPoint, PointResult]]:
    """Each point with its result, as they end."""
    if processes == 1:
        for each in points:
            yield each, point_result(each[0].spec.sources, each[0].settings, asked)
        return
    lost: list[KeyedPoint] = []
    is_broken = True
    while is_broken:
        with worker_pool(processes) as pool:
            is_broken = yield from _by_pool(pool, points, asked, AHEAD * processes, lost)
        while lost:  # one of them has ended a process: each is tried by itself
            each = lost.pop(0)
            yield each, _alone(each[0], asked)


def _by_pool(
    pool: ProcessPoolExecutor,
    left: Iterator[KeyedPoint],
    asked: PointQuestion,
    flying_most: int,
    lost: list[KeyedPoint],
) -> Generator[tuple[KeyedPoint, PointResult], None, bool]:
    """Each point with its result, as they end. Whether the pool broke: then `lost` has those that it was about."""
    flying: dict[Future[PointResult], KeyedPoint] = {}
    try:
        while True:
            while len(flying) < flying_most and (each := next(left, None)) is not None:
                lost.append(each)
                with held_back():
                    future = pool.submit(point_result, each[0].spec.sources, each[0].settings, asked)
                flying[future] = lost.pop()
            if not flying:
                return False
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                result = future.result()
                yield flying.pop(future), result
    except BrokenProcessPool:
        lost += flying.values()
        return True


def _alone(point: SweepPoint, asked: PointQuestion) -> PointResult:
    with worker_pool(1) as pool:
        with held_back():
            future = pool.submit(point_result, point.spec.sources, point.settings, asked)
        try:
            return future.result()
        except BrokenProcessPool:
            return PointResult(error=ENDED)
