"""Ctrl-C at a chosen point of a process, mostly while something is imported: exit code 130, one line, no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_cli import EXACT, QWEN, ROOT, TINY, call

HOOK = """\
import atexit, os, signal, sys

def interrupt():
    if os.environ["WHERE"] == "worker":
        os.killpg(0, signal.SIGINT)
    else:
        os.kill(os.getpid(), signal.SIGINT)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["AT"]:
            sys.meta_path.remove(self)
            interrupt()

if os.environ["WHERE"] == ("worker" if "--multiprocessing-fork" in sys.orig_argv else "here"):
    if os.environ["AT"] == "exit":
        atexit.register(interrupt)
    else:
        sys.meta_path.insert(0, Finder())
"""
SCRIPT = """\
import sys
from cli import main
if __name__ == '__main__':
    sys.exit(main())
"""


@pytest.fixture
def hooked(tmp_path: Path) -> Path:
    (tmp_path / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
    (tmp_path / "weightspec").write_text(SCRIPT, encoding="utf-8")
    return tmp_path


def interrupted(hooked: Path, at: str, *command: str, where: str = "here") -> None:
    """The process interrupts itself when it begins to import `at`, or at its exit."""
    environment = {**os.environ, "PYTHONPATH": f"{hooked}:{ROOT}", "AT": at, "WHERE": where}
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        output, said = child.communicate(timeout=120)
    assert (child.returncode, said) == (130, "interrupted\n"), output
    assert output == "" or at == "exit"


EVAL = ("eval", TINY, "--suite", "edges")
EARLY = ("gc", "click", "yaml", "compiler", "rich.console", "numpy")
LATE = ("torch", "torch.nn", "safetensors", "compiler.backends.native.fast_engine")


@pytest.mark.parametrize(
    ("program", "at", "command"),
    [
        ("cli.py", "click", EVAL),
        ("weightspec", "torch.nn", EVAL),
        pytest.param("cli.py", "torch.nn", ("build", TINY), marks=pytest.mark.long),
        ("cli.py", "numpy", ("report", TINY, QWEN)),
        ("cli.py", "rich.console", ("diff", TINY, EXACT)),
        ("cli.py", "importlib.metadata", ("--version",)),
        *((program, "exit", ("count", TINY)) for program in ("cli.py", "weightspec")),
        ("cli.py", "exit", ("run", TINY, "1", "2")),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_at_an_import(hooked: Path, program: str, at: str, command: tuple[str, ...]) -> None:
    interrupted(hooked, at, str({"cli.py": ROOT, "weightspec": hooked}[program] / program), *command)


@pytest.mark.long
@pytest.mark.parametrize(
    ("at", "command"),
    [
        *((at, EVAL) for at in (*EARLY, *LATE)),
        *(("torch.nn", command) for command in (("run", TINY, "1", "2"), ("verify", QWEN))),
        ("numpy", ("build", TINY, "--eval")),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_at_any_import(hooked: Path, at: str, command: tuple[str, ...]) -> None:
    interrupted(hooked, at, str(ROOT / "cli.py"), *command)


@pytest.mark.parametrize("at", [pytest.param("cli", marks=pytest.mark.long), "torch"])
def test_in_a_process_of_a_report(hooked: Path, at: str) -> None:
    """All processes of the terminal are interrupted, as by Ctrl-C, while one begins."""
    interrupted(hooked, at, str(hooked / "weightspec"), "report", TINY, QWEN, "--jobs", "2", where="worker")


def test_one_that_is_ignored_by_a_library_is_not_lost(hooked: Path) -> None:
    """As numpy and torch do, which make an error of their own of it or go on."""
    (hooked / "colorama.py").write_text("", encoding="utf-8")
    (hooked / "greedy.py").write_text("try:\n    import colorama\nexcept BaseException:\n    pass\n", encoding="utf-8")
    script = "import signal, cli, click\n@click.command()\ndef greedy():\n    import greedy\n    print('lost')\n"
    (hooked / "program.py").write_text(f"{script}cli.main.add_command(greedy)\ncli.main()\n", encoding="utf-8")
    interrupted(hooked, "colorama", str(hooked / "program.py"), "greedy")


def test_the_handler_is_as_before_after_a_command() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert call("validate", TINY).exit_code == 0
    assert signal.getsignal(signal.SIGINT) is before


def test_another_program_keeps_its_own_interruptions(hooked: Path) -> None:
    """`python -m pytest` runs a `__main__.py` too."""
    other = hooked / "other" / "__main__.py"
    other.parent.mkdir()
    other.write_text("import signal, cli\nassert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, other.parent], env=environment, check=True)
    subprocess.run([sys.executable, "-m", "other"], cwd=hooked, env=environment, check=True)
