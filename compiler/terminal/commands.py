"""What every command does when a spec is wrong, or the user has had enough."""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

import click

from compiler.diagnostics import SpecError

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


class SpecCommand(click.Command):
    """Turns what the compiler finds wrong with a spec into diagnostics and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
            return result
        except SpecError as error:
            _fail(error, as_json=bool(ctx.params.get("as_json")))
        except BrokenPipeError:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - nobody reads on; nothing more can be said there
            sys.exit(EXIT_BROKEN_PIPE)
        except OSError as error:
            click.echo(f"error: {error.strerror or error}", err=True)
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
            sys.exit(EXIT_BAD_INPUT)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            sys.exit(EXIT_INTERRUPTED)


class Commands(click.Group):
    command_class = SpecCommand


def _fail(error: SpecError, *, as_json: bool) -> NoReturn:
    from compiler.terminal.console import diagnostics_json, print_diagnostics, print_json

    if as_json:
        found = diagnostics_json(error.diagnostics)
        print_json({f"{kind}s": [one for one in found if one["severity"] == kind] for kind in ("error", "warning")})
    else:
        print_diagnostics(error.diagnostics)
        errors = sum(diagnostic.severity == "error" for diagnostic in error.diagnostics)
        if errors > 1:
            click.echo(f"{errors} errors", err=True)
    sys.exit(EXIT_BAD_INPUT)


def print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """The callback of `--version`."""
    if not wanted:
        return
    from importlib import metadata  # slow to import, and rarely needed

    try:
        click.echo(f"weightspec {metadata.version('weightspec')}")
    except metadata.PackageNotFoundError:
        click.echo("weightspec, not installed, run from its folder")
    ctx.exit()
