"""The command that says what a code means: `explain`."""

from __future__ import annotations

from dataclasses import replace

import click

from compiler.commands import completion
from compiler.commands.shared import SpecCommand, as_called, json_option, program
from compiler.readers.explaining import EXPLANATIONS
from compiler.source.diagnostics import did_you_mean, fail


@click.command(cls=SpecCommand)
@click.argument("codes", nargs=-1, metavar="[CODE]...", shell_complete=completion.every_code)
@click.option("--base", is_flag=True, help="Print the spec that the examples vary.")
@json_option
def explain(codes: tuple[str, ...], base: bool, as_json: bool) -> None:
    """Say what the code of a message means, with two examples.

    One example gives the code, the other does not. CODE stands in brackets at the end of an error, a warning or a
    finding of `lint`. Without CODE, all are listed.

    \b
    python cli.py explain unknown-name
    python cli.py explain
    """
    from compiler.terminal.console import print_json
    from compiler.terminal.explanations import explained_json, print_base, print_codes, print_explanations

    if base:
        if codes or as_json:
            raise click.UsageError("--base stands alone")
        print_base()
        return
    known = {one.code: one for one in EXPLANATIONS}
    written = [code.strip("[]") for code in codes]  # as it is copied from a message
    for code in written:
        if code not in known:
            raise fail("unknown-name", f"no code is called '{code}'{did_you_mean(code, known)}")
    chosen = [known[code] for code in written]
    if as_json:
        print_json(explained_json(chosen or EXPLANATIONS))
    elif chosen:
        shown = [replace(one, wrong=as_called(one.wrong), right=as_called(one.right)) for one in chosen]
        print_explanations(shown, f"{program()} explain --base")
    else:
        print_codes()
