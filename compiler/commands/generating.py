"""`run --tokens`: what a model says after a sequence of tokens."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import click

import compiler
from compiler.commands.shared import EXIT_CUT_SHORT, Command, given_on_the_command_line
from compiler.pipeline import Spec

SHOWN = 5  # candidates of a single step
OPTIONS = ("steps", "until", "window", "sample", "seed", "temperature", "top")  # that go with `--tokens`


@dataclass(frozen=True)
class Request:
    """The options of `run --tokens` as they were given."""

    tokens: str
    steps: int | None
    until: str | None
    window: int | None
    sample: bool
    seed: int | None
    temperature: float
    top: int | None


def generation_options(command: Command) -> Command:
    """Options of `run --tokens`."""
    options = [
        click.option("--tokens", metavar="TEXT", help="Say what follows these tokens, names split at spaces."),
        click.option(
            "--steps",
            type=click.IntRange(min=1),
            metavar="N",
            help="How many tokens to say: 1 if not given; with --until, as many as the context has at most.",
        ),
        click.option("--until", metavar="TOKEN", help="Stop after this token."),
        click.option(
            "--window",
            type=click.IntRange(min=1),
            metavar="N",
            help="The model sees the last N tokens only, so that it can go on beyond its context.",
        ),
        click.option("--sample", is_flag=True, help="Draw each token by its probability."),
        click.option("--seed", type=int, help="Seed of --sample; 0 if not given."),
        click.option(
            "--temperature",
            type=float,
            default=1.0,
            show_default=True,
            metavar="T",
            help="Divide logits by T before the softmax: above 1, probabilities are more alike.",
        ),
        click.option(
            "--top",
            type=click.IntRange(min=0),
            metavar="K",
            help=f"List K tokens for each step: {SHOWN} if not given for a single one, none for several, all in JSON.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def check_mode(inputs: tuple[str, ...], tokens: str | None, *, verbose: bool) -> None:
    """Raises `UsageError` unless a call has the options of one mode only."""
    given = given_on_the_command_line(OPTIONS)
    if tokens is None:
        if given:
            raise click.UsageError(f"{given[0]} needs --tokens TEXT: it is about what follows a sequence of tokens")
        return
    if inputs:
        raise click.UsageError("give an input of the task or --tokens, not both; tokens with spaces stand in quotes")
    if verbose:
        raise click.UsageError("--verbose is about an input of the task; with --tokens, --top lists more tokens")
    if "--seed" in given and "--sample" not in given:
        raise click.UsageError("--seed needs --sample: without it nothing is drawn")


def run_tokens(spec: Spec, request: Request, *, as_json: bool) -> None:
    """Say what follows, each token at once; an interruption keeps what was said before."""
    from compiler.evaluation.generation import NextToken, start_tokens
    from compiler.terminal.console import print_json
    from compiler.terminal.generations import Generation, generation_json, print_generation, print_token

    steps = request.steps or (1 if request.until is None else spec.network.context)
    top = request.top if request.top is not None else SHOWN if steps == 1 else 0
    seed = (request.seed or 0) if request.sample else None
    window, temperature = request.window, request.temperature
    tokens = start_tokens(spec.network, request.tokens, slides=window is not None)
    said: list[NextToken] = []
    interruption: KeyboardInterrupt | None = None
    try:
        for step in compiler.generate(
            spec, tokens, steps=steps, until=request.until, window=window, temperature=temperature, seed=seed
        ):
            said.append(step)
            if not as_json:
                print_token(spec, step, top, first=len(said) == 1)
    except KeyboardInterrupt as raised:
        interruption = raised
    generation = Generation(spec, tokens, tuple(said), window, temperature, seed)
    if as_json:
        print_json(generation_json(generation, request.top))
    else:
        print_generation(generation, top)
    if interruption is not None:
        raise interruption
    if generation.ending in ("context", "nan"):
        sys.exit(EXIT_CUT_SHORT)
