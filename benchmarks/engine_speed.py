"""How fast answers are decided, by each engine, for every spec: `.venv/bin/python -m benchmarks.engine_speed [SPEC]...`

`--help` says what is timed. `benchmarks/rates.py` times it, and `benchmarks/speed_tables.py` makes the tables.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.page import NoSection, markdown_table, put, text_table
from benchmarks.rates import SUITE, SpecRates, blocks_measured, measured
from benchmarks.speed_tables import Blocks, Grown, Measured, Skipped, as_json, sections
from compiler import Spec, SpecError, load
from compiler.terminal.plain import say

ROOT = Path(__file__).resolve().parent.parent
GROWING = ("specs/tiny95.yaml", "specs/qwen20.yaml", "specs/gallery/Lokimorty_10p.yaml")
DIGITS = (4, 8, 16, 32)
BLOCKS = (16, 128, 1024, 8192, 65536)


@dataclass(frozen=True)
class Timing:
    """For how long each way is run in all, in how many rounds, on which pairs."""

    seconds: float
    rounds: int
    seed: int


def _numbers(context: click.Context, option: click.Parameter, value: str | None) -> tuple[int, ...]:
    try:
        found = tuple(int(number) for number in value.split(",")) if value else ()
    except ValueError:
        found = (0,)
    if any(number < 1 for number in found):
        raise click.BadParameter(f"'{value}' is no list of numbers such as 4,8,16")
    return found


@click.command(context_settings={"max_content_width": 110})
@click.argument("specs", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=1.2,
    show_default=True,
    help="For how long each way is timed, all rounds together.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Rounds through all ways of a spec; the best of each counts.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the pairs.")
@click.option(
    "--least",
    type=click.FloatRange(min=0),
    default=100,
    show_default=True,
    metavar="RATIO",
    help="Exit with 1 where `eval` is not so many times as fast as one pair at a time.",
)
@click.option(
    "--digits",
    callback=_numbers,
    metavar="N,N,...",
    help="Instead, measure each SPEC with so many digits (--set digits=N), and how time grows with these.",
)
@click.option(
    "--blocks",
    callback=_numbers,
    metavar="N,N,...",
    help="Instead, measure each SPEC with blocks of so many pairs, on one thread; for the plain engine, batches.",
)
@click.option("--json", "printed_as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print the tables as Markdown.")
@click.option(
    "--page",
    type=click.Path(path_type=Path),
    metavar="FILE.md",
    help="Make all three tables and write them into the page; `make performance` does.",
)
def main(
    specs: tuple[Path, ...],
    seconds: float,
    rounds: int,
    seed: int,
    least: float,
    digits: tuple[int, ...],
    blocks: tuple[int, ...],
    printed_as_json: bool,
    markdown: bool,
    page: Path | None,
) -> None:
    """Measure how many pairs per second are decided, of every SPEC (all in specs/ and specs/gallery/ if none is given).

    Ways to decide the same pairs of the suite `uniform`, on the CPU, in turn:

    \b
    one at a time    the plain module decodes greedily, one pair after the other, on one thread
    plain, batches   the plain module in batches of a size that suits it (`eval --engine plain --batch N`), on all cores
    fast, torch      the fast engine on torch tensors, on all cores: what it does where no C compiler is found
    fast, C          the fast engine as compiled C, on one thread and on all cores: what `eval` uses

    Each is timed as `eval` runs it: making the inputs, and the pairs that the plain module has to decide one at a time,
    are part of it. Compiling is told apart: the first time, and when the compiled code is found in the cache.
    All verdicts are compared. Numbers in parentheses are times one at a time. Run nothing else meanwhile.

    Exit codes: 0 as fast as --least asks for, and no two ways disagree; 1 otherwise; 2 a spec or the call is wrong.

    \b
    .venv/bin/python -m benchmarks.engine_speed
    .venv/bin/python -m benchmarks.engine_speed specs/qwen20.yaml --json
    .venv/bin/python -m benchmarks.engine_speed --digits 4,8,16,32 specs/tiny95.yaml
    .venv/bin/python -m benchmarks.engine_speed --blocks 16,256,4096,65536 specs/tiny95.yaml
    """
    timing = Timing(seconds, rounds, seed)
    if page is not None and (specs or digits or blocks or printed_as_json or markdown):
        raise click.UsageError("--page takes no SPEC, and none of --digits, --blocks, --json, --markdown")
    if page is not None:
        digits, blocks = DIGITS, BLOCKS
    growing = specs or tuple(ROOT / name for name in GROWING)
    results: list[SpecRates] = []
    if page is not None or not (digits or blocks):
        loaded = [_loaded(path) for path in specs or every_spec()]
        results = [measured(spec, *_told(spec.name, timing)) for spec in loaded]
    grown = tuple(_grown(growing, digits, timing))
    by_blocks = tuple(_by_blocks(_loaded(path), blocks, timing) for path in (growing if blocks else ()))
    found = Measured(SUITE, seed, tuple(results), grown, by_blocks)
    if printed_as_json:
        click.echo(json.dumps(as_json(found), indent=2))
    elif page is not None:
        _write(page, found)
    else:
        click.echo("\n".join(sections(found, markdown_table if markdown else text_table).values()))
    sys.exit(0 if _judged(found, least) else 1)


def every_spec() -> list[Path]:
    return [*sorted((ROOT / "specs").glob("*.yaml")), *sorted((ROOT / "specs" / "gallery").glob("*.yaml"))]


def _loaded(path: Path) -> Spec:
    try:
        spec = load(path)
    except SpecError as error:
        raise click.UsageError(str(error)) from None
    if SUITE not in spec.resolved.task.suites():
        raise click.UsageError(f"the task of {spec.name} has no suite '{SUITE}'")
    return spec


def _told(what: str, timing: Timing) -> tuple[float, int, int]:
    """The timing, once it is said what is timed."""
    say(f"{what} ...", error=True)
    return timing.seconds, timing.rounds, timing.seed


def _grown(specs: Sequence[Path], digits: Sequence[int], timing: Timing) -> Iterator[Grown]:
    for path in specs if digits else ():
        name = _loaded(path).name
        for size in digits:
            found: SpecRates | Skipped
            try:
                spec = load(path, overrides={"digits": size})
            except SpecError as error:
                found = Skipped(name, error.diagnostics[0].message)
            else:
                found = measured(spec, *_told(f"{name}, {size} digits", timing), only_used=True)
            yield Grown(name, size, found)


def _by_blocks(spec: Spec, sizes: tuple[int, ...], timing: Timing) -> Blocks:
    rates = blocks_measured(spec, sizes, *_told(f"{spec.name}, {len(sizes)} sizes of blocks", timing))
    return Blocks(spec.name, sizes, tuple(map(tuple, rates)))


def _judged(found: Measured, least: float) -> bool:
    """Whether all is as it should be; what is not is said."""
    every = [*found.specs, *(one.found for one in found.digits if isinstance(one.found, SpecRates))]
    wrong = [f"{one.spec}: {sentence}" for one in every for sentence in one.disagreements]
    slow = [one for one in found.specs if one.ratio < least]
    wrong += [f"{one.spec}: {one.ratio:.0f} times one at a time, not {least:g}" for one in slow]
    for line in wrong:
        say(line, error=True)
    return not wrong


def _write(page: Path, found: Measured) -> None:
    try:
        for section, text in sections(found, markdown_table).items():
            put(page, section, text)
    except (OSError, NoSection) as error:
        raise click.UsageError(str(error)) from None


if __name__ == "__main__":
    main()
