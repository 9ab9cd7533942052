"""Files that a task section names: odd ones are refused, or read as they are meant, and none is waited for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import compiler
from compiler.source.diagnostics import SpecError
from tests.helpers import bounded

CASES = Path(__file__).parents[1] / "invalid" / "cases" / "parts" / "cases.yaml"
TEXT = CASES.read_text(encoding="utf-8")
LISTED = "  cases:\n    a b: c\n    b a: c c\n"


def spec(folder: Path, named: str) -> Path:
    assert LISTED in TEXT
    path = folder / "spec.yaml"
    path.write_text(TEXT.replace(LISTED, f"  {named}\n"), encoding="utf-8")
    return path


TABLES = {
    "windows": b"\xef\xbb\xbfa b\tc\r\n\r\nb a\tc c\r\n",
    "no-last-line-end": b"a b\tc\nb a\tc c",
    "spaces": b" a  b \t c \n\n\tb a".replace(b"\tb a", b"b a\tc  c"),
    "quotes": b"\"a\" 'b'\tc\nb a\tc c\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_read_as_they_are_meant(tmp_path: Path, name: str) -> None:
    (tmp_path / "t.tsv").write_bytes(TABLES[name])
    read = compiler.load(spec(tmp_path, "cases: {file: t.tsv}")).resolved.asked
    cases = [case for asked in read for case in asked.task.cases]
    assert [(case.prompt, case.answer) for case in cases] == [((0, 1), (2,)), ((1, 0), (2, 2))]


ODD = {
    "nul": (b"a b\tc\0\n", "unknown-name"),
    "latin-1": (b"a \xff\tc\n", "not-text"),
    "old-mac": (b"a b\tc\rb a\tc\r", "syntax"),
    "vertical-tab": (b"a b\tc\x0bb a\tc\n", "syntax"),
    "line-separator": ("a b\tc\u2028b a\tc\n".encode(), "syntax"),
    "comment": (b"# all cases\na b\tc\n", "syntax"),
    "blank": (b"  \n\r\n", "bad-value"),
    "megabytes": (b"a b\tc\n" * 200_000, "too-large"),
    "one-line": (b"a " * 500_000 + b"\tb", "too-large"),
    "many-lengths": (b"\n".join(b"a " * (i + 1) + b"\tb" for i in range(300)), "too-large"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_tables_are_refused(tmp_path: Path, name: str) -> None:
    content, code = ODD[name]
    (tmp_path / "t.tsv").write_bytes(content)
    with bounded(), pytest.raises(SpecError) as caught:
        compiler.load(spec(tmp_path, "cases: {file: t.tsv}"))
    assert {one.code for one in caught.value.diagnostics} == {code}


def _link(path: Path, target: str) -> None:
    path.symlink_to(target)


ODD_FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "folder": (lambda path: path.mkdir(), "cannot-read"),
    "pipe": (lambda path: os.mkfifo(path), "cannot-read"),
    "link-out": (lambda path: _link(path, os.devnull), "bad-extends"),
    "link-to-itself": (lambda path: _link(path, path.name), "cannot-read"),
    "link-to-nothing": (lambda path: _link(path, "gone"), "missing-file"),
    "link-to-the-spec": (lambda path: _link(path, "spec.yaml"), "cycle"),
    "nothing": (lambda path: None, "missing-file"),
}


@pytest.mark.parametrize("named", ["cases: {file: odd}", "extends: odd"])
@pytest.mark.parametrize("name", ODD_FILES)
def test_odd_files_are_refused_where_they_are_named(tmp_path: Path, name: str, named: str) -> None:
    make, code = ODD_FILES[name]
    make(tmp_path / "odd")
    with bounded(), pytest.raises(SpecError) as caught:
        compiler.load(spec(tmp_path, named))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert diagnostic.span is not None
    assert diagnostic.span.text == "odd"


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_bytes(TABLES["windows"])
    _link(tmp_path / "odd", "t.tsv")
    assert len(compiler.load(spec(tmp_path, "cases: {file: odd}")).resolved.asked) == 2
