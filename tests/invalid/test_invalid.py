"""Every case in the tables of `cases/` is a spec with mistakes, with every diagnostic that it has to give."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

import cli
import compiler
from compiler.source.diagnostics import Diagnostic, SpecError, render
from tests.helpers import bounded
from tests.invalid.tables import Case, Expected, read_table

CASES = Path(__file__).parent / "cases"
BASES = ("base", "subtraction", "memory", "cases")
TABLES = sorted(CASES.glob("*.diff"))


def _base(name: str) -> str:
    return (CASES / "parts" / f"{name}.yaml").read_text(encoding="utf-8")


BASE = _base("base")
CASES_OF = {path.stem: read_table(path.read_bytes().decode(), _base) for path in TABLES}
ALL = [case for cases in CASES_OF.values() for case in cases]
_EXCERPT_WIDTH = 100  # longer source lines are shown in part

Finding = tuple[str, str, int, int]  # code, file, line, column


def every(show: Callable[[Path, Case], None]) -> Callable[[Path, str], None]:
    """A test of each table of what `show` shows of one case; it names each case that fails."""

    @pytest.mark.parametrize("table", CASES_OF)
    def test(folder: Path, table: str) -> None:
        wrong: list[BaseException] = []
        for case in CASES_OF[table]:
            try:
                show(folder, case)
            except (Exception, pytest.fail.Exception) as error:
                error.add_note(f"in the case {case.name}")
                wrong.append(error)
        if wrong:
            raise BaseExceptionGroup("wrong cases", wrong)

    return test


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All cases as files, beside the specs that some of them extend."""
    folder = tmp_path_factory.mktemp("cases")
    shutil.copytree(CASES / "parts", folder / "parts")
    for case in ALL:
        _path(folder, case).write_bytes(case.text.encode())
    return folder


def _path(folder: Path, case: Case, expected: Expected | None = None) -> Path:
    """The file of a case, or of one of its diagnostics."""
    return folder / (expected.file if expected and expected.file else f"{case.name}.yaml")


def _expected(folder: Path, case: Case) -> list[Finding]:
    return [(one.code, str(_path(folder, case, one)), one.line, one.column) for one in case.expected]


def _finding(diagnostic: Diagnostic) -> Finding:
    assert diagnostic.span is not None, diagnostic
    span = diagnostic.span
    return diagnostic.code, os.path.normpath(span.source.name), span.line, span.column


@cache
def _diagnostics(path: Path) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as caught:
        compiler.load(path)
    return caught.value.diagnostics


def _load_errors(path: Path) -> tuple[Diagnostic, ...]:
    return tuple(one for one in _diagnostics(path) if one.severity == "error")


@pytest.mark.parametrize("name", BASES)
def test_the_bases_of_all_cases_are_valid(folder: Path, name: str) -> None:
    assert compiler.load(folder / "parts" / f"{name}.yaml").warnings == ()


def test_cases_are_found_and_no_file_is_left_out() -> None:
    assert len(ALL) > 590
    assert [name for name, times in Counter(case.name for case in ALL).items() if times > 1] == []
    assert sorted(CASES.iterdir()) == sorted([*TABLES, CASES / "parts"])


@every
def test_every_diagnostic_has_its_code_and_place_and_says_what_helps(folder: Path, case: Case) -> None:
    diagnostics = _load_errors(_path(folder, case))
    assert sorted(map(_finding, diagnostics)) == sorted(_expected(folder, case))
    for expected, finding in zip(case.expected, _expected(folder, case), strict=True):
        said = [f"{one.message}\n{one.hint}" for one in diagnostics if _finding(one) == finding]
        assert any(expected.text in text for text in said), (expected, said)


def test_no_warning_follows_from_an_error(folder: Path) -> None:
    paths = {case.name: _path(folder, case) for case in ALL}
    both = [name for name, path in paths.items() if len(_load_errors(path)) < len(_diagnostics(path))]
    assert both == ["score-overflow-float16"]  # two scores: one overflows in exp, one is not a number


