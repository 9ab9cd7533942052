"""Commands on the text of specs: `new`, `validate`, `fmt`, `schema`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from compiler.commands import completion
from compiler.commands.shared import (
    EXIT_BAD_INPUT,
    EXIT_DIFFERENCE,
    Loading,
    SpecCommand,
    as_called,
    command_line,
    json_option,
    loading_options,
    specs_argument,
    verbatim,
)
from compiler.commands.starting import DEFAULT_TEMPLATE, describe_templates
from compiler.source.diagnostics import SpecError
from compiler.source.document import STANDARD_INPUT
from compiler.source.files import save_text
from compiler.terminal import shapes
from compiler.terminal.plain import print_file, say


@click.command(cls=SpecCommand, epilog=verbatim(describe_templates()))
@click.argument("name")
@click.option(
    "--like",
    "template",
    default=DEFAULT_TEMPLATE,
    show_default=True,
    metavar="NAME",
    shell_complete=completion.models_to_start_from,
    help="What to start from: a template, or any example of the package.",
)
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@json_option
def new(name: str, template: str, force: bool, as_json: bool) -> None:
    """Write a spec to start from, with comments that explain it.

    NAME is a name or a path, with or without .yaml. The folder has to exist.

    \b
    python cli.py new mine
    python cli.py new mine --like rope
    """
    from compiler.commands.editing import schema_line
    from compiler.commands.starting import starting_spec, target
    from compiler.terminal.console import print_json

    path, title = target(name)
    save_text(path, schema_line() + as_called(starting_spec(template, title)), replace=force)
    if as_json:
        written: shapes.New = {"written": str(path), "template": template}
        print_json(written)
    else:
        say(f"{path}: written, from {template}. Edit it; these check and try it:")
        say(f"  {command_line('validate', [path])}")
        say(f"  {command_line('build', [path], '--eval')}")


@click.command(cls=SpecCommand)
@specs_argument
@click.option(
    "--watch", "watching", is_flag=True, help="Check again whenever a file changes that the specs are made of."
)
@loading_options
@json_option
def validate(specs: tuple[Path, ...], watching: bool, loading: Loading, as_json: bool) -> None:
    """Check specs in full; build nothing.

    This checks the text, the schema, names, numbers and equations. --watch goes on until Ctrl-C, and ends with 130 as
    everything does that is interrupted. A file that is gone is an error as ever, and is waited for.

    \b
    python cli.py validate mine.yaml
    python cli.py validate mine.yaml --watch
    python cli.py validate tiny95 --set digits=6 --json
    """
    if watching:
        if as_json or STANDARD_INPUT in specs:
            raise click.UsageError("--watch takes files, and no --json")
        from compiler.commands.watching import pause, watch

        watch(specs, lambda: _validated(specs, loading, as_json=False), pause)
    elif not _validated(specs, loading, as_json=as_json):
        sys.exit(EXIT_BAD_INPUT)


def _validated(specs: Iterable[Path], loading: Loading, *, as_json: bool) -> bool:
    """Print what is wrong with each spec; whether that is nothing."""
    from compiler.terminal.console import diagnostics_json, print_diagnostics, print_json

    results: list[shapes.Validated] = []
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
                say(f"{path}: ok, {len(spec.network.steps)} steps in {spec.network.dtype.name}")
        valid = all(diagnostic.severity != "error" for diagnostic in diagnostics)
        results.append({"spec": str(path), "valid": valid, "diagnostics": diagnostics_json(diagnostics)})
    if as_json:
        print_json(results)
    return not failed


@click.command("fmt", cls=SpecCommand)
@specs_argument
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a spec would change.")
@click.option("--diff", "as_diff", is_flag=True, help="Write nothing; print what would change, exit as with --check.")
@click.option("--stdout", "to_stdout", is_flag=True, help="Write nothing; print the one spec as it would be.")
@json_option
def fmt(specs: tuple[Path, ...], check: bool, as_diff: bool, to_stdout: bool, as_json: bool) -> None:
    """Format specs in place: indentation, spaces, blank lines.

    Comments, line breaks, quotes and the order of keys stay. The meaning of a spec never changes; a file that cannot
    be formatted is left as it is. A spec need not be valid, but it has to be a YAML mapping.

    \b
    python cli.py fmt mine.yaml
    python cli.py fmt mine.yaml --check

    \b
    before    up  candidate[ i ]:   2*scale-1     # why
    after     up candidate[i]: 2 * scale - 1  # why
    """
    from compiler.readers.formatting.formatting import format_file
    from compiler.terminal.console import diagnostics_json, print_diagnostics, print_json
    from compiler.terminal.formats import formatted_json, print_formatted, print_text_diff

    if specs == (STANDARD_INPUT,):
        to_stdout = not (check or as_diff or as_json)
    if to_stdout and (len(specs) > 1 or check or as_diff or as_json):
        raise click.UsageError("--stdout takes one spec and no other option")
    writes = not (check or as_diff or to_stdout or specs == (STANDARD_INPUT,))
    results: list[shapes.Formatted] = []
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
            print_file(formatted.text)
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


@click.command(cls=SpecCommand)
@click.option(
    "--install", is_flag=True, help="Write it to a folder of yours where every spec finds it, and print where."
)
def schema(install: bool) -> None:
    """Print the JSON Schema of a spec, for editors.

    \b
    python cli.py schema > weightspec.schema.json
    python cli.py schema --install
    """
    from compiler.commands.editing import install_schema, schema_line
    from compiler.source.schema import schema_text

    if install:
        say(str(install_schema()))
        say("The first line of a spec that editors check, as `new` writes it:")
        print_file(schema_line())
    else:
        print_file(schema_text())
