"""The bars that are drawn on a terminal: a total that is known, or none."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Sequence

import pytest

from compiler.terminal.console import suite_progress


class Terminal(io.StringIO):
    """What is written to it stays there, whatever is drawn over it."""

    def isatty(self) -> bool:
        return True


def last_frame(monkeypatch: pytest.MonkeyPatch, reports: Sequence[tuple[int, int | None]]) -> str:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for name, setting in {"TERM": "xterm", "COLUMNS": "100"}.items():
        monkeypatch.setenv(name, setting)
    with suite_progress() as report:
        assert report is not None
        for done, total in reports:
            report("tokens", done, total)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    return [line for line in re.split(r"[\r\n]+", plain) if "tokens" in line][-1]


@pytest.mark.parametrize(
    ("reports", "said"),
    [
        ([(3, 12)], "3 of 12"),
        ([(0, 1), (9, 12)], "9 of 12"),
        ([(0, None), (9, 12)], "9 of 12"),
        ([(1, 1), (1, 2)], "1 of 2"),
    ],
)
def test_a_total_that_becomes_known_is_shown(
    monkeypatch: pytest.MonkeyPatch, reports: list[tuple[int, int | None]], said: str
) -> None:
    assert re.search(rf"\b{said}\b", last_frame(monkeypatch, reports))


def test_without_a_total_none_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not re.search(r"\d of \d", last_frame(monkeypatch, [(0, None)]))


def test_nothing_is_drawn_into_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with suite_progress() as report:
        assert report is None