@every
def test_the_command_line_shows_place_line_and_caret(folder: Path, case: Case) -> None:
    result = CliRunner().invoke(cli.main, ["validate", str(_path(folder, case))])
    assert (result.exit_code, result.stdout) == (2, "")
    shown = result.stderr.split("\n")
    for expected in case.expected:
        path = _path(folder, case, expected)
        place = f"{path}:{expected.line}:{expected.column}: error: "
        at = next((i for i, line in enumerate(shown) if line.startswith(place)), None)
        assert at is not None, (place, result.stderr)
        assert f"[{expected.code}]" in shown[at]
        source = path.read_text(encoding="utf-8").split("\n")[expected.line - 1]
        if len(source) > _EXCERPT_WIDTH or not source.isprintable():
            continue
        assert shown[at + 1] == f"{expected.line:>5} | {source}"
        assert re.fullmatch(rf"      \| {' ' * (expected.column - 1)}\^+", shown[at + 2]), shown[at + 2]


@pytest.mark.parametrize("name", ["several", "several-yaml"])
def test_all_errors_of_a_file_come_at_once_in_file_order(folder: Path, name: str) -> None:
    path = folder / f"{name}.yaml"
    places = [finding[2:] for finding in map(_finding, _load_errors(path))]
    assert places == sorted(places)
    assert len(places) >= 2
    result = CliRunner().invoke(cli.main, ["count", str(path)])
    assert result.exit_code == 2
    assert result.stderr.rstrip().endswith(f"{len(places)} errors")


def test_the_first_of_several_equal_mistakes_says_where_the_others_are(folder: Path) -> None:
    (diagnostic,) = _load_errors(folder / "once-name.yaml")
    assert [(note.message, note.span.line) for note in diagnostic.notes] == [("and here", 23), ("and here", 31)]


def test_a_file_without_a_byte_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "nothing.yaml"
    path.write_bytes(b"")
    (diagnostic,) = _load_errors(path)
    assert diagnostic.code == "empty"
    assert render(diagnostic) == f"{path}:1:1: error: the file is empty  [empty]\n  hint: start with `weightspec: 1`"


def test_a_spec_cannot_ask_for_much_time(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_text(BASE.replace("half: 1 / 2", "half: sum(2, k, 9 ** 9)"), encoding="utf-8")
    with bounded():
        (diagnostic,) = _load_errors(path)
    assert (diagnostic.code, str(diagnostic.span)) == ("too-much-work", f"{path}:5:9")


def test_a_tab_that_is_indentation_shows_its_caret(folder: Path) -> None:
    (diagnostic,) = _load_errors(folder / "yaml-tab.yaml")
    source, caret = render(diagnostic).split("\n")[1:3]
    assert "\t" not in source
    assert caret.index("^") == source.index("=") - 1


TABLES_WITH_MISTAKES = {
    "case: codé\n+»a\n": "not `NAME: CODE TEXT` of the same case: 'case: codé'",
    "case: code\nother: code\n+»a\n": "not `NAME: CODE TEXT` of the same case: 'other: code'",
    "case: code\n": "a name without a patch: 'case: code'",
    "case: code\n@@\n+»a\n": "a name without a patch, or a patch without a name: 'case: code'",
    "+»a\n": "a name without a patch, or a patch without a name: '+»a'",
    "case: code\n+a\n": "case: no » in the patch for 'case: code'",
    "case: code\n+»a »b\n": "case: 1 more » than diagnostics",
    "case: code\n-there\n+»a\n": "case: 0 lines are 'there', for '-there'",
    "case: code\n »twice\n": "case: 2 lines are 'twice', for ' »twice'",
    "@@ twice\ncase: code\n+»a\n": "case: 0 lines are 'wice', for 'twice'",
}


@pytest.mark.parametrize(("table", "message"), TABLES_WITH_MISTAKES.items())
def test_a_table_with_a_mistake_is_refused(table: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read_table(table, lambda _: "once\ntwice\ntwice\n")
