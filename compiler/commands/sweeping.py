"""The command that computes many variants of specs: `sweep`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from compiler.commands.shared import (
    EXIT_FAULT,
    Loading,
    SpecCommand,
    journal_options,
    json_option,
    loading_options,
    seconds_option,
    specs_argument,
    suite_options,
)
from compiler.pipeline import Leniency
from compiler.source.diagnostics import fail
from compiler.source.files import check_place, save_data
from compiler.terminal.plain import say

MAX_NAMED = 20  # errors that are printed as they happen


@click.command(cls=SpecCommand)
@specs_argument
@loading_options
@suite_options
@seconds_option(
    "--verify",
    "budget",
    says="Also verify each point, for at most this many seconds.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Only N points, drawn with --seed. A larger sample has all points of a smaller one.",
)
@click.option("--yes", "large", is_flag=True, help="Compute more than 100,000 points.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Compute this many points at a time; by default one on each core, where there is enough to do.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Let the workers of a Dask cluster compute: tcp://host:8786, or the scheduler file of `dask scheduler`.",
)
@journal_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.csv|.jsonl|.parquet",
    help="Write all rows to this file. One that exists is replaced, whole or not at all.",
)
@json_option
def sweep(
    specs: tuple[Path, ...],
    loading: Loading,
    suites: tuple[str, ...],
    inputs: int | None,
    seed: int | None,
    budget: float | None,
    sample: int | None,
    large: bool,
    jobs: int | None,
    scheduler: str | None,
    journal: Path | None,
    restart: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Count and evaluate many variants of specs.

    Each --set lists values: 2,5,10, a range 1..16, a range with a step 0..1..0.25, or with a factor 1e4..1e8..*10. The
    points are their product, for each SPEC. A comma or .. in brackets or quotes is part of a value. Without --suite,
    each task says which of its suites are run. A point with an error is a result, and the sweep goes on. After an
    interruption the same command computes what is missing, and after a change of values only the new points.

    \b
    For which bases and how many digits is it right?
      python cli.py sweep tinyadder --set base=2,5,10 --set digits=1..16 --suite edges
    Five values, each ten times the one before; the rows go to a file.
      python cli.py sweep tiny95 --set v_scale=1e4..1e8..*10 --suite near_carry --inputs 1000 --out rows.csv
    Ten of the 24 points, drawn at random, each verified for at most ten seconds.
      python cli.py sweep reverse --set symbols=2..5 --set length=1..6 --sample 10 --verify 10
    Two specs in two dtypes.
      python cli.py sweep tiny95 qwen20 --set dtype=float64,float32 --suite carries --inputs 100
    """
    from compiler.sweeps.journal import usual_journal
    from compiler.sweeps.plan import sweep_plan
    from compiler.sweeps.results import PointQuestion, SweepRow
    from compiler.sweeps.sweeping import sweep_rows
    from compiler.terminal.console import print_json, suite_progress
    from compiler.terminal.sweeps import ROW_FILES, print_sweep, sweep_json

    if out is not None:
        _check_out(out)
    if scheduler is not None and jobs is not None:
        raise fail(
            "bad-value", "--jobs is about this machine, and --scheduler lets others compute", hint="leave out one"
        )
    plan = sweep_plan(specs, loading.settings, sample=sample, seed=seed or 0, large=large)
    leniency = Leniency(loading.ignore, loading.strict, loading.allow_overflow)
    asked = PointQuestion(suites or None, inputs, seed, budget, leniency)
    kept = usual_journal(plan.specs) if journal is None else journal
    found: list[SweepRow] = []
    computed: Iterator[SweepRow]
    told = errors = 0
    with suite_progress() as bars:

        def progress(row: SweepRow, done: int, total: int) -> None:
            nonlocal told, errors
            told = done
            if row.result.error is not None:
                errors += 1
                if errors <= MAX_NAMED:
                    say(f"{row.point.title}: {row.result.error.message}  [{row.result.error.code}]", error=True)
            if bars is not None:
                bars("points", done, total)

        def notice(line: str) -> None:
            say(line, error=True)

        computed = sweep_rows(
            plan,
            asked,
            kept,
            restart=restart,
            processes=jobs,
            scheduler=scheduler,
            progress=progress,
            notice=notice,
        )
        try:
            found.extend(computed)
        except KeyboardInterrupt:
            more = "; the same command computes the others" if kept is not None else ""
            raise KeyboardInterrupt(f"interrupted after {told:,} of {plan.size:,} points{more}") from None
    if out is not None:
        save_data(out, ROW_FILES[out.suffix]([row.saved for row in found]), replace=True)
    if as_json:
        print_json(sweep_json(found))
    else:
        print_sweep(found)
        known = sum(row.known for row in found)
        parts = [f"{len(found):,} points" if len(found) > 1 else "1 point"]
        parts += [f"{known:,} of them known before"] if known else []
        parts += [f"{errors:,} with an error"] if errors else []
        say(", ".join(parts) + (f"; {out}: written" if out is not None else ""))
    if any(row.result.error is not None and row.result.error.code == "fault" for row in found):
        say("fault of weightspec: see the rows with the code `fault`; please report one, with its spec", error=True)
        sys.exit(EXIT_FAULT)


def _check_out(out: Path) -> None:
    """Refuse a file that cannot be written, before anything is computed. Raises `SpecError`."""
    from compiler.terminal.sweeps import ROW_FILES

    if out.suffix not in ROW_FILES:
        message = f"rows are written as CSV, lines of JSON or Parquet: '{out}' ends in none of {', '.join(ROW_FILES)}"
        raise fail("bad-value", message, hint=f"for example {out.stem or 'rows'}.csv")
    ROW_FILES[out.suffix]([])  # where a package is missing that this needs, this says so
    check_place(out)
