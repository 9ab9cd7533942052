"""The command that counts, without torch: `count`, a table of specs, or why one weight is what it is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import fill

import click

import compiler
from compiler.commands.shared import (
    EXIT_BAD_INPUT,
    EXIT_FAILED_CLAIM,
    Loading,
    SpecCommand,
    complete_specs,
    errors_json,
    exit_on_failed,
    json_option,
    loading_options,
    print_checked_claims,
    spec_path,
)
from compiler.pipeline import Spec
from compiler.readers.counting.assertions import ASSERTABLE, Assertion, MalformedAssertion, read_assertion
from compiler.readers.counting.claims import author_count, check_claims
from compiler.readers.counting.counts import FIGURES, Counts
from compiler.source.diagnostics import SpecError
from compiler.terminal import shapes

CLAIMED = "claimed"  # what else can be sorted by
RULES = "\n".join(
    fill(rule.says, 78, initial_indent=f"{name:<18}", subsequent_indent=" " * 18) for name, rule in FIGURES.items()
)
HELP = f"""Count the parameters of specs by stated rules.

\b
{RULES}

\b
python cli.py count tiny95 qwen20 --sort free
python cli.py count tiny95 --by-tensor
python cli.py count qwen20 --assert free=20 --assert 'dense<=50'
python cli.py count --why tiny95 'layer0.ffn.up.weight[candidate[3], count]'
"""


def _assertions(_ctx: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> tuple[Assertion, ...]:
    try:
        return tuple(map(read_assertion, texts))
    except MalformedAssertion as error:
        raise click.BadParameter(str(error)) from None


@click.command(cls=SpecCommand, help=HELP)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...", shell_complete=complete_specs)
@loading_options
@click.option("--by-tensor", is_flag=True, help="Itemise each figure by tensor, down to the lines of the spec.")
@click.option(
    "--hard-coded", is_flag=True, help="List hard-coded numbers with their lines and the equations they enter."
)
@click.option(
    "--sort",
    type=click.Choice([*ASSERTABLE, CLAIMED]),
    metavar="RULE",
    help=f"Order the specs, the lowest first: {', '.join(ASSERTABLE)}, or {CLAIMED}, the author's count.",
)
@click.option(
    "--assert",
    "assertions",
    multiple=True,
    metavar="RULE=N",
    callback=_assertions,
    help="Exit with 1 where a figure of any spec is not N. 'RULE<=N' and 'RULE>=N' work too. Repeatable.",
)
@click.option("--why", is_flag=True, help="Explain single weights: --why SPEC 'TENSOR[row, column]'...")
@json_option
def count(
    specs: tuple[str, ...],
    loading: Loading,
    by_tensor: bool,
    hard_coded: bool,
    sort: str | None,
    assertions: tuple[Assertion, ...],
    why: bool,
    as_json: bool,
) -> None:
    if why:
        if by_tensor or hard_coded or sort or assertions:
            raise click.UsageError("--why goes with no other option of count but --set and --json")
        _why(specs[0], specs[1:], loading, as_json)
        return
    from compiler.terminal.console import console, print_json, text
    from compiler.terminal.counts import counts_json, print_items
    from compiler.terminal.leaderboard import (
        labels,
        print_assertions,
        print_hard_coded,
        print_hard_coded_in_full,
        print_leaderboard,
    )

    valid, diagnostics = loading.load_each(map(spec_path, specs))
    wrong = SpecError(diagnostics) if diagnostics else None
    if wrong is not None and len(specs) == 1:
        raise wrong
    counted = [(spec, compiler.count(spec)) for spec in valid]
    if sort is not None:
        counted.sort(key=_sort_key(sort))
    claims = [check_claims(loaded, counts, None) for loaded, counts in counted]
    if as_json:
        values = counts_json(counted, claims, assertions)
        if wrong is not None:
            both: shapes.CountedWithErrors = {**errors_json(wrong), "counted": values}
            print_json(both)
            sys.exit(EXIT_BAD_INPUT)
        print_json(values)
    elif counted:
        print_leaderboard(counted, keep=sort)
        (print_hard_coded_in_full if hard_coded else print_hard_coded)(counted)
        for loaded, counts in counted if by_tensor else ():
            print_items(loaded, counts)
        if assertions:
            print_assertions(counted, assertions)
        for label, (loaded, _), results in zip(labels(counted), counted, claims, strict=True):
            failed = [claim for claim in results if claim.status == "failed"]
            if failed and len(counted) > 1:
                console().print(text(f"claims of {label}:"))
            print_checked_claims(failed, loaded.path, loading)
    if wrong is not None:
        raise wrong
    exit_on_failed(claim for results in claims for claim in results)
    if not all(assertion.holds(counts) for _, counts in counted for assertion in assertions):
        sys.exit(EXIT_FAILED_CLAIM)


def _sort_key(figure: str) -> Callable[[tuple[Spec, Counts]], tuple[bool, int]]:
    """Ascending; what is not declared comes last."""

    def key(counted: tuple[Spec, Counts]) -> tuple[bool, int]:
        stated = author_count(counted[0])
        claimed = None if stated is None else stated.count
        value = claimed if figure == CLAIMED else counted[1].by_rule(figure)
        return value is None, value or 0

    return key


def _why(spec: str, places: tuple[str, ...], loading: Loading, as_json: bool) -> None:
    from compiler.readers.why.why import why_each
    from compiler.terminal.console import print_json
    from compiler.terminal.plain import say
    from compiler.terminal.why import print_why, why_json

    if not places:
        raise click.UsageError("--why takes a SPEC and places in it, such as 'embedding.weight[7, 2]'")
    if not Path(spec).exists() and Path(places[0]).is_file():
        raise click.UsageError(f"--why takes the spec first: {places[0]} '{spec}'")
    loaded = loading.load(spec_path(spec))
    answers = why_each(loaded, places)
    if as_json:
        print_json([why_json(loaded, answer) for answer in answers])
        return
    for i, answer in enumerate(answers):
        if i:
            say()
        print_why(loaded, answer)
