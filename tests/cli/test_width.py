"""What is printed on a narrow terminal: no number is broken, nothing runs over, and it reads as it was accepted.

To accept what is printed now: `python -m tests.cli.test_width`.
"""

from __future__ import annotations

import re

import pytest
from click.testing import _NamedTextIOWrapper  # what stands for a stream while a command is called
from rich.text import Text

from compiler.terminal.layout import Rows, fold_lines
from tests.cli.test_cli import call
from tests.helpers import DATA, ROOT

FOLDER = DATA / "width"
WIDE, ZERO = "tests/data/width/wide.yaml", "tests/data/width/zero.yaml"
TINY, EXACT, PARITY = "specs/tiny95.yaml", "specs/tiny95-exact.yaml", "specs/tasks/parity.yaml"
CALLS = {  # by the name of the file that says what is printed at 80 columns
    "validate": ("validate", WIDE, TINY),
    "lint": ("lint", WIDE),
    "count": ("count", WIDE, TINY, ZERO),
    "count-by-tensor": ("count", WIDE, "--by-tensor"),
    "count-hard-coded": ("count", WIDE, "--hard-coded", "--assert", "free=1"),
    "count-why": ("count", "--why", WIDE, "embedding.weight[digit[2], 0]"),
    "show": ("show", WIDE),
    "show-tensor": ("show", WIDE, "a_block_with_a_long_name.ffn.up.weight"),
    "diff": ("diff", TINY, EXACT),
    "diff-variant": ("diff", WIDE, "--set", "a_scale_with_a_long_name=71277740000001"),
    "eval": ("eval", ZERO, "--suite", "exhaustive", "--suite", "edges"),
    "run": ("run", TINY, "5193798811", "1806201129", "--verbose"),
    "run-tokens": ("run", WIDE, "--tokens", "1 2 + 2 1 =", "--steps", "2"),
    "verify": ("verify", ZERO),
    "ablate": ("ablate", PARITY, "--kind", "head", "--kind", "stream"),
    "claim": ("claim", ZERO, "--suite", "exhaustive"),
}
OTHERS = {
    "tiny95": ("show", TINY),
    "tiny95-by-tensor": ("count", TINY, "--by-tensor"),
    "rules": ("lint", "--list"),
    "tiny95-eval": ("eval", TINY, "--suite", "near_carry", "--inputs", "60"),
    "several": ("verify", ZERO, PARITY),
}
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*(?:e[-+]\d+)?")
_WHOLE = re.compile(r"^[-+] |`python cli.py ")  # lines of a diff, and calls
_LEFT_OUT = re.compile(r"^spec +(?:claimed|dense) (.*\n)+?(?=$|\*)|^hard-coded in  (.*\n)+|^ +\d+ \| .*$", re.MULTILINE)
_MEASURED = re.compile(
    r"^[\d,]+ of [\d,]+ right in (?:(?!claim ).+\n)+|^(?:time|arithmetic) .*(?:\n +.*)*|, engine \d+$|(?<=  )\d+\.\d$",
    re.MULTILINE,
)


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def printed(monkeypatch: pytest.MonkeyPatch, width: int, arguments: tuple[str, ...]) -> str:
    """What a command prints to a terminal, without colours, times, names of machines, and spaces at ends of lines."""
    for name, setting in {"COLUMNS": str(width), "LINES": "50", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, setting)
    monkeypatch.setattr(_NamedTextIOWrapper, "isatty", lambda stream: stream.name == "<stdout>", raising=False)
    monkeypatch.setattr("compiler.terminal.evaluations.measured", lambda _: "0.1")
    lines = _MEASURED.sub("", call(*arguments).stdout).splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def figures(shown: str) -> set[str]:
    """The numbers, but those of a leaderboard, which leaves some out and says so, and of lines of a spec."""
    return set(_NUMBER.findall(_LEFT_OUT.sub("", shown)))


@pytest.mark.parametrize("name", [*CALLS, *OTHERS])
def test_no_number_is_broken_and_nothing_runs_over(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    arguments = (CALLS | OTHERS)[name]
    wanted = figures(printed(monkeypatch, 200, arguments))
    assert wanted
    for width in (60, 80, 120):
        shown = printed(monkeypatch, width, arguments)
        assert wanted - set(_NUMBER.findall(shown)) == set(), width
        assert [line for line in shown.splitlines() if len(line) > width and not _WHOLE.search(line)] == [], width


@pytest.mark.parametrize("name", CALLS)
def test_at_eighty_columns(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert printed(monkeypatch, 80, CALLS[name]) == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "width", "lines"),
    [
        ("one two three", 8, ["one two", "three"]),
        ("one two three", 4, ["one", "two", "thre", "e"]),
        ("7,127,774,000,000 of 10^20", 18, ["7,127,774,000,000", "of 10^20"]),
        ("x=7,127,774,000,000 y", 17, ["x=", "7,127,774,000,000", "y"]),
        ("    a[12] = 1.25e-07 + b", 18, ["    a[12] =", "    1.25e-07 + b"]),
        ("layer0.attention.query", 12, ["layer0.", "attention.", "query"]),
        ("word[1234]", 7, ["word[", "1234]"]),
        ("123456789", 4, ["1234", "5678", "9"]),
        ("first\n\nsecond line", 7, ["first", "", "second", "line"]),
        ("漢字漢字", 4, ["漢字", "漢字"]),
        ("", 5, [""]),
        ("ab", 0, ["a", "b"]),
    ],
)
def test_lines(content: str, width: int, lines: list[str]) -> None:
    assert [line.plain for line in fold_lines(Text(content), width)] == lines


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (
            90,
            [
                "name                                count  equation                                  bound",
                "layer0.attention.query  7,127,774,000,000  up candidate[i]: (i + 0.5) * scale *      1.5",
                "                                           count",
                "a single text for the whole row",
            ],
        ),
        (
            60,
            [
                "name                                count  bound",
                "    equation",
                "layer0.attention.query  7,127,774,000,000  1.5",
                "    up candidate[i]: (i + 0.5) * scale * count",
                "a single text for the whole row",
            ],
        ),
        (
            40,
            [
                "name                         count bound",
                "    equation",
                "layer0.          7,127,774,000,000 1.5",
                "attention.query",
                "    up candidate[i]: (i + 0.5) * scale *",
                "    count",
                "a single text for the whole row",
            ],
        ),
        (
            25,
            [
                "name",
                "layer0.attention.query",
                "    count:",
                "    7,127,774,000,000",
                "    equation: up",
                "    candidate[i]: (i +",
                "    0.5) * scale * count",
                "    bound: 1.5",
                "a single text for the",
                "whole row",
            ],
        ),
    ],
)
def test_rows(width: int, lines: list[str]) -> None:
    rows = Rows(("name", "count", "equation", "bound"), frozenset([1]))
    rows.add_row("layer0.attention.query", "7,127,774,000,000", "up candidate[i]: (i + 0.5) * scale * count", "1.5")
    rows.add_row("a single text for the whole row")
    assert [line.plain for line in rows.lines(width)] == lines


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patch:
        for file, words in CALLS.items():
            (FOLDER / f"{file}.txt").write_text(printed(patch, 80, words), encoding="utf-8")
