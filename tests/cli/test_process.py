"""The command line as a process of its own: imports, pipes, other folders, signals."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import Result

from compiler.evaluation import suite_runs
from compiler.evaluation.saved_runs import RunState
from tests.cli.test_cli import EXACT, INVALID, ROOT, TINY, invoke
from tests.hooked import after_import
from tests.scripted import TINY as SCRIPTED_TINY

CLI = str(ROOT / "cli.py")
WITHOUT_TORCH = [  # calls and their exit codes
    (["validate", TINY], 0),
    (["count", TINY], 0),
    (["lint", TINY, "--rules", "adderboard"], 0),
    (["diff", TINY, EXACT], 1),
    (["show", TINY], 0),
    (["show", TINY, "--stage", "program"], 0),
    (["fmt", "--check", TINY], 0),
    (["schema"], 0),
    (["plot", "tests/data/swept.csv", "--json"], 0),
    (["plot", TINY, "--tensor", "layer0.ffn.up.weight", "--json"], 0),
    (["new", "nowhere/mine", "--json"], 2),
    (["validate", INVALID], 2),
    (["report", INVALID], 2),
    (["verify", INVALID], 2),
]
_PROBE = """
import json, sys
import compiler
import cli
for arguments in json.loads(sys.argv[1]):
    try:
        cli.main(arguments)
    except SystemExit as stop:
        code = stop.code or 0
    assert not [name for name in sys.modules if name.partition(".")[0] == "torch"], arguments
    print("\\nexit code", code, flush=True)
"""


def process(*arguments: str | bytes, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    command = [sys.executable, CLI, *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, errors="backslashreplace", timeout=120
    )


def called(*calls: Sequence[str], **variables: str) -> tuple[list[int], str, str]:
    """The exit codes of calls that one process makes in turn, none of which loads torch, and its output and errors."""
    probe = subprocess.run(
        [sys.executable, "-c", _PROBE, json.dumps(calls)],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=120,
    )
    assert probe.returncode == 0, probe.stderr
    codes = [int(code) for code in re.findall(r"^exit code (\d)$", probe.stdout, re.MULTILINE)]
    return codes, probe.stdout, probe.stderr


def test_no_torch_where_nothing_is_computed_and_no_colour_in_a_pipe() -> None:
    codes, output, errors = called(*(arguments for arguments, _ in WITHOUT_TORCH))
    assert codes == [code for _, code in WITHOUT_TORCH]
    assert "\x1b" not in output + errors
    assert "layer0.ffn" in output
    assert "error: " in errors


def test_json_of_an_error_goes_to_standard_output() -> None:
    done = process("count", INVALID, "--json")
    assert (done.returncode, done.stderr) == (2, "")
    assert json.loads(done.stdout)["errors"][0]["code"] == "unknown-name"


def test_it_works_from_another_folder(tmp_path: Path) -> None:
    done = process("run", TINY, "1", "2", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert done.stdout.startswith("1 + 2 = 3")
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.yaml")
    try:
        Path(path).write_bytes(Path(TINY).read_bytes())
    except OSError:
        pytest.skip("this file system wants text")
    calls = [[command, path, *options] for command in ("validate", "count") for options in ((), ("--json",))]
    codes, _, errors = called(*calls, PYTHONIOENCODING="utf-8:strict")
    assert (codes, errors) == ([0] * 4, "")


def test_a_terminal_that_is_not_utf8() -> None:
    done = process("diff", TINY, EXACT, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert "Traceback" not in done.stderr
    assert done.returncode == 1


def test_a_reader_that_stops_early() -> None:
    with subprocess.Popen(
        [sys.executable, CLI, "count", *[TINY] * 40, "--by-tensor"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        said = child.stderr.read().decode()
        child.wait(timeout=60)
    assert "Traceback" not in said
    assert "Exception" not in said
    assert child.returncode == 141


@pytest.mark.long  # `stopped_run` below interrupts an evaluation, too
def test_control_c_during_an_evaluation(tmp_path: Path) -> None:
    act = """
def act(module):
    decide, calls = module.Evaluator.decide, []
    def decide_or_end(*arguments):
        calls.append(None)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return decide(*arguments)
    module.Evaluator.decide = decide_or_end
