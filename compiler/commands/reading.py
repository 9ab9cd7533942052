"""Commands that show what a spec says, without torch: `show`, `diff`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

import compiler
from compiler.commands import completion
from compiler.commands.shared import (
    EXIT_DIFFERENCE,
    Loading,
    SpecCommand,
    complete_specs,
    json_option,
    loading_options,
    spec_argument,
    spec_path,
)
from compiler.pipeline import Spec
from compiler.readers.dumps.stages import STAGES, Stage
from compiler.source.state_dicts import StateDict, is_state_dict


@click.command(cls=SpecCommand)
@spec_argument
@click.argument("tensor", required=False, shell_complete=completion.read_off_spec(completion.all_tensors))
@loading_options
@click.option(
    "--stage",
    type=click.Choice(STAGES),
    help="Print what a stage of the compiler hands on. document: the YAML, with `extends` and --set done;"
    " resolved: names and numbers, axes, layout; ir: the network with every number of its tensors;"
    " program: the network as elementary operations.",
)
@click.option(
    "--pass", "after", metavar="NAME", help="With --stage program: print it after this pass and all before it."
)
@click.option("--latex", is_flag=True, help="Print the equations as LaTeX, to be pasted into a paper.")
@json_option
def show(
    spec: Path, tensor: str | None, loading: Loading, stage: Stage | None, after: str | None, latex: bool, as_json: bool
) -> None:
    """Show a spec as the compiler understands it, or one TENSOR.

    With TENSOR, each written entry with its name, its equation and its line.

    \b
    python cli.py show tiny95
    python cli.py show tiny95 layer0.ffn.up.weight
    python cli.py show tiny95-exact --stage document
    python cli.py show tiny95 --stage program --pass folding
    python cli.py show tiny95 --latex
    """
    from compiler.terminal.console import print_json
    from compiler.terminal.overview import find_tensor, overview_json, print_overview, print_tensor, tensor_json
    from compiler.terminal.stages import print_stage

    if sum([tensor is not None, stage is not None, latex]) > 1 or (latex and as_json):
        raise click.UsageError("TENSOR, --stage and --latex exclude one another; --latex goes without --json")
    if after is not None and stage != "program":
        raise click.UsageError("--pass goes with --stage program")
    loaded = loading.load(spec)
    if latex:
        from compiler.readers.latex.document import spec_latex
        from compiler.terminal.plain import print_file

        print_file(spec_latex(loaded))
    elif stage is not None:
        print_stage(loaded, stage, after, as_json=as_json)
    elif as_json:
        print_json(overview_json(loaded) if tensor is None else tensor_json(find_tensor(loaded, tensor)))
    elif tensor is None:
        print_overview(loaded)
    else:
        print_tensor(loaded, tensor)


@click.command(cls=SpecCommand)
@click.argument(
    "models", nargs=-1, required=True, type=spec_path, shell_complete=complete_specs, metavar="MODEL [MODEL]"
)
@loading_options
@click.option(
    "--map",
    "names",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A YAML file with a line `OLD: NEW` for each tensor whose name differs in the second model. All others are"
    " matched by name, then by what they hold, then by shape.",
)
@click.option("--entries", is_flag=True, help="List every name that was matched, and every number that differs.")
@json_option
def diff(models: tuple[Path, ...], loading: Loading, names: Path | None, entries: bool, as_json: bool) -> None:
    """Compare two models, or one spec with its variant under --set.

    A MODEL is a spec, a saved model, or a state dict: .safetensors, or what torch.save wrote to .pt, .pth or .bin.
    Specs are compared by names, equations, weights and counts; files by their tensors too. Names that differ are
    matched by place, and listed. With two specs, --set applies to both.

    Exit code 1: something differs, be it names alone. A line at the top says where all numbers are equal.

    \b
    python cli.py diff tiny95 tiny95-exact
    python cli.py diff tiny95 --set v_scale=1e8 --entries
    python cli.py diff tiny95 tiny95.safetensors
    python cli.py diff tiny95 trained.pt --map names.yaml
    """
    from compiler.readers.diffing.name_maps import read_name_map
    from compiler.terminal.console import print_json
    from compiler.terminal.differences import difference_json, print_difference

    if len(models) > 2 or (len(models) == 1 and not loading.settings):
        raise click.UsageError("diff takes two models, or one spec and --set")
    if len(models) == 1 and names is not None:
        raise click.UsageError("--map is for two models")
    before = _model(models[0], loading, varied=len(models) == 2)
    after = _model(models[-1], loading, varied=True)
    if loading.settings and not (isinstance(before, Spec) or isinstance(after, Spec)):
        raise click.UsageError("--set is for specs, and these are state dicts")
    difference = compiler.diff(before, after, {} if names is None else read_name_map(names, before, after))
    if as_json:
        print_json(difference_json(difference))
    else:
        print_difference(difference, every_entry=entries)
    if not difference.empty:
        sys.exit(EXIT_DIFFERENCE)


def _model(path: Path, loading: Loading, *, varied: bool) -> Spec | StateDict:
    if not is_state_dict(path):
        return loading.load(path, varied=varied)
    return compiler.load_state_dict(path)
