"""Errors that nobody expects, wherever they happen: exit code 4 and what to send, never the exit code of a verdict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import compiler.evaluation.evaluation
from tests.cli.test_cli import QWEN, ROOT, TINY, invoke

IN_A_WORKER = """\
import sys
if "--multiprocessing-fork" in sys.orig_argv:
    import compiler.report.processes
    class Odd(Exception):
        def __init__(self):
            super().__init__(lambda: None)  # which goes to no other process
    def broken(*_):
        raise Odd
    compiler.report.processes._outcome = broken
"""
MISSING = """\
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "{name}":
            raise ModuleNotFoundError("No module named '{name}'")
sys.meta_path.insert(0, Finder())
"""


def hooked(folder: Path, hook: str) -> str:
    """The `PYTHONPATH` of processes that run `hook` before everything."""
    (folder / "sitecustomize.py").write_text(hook, encoding="utf-8")
    return f"{folder}:{ROOT}"


def process(folder: Path, hook: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, with `hook` run before everything."""
    environment = {**os.environ, "PYTHONPATH": hooked(folder, hook)}
    command = [sys.executable, str(ROOT / "cli.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_in_a_command(monkeypatch: pytest.MonkeyPatch, as_json: bool) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("nobody expects this")

    monkeypatch.setattr(compiler.evaluation.evaluation, "answer", broken)
    arguments = ("run", TINY, "1", "2")
    result = invoke(*arguments, *["--json"] * as_json)
    assert result.exit_code == 4
    first, *_, last = result.stderr.splitlines()
    assert first == "fault of weightspec: KeyError: 'nobody expects this'"
    assert last.endswith(', broken: raise KeyError("nobody expects this")')
    if as_json:
        (error,) = json.loads(result.stdout)["errors"]
        assert (error["code"], error["message"]) == ("fault", first)
    else:
        assert result.stdout == ""


def test_before_a_command_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise EOFError("which click would call an abortion")

    monkeypatch.setattr("compiler.commands.shared.installed_version", broken)
    assert invoke("--version").exit_code == 4


def test_in_a_process_of_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", hooked(tmp_path, IN_A_WORKER))
    done = invoke("report", TINY, QWEN, "--suite", "edges", "--jobs", "2")
    assert (done.exit_code, done.stdout) == (4, "")
    assert done.stderr.startswith("fault of weightspec: ")
    assert "Odd: <function" in done.stderr
    assert ", in broken" in done.stderr


@pytest.mark.parametrize("name", ["click", "yaml", "torch"])
def test_a_library_that_is_missing(tmp_path: Path, name: str) -> None:
    done = process(tmp_path, MISSING.format(name=name), "run", TINY, "1", "2")
    assert (done.returncode, done.stdout) == (4, "")
    assert f"No module named '{name}'" in done.stderr