"""
    environment = after_import(tmp_path, "compiler.evaluation.evaluator", act, WEIGHTSPEC_CACHE=str(tmp_path / "cache"))
    command = [sys.executable, CLI, "eval", TINY, "--suite", "uniform", "--pairs", "100000000"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.startswith("interrupted in uniform after ")
    assert "Traceback" not in done.stderr


STOP_WHEN_SAVED = """
def act(module):
    save, stopped = module._Keeping.save, []
    def save_and_stop(keeping, state):
        save(keeping, state)
        if state.done and not stopped:
            stopped.append(True)
            os.kill(os.getpid(), signal.SIGINT)
    module._Keeping.save, module.SAVED_EVERY = save_and_stop, 0.0
"""


def taken_up(code: int, output: str, said: str) -> tuple[int, int]:
    """From which input on an evaluation of ten million ran that was interrupted when it had saved its state, and how
    many it has."""
    assert (code, output) == (130, "")
    assert "Traceback" not in said
    resumed = re.search(r"uniform: resumed at ([\d,]+) of 10,000,000\n", said)
    last = re.fullmatch(
        r"interrupted in uniform after ([\d,]+) of 10,000,000, ([\d,]+) of them right; run the same command again to go"
        r" on",
        said.splitlines()[-1],
    )
    assert last is not None, said
    done, right = (int(figure.replace(",", "")) for figure in last.groups())
    assert 0.2 < right / done < 0.3  # it answers 0 to all
    return int(resumed[1].replace(",", "")) if resumed else 0, done


def stopped_here(*words: str) -> Result:
    """A run in this process, interrupted as another one is by `STOP_WHEN_SAVED`."""
    save = suite_runs._Keeping.save
    stopped: list[bool] = []

    def save_and_stop(keeping: suite_runs._Keeping, state: RunState) -> None:
        save(keeping, state)
        if state.done and not stopped:
            stopped.append(True)
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suite_runs._Keeping, "save", save_and_stop)
        patch.setattr(suite_runs, "SAVED_EVERY", 0.0)
        return invoke(*words)


def test_an_interrupted_run_is_taken_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run is a process of its own."""
    spec = tmp_path / "tiny.yaml"
    spec.write_text(SCRIPTED_TINY, encoding="utf-8")
    monkeypatch.setenv("WEIGHTSPEC_CACHE", str(tmp_path / "cache"))
    environment = after_import(tmp_path, "compiler.evaluation.suite_runs", STOP_WHEN_SAVED)
    words = ("eval", str(spec), "--suite", "uniform", "--pairs", "10000000", "--engine", "plain")
    command = [sys.executable, CLI, *words]
    stopped = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    first = taken_up(stopped.returncode, stopped.stdout, stopped.stderr)
    again = stopped_here(*words, "--failures", "5")
    second = taken_up(again.exit_code, again.stdout, again.stderr)
    assert (first[0], second[0]) == (0, first[1])
    assert second[1] > first[1] > 0
    anew = stopped_here(*words, "--restart")
    assert taken_up(anew.exit_code, anew.stdout, anew.stderr)[0] == 0
    assert "saved state" not in anew.stderr


@pytest.mark.parametrize("arguments", ["--help", pytest.param("eval --help", marks=pytest.mark.long), "--version"])
def test_a_full_disk_before_a_command_is_called(arguments: str) -> None:
    line = f"{sys.executable} {CLI} {arguments} > /dev/full"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("redirection", "code"), [(">&-", 0), ("> /dev/full", 2), ("| head -1 > /dev/null; exit ${PIPESTATUS[0]}", 141)]
)
@pytest.mark.parametrize("command", [pytest.param("show", marks=pytest.mark.long), "count"])  # the same printer
def test_output_that_nobody_takes(command: str, redirection: str, code: int) -> None:
    """Never a traceback, and never the exit code of a failed claim. (A short table may fit before the pipe closes.)"""
    line = f"{sys.executable} {CLI} {command} {TINY} {redirection}"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    assert done.returncode == code or (code == 141 and done.returncode == 0)
