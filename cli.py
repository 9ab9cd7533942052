"""The command line: parses, calls the compiler, prints. `python cli.py --help` lists the commands."""

from __future__ import annotations

import io
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click

import compiler
from compiler.claims import check_claims
from compiler.diagnostics import SpecError, fail
from compiler.pipeline import Spec
from compiler.saved import check_target
from compiler.stages import STAGES, Stage
from compiler.starting import DEFAULT_TEMPLATE, describe_templates, templates
from compiler.tasks import TaskError, describe_suites
from compiler.terminal.commands import EXIT_BAD_INPUT, Command, Commands, Loading, loading_options, print_version

EXIT_FAILED_CLAIM = EXIT_DIFFERENCE = EXIT_WRONG_ANSWER = 1

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # torch's threads must not spin where other work runs too

EXIT_CODES = """
Exit codes: 0 done and as expected; 1 done, but a claim failed, a difference was found or an answer is wrong;
2 the spec or the call is wrong.
"""

spec_argument = click.argument("spec", type=click.Path(path_type=Path))
specs_argument = click.argument("specs", nargs=-1, required=True, type=click.Path(path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


def _verbatim(text: str) -> str:
    """Paragraphs whose lines click leaves as they are."""
    return "\b\n" + text.replace("\n\n", "\n\n\b\n")


def evaluation_options(command: Command) -> Command:
    options = [
        click.option("--suite", "suites", multiple=True, help="Run this suite only; repeatable. See `eval --help`."),
        click.option("--pairs", type=int, help="Inputs of each suite that samples."),
        click.option("--seed", type=int, default=0, show_default=True, help="Seed of the suites that sample."),
        click.option(
            "--decode",
            "decoding",
            type=click.Choice(["teacher", "greedy"]),
            default="teacher",
            show_default=True,
            help="Decide by one teacher-forced pass, or token by token; the verdicts are the same for a causal model.",
        ),
        click.option("--device", default="cpu", show_default=True, help="A torch device, such as cuda."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group(cls=Commands, epilog=EXIT_CODES, context_settings={"max_content_width": 110})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=print_version, help="Print the version."
)
def main() -> None:
    """Transformers whose every weight is an equation in one YAML file.

    Start with:  python cli.py build specs/tiny95.yaml --eval
    """
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal cannot show is escaped, not a crash
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@main.command(epilog=_verbatim(describe_templates()))
@click.argument("name")
@click.option(
    "--like",
    "template",
    type=click.Choice(list(templates())),
    default=DEFAULT_TEMPLATE,
    show_default=True,
    help="The template to start from.",
)
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@json_option
def new(name: str, template: str, force: bool, as_json: bool) -> None:
    """Write a spec to start from, with comments that explain it.

    NAME is a name or a path, with or without .yaml. The folder has to exist.

    \b
    python cli.py new mine
    python cli.py new specs/mine --like rope
    """
    from compiler.starting import starting_spec, target, write_spec
    from compiler.terminal.console import print_json

    path, title = target(name)
    write_spec(path, starting_spec(template, title), replace=force)
    if as_json:
        print_json({"written": str(path), "template": template})
    else:
        quoted = shlex.quote(str(path))
        click.echo(f"{path}: written, from the template {template}. Edit it; these check and try it:")
        click.echo(f"  python cli.py validate {quoted}")
        click.echo(f"  python cli.py build {quoted} --eval")


@main.command()
@specs_argument
@loading_options
@json_option
def validate(specs: tuple[Path, ...], loading: Loading, as_json: bool) -> None:
    """Check specs in full; build nothing.

    Checked are text, schema, names, numbers and equations.

    \b
    python cli.py validate specs/*.yaml
    python cli.py validate specs/tiny95.yaml --set digits=6 --json
    """
    from compiler.terminal.console import diagnostics_json, print_diagnostics, print_json

    results: list[dict[str, object]] = []
    failed = False
    for path in specs:
        try:
            spec = loading.checked(path)
        except SpecError as error:
            failed = True
            diagnostics = error.diagnostics
            if not as_json:
                print_diagnostics(diagnostics)
        else:
            diagnostics = spec.warnings
            if not as_json:
                print_diagnostics(diagnostics)
                click.echo(f"{path}: ok, {len(spec.network.steps)} steps in {spec.network.dtype.name}")
        valid = all(diagnostic.severity != "error" for diagnostic in diagnostics)
        results.append({"spec": str(path), "valid": valid, "diagnostics": diagnostics_json(diagnostics)})
    if as_json:
        print_json(results)
    if failed:
        sys.exit(EXIT_BAD_INPUT)


@main.command("fmt")
@specs_argument
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a spec would change.")
@click.option("--diff", "as_diff", is_flag=True, help="Write nothing; print what would change, exit as with --check.")
@click.option("--stdout", "to_stdout", is_flag=True, help="Write nothing; print the one spec as it would be.")
@json_option
def fmt(specs: tuple[Path, ...], check: bool, as_diff: bool, to_stdout: bool, as_json: bool) -> None:
    """Format specs in place: indentation, spaces, blank lines.

    Comments, line breaks, quotes and the order of keys stay. The meaning of a spec never changes; a file that cannot
    be formatted is left as it is. A spec need not be valid, but has to be YAML.

    \b
    python cli.py fmt specs/*.yaml
    python cli.py fmt specs/*.yaml --check

    \b
    before    up  candidate[ i ]:   2*scale-1     # why
    after     up candidate[i]: 2 * scale - 1  # why
    """
    from compiler.formatting import format_file
    from compiler.terminal.console import diagnostics_json, print_diagnostics, print_json
    from compiler.terminal.formats import formatted_json, print_formatted, print_text_diff

    if to_stdout and (len(specs) > 1 or check or as_diff or as_json):
        raise click.UsageError("--stdout takes one spec and no other option")
    writes = not (check or as_diff or to_stdout)
    results: list[dict[str, object]] = []
    failed = changed = False
    for path in specs:
        try:
            formatted = format_file(path, write=writes)
        except SpecError as error:
            failed = True
            results.append({"spec": str(path), "changed": False, "diagnostics": diagnostics_json(error.diagnostics)})
            if not as_json:
                print_diagnostics(error.diagnostics)
            continue
        changed |= formatted.changed
        results.append(formatted_json(path, formatted, as_diff=as_diff))
        if to_stdout:
            click.echo(formatted.text, nl=False)
        elif as_diff and not as_json:
            print_text_diff(path, formatted)
        elif not as_json:
            print_formatted(path, formatted, written=writes)
    if as_json:
        print_json(results)
    if failed:
        sys.exit(EXIT_BAD_INPUT)
    if changed and (check or as_diff):
        sys.exit(EXIT_DIFFERENCE)


@main.command()
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


@main.command()
@specs_argument
@loading_options
@click.option("--by-tensor", is_flag=True, help="Itemise each figure by tensor, down to the lines of the spec.")
@json_option
def count(specs: tuple[Path, ...], loading: Loading, by_tensor: bool, as_json: bool) -> None:
    """Count the parameters of specs by six rules.

    \b
    dense       every scalar that the torch tensors store, zeros too, tied tensors once
    nonzero     stored scalars that are not zero; a broadcast row once
    distinct    distinct nonzero values, map by map; maps that only copy are free
    values      distinct nonzero numbers over the whole model
    free        scalars under `parameters` that a weight reads, each once
    hard_coded  a listing: other numbers than 0, 1, -1 that enter weights

    \b
    python cli.py count specs/*.yaml
    python cli.py count specs/tiny95.yaml --by-tensor
    """
    from compiler.terminal.console import print_json
    from compiler.terminal.counts import counts_json, print_claims, print_counts

    counted = [(loaded, compiler.count(loaded)) for loaded in (loading.load(path) for path in specs)]
    claims = [check_claims(loaded, counts, None) for loaded, counts in counted]
    failed = [[claim for claim in own if claim.status == "failed"] for own in claims]
    if as_json:
        print_json(counts_json(counted, claims))
    else:
        print_counts(counted, by_tensor=by_tensor)
        for own in failed:
            print_claims(own)
    _exit_on_failed(claim for own in failed for claim in own)


@main.command()
@specs_argument
@loading_options
@click.option("--entries", is_flag=True, help="List every weight that differs.")
@json_option
def diff(specs: tuple[Path, ...], loading: Loading, entries: bool, as_json: bool) -> None:
    """Compare two specs, or one spec with its variant under --set.

    Compared are names, equations, weights and counts. With two specs, --set applies to both.

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


@main.command()
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
    python cli.py build specs/tiny95.yaml --eval
    python cli.py build specs/tiny95.yaml --eval --set digits=6
    python cli.py build specs/tiny95.yaml -o tiny95.safetensors
    """
    from compiler.terminal.console import print_json
    from compiler.terminal.overview import print_signature, print_tensors

    if output is not None:
        check_target(output)  # before anything is computed
    loaded = loading.load(spec)
    model = compiler.build(loaded)
    saved: dict[str, object] = {}
    if output is not None:
        compiler.save_model(loaded, model, output)
        saved = {"file": str(output), "bytes": output.stat().st_size}
    if not as_json:
        if not evaluated:
            print_tensors(loaded)
        print_signature(loaded)
        if saved:
            click.echo(f"saved {output}, {saved['bytes']:,} bytes")
    if evaluated:
        _evaluate(loaded, as_json, saved, **options)
    elif as_json:
        shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
        stored = sum(parameter.numel() for parameter in model.parameters())
        identity = {"spec": str(spec), "name": loaded.name, "settings": list(loaded.settings)}
        print_json({**identity, "parameters": stored, "state_dict": shapes, **saved})


@main.command("eval", epilog=_verbatim(describe_suites()))
@spec_argument
@loading_options
@evaluation_options
@json_option
def eval_command(spec: Path, loading: Loading, as_json: bool, **options: Any) -> None:
    """Evaluate a spec on suites of inputs, and check its claims.

    Without --suite, all that the task runs by default.

    \b
    python cli.py eval specs/tiny95.yaml
    python cli.py eval specs/qwen20.yaml --suite near_carry --pairs 300 --seed 1
    """
    _evaluate(loading.load(spec), as_json, {}, **options)


@main.command()
@spec_argument
@click.argument("inputs", nargs=-1, required=True)
@loading_options
@click.option("--verbose", "-v", is_flag=True, help="Print the tokens too.")
@json_option
def run(spec: Path, inputs: tuple[str, ...], loading: Loading, verbose: bool, as_json: bool) -> None:
    """Decode the answer to one input, token by token.

    \b
    python cli.py run specs/tiny95.yaml 5193798811 1806201129
    """
    from compiler.terminal.console import print_json

    loaded = loading.load(spec)
    task = loaded.resolved.task
    try:
        question = task.read(inputs)
    except TaskError as error:
        raise fail("task", str(error)) from None
    from compiler.evaluation import answer
    from compiler.terminal.evaluations import answer_json, print_answer

    decoded = answer(loaded, question)
    if as_json:
        print_json(answer_json(loaded, task.describe(question), decoded))
    else:
        print_answer(loaded, task.describe(question), decoded, verbose=verbose)
    if not decoded.right:
        sys.exit(EXIT_WRONG_ANSWER)


@main.command()
def schema() -> None:
    """Print the JSON Schema of a spec, for editors.

    \b
    python cli.py schema > weightspec.schema.json
    """
    from compiler.schema import schema_text

    click.echo(schema_text(), nl=False)


def _evaluate(spec: Spec, as_json: bool, saved: dict[str, object], **options: Any) -> None:
    from compiler.terminal.console import print_json, suite_progress
    from compiler.terminal.counts import claims_json, print_claims
    from compiler.terminal.evaluations import evaluation_json, print_evaluation

    with suite_progress() as progress:
        evaluation = compiler.evaluate(spec, progress=progress, **options)
    claims = check_claims(spec, compiler.count(spec), evaluation.suites)
    if as_json:
        identity = {"spec": str(spec.path), "name": spec.name, "settings": list(spec.settings)}
        print_json({**identity, **saved, **evaluation_json(evaluation), "claims": claims_json(claims)})
    else:
        print_evaluation(evaluation)
        print_claims(claims)
    _exit_on_failed(claims)


def _exit_on_failed(claims: Any) -> None:
    if any(claim.status == "failed" for claim in claims):
        sys.exit(EXIT_FAILED_CLAIM)


if __name__ == "__main__":
    main()
