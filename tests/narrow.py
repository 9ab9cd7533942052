"""What commands print on a terminal of a given width, as plain text."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from click.testing import _NamedTextIOWrapper  # what stands for a stream while a command is called

from tests.cli.test_cli import call


def printed(monkeypatch: pytest.MonkeyPatch, width: int, arguments: Sequence[str]) -> str:
    """What a command prints to a terminal, without colours and without spaces at the ends of lines."""
    for name, setting in {"COLUMNS": str(width), "LINES": "50", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, setting)
    monkeypatch.setattr(_NamedTextIOWrapper, "isatty", lambda stream: stream.name == "<stdout>", raising=False)
    return "".join(f"{line.rstrip()}\n" for line in call(*arguments).stdout.splitlines())
