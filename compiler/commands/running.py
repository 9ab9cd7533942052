"""Commands that build the model and run it: `build`, `eval`, `run`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import compiler
from compiler.commands.foreign import Foreign, foreign_options
from compiler.commands.generating import Request, check_mode, generation_options, run_tokens
from compiler.commands.shared import (
    EXIT_NOT_QUALIFIED,
    EXIT_WRONG_ANSWER,
    Loading,
    SpecCommand,
    complete_specs,
    evaluation_options,
    exit_on_failed,
    given_on_the_command_line,
    json_option,
    loading_options,
    print_checked_claims,
    spec_argument,
    spec_path,
    verbatim,
)
from compiler.pipeline import Spec
from compiler.readers.counting.claims import check_claims
from compiler.source.saved import check_target
from compiler.tasks import suites
from compiler.tasks.typed import asked_of, read_typed
from compiler.terminal import shapes
from compiler.terminal.plain import say

if TYPE_CHECKING:  # it imports torch
    from compiler.backends.torch.foreign import Subject


@click.command(cls=SpecCommand)
@spec_argument
@loading_options
@click.option("--eval", "evaluated", is_flag=True, help="Evaluate the model, and check the spec's claims.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="FILE.safetensors",
    help="Save the model, with its spec. A file that exists is replaced.",
)
@evaluation_options
@json_option
def build(spec: Path, loading: Loading, evaluated: bool, output: Path | None, as_json: bool, **options: Any) -> None:
    """Build the torch module of a spec; save and evaluate it.

    \b
    python cli.py build tiny95 --eval
    python cli.py build tiny95 --eval --set digits=6
    python cli.py build tiny95 -o tiny95.safetensors
    """
    from compiler.terminal.console import print_json
    from compiler.terminal.overview import of_spec, print_signature, print_tensors

    if not evaluated and (given := given_on_the_command_line(options)):
        raise click.UsageError(f"{given[0]} needs --eval: without it nothing is evaluated")
    if output is not None:
        check_target(output)  # before anything is computed
    loaded = loading.load(spec)
    model = compiler.build(loaded)
    saved: shapes.Saved = {}
    if output is not None:
        compiler.save_model(loaded, model, output)
        saved = {"file": str(output), "bytes": output.stat().st_size}
    if not as_json:
        if not evaluated:
            print_tensors(loaded)
        print_signature(loaded)
        if saved:
            say(f"saved {output}, {saved['bytes']:,} bytes")
    if evaluated:
        _evaluate(loaded, loading, as_json, saved, **options)
    elif as_json:
        tensors = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
        stored = sum(parameter.numel() for parameter in model.parameters())
        built = {**of_spec(loaded), "parameters": stored, "state_dict": tensors, **saved}
        print_json(shapes.filled(shapes.Built, None, **built))


@click.command("eval", cls=SpecCommand, epilog=verbatim(suites.suites_text()))
@click.argument("spec", required=False, type=spec_path, shell_complete=complete_specs)
@foreign_options
@loading_options
@evaluation_options
@json_option
def eval_command(spec: Path | None, foreign: Foreign, loading: Loading, as_json: bool, **options: Any) -> None:
    """Evaluate a spec on suites of inputs, and check its claims.

    Without --suite, all that the task runs by default. With --protocol, the suites of a test that others have fixed;
    the exit code is 1 where too few answers are right for it.

    \b
    python cli.py eval tiny95
    python cli.py eval qwen20 --suite near_carry --inputs 300 --seed 1
    python cli.py eval tiny95 --protocol adderboard --failures all
    python cli.py eval tiny95 --set digits=4 --suite exhaustive

    A suite of more than a million inputs can be interrupted: the same command goes on from there.

    With --model, the model is a file of another program: .safetensors with tensors for the network of a spec, or
    TorchScript or torch.export, which hold code. It is asked what --task says: a YAML file with a vocabulary and a
    task. --set varies that file, and the spec.

    \b
    python cli.py eval --model trained.safetensors --like qwen20
    python cli.py eval --model model.pt2 --trust-code --task task.yaml --suite edges
    """
    subject: Subject
    if spec is None:
        subject = foreign.load(loading)
    else:
        foreign.refuse()
        subject = loading.load(spec)
    _evaluate(subject, loading, as_json, {}, **options)


@click.command(cls=SpecCommand)
@spec_argument
@click.argument("inputs", nargs=-1)
@loading_options
@click.option("--verbose", "-v", is_flag=True, help="Print the tokens too.")
@generation_options
@json_option
def run(
    spec: Path,
    inputs: tuple[str, ...],
    loading: Loading,
    verbose: bool,
    tokens: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Decode the answer to one input, or say what follows some tokens.

    \b
    python cli.py run tiny95 5193798811 1806201129

    With --tokens nothing is asked of the task. The model reads the tokens, and says the next ones, each in one pass
    over the sequence so far. Tokens have their names: `digit[3]`, or `3` where one family alone has a symbol 3. A name
    with a space stands in quotes. Ctrl-C keeps what was said so far. The exit code is 1 where a logit is NaN, or the
    context is full, before all was said.

    \b
    python cli.py run tiny95 --set digits=2 --tokens "<bos> 1 2 + 3 4 ="
    python cli.py run tiny95 --set digits=2 --tokens "<bos> 1 2 + 3 4 =" --steps 3
    python cli.py run qwen20 --set digits=2 --tokens "0 1 2 3" --steps 9 --window 4 --sample --seed 1
    """
    check_mode(inputs, tokens, verbose=verbose)
    if tokens is None:
        _run_input(loading.load(spec), inputs, verbose=verbose, as_json=as_json)
    else:
        run_tokens(loading.load(spec), Request(tokens, **options), as_json=as_json)


