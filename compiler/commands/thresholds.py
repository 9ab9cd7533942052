"""The command that finds where the verdict on a spec turns: `threshold`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

import compiler
from compiler.commands import completion
from compiler.commands.shared import (
    EXIT_UNDECIDED,
    Loading,
    SpecCommand,
    command_line,
    journal_options,
    json_option,
    loading_options,
    seconds_option,
    spec_argument,
)
from compiler.terminal.plain import say

if TYPE_CHECKING:
    from compiler.sweeps.threshold import ValueVerdict


def numbers(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> tuple[int | float, ...]:
    """The callback of an option whose words are numbers."""
    return tuple(_number(text, ctx, param) for text in texts)


def _number(text: str, ctx: click.Context, param: click.Parameter) -> int | float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise click.BadParameter(f"'{text[:100]}' is not a number", ctx, param)


@click.command(cls=SpecCommand)
@spec_argument
@click.argument("name", shell_complete=completion.read_off_spec(completion.settings))
@click.option(
    "--between",
    nargs=2,
    required=True,
    metavar="A B",
    callback=numbers,
    help="Two values of NAME, of which one is proved and one refuted.",
)
@loading_options
@seconds_option(
    "--budget",
    default=60.0,
    says="For each value: what is not decided after so long is open. `inf` is no limit.",
)
@click.option(
    "--rel",
    type=float,
    metavar="SHARE",
    default=0.0001,
    show_default=True,
    help="How close the two values are to come, as a share of the larger one. Integers become neighbours.",
)
@click.option(
    "--verdicts",
    type=int,
    metavar="N",
    default=40,
    show_default=True,
    help="Try so many values at most, with both ends.",
)
@click.option("--integers", is_flag=True, help="Try integers only, as is done for a task size.")
@journal_options
@json_option
def threshold(
    spec: Path,
    name: str,
    between: tuple[int | float, int | float],
    loading: Loading,
    budget: float,
    rel: float,
    verdicts: int,
    integers: bool,
    journal: Path | None,
    restart: bool,
    as_json: bool,
) -> None:
    """Find the value of NAME at which the verdict turns.

    NAME is a constant, a parameter, a derived value or a task size. Values between A and B are verified, as `verify`
    does, each near the middle of what is left; where A and B have one sign, that is the geometric middle. It ends with
    a refuted and a proved value that are close together, and with the calls that verify both. It is taken for granted
    that the verdict turns once between A and B.

    A value can be open. Then only what lies between it and the refuted values, and between it and the proved ones, is
    tried further. More --budget can decide more of them.

    \b
    python cli.py threshold tiny95 v_scale --between 0.01 1 --set digits=2
    python cli.py threshold tiny95 v_scale --between 1e4 1e8
    python cli.py threshold tinyadder digits --between 10 16 --json

    A line is printed for each verdict as it comes; with --json on standard error. Each is kept in a journal, as those
    of `sweep` are: after an interruption the same command goes on. The exit code is 0 where the two values are as close
    as was asked for, and 3 where they are not.
    """
    from compiler.source.extends import parsed_chain
    from compiler.sweeps.journal import usual_journal
    from compiler.sweeps.plan import swept_spec
    from compiler.terminal.console import print_json
    from compiler.terminal.thresholds import print_threshold, threshold_json, verdict_line

    loaded = loading.load(spec)

    def told(known: ValueVerdict) -> None:
        say(verdict_line(known), error=as_json)

    found = compiler.threshold(
        loaded,
        name,
        between,
        budget=budget,
        rel=rel,
        verdicts=verdicts,
        integers=integers,
        journal=usual_journal([swept_spec(loaded.path, parsed_chain(loaded.sources))]) if journal is None else journal,
        restart=restart,
        progress=told,
        notice=lambda line: say(line, error=True),
    )
    more = () if budget == 60.0 else ("--budget", f"{budget:g}")
    calls = [
        command_line("verify", [spec], *loading.words, "--set", known.setting, *more)
        for known in (found.refuted, found.proved)
        if known is not None
    ]
    if as_json:
        print_json(threshold_json(loaded, found, calls))
    else:
        print_threshold(found, calls)
    if found.ending != "precise":
        sys.exit(EXIT_UNDECIDED)
