"""Every file in `cases/` is a spec with mistakes; comments at its end list every diagnostic that it has to give.

`# expect: CODE LINE:COLUMN TEXT`: TEXT, where given, occurs in the message or the hint. The place may name another
file (`parts/base.yaml:3:4`). The files are copies of `parts/base.yaml`, which is valid, with a few edits each.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

import cli
import compiler
from compiler.diagnostics import Diagnostic, SpecError, render
from tests.helpers import bounded

CASES = Path(__file__).parent / "cases"
FILES = sorted(CASES.glob("*.yaml"))
_EXPECT = re.compile(
    r"^# expect: (?P<code>[a-z-]+) (?:(?P<file>\S+):)?(?P<line>\d+):(?P<column>\d+)(?: (?P<text>.+))?$"
)
_EXCERPT_WIDTH = 100  # longer source lines are shown in part

Finding = tuple[str, str, int, int]  # code, file, line, column


@dataclass(frozen=True)
class Expected:
    code: str
    path: Path
    line: int
    column: int
    text: str

    @property
    def finding(self) -> Finding:
        return self.code, _relative(str(self.path)), self.line, self.column


def _relative(path: str) -> str:
    return os.path.relpath(path, CASES)


def _expected(path: Path) -> list[Expected]:
    comments = [line for line in path.read_text(encoding="utf-8").split("\n") if line.startswith("# expect:")]
    found = []
    for comment in comments:
        match = _EXPECT.match(comment)
        assert match is not None, comment
        place = CASES / match["file"] if match["file"] else path
        found.append(Expected(match["code"], place, int(match["line"]), int(match["column"]), match["text"] or ""))
    return found


def _finding(diagnostic: Diagnostic) -> Finding:
    assert diagnostic.span is not None, diagnostic
    span = diagnostic.span
    return diagnostic.code, _relative(span.source.name), span.line, span.column


@cache
def _load_errors(path: Path) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as caught:
        compiler.load(path)
    return tuple(one for one in caught.value.diagnostics if one.severity == "error")


def test_the_base_of_all_cases_is_valid() -> None:
    assert compiler.load(CASES / "parts" / "base.yaml").warnings == ()


def test_cases_are_found_and_each_expects_something() -> None:
    assert len(FILES) > 150
    assert [path.name for path in FILES if not _expected(path)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_diagnostic_has_its_code_and_place(path: Path) -> None:
    assert sorted(map(_finding, _load_errors(path))) == sorted(expected.finding for expected in _expected(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_messages_say_what_helps(path: Path) -> None:
    diagnostics = _load_errors(path)
    for expected in _expected(path):
        said = [f"{one.message}\n{one.hint}" for one in diagnostics if _finding(one) == expected.finding]
        assert any(expected.text in text for text in said), (expected, said)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_command_line_shows_place_line_and_caret(path: Path) -> None:
    result = CliRunner().invoke(cli.main, ["validate", str(path)])
    assert (result.exit_code, result.stdout) == (2, "")
    shown = result.stderr.split("\n")
    for expected in _expected(path):
        place = f"{expected.path}:{expected.line}:{expected.column}: error: "
        at = next((i for i, line in enumerate(_normal(shown)) if line.startswith(_normal([place])[0])), None)
        assert at is not None, (place, result.stderr)
        assert f"[{expected.code}]" in shown[at]
        source = expected.path.read_text(encoding="utf-8").split("\n")[expected.line - 1]
        if len(source) > _EXCERPT_WIDTH or not source.isprintable():
            continue
        assert shown[at + 1] == f"{expected.line:>5} | {source}"
        assert re.fullmatch(rf"      \| {' ' * (expected.column - 1)}\^+", shown[at + 2]), shown[at + 2]


def _normal(lines: list[str]) -> list[str]:
    return [re.sub(r"[^/ ]+/\.\./", "", line) for line in lines]


@pytest.mark.parametrize("name", ["several", "several-yaml"])
def test_all_errors_of_a_file_come_at_once_in_file_order(name: str) -> None:
    path = CASES / f"{name}.yaml"
    places = [finding[2:] for finding in map(_finding, _load_errors(path))]
    assert places == sorted(places)
    assert len(places) >= 2
    result = CliRunner().invoke(cli.main, ["count", str(path)])
    assert result.exit_code == 2
    assert result.stderr.rstrip().endswith(f"{len(places)} errors")


def test_a_file_without_a_byte_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "nothing.yaml"
    path.write_bytes(b"")
    (diagnostic,) = _load_errors(path)
    assert diagnostic.code == "empty"
    assert render(diagnostic) == f"{path}:1:1: error: the file is empty  [empty]\n  hint: start with `weightspec: 1`"


def test_a_spec_cannot_ask_for_much_time(tmp_path: Path) -> None:
    text = (CASES / "parts" / "base.yaml").read_text(encoding="utf-8")
    path = tmp_path / "long.yaml"
    path.write_text(text.replace("half: 1 / 2", "half: sum(2, k, 9 ** 9)"), encoding="utf-8")
    with bounded():
        (diagnostic,) = _load_errors(path)
    assert (diagnostic.code, str(diagnostic.span)) == ("too-much-work", f"{path}:5:9")


def test_a_tab_that_is_indentation_shows_its_caret() -> None:
    (diagnostic,) = _load_errors(CASES / "yaml-tab.yaml")
    source, caret = render(diagnostic).split("\n")[1:3]
    assert "\t" not in source
    assert caret.index("^") == source.index("=") - 1
