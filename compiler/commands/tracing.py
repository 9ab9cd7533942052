"""The command that looks inside one pass of a model: `trace`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from compiler.commands import completion
from compiler.commands.running import typed_input
from compiler.commands.shared import (
    Loading,
    SpecCommand,
    complete_specs,
    given_on_the_command_line,
    json_option,
    loading_options,
    spec_argument,
    spec_path,
)
from compiler.pipeline import Spec

if TYPE_CHECKING:  # they import torch
    from compiler.evaluation.traced import TracedPass
    from compiler.terminal.traces import Look

DEPTH = 12  # levels of `--why`
OPTIONS = ("why", "pair", "against", "tokens", "said", "positions", "steps", "heads", "depth")
OPTIONS_OF = {  # what goes with the options that show something else than a trace
    "--why": ("--depth", "--said", "--tokens"),
    "--diff": ("--at",),
    "--against": ("--at", "--said", "--tokens"),
}
OPTIONS_OF_TRACE = ("--at", "--step", "--head", "--said", "--tokens")


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
@click.option(
    "--diff",
    "pair",
    nargs=2,
    metavar="INPUT INPUT",
    help="Show where two inputs part, each in quotes: the first value that differs at each position. Where the spec"
    " states no task, they are tokens.",
)
@click.option(
    "--against",
    type=spec_path,
    shell_complete=complete_specs,
    metavar="SPEC",
    help="Show where this spec and another one part, on one input. --set varies both.",
)
@json_option
def trace(
    spec: Path, inputs: tuple[str, ...], loading: Loading, tokens: str | None, as_json: bool, **options: Any
) -> None:
    """Show what a model computes for one input, or for some tokens.

    For each step: the stream after it, by dimension and position, and the attention of each head; then the logits. A
    dimension that the step has changed is marked with *. The model reads the prompt and its own greedy answer.

    \b
    python cli.py trace tiny95 --set digits=2 12 34
    python cli.py trace tiny95 --set digits=2 12 34 --at 6 --step layer0.ffn
    python cli.py trace tiny95 --set digits=2 --tokens "<bos> 1 2 +"

    With --why, one value is explained. It is named as the submodule that puts it out and its dimension are; a score or
    a weight in a pattern, as the submodule, the head and the key are.

    \b
    python cli.py trace tiny95 --set digits=2 12 34 --why "layer0.ffn.candidate[6]@6"
    python cli.py trace tiny95 --set digits=2 12 34 --why "layer0.attention.pattern[count, 3]@6"
    python cli.py trace tiny95 --set digits=2 --diff "12 34" "12 35"
    python cli.py trace tiny95 12 34 --against tiny95-exact
    """
    _check_mode(inputs, tokens)
    asked = TraceQuestion(inputs, tokens, options["said"])
    loaded = loading.load(spec)
    from compiler.terminal.traces import Look

    look = Look(tuple(dict.fromkeys(options["positions"])), options["steps"], options["heads"])
    if options["why"] is not None:
        _explain(asked.seen_by(loaded), options["why"], options["depth"], as_json=as_json)
    elif options["pair"]:
        is_task = bool(loaded.resolved.asked)
        both = [TraceQuestion((text,), None) if is_task else TraceQuestion((), text) for text in options["pair"]]
        _compare([one.seen_by(loaded) for one in both], look, as_json=as_json)
    elif options["against"] is not None:
        _compare([asked.seen_by(one) for one in (loaded, loading.load(options["against"]))], look, as_json=as_json)
    else:
        _show(asked.seen_by(loaded), look, as_json=as_json)


def _check_mode(inputs: tuple[str, ...], tokens: str | None) -> None:
    """Raises `UsageError` for options that do not go together."""
    if tokens is not None and inputs:
        raise click.UsageError("give an input of the task or --tokens, not both; tokens with spaces stand in quotes")
    given = given_on_the_command_line(OPTIONS)
    modes = [mode for mode in OPTIONS_OF if mode in given]
    if len(modes) > 1:
        raise click.UsageError(f"give {modes[0]} or {modes[1]}, not both")
    taken = (*modes, *OPTIONS_OF[modes[0]]) if modes else OPTIONS_OF_TRACE
    for option in given:
        if option not in taken:
            raise click.UsageError(f"{option} does not go with {modes[0]}" if modes else f"{option} needs --why")
    if "--diff" in given and inputs:
        raise click.UsageError("--diff has both inputs: give no other one")
    if "--said" in given and tokens is not None:
        raise click.UsageError("--said is about the answer to an input of the task; with --tokens there is none")


@dataclass(frozen=True)
class TraceQuestion:
    """What a model is to read: an input of its task as it was typed, or tokens."""

    inputs: tuple[str, ...]
    tokens: str | None
    said: int | None = None

    def seen_by(self, spec: Spec) -> tuple[Spec, TracedPass]:
        """What the model reads, and the spec, with the sizes of the input where they are ranges. Raises `SpecError`."""
        from compiler.evaluation.traced import pass_of_input, pass_of_tokens

        if self.tokens is not None:
            return spec, pass_of_tokens(spec, self.tokens)
        spec, question = typed_input(spec, self.inputs)
        return spec, pass_of_input(spec, question, self.said)


def _show(asked: tuple[Spec, TracedPass], look: Look, *, as_json: bool) -> None:
    from compiler.evaluation.traced import traced
    from compiler.terminal.console import print_json
    from compiler.terminal.traces import print_trace, trace_json

    spec, seen = asked
    look.check(spec, len(seen.tokens))
    if not as_json:
        look = replace(look, positions=look.positions or seen.read_at)
    shown = trace_json(spec, seen, traced(spec, seen), look)
    print_json(shown) if as_json else print_trace(shown, look)


def _explain(asked: tuple[Spec, TracedPass], why: str, depth: int, *, as_json: bool) -> None:
    from compiler.evaluation.computations import computations
    from compiler.evaluation.traced import traced
    from compiler.evaluation.traced_values import TracedValues, find_value
    from compiler.terminal.console import print_json
    from compiler.terminal.traces import computations_json, print_computations

    spec, seen = asked
    values = TracedValues(spec.network, seen.tokens, traced(spec, seen))
    shown = computations_json(spec, values, why, computations(values, find_value(values, why), depth))
    print_json(shown) if as_json else print_computations(shown)


def _compare(asked: Sequence[tuple[Spec, TracedPass]], look: Look, *, as_json: bool) -> None:
    from compiler.evaluation.parting import partings
    from compiler.evaluation.traced import traced
    from compiler.terminal.console import print_json
    from compiler.terminal.traces import TracedModel, parting_json, print_parting

    first, second = (TracedModel(spec, seen, traced(spec, seen)) for spec, seen in asked)
    look.check(first.spec, min(len(first.seen.tokens), len(second.seen.tokens)))
    shown = parting_json(first, second, partings(first.activations, second.activations), look)
    print_json(shown) if as_json else print_parting(shown)
