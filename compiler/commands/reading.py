"""Commands that show what a spec says, without torch: `show`, `diff`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

import compiler
from compiler.commands.shared import (
    EXIT_DIFFERENCE,
    Loading,
    SpecCommand,
    json_option,
    loading_options,
    spec_argument,
    specs_argument,
)
from compiler.stages import STAGES, Stage


@click.command(cls=SpecCommand)
@spec_argument
@click.argument("tensor", required=False)
@loading_options
@click.option(
    "--stage",
    type=click.Choice(STAGES),
    help="Print what a stage of the compiler hands on. document: the YAML, with `extends` and --set done;"
    " resolved: names and numbers, axes, layout; ir: the network with every number of its tensors.",
)
@click.option("--latex", is_flag=True, help="Print the equations as LaTeX, to be pasted into a paper.")
@json_option
def show(spec: Path, tensor: str | None, loading: Loading, stage: Stage | None, latex: bool, as_json: bool) -> None:
    """Show a spec as the compiler understands it, or one TENSOR.

    With TENSOR, each written entry with its name, its equation and its line.

    \b
    python cli.py show specs/tiny95.yaml
    python cli.py show specs/tiny95.yaml layer0.ffn.up.weight
    python cli.py show specs/tiny95-exact.yaml --stage document
    python cli.py show specs/tiny95.yaml --latex
    """
    from compiler.terminal.console import print_json
    from compiler.terminal.overview import find_tensor, overview_json, print_overview, print_tensor, tensor_json
    from compiler.terminal.stages import print_stage

    if sum([tensor is not None, stage is not None, latex]) > 1 or (latex and as_json):
        raise click.UsageError("TENSOR, --stage and --latex exclude one another; --latex goes without --json")
    loaded = loading.load(spec)
    if latex:
        from compiler.latex.document import spec_latex

        click.echo(spec_latex(loaded), nl=False)
    elif stage is not None:
        print_stage(loaded, stage, as_json=as_json)
    elif as_json:
        print_json(overview_json(loaded) if tensor is None else tensor_json(find_tensor(loaded, tensor)))
    elif tensor is None:
        print_overview(loaded)
    else:
        print_tensor(loaded, tensor)


@click.command(cls=SpecCommand)
@specs_argument
@loading_options
@click.option("--entries", is_flag=True, help="List every weight that differs.")
@json_option
def diff(specs: tuple[Path, ...], loading: Loading, entries: bool, as_json: bool) -> None:
    """Compare two specs, or one spec with its variant under --set.

    It compares names, equations, weights and counts. With two specs, --set applies to both.

    \b
    python cli.py diff specs/tiny95.yaml specs/tiny95-exact.yaml
    python cli.py diff specs/tiny95.yaml --set v_scale=1e8 --entries
    """
    from compiler.terminal.console import print_json
    from compiler.terminal.differences import difference_json, print_difference

    if len(specs) > 2 or (len(specs) == 1 and not loading.settings):
        raise click.UsageError("diff takes two specs, or one spec and --set")
    before = loading.load(specs[0], varied=len(specs) == 2)
    after = loading.load(specs[-1])
    difference = compiler.diff(before, after)
    if as_json:
        print_json(difference_json(difference))
    else:
        print_difference(difference, every_entry=entries)
    if not difference.empty:
        sys.exit(EXIT_DIFFERENCE)
