"""The command that takes the parts of a model away one by one: `ablate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import compiler
from compiler.commands.shared import Loading, SpecCommand, json_option, loading_options, spec_argument, suite_options


@click.command(cls=SpecCommand)
@spec_argument
@loading_options
@suite_options
@click.option(
    "--kind",
    "kinds",
    type=click.Choice(["head", "hidden", "stream"]),
    multiple=True,
    help="Take only such units away: heads, hidden units, dimensions of the stream. Repeatable.",
)
@click.option(
    "--by",
    type=click.Choice(["zero", "resample"]),
    default="zero",
    show_default=True,
    help="What stands in the place of a unit: zero, or its value for another input.",
)
@json_option
def ablate(spec: Path, loading: Loading, as_json: bool, suites: tuple[str, ...], **options: Any) -> None:
    """Show what each head, hidden unit and stream dimension is for.

    Each is taken away in turn, and the right answers are counted, as are the answers that change. Units that change no
    answer are named. A dimension of the stream is taken away after every step.

    With `--by zero` a unit is always zero. With `--by resample` it has its value for another input, at the same place:
    what changes no answer then may still be needed, as a number that is always the same.

    Without --suite, all inputs are run where there are at most 2,000, else 1,000 that are drawn. They run in batches;
    what is said of a whole model by one sequence at a time is what `eval` says.

    \b
    python cli.py ablate tiny95
    python cli.py ablate tiny95 --by resample --kind head
    python cli.py ablate sort --suite edges --json
    """
    from compiler.terminal.ablations import ablation_json, print_ablation
    from compiler.terminal.console import print_json, suite_progress

    loaded = loading.load(spec)
    if not options["kinds"]:
        del options["kinds"]  # all of them
    with suite_progress() as progress:
        ablation = compiler.ablate(loaded, suites or None, progress=progress, **options)
    if as_json:
        print_json(ablation_json(loaded, ablation))
    else:
        print_ablation(ablation)
