"""The command that looks inside one pass of a model: `trace`."""

from __future__ import annotations

from pathlib import Path

import click

from compiler.commands import completion
from compiler.commands.running import typed_input
from compiler.commands.shared import Loading, SpecCommand, json_option, loading_options, spec_argument

DEPTH = 12  # levels of `--why`


@click.command(cls=SpecCommand)
@spec_argument
@click.argument("inputs", nargs=-1)
@loading_options
@click.option("--tokens", metavar="TEXT", help="Look at these tokens, names split at spaces.")
@click.option(
    "--said",
    type=int,
    metavar="N",
    help="Look at the pass that says token N of the answer, from 0. Needed where each token has a pass of its own, as"
    " where a window slides: 0 if not given then.",
)
@click.option(
    "--at",
    "positions",
    type=int,
    multiple=True,
    metavar="POSITION",
    help="Show this position, from 0. Repeatable. If not given, those where the answer is read; in JSON all.",
)
@click.option(
    "--step",
    "steps",
    multiple=True,
    metavar="NAME",
    shell_complete=completion.read_off_spec(completion.steps),
    help="Show this step, or those of this block, with what it computes on the way. Repeatable.",
)
@click.option("--head", "heads", multiple=True, metavar="NAME", help="Show only the pattern of this head. Repeatable.")
@click.option(
    "--why",
    metavar="VALUE@POSITION",
    help="Explain one value: print its equation with its numbers, then those of the values in it, down to the tokens.",
)
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    default=DEPTH,
    show_default=True,
    metavar="N",
    help="So many levels of --why.",
)
@json_option
def trace(
    spec: Path,
    inputs: tuple[str, ...],
    loading: Loading,
    tokens: str | None,
    said: int | None,
    positions: tuple[int, ...],
    steps: tuple[str, ...],
    heads: tuple[str, ...],
    why: str | None,
    depth: int,
    as_json: bool,
) -> None:
    """Show what a model computes for one input, or for some tokens.

    For each step: the stream after it, by dimension and position, and the attention of each head; then the logits. A
    dimension that the step has changed is marked with *. The model reads the prompt and its own greedy answer.

    \b
    python cli.py trace tiny95 --set digits=2 12 34
    python cli.py trace tiny95 --set digits=2 12 34 --at 6 --step layer0.ffn
    python cli.py trace tiny95 --set digits=2 --tokens "<bos> 1 2 +"

    With --why, one value is explained. It is named as the submodule that puts it out and its dimension are.

    \b
    python cli.py trace tiny95 --set digits=2 12 34 --why "layer0.ffn.candidate[6]@6"
    """
    if (tokens is not None) and inputs:
        raise click.UsageError("give an input of the task or --tokens, not both; tokens with spaces stand in quotes")
    if tokens is not None and said is not None:
        raise click.UsageError("--said is about the answer to an input of the task; with --tokens there is none")
    loaded = loading.load(spec)
    from compiler.evaluation.explained import TracedValues, explanations, find_value
    from compiler.evaluation.traced import pass_of_input, pass_of_tokens, traced
    from compiler.terminal.console import print_json
    from compiler.terminal.traces import Look, explained_json, print_explained, print_trace, trace_json

    if tokens is None:
        loaded, question = typed_input(loaded, inputs)
        seen = pass_of_input(loaded, question, said)
    else:
        seen = pass_of_tokens(loaded, tokens)
    look = Look(tuple(dict.fromkeys(positions)), steps, heads)
    look.check(loaded, len(seen.tokens))
    activations = traced(loaded, seen)
    if why is None:
        shown = trace_json(loaded, seen, activations, look)
        print_json(shown) if as_json else print_trace(shown, look)
    else:
        values = TracedValues(loaded.network, seen.tokens, activations)
        found = explained_json(loaded, values, why, explanations(values, find_value(values, why), depth))
        print_json(found) if as_json else print_explained(found)
