"""Lines without layout, and whole files, on standard output."""

from __future__ import annotations

import sys

import click

from compiler.source.printable import printable


def say(line: str = "", *, error: bool = False, ended: bool = True) -> None:
    """Print one line, or a part that is not yet `ended`, at once; on standard error where it is an `error`."""
    click.echo(printable(line), err=error, nl=ended)


def print_file(content: str) -> None:
    """Print what is to be kept as a file: to a terminal what can be shown, elsewhere every sign, in UTF-8."""
    stream = sys.stdout
    buffer = getattr(stream, "buffer", None)
    if buffer is None or stream.isatty():
        click.echo(printable(content, kept="\n"), nl=False)
        return
    stream.flush()
    buffer.write(content.encode(errors="backslashreplace"))
    buffer.flush()
