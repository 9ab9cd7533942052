"""The command that draws: `plot`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from compiler.commands import completion
from compiler.commands.shared import (
    Loading,
    SpecCommand,
    complete_specs,
    given_on_the_command_line,
    json_option,
    loading_options,
    spec_path,
    with_options,
)
from compiler.commands.tracing import TraceQuestion
from compiler.pipeline import Spec
from compiler.source.diagnostics import fail
from compiler.source.document import STANDARD_INPUT
from compiler.source.examples import examples
from compiler.source.extras import optional_module
from compiler.source.files import check_place, save_data
from compiler.terminal.plain import say

if TYPE_CHECKING:  # they are slow to import
    from compiler.pictures.picture import Picture
    from compiler.terminal.traces import Look

DRAWN = (".png", ".svg")  # endings of files
SPEC_ENDINGS = (".yaml", ".yml", ".safetensors")
OF_INPUT = ("attention", "stream", "scores")
OF_SPEC = ("tensor", *OF_INPUT)
WITH_RESULTS = ("x", "y", "facet", "value", "kept", "as_lines")
WITH_SPEC = ("settings", "ignore", "strict", "allow_overflow")
WITH_INPUT = ("tokens", "said", "steps", "heads")


def _input_option(name: str, says: str) -> Callable[[Any], Any]:
    """An option that may have an input of the task; "" stands for none."""
    return click.option(f"--{name}", name, is_flag=False, flag_value="", metavar="[INPUT]", help=says)


options_of_results = with_options(
    click.option("--x", metavar="NAME", help="Results: this name along x."),
    click.option("--y", metavar="NAME", help="Results: this name along y."),
    click.option("--facet", metavar="NAME", help="Results: a panel for each value of this name."),
    click.option(
        "--value",
        metavar="NAME",
        help="Results: verdict, the name of a suite, right (all suites), wrong, margin, lead, seconds, or a counting"
        " rule. By default the verdict, else right answers, else sizes.",
    ),
    click.option(
        "--where", "kept", multiple=True, metavar="NAME=VALUE", help="Results: only rows with this value. Repeatable."
    ),
    click.option("--lines", "as_lines", is_flag=True, help="Results: lines over x, one for each value of y."),
)
options_of_specs = with_options(
    click.option(
        "--tensor",
        metavar="NAME",
        shell_complete=completion.read_off_spec(completion.all_tensors),
        help="A spec: the numbers of this tensor.",
    ),
    _input_option("attention", "A spec: the weights of each head, by query and key, for an input of its task."),
    _input_option("stream", "A spec: the residual stream after each step, by position and dimension."),
    _input_option(
        "scores",
        "A spec: what each softmax reads, before it makes weights of it; without INPUT, what formulas `score HEAD` add"
        " by the positions of query and key.",
    ),
    click.option("--tokens", metavar="TEXT", help="Look at these tokens instead of an INPUT, names split at spaces."),
    click.option(
        "--said", type=int, metavar="N", help="Look at the pass that says token N of the answer, as in `trace`."
    ),
    click.option(
        "--step",
        "steps",
        multiple=True,
        metavar="NAME",
        shell_complete=completion.read_off_spec(completion.steps),
        help="Draw this step, or those of this block. Repeatable.",
    ),
    click.option("--head", "heads", multiple=True, metavar="NAME", help="Draw this head. Repeatable."),
)


@click.command(cls=SpecCommand)
@click.argument("spec", type=spec_path, shell_complete=complete_specs, metavar="RESULTS|SPEC")
@options_of_results
@options_of_specs
@loading_options
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="FILE.png|.svg",
    help="Write the picture to this file. One that exists is replaced.",
)
@json_option
def plot(spec: Path, loading: Loading, output: Path | None, as_json: bool, **options: Any) -> None:
    """Draw results of a sweep, or what is inside a spec, as PNG or SVG.

    RESULTS is a file that `sweep --out` wrote, or a journal. Where two names vary it becomes a heatmap, where one does,
    a line, and a third one has a panel for each of its values. Errors and missing rows are shown as such.

    \b
    python cli.py sweep tiny95 --set base=2..10 --set digits=1..8 --suite edges --out rows.csv
    python cli.py plot rows.csv -o map.svg
    python cli.py plot rows.csv --value nonzero --x base --where digits=2 -o line.png

    Of a SPEC it draws a tensor, attention, scores or the stream. INPUT is an input of its task, in quotes; where the
    spec states none, tokens.

    \b
    python cli.py plot tiny95 --tensor layer0.ffn.up.weight -o weight.svg
    python cli.py plot tiny95 --set digits=2 --attention "12 34" -o attention.svg
    python cli.py plot tiny95 --set digits=2 --stream --tokens "<bos> 1 2 +" --step layer0 -o stream.png
    python cli.py plot tiny95 --set digits=2 --scores -o alibi.svg

    --json prints what the picture shows; without -o nothing is drawn.
    """
    _check_call(output, as_json=as_json)
    if output is not None:
        _check_output(output)
    drawn = next((name for name in OF_SPEC if options[name] is not None), None)
    picture = _of_results(spec, options) if drawn is None else _of_spec(loading.load(spec), drawn, options)
    if output is not None:
        from compiler.pictures.drawing import picture_data

        save_data(output, picture_data(picture, output.suffix), replace=True)
    if as_json:
        from compiler.pictures.picture import picture_json
        from compiler.terminal.console import print_json

        print_json(picture_json(picture, None if output is None else str(output)))
    else:
        panels = len(picture.panels)
        say(f"{output}: {picture.kind}, {'1 panel' if panels == 1 else f'{panels} panels'}")


def _check_call(output: Path | None, *, as_json: bool) -> None:
    """Raises `UsageError` for options that do not go together."""
    modes = given_on_the_command_line(OF_SPEC)
    if len(modes) > 1:
        raise click.UsageError(f"give {modes[0]} or {modes[1]}, not both")
    of_results, of_spec, of_input = map(given_on_the_command_line, (WITH_RESULTS, WITH_SPEC, WITH_INPUT))
    if modes and of_results:
        raise click.UsageError(f"{of_results[0]} is about results of a sweep, and does not go with {modes[0]}")
    if not modes and (of_spec or of_input):
        raise click.UsageError(f"{[*of_input, *of_spec][0]} goes with {', '.join(f'--{name}' for name in OF_SPEC)}")
    if modes == ["--tensor"] and of_input:
        raise click.UsageError(f"{of_input[0]} does not go with --tensor")
    if {"--said", "--tokens"} <= {*of_input}:
        raise click.UsageError("--said is about the answer to an input of the task; with --tokens there is none")
    if output is None and not as_json:
        raise click.UsageError("give -o FILE.png or -o FILE.svg; or --json, which prints what the picture shows")


def _check_output(output: Path) -> None:
    """Refuse a file that cannot be written, before anything is computed. Raises `SpecError`."""
    if output.suffix not in DRAWN:
        message = f"pictures are PNG or SVG, and '{output}' ends in neither {' nor '.join(DRAWN)}"
        raise fail("bad-value", message, hint=f"for example {output.stem or 'picture'}.svg")
    check_place(output)
    optional_module("matplotlib", "weightspec[plot]")


def _of_results(path: Path, options: dict[str, Any]) -> Picture:
    from compiler.pictures.results import ResultView, results_picture
    from compiler.sweeps.row_files import read_rows

    if path == STANDARD_INPUT or path.suffix in SPEC_ENDINGS or str(path) in examples():
        modes = "--tensor NAME, --attention INPUT, --stream INPUT or --scores"
        raise click.UsageError(f"{path} is a spec, not results of a sweep: say what of it is to be drawn, by {modes}")
    kept = [text.partition("=") for text in options["kept"]]
    for name, sign, _ in kept:
        if not sign:
            raise click.UsageError(f"--where takes NAME=VALUE, not '{name}'")
    wanted = {name: value for name, _, value in kept}
    names = {name: options[name] for name in ("x", "y", "facet", "value")}
    return results_picture(read_rows(path), ResultView(**names, kept=wanted, as_lines=options["as_lines"]))


def _of_spec(spec: Spec, drawn: str, options: dict[str, Any]) -> Picture:
    from compiler.terminal.traces import Look

    if drawn == "tensor":
        from compiler.pictures.tensors import tensor_picture

        return tensor_picture(spec, options["tensor"])
    look = Look(steps=options["steps"], heads=options["heads"])
    tokens: str | None = options["tokens"]
    asked: str = options[drawn]
    if asked and tokens is not None:
        raise click.UsageError(f"give --{drawn} an input of the task or --tokens, not both")
    if drawn == "scores" and not asked and tokens is None:
        from compiler.pictures.traces import formulas_picture

        look.check(spec, spec.network.context)
        return formulas_picture(spec, look)
    if not asked and tokens is None:
        raise click.UsageError(f"--{drawn} needs an input of the task, in quotes, or --tokens TEXT")
    is_input = tokens is None and bool(spec.resolved.asked)
    question = TraceQuestion((asked,) if is_input else (), None if is_input else tokens or asked, options["said"])
    return _of_input(spec, drawn, question, look)


def _of_input(spec: Spec, drawn: str, question: TraceQuestion, look: Look) -> Picture:
    from compiler.evaluation.traced import traced
    from compiler.pictures.traces import attention_picture, scores_picture, stream_picture
    from compiler.terminal.traces import trace_json

    spec, seen = question.seen_by(spec)
    look.check(spec, len(seen.tokens))
    pictures = {"attention": attention_picture, "scores": scores_picture, "stream": stream_picture}
    return pictures[drawn](trace_json(spec, seen, traced(spec, seen), look))
