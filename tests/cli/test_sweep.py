"""The command `sweep`: its table and files, a kill and an interruption in the middle, and calls that are refused."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compiler import read_rows
from tests.cli.test_cli import QWEN, ROOT, call, call_json
from tests.cli.test_report import REVERSE
from tests.helpers import HANGS

EDGES = ("--suite", "edges", "--jobs", "1")
# The second point is an error, which is said at once; then come more than any test waits for.
LONG = ("sweep", REVERSE, "--set", "symbols=2,1,3..200", "--set", "length=4", *EDGES)
SHORT = ("sweep", REVERSE, "--set", "symbols=2,1,3..5", "--set", "length=4", *EDGES)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Journals of other tests, and of the user, are elsewhere."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("WEIGHTSPEC_CACHE", str(cache))
    return cache


def without_seconds(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in found["rows"]]


def check_in_use() -> None:
    """A second process is refused the journal of the first one, and takes nothing from it."""
    (refused,) = call_json(*SHORT, exit_code=2)["errors"]
    assert (refused["code"], refused["message"][-9:]) == ("in-use", "is in use")
    assert "another process writes to it now" in refused["hint"]


def check_goes_on() -> None:
    """What the first process has found is known; all rows are those of a sweep that nobody ended."""
    again = call_json(*SHORT)
    assert again["known"] >= 2  # those before the line that was read
    whole = call_json(*SHORT, "--restart")
    assert whole["known"] == 0
    assert without_seconds(again) == without_seconds(whole)


def test_a_sweep_that_is_interrupted_goes_on() -> None:
    with subprocess.Popen(
        [sys.executable, "cli.py", *LONG], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stderr is not None
        first = child.stderr.readline()
        child.send_signal(signal.SIGINT)
        output, said = child.communicate(timeout=HANGS)
    assert (child.returncode, output) == (130, ""), said
    assert first.startswith(f"{REVERSE} symbols=1 length=4: ")
    assert said.startswith("interrupted after ")
    assert said.endswith(" of 200 points; the same command computes the others\n")
    check_goes_on()


def test_a_sweep_in_a_terminal_that_is_killed_goes_on() -> None:
    """Before that, errors are named and the time that is left is estimated; the journal is its own."""
    terminal, its_end = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200", "LINES": "25"}
    with subprocess.Popen(
        [sys.executable, "cli.py", *LONG], cwd=ROOT, stdout=subprocess.PIPE, stderr=its_end, env=environment
    ) as child:
        os.close(its_end)
        shown = ""
        while not re.search(r"\[index-range\].* of 200.*\d:\d\d:\d\d", shown, re.DOTALL):
            shown += os.read(terminal, 1 << 16).decode(errors="replace")
        check_in_use()
        child.kill()
        assert child.stdout is not None
        assert child.stdout.read() == b""
    os.close(terminal)
    assert f"{REVERSE} symbols=1 length=4: " in shown
    assert child.returncode == -signal.SIGKILL
    check_goes_on()


def test_the_table_has_the_best_point_first_and_errors_last() -> None:
    result = call("sweep", REVERSE, "--set", "symbols=1,3,2", "--set", "length=2", *EDGES, "--verify", "60")
    assert result.exit_code == 0
    title, *lines, last = result.stdout.splitlines()
    assert title.split() == "symbols length edges verdict wrong margin dense nonzero error".split()  # noqa: SIM905
    assert [line.split()[0] for line in lines] == ["2", "3", "1"]
    assert lines[0].split()[2:9] == ["4", "of", "4", "proved", "0", "1.00", "52"]
    assert "takes 0 indices" in lines[2]
    assert last == "3 points, 1 with an error"
    assert result.stderr.startswith(f"{REVERSE} symbols=1 length=2: ")


def test_of_many_points_the_best_and_the_worst_are_printed() -> None:
    result = call("sweep", REVERSE, "--set", "symbols=1..24", "--set", "length=1", *EDGES)
    _, *lines, last = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [*map(str, range(2, 12)), "…", *map(str, range(16, 25)), "1"]
    assert "4 more" in lines[10]
    assert last == "24 points, 1 with an error"


def test_parquet_without_its_package_is_refused_before_anything_runs(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = call("sweep", REVERSE, "--set", "symbols=2", "--out", "rows.parquet")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "error: this needs pyarrow, which is not installed  [missing-package]",
        "  hint: pip install 'weightspec[parquet]'",
    ]
    assert not any(own_cache.rglob("*.jsonl"))


def test_rows_are_written_whole(tmp_path: Path) -> None:
    files = tmp_path / "rows.csv", tmp_path / "rows.jsonl", tmp_path / "rows.parquet"
    found = call_json("sweep", REVERSE, "--set", "symbols=1,2", "--set", "length=2", *EDGES, "--out", str(files[0]))
    for path in files[1:]:
        call("sweep", REVERSE, "--set", "symbols=1,2", "--set", "length=2", *EDGES, "--out", str(path))
    assert [json.loads(line) for line in files[1].read_text(encoding="utf-8").splitlines()] == found["rows"]
    assert [row.key for row in read_rows(files[2])] == [row["key"] for row in found["rows"]]
    with files[0].open(encoding="utf-8", newline="") as file:
        wrong, right = csv.DictReader(file)
    assert (wrong["error"], wrong["edges right"], wrong["dense"]) == ("index-range", "", "")
    assert (right["symbols"], right["edges right"], right["edges inputs"], right["error"]) == ("2", "4", "4", "")
    assert [wrong["key"], right["key"]] == [row["key"] for row in found["rows"]]


def test_several_specs_and_the_journal_that_is_named(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    sweep = ("sweep", REVERSE, QWEN, "--set", "dtype=float64,float32", "--inputs", "3", "--suite", "uniform")
    found = call_json(*sweep, "--jobs", "1", "--journal", str(journal))
    assert [row["spec"] for row in found["rows"]] == [REVERSE, REVERSE, QWEN, QWEN]
    assert [row["settings"] for row in found["rows"]] == [{"dtype": "float64"}, {"dtype": "float32"}] * 2
    assert (found["points"], found["known"], found["errors"]) == (4, 0, 0)
    assert call_json(*sweep, "--journal", str(journal))["known"] == 4
    assert len(journal.read_text(encoding="utf-8").splitlines()) == 5


@pytest.mark.long
def test_any_number_of_processes_finds_the_same() -> None:
    found = [call_json(*SHORT, "--verify", "60", "--restart", "--jobs", jobs) for jobs in ("1", "2")]
    assert without_seconds(found[0]) == without_seconds(found[1])


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--set", "symbls=2"), "unknown-name", "did you mean 'symbols'?"),
        (("--set", "symbols=5..2"), "empty-range", "the range '5..2' is empty"),
        (("--set", "symbols=1..2000", "--set", "length=1..2000"), "too-large", "these are 4,000,000 points"),
        (("--set", "symbols=2", "--suite", "edgs"), "unknown-name", "no suite 'edgs'"),
        (("--set", "symbols=2", "--inputs", "0"), "bad-value", "inputs has to be from 1"),
        (("--set", "symbols=2", "--out", "rows.xlsx"), "bad-value", "ends in none of .csv, .jsonl, .parquet"),
        (("--set", "symbols=2", "--out", "no/rows.csv"), "missing-folder", "there is no folder no"),
        (("--set", "symbols=2", "--journal", "no/rows"), "missing-folder", "there is no folder no"),
        (("--set", "symbols=2", "--journal", "/dev/null"), "cannot-write", "it is no regular file but a device"),
        (("--set", "symbols=2", "--journal", "README.md"), "bad-value", "README.md is no journal of sweeps"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_runs(
    options: tuple[str, ...], code: str, message: str, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    (found,) = call_json("sweep", REVERSE, "--json", *options, exit_code=2)["errors"]
    assert found["code"] == code
    assert message in found["message"]
    assert not any(own_cache.rglob("*.jsonl"))
