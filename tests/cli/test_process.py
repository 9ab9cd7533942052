"""The command line as a process of its own: imports, pipes, other folders, signals."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_cli import EXACT, INVALID, ROOT, TINY
from tests.hooked import after_import
from tests.scripted import TINY as SCRIPTED_TINY

CLI = str(ROOT / "cli.py")
WITHOUT_TORCH = [
    ["validate", TINY],
    ["count", TINY],
    ["lint", TINY, "--rules", "adderboard"],
    ["diff", TINY, EXACT],
    ["show", TINY],
    ["show", TINY, "--stage", "program"],
    ["fmt", "--check", TINY],
    ["schema"],
    ["plot", "tests/data/swept.csv", "--json"],
    ["plot", TINY, "--tensor", "layer0.ffn.up.weight", "--json"],
    ["new", "nowhere/mine", "--json"],
    ["validate", INVALID],
    ["report", INVALID],
    ["verify", INVALID],
]
_PROBE = """
import json, sys
import compiler
import cli
for arguments in json.loads(sys.argv[1]):
    try:
        cli.main(arguments)
    except SystemExit as stop:
        assert stop.code in (0, 1, 2), (arguments, stop.code)
    assert not [name for name in sys.modules if name.partition(".")[0] == "torch"], arguments
    print(json.dumps(arguments), flush=True)
"""


def process(*arguments: str | bytes, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    command = [sys.executable, CLI, *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, errors="backslashreplace", timeout=120
    )


def test_no_torch_where_nothing_is_computed() -> None:
    """One process calls all commands in turn, and says which one has loaded torch."""
    probe = subprocess.run(
        [sys.executable, "-c", _PROBE, json.dumps(WITHOUT_TORCH)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert probe.returncode == 0, probe.stderr
    assert all(f"{json.dumps(arguments)}\n" in probe.stdout for arguments in WITHOUT_TORCH)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("count", TINY), 0),
        (("show", TINY), 0),
        (("diff", TINY, EXACT), 1),
        (("validate", INVALID), 2),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else str(value),
)
def test_piped_output_has_no_colour(arguments: tuple[str, ...], code: int) -> None:
    done = process(*arguments)
    assert done.returncode == code
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stdout + done.stderr


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


@pytest.mark.parametrize("command", ["validate", "count"])
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_names_that_are_no_text(tmp_path: Path, command: str, options: tuple[str, ...]) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.yaml"
    try:
        Path(os.fsdecode(path)).write_bytes(Path(TINY).read_bytes())
    except OSError:
        pytest.skip("this file system wants text")
    done = process(command, path, *options, PYTHONIOENCODING="utf-8:strict")
    assert "Traceback" not in done.stderr
    assert done.returncode == 0


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


def stopped_run(spec: Path, cache: Path, *options: str) -> tuple[int, int, str]:
    """An evaluation of ten million inputs that is interrupted when it has saved its state: from which input on it ran,
    how many it has, and all that it said."""
    environment = after_import(
        spec.parent, "compiler.evaluation.suite_runs", STOP_WHEN_SAVED, WEIGHTSPEC_CACHE=str(cache)
    )
    command = [sys.executable, CLI, "eval", str(spec), "--suite", "uniform", "--pairs", "10000000", *options]
    stopped = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    said = stopped.stderr
    assert (stopped.returncode, stopped.stdout) == (130, "")
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
    return int(resumed[1].replace(",", "")) if resumed else 0, done, said


def test_an_interrupted_run_is_taken_up_again(tmp_path: Path) -> None:
    spec, cache = tmp_path / "tiny.yaml", tmp_path / "cache"
    spec.write_text(SCRIPTED_TINY, encoding="utf-8")
    first = stopped_run(spec, cache, "--engine", "plain")
    second = stopped_run(spec, cache, "--engine", "plain", "--failures", "5")
    assert (first[0], second[0]) == (0, first[1])
    assert second[1] > first[1] > 0
    anew = stopped_run(spec, cache, "--engine", "plain", "--restart")
    assert anew[0] == 0
    assert "saved state" not in anew[2]


@pytest.mark.parametrize("arguments", ["--help", "eval --help", "--version"])
def test_a_full_disk_before_a_command_is_called(arguments: str) -> None:
    line = f"{sys.executable} {CLI} {arguments} > /dev/full"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("redirection", "code"), [(">&-", 0), ("> /dev/full", 2), ("| head -1 > /dev/null; exit ${PIPESTATUS[0]}", 141)]
)
@pytest.mark.parametrize("command", ["show", "count"])
def test_output_that_nobody_takes(command: str, redirection: str, code: int) -> None:
    """Never a traceback, and never the exit code of a failed claim. (A short table may fit before the pipe closes.)"""
    line = f"{sys.executable} {CLI} {command} {TINY} {redirection}"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    assert done.returncode == code or (code == 141 and done.returncode == 0)