def _run_input(loaded: Spec, inputs: tuple[str, ...], *, verbose: bool, as_json: bool) -> None:
    from compiler.terminal.console import print_json

    loaded, question = typed_input(loaded, inputs)
    task = loaded.resolved.task
    from compiler.evaluation.evaluation import answer
    from compiler.terminal.evaluations import answer_json, print_answer

    decoded = answer(loaded, question)
    if as_json:
        print_json(answer_json(loaded, task.describe(question), decoded))
    else:
        print_answer(loaded, task.describe(question), decoded, verbose=verbose)
    if not decoded.right:
        sys.exit(EXIT_WRONG_ANSWER)


def typed_input(spec: Spec, texts: tuple[str, ...]) -> tuple[Spec, tuple[int, ...]]:
    """What a person typed as an input of the task: of sizes that are ranges, of the first choice that it fits."""
    choices = spec.choices or (spec,)
    tasks = [choice.resolved.task for choice in choices]
    if not texts:
        missing = asked_of(tasks, with_symbols=True)
        raise click.UsageError(f"Missing argument 'INPUTS...': {missing}; or give --tokens TEXT")
    position, inputs = read_typed(tasks, texts)
    return choices[position], inputs


def _evaluate(subject: Subject, loading: Loading, as_json: bool, saved: shapes.Saved, **options: Any) -> None:
    from compiler.terminal.console import print_json, suite_progress
    from compiler.terminal.evaluations import SHOWN_FAILURES, evaluation_json, print_evaluation, print_foreign

    with suite_progress() as progress:
        evaluation = compiler.evaluate(subject, progress=progress, notice=partial(say, error=True), **options)
    claims = check_claims(subject, compiler.count(subject), evaluation.suites) if isinstance(subject, Spec) else ()
    if as_json:
        print_json(evaluation_json(subject, evaluation, claims, saved))
    else:
        kept = options["failures"]
        print_evaluation(evaluation, None if kept is None else max(kept, SHOWN_FAILURES))
        if isinstance(subject, Spec):
            print_checked_claims(claims, subject.path, loading)
        else:
            print_foreign(subject)
    exit_on_failed(claims)
    if evaluation.qualified is False:
        sys.exit(EXIT_NOT_QUALIFIED)
