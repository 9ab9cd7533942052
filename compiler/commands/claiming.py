"""The command that measures what a spec claims: `claim`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from compiler.commands import completion
from compiler.commands.shared import (
    EXIT_DIFFERENCE,
    Loading,
    SpecCommand,
    exit_on_failed,
    json_option,
    loading_options,
    seconds_option,
    spec_argument,
)
from compiler.pipeline import Leniency
from compiler.source.diagnostics import fail
from compiler.source.document import BYTE_ORDER_MARK, STANDARD_INPUT, open_file, whole_file
from compiler.source.files import check_place, save_text
from compiler.source.text import Source


@click.command(cls=SpecCommand)
@spec_argument
@loading_options
@click.option("--write", is_flag=True, help="Write the file too, whole or not at all.")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 where the file would change.")
@click.option(
    "--suite",
    "suites",
    multiple=True,
    shell_complete=completion.read_off_spec(completion.suites),
    help="Claim this suite too. Repeatable. See `eval --help`.",
)
@click.option("--inputs", type=int, help="How many inputs each suite that samples draws.")
@click.option("--seed", type=int, help="Seed of the suites that sample.")
@seconds_option(
    "--verify",
    "budget",
    says="Claim the verdict on all inputs too, if so many seconds suffice to find it.",
)
@json_option
def claim(
    spec: Path,
    loading: Loading,
    write: bool,
    check: bool,
    suites: tuple[str, ...],
    inputs: int | None,
    seed: int | None,
    budget: float | None,
    as_json: bool,
) -> None:
    """Measure what a spec claims, and write it under `expect`.

    It prints what changes; with --write it also changes the file, and nothing of it but the lines of `expect`. Comments
    and layout stay, and so do `claimed` and `note`, which are the author's. What is claimed is measured again: rules,
    suites with their sizes and seeds. Where nothing is, all rules and the suites that `eval` runs by default are. The
    exit code is 1 where a claim of the author does not hold. A spec that extends another one gets what differs from it.

    \b
    python cli.py claim mine.yaml
    python cli.py claim mine.yaml --verify 60 --write
    python cli.py claim mine.yaml --check
    """
    from compiler.report.claiming import Measuring, renew_claims
    from compiler.terminal.claims import print_renewed, renewed_json
    from compiler.terminal.console import print_json, suite_progress

    if loading.settings:
        raise click.UsageError("claims are about the spec as it is written: leave out --set")
    if write and (check or spec == STANDARD_INPUT):
        raise click.UsageError("--write goes with a file, and not with --check")
    if write:
        check_place(spec)  # before anything is computed
    measuring = Measuring(suites, inputs, seed, budget)
    leniency = Leniency(loading.ignore, loading.strict, loading.allow_overflow)
    with suite_progress() as progress:
        renewed = renew_claims(spec, measuring, leniency, progress)
    written = write and renewed.changed
    if written:
        _write(spec, renewed.source, renewed.text)
    if as_json:
        print_json(renewed_json(spec, renewed, written=written))
    else:
        print_renewed(spec, renewed, written=written)
    if check and renewed.changed:
        sys.exit(EXIT_DIFFERENCE)
    exit_on_failed(renewed.claims)


def _write(path: Path, source: Source, text: str) -> None:
    """Replace a file that is still as it was read; a mark of its byte order stays. Raises `SpecError`."""
    with open_file(path) as file:
        now = file.read()
    mark = BYTE_ORDER_MARK if now.startswith(BYTE_ORDER_MARK.encode()) else ""
    if now != f"{mark}{source.text}".encode():
        raise fail(
            "file-changed", "it was changed while its claims were measured, and is left as it is", whole_file(path)
        )
    save_text(path, f"{mark}{text}", replace=True)
