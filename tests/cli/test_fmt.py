"""`fmt`: files that are rewritten whole or not at all, and what is said about them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from compiler.source.files import write_whole
from tests.cli.test_cli import SPECS, TINY, call, call_json
from tests.cli.test_process import process

BEFORE = "weightspec:   1\nconstants:\n    a: 1+2   # one\n"
AFTER = "weightspec: 1\nconstants:\n  a: 1 + 2  # one\n"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(BEFORE, encoding="utf-8")
    return path


def only_file(path: Path) -> bool:
    """Whether nothing else was left in the folder."""
    return list(path.parent.iterdir()) == [path]


def test_in_place(spec: Path) -> None:
    result = call("fmt", str(spec))
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{spec}: formatted\n", "")
    assert spec.read_bytes() == AFTER.encode()
    before = spec.stat()
    result = call("fmt", str(spec))
    assert (result.exit_code, result.stdout) == (0, f"{spec}: unchanged\n")
    assert (spec.stat().st_ino, spec.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert only_file(spec)


@pytest.mark.parametrize("options", [("--check",), ("--diff",), ("--check", "--diff"), ("--check", "--json")])
def test_what_writes_nothing(spec: Path, options: tuple[str, ...]) -> None:
    assert call("fmt", str(spec), *options).exit_code == 1
    assert spec.read_text(encoding="utf-8") == BEFORE
    assert only_file(spec)
    assert call("fmt", TINY, *options).exit_code == 0


def test_check_says_which(spec: Path) -> None:
    result = call("fmt", TINY, str(spec), "--check")
    assert result.stdout == f"{TINY}: unchanged\n{spec}: would be formatted\n"


def test_diff(spec: Path) -> None:
    assert call("fmt", str(spec), "--diff").stdout.splitlines() == [
        f"--- {spec}",
        f"+++ {spec}",
        "@@ -1,3 +1,3 @@",
        "-weightspec:   1",
        "+weightspec: 1",
        " constants:",
        "-    a: 1+2   # one",
        "+  a: 1 + 2  # one",
    ]
    assert call("fmt", TINY, "--diff").stdout == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a: 1\r\n", ["-a: 1\\r", "+a: 1"]), ("a: 1", ["-a: 1  (no newline at the end)", "+a: 1"])],
)
def test_diff_of_line_ends(spec: Path, text: str, shown: list[str]) -> None:
    spec.write_bytes(text.encode())
    result = call("fmt", str(spec), "--diff")
    assert (result.exit_code, result.stdout.splitlines()[3:]) == (1, shown)
    call("fmt", str(spec))
    assert spec.read_bytes() == b"a: 1\n"


def test_standard_output(spec: Path) -> None:
    result = call("fmt", str(spec), "--stdout")
    assert (result.exit_code, result.stdout) == (0, AFTER)
    assert spec.read_text(encoding="utf-8") == BEFORE


@pytest.mark.parametrize("more", [(TINY,), ("--check",), ("--diff",), ("--json",)])
def test_standard_output_is_for_one_spec(spec: Path, more: tuple[str, ...]) -> None:
    result = call("fmt", str(spec), "--stdout", *more)
    assert result.exit_code == 2
    assert "--stdout takes one spec" in (result.stdout if "--json" in more else result.stderr)


def test_json(spec: Path) -> None:
    assert call_json("fmt", str(spec), TINY, "--check", exit_code=1) == [
        {"spec": str(spec), "changed": True, "diagnostics": []},
        {"spec": TINY, "changed": False, "diagnostics": []},
    ]
    (found,) = call_json("fmt", str(spec), "--diff", exit_code=1)
    assert found["diff"][3:5] == ["-weightspec:   1", "+weightspec: 1"]
    (found,) = call_json("fmt", str(spec))
    assert found["changed"] is True
    assert spec.read_text(encoding="utf-8") == AFTER


@pytest.mark.parametrize(
    ("text", "code"),
    [("a: [1", "yaml-syntax"), ("? a\n: 1", "cannot-format"), ("", "empty"), ("\xff", "not-text")]
    + [(text, "wrong-type") for text in ("- a\n", "[1,  2]\n", "a  text\n", "null\n", "12\n")],
)
@pytest.mark.parametrize("options", [(), ("--check",), ("--diff",)], ids=" ".join)
def test_a_bad_file_stays_and_the_others_go_on(
    tmp_path: Path, spec: Path, text: str, code: str, options: tuple[str, ...]
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(text.encode("latin-1"))
    result = call("fmt", str(bad), str(spec), *options)
    assert result.exit_code == 2
    assert f"[{code}]" in result.stderr
    assert str(spec) in result.stdout
    assert bad.read_bytes() == text.encode("latin-1")
    assert spec.read_text(encoding="utf-8") == (BEFORE if options else AFTER)
    first, second = call_json("fmt", str(bad), str(spec), *options, exit_code=2)
    assert [diagnostic["code"] for diagnostic in first["diagnostics"]] == [code]
    assert (first["changed"], second["diagnostics"]) == (False, [])


def test_a_missing_file() -> None:
    result = call("fmt", "nowhere.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "[missing-file]" in result.stderr


@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_a_file_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, spec: Path, step: str) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, step, refuse)
        result = call("fmt", str(spec))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{spec}:1:1: error: cannot be written: No space left on device  [cannot-write]")
    assert spec.read_text(encoding="utf-8") == BEFORE
    assert only_file(spec)


@pytest.mark.parametrize("mode", [0o555, 0o755], ids=["read-only folder", "read-only file"])
def test_what_is_read_only(spec: Path, mode: int) -> None:
    spec.chmod(0o444 if mode == 0o755 else 0o644)
    spec.parent.chmod(mode)
    try:
        if os.access(spec if mode == 0o755 else spec.parent, os.W_OK):
            pytest.skip("root writes everywhere")
        result = call("fmt", str(spec))
    finally:
        spec.parent.chmod(0o755)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "cannot be written: Permission denied" in result.stderr
    assert spec.read_text(encoding="utf-8") == BEFORE


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_permissions_stay(spec: Path, mode: int) -> None:
    spec.chmod(mode)
    assert call("fmt", str(spec)).exit_code == 0
    assert stat.S_IMODE(spec.stat().st_mode) == mode


def test_a_link_stays_a_link(tmp_path: Path, spec: Path) -> None:
    folder = tmp_path / "links"
    folder.mkdir()
    link = folder / "link.yaml"
    link.symlink_to("../spec.yaml")
    result = call("fmt", str(link))
    assert (result.exit_code, result.stdout) == (0, f"{link}: formatted\n")
    assert link.is_symlink()
    assert spec.read_text(encoding="utf-8") == AFTER
    assert only_file(link)


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    usual, path = tmp_path / "usual", tmp_path / "new"
    usual.touch()
    write_whole(path, b"\x00\n")
    assert path.read_bytes() == b"\x00\n"
    assert path.stat().st_mode == usual.stat().st_mode


def test_a_process_of_its_own(spec: Path) -> None:
    done = process("fmt", spec.name, *map(str, SPECS), cwd=spec.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["spec.yaml: formatted", *(f"{path}: unchanged" for path in SPECS)]
