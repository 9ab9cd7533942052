"""Sweeps from Python: what a row says, errors that are rows, and journals, whole, torn, of others and in use."""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

import compiler
from compiler.pipeline import Leniency
from compiler.source.diagnostics import SpecError
from compiler.source.files import appended_file
from compiler.source.text import Source
from compiler.source.version import digest_of_code
from compiler.sweeps import points, sweeping
from compiler.sweeps.journal import opened_journal, usual_journal
from compiler.sweeps.plan import sweep_plan
from compiler.sweeps.points import point_result
from compiler.sweeps.results import PointQuestion, PointResult, SweepRow, point_key
from tests.helpers import SPECS, small

REVERSE = SPECS / "reverse.yaml"
AXES = ["symbols=1..3", "length=1,2"]  # one symbol is an error


def found(rows: Iterator[SweepRow]) -> list[tuple[str, str, PointResult]]:
    """All that must not differ from one run to another."""
    return [(row.point.title, row.key, replace(row.result, seconds=0.0)) for row in rows]


def swept(journal: Path | None, notices: list[str] | None = None, *, processes: int = 1) -> Iterator[SweepRow]:
    notice = None if notices is None else notices.append
    return compiler.sweep(REVERSE, AXES, suites=["edges"], journal=journal, processes=processes, notice=notice)


@pytest.fixture(scope="module")
def uninterrupted() -> list[tuple[str, str, PointResult]]:
    return found(swept(None))


def test_a_row_has_counts_right_answers_and_the_verdict() -> None:
    (row,) = compiler.sweep(REVERSE, {"symbols": [2], "length": 2}, inputs=7, seed=3, budget=60)
    spec = compiler.load(REVERSE, {"symbols": 2, "length": 2})
    evaluation = compiler.evaluate(spec, inputs=7, seed=3)
    result = row.result
    assert row.point.settings == ("symbols=2", "length=2")
    assert result.counts is not None
    assert result.counts["nonzero"] == compiler.count(spec).nonzero
    assert result.question == spec.resolved.question.digest
    assert [(suite.suite, suite.seed, suite.right, suite.inputs) for suite in result.suites] == [
        (suite.suite, suite.seed, suite.right, suite.inputs) for suite in evaluation.suites
    ]
    assert result.verdict is not None
    assert (result.verdict.verdict, result.verdict.inputs) == ("proved", 4)
    assert (result.verdict.at_least, result.verdict.at_most, result.error) == (0, 0, None)
    assert 0 < (result.verdict.margin or 0) <= (result.verdict.lead or 0)


def test_an_error_is_a_row_and_does_not_end_the_sweep(uninterrupted: list[tuple[str, str, PointResult]]) -> None:
    errors = [result.error for _, _, result in uninterrupted]
    assert [error and error.code for error in errors] == ["index-range", "index-range", None, None, None, None]
    assert [result.inputs > 0 for _, _, result in uninterrupted] == [False, False, True, True, True, True]


def test_what_was_found_before_an_error_is_kept() -> None:
    (row,) = compiler.sweep(REVERSE, ["symbols=100", "length=20"], suites=["edges", "exhaustive"])
    assert row.result.error is not None
    assert row.result.counts is not None


@pytest.mark.parametrize(
    ("raised", "code", "kept"),
    [(MemoryError(), "memory", False), (OSError(28, "full"), "system", False), (ValueError("odd"), "fault", True)],
)
def test_whatever_goes_wrong_is_a_row(
    raised: Exception, code: str, kept: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(points, "evaluate", fails)
    journal = tmp_path / "journal.jsonl"
    (row,) = compiler.sweep(REVERSE, ["length=1"], suites="edges", journal=journal)
    assert row.result.error is not None
    assert row.result.error.code == code
    (again,) = compiler.sweep(REVERSE, ["length=1"], suites=["edges"], journal=journal)
    assert again.known == kept  # another run may have more memory


@pytest.mark.parametrize("rows", range(7))
def test_a_sweep_that_was_ended_goes_on_where_it_was(
    rows: int, tmp_path: Path, uninterrupted: list[tuple[str, str, PointResult]]
) -> None:
    journal = tmp_path / "journal.jsonl"
    ended = swept(journal)
    assert found(islice(ended, rows)) == uninterrupted[:rows]
    ended.close()  # type: ignore[attr-defined]
    again = list(swept(journal))
    assert [row.known for row in again] == [True] * rows + [False] * (6 - rows)
    assert found(iter(again)) == uninterrupted
    assert all(row.known for row in swept(journal))


def test_every_byte_at_which_a_kill_can_end_a_journal(
    tmp_path: Path, uninterrupted: list[tuple[str, str, PointResult]]
) -> None:
    whole, torn = tmp_path / "whole.jsonl", tmp_path / "torn.jsonl"
    list(swept(whole))
    data = whole.read_bytes()
    ends = [0, *(place + 1 for place, byte in enumerate(data) if byte == ord("\n"))]
    results = {key: result for _, key, result in uninterrupted}
    for cut in {*range(0, len(data), 37), *ends, *(end - 1 for end in ends[1:])}:
        torn.write_bytes(data[:cut])
        notices: list[str] = []
        with opened_journal(torn, notices.append) as journal:
            lines = sum(end <= cut for end in ends[1:])
            assert len(journal.results) == max(0, lines - 1), cut
            kept = {key: replace(result, seconds=0.0) for key, result in journal.results.items()}
            assert kept.items() <= results.items()
        assert len(notices) == (cut not in ends and lines > 0), cut
        assert torn.read_bytes() == data[: ends[max(1, lines)]]  # whole lines, and the first one at least
    torn.write_bytes(data[: ends[3] + 9])
    assert found(swept(torn, notices)) == uninterrupted
    assert "the last line was cut short" in notices[-1]


@pytest.mark.parametrize("line", [b"\0\0\0", b"{}", b"[1]", b'{"key": "a", "result": {"counts": {"dense": "1"}}}'])
def test_a_damaged_line_is_left_out_and_said(line: bytes, tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    list(swept(journal))
    lines = journal.read_bytes().splitlines()
    lines[2] = line
    journal.write_bytes(b"\n".join(lines) + b"\n")
    notices: list[str] = []
    assert [row.known for row in swept(journal, notices)] == [True, False, True, True, True, True]
    assert notices == [f"{journal}: a line is damaged, and left out; such points are computed again"]
    assert line in journal.read_bytes().splitlines()  # nothing is ever changed


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"weightspec: 1\n", "bad-value"),
        (b'{"name": "other"}\n', "bad-value"),
        (b'{"journal": "weightspec sweep", "format": 99}\n', "newer-format"),
        (b"half a line", "bad-value"),
    ],
)
def test_a_file_that_is_no_journal_is_refused_and_not_changed(content: bytes, code: str, tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(SpecError) as wrong:
        list(swept(path))
    assert [one.code for one in wrong.value.diagnostics] == [code]
    assert path.read_bytes() == content


def test_results_of_other_sweeps_are_neither_used_nor_lost(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"

    def known(axes: Sequence[str], **asked: object) -> list[bool]:
        return [row.known for row in compiler.sweep(REVERSE, axes, journal=journal, **asked)]  # type: ignore[arg-type]

    assert known(["length=1..2"], suites=["edges"]) == [False, False]
    assert known(["length=2..3"], suites=["edges"]) == [True, False]  # a point is known from any sweep
    assert known(["length=2"], suites=["edges"], budget=60) == [False]
    assert known(["length=2"], suites=["uniform"], inputs=3) == [False]
    assert known(["length=2"], suites=["uniform"], inputs=3, seed=1) == [False]
    assert known(["length=1..3"], suites=["edges"]) == [True] * 3
    assert known(["length=1..3"], suites=["edges"], restart=True) == [False] * 3
    assert known(["length=1..3"], suites=["edges"]) == [True] * 3


@pytest.mark.parametrize("of", ["own_code", "package_version"])
def test_other_code_does_not_use_the_results(of: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = tmp_path / "journal.jsonl"
    (row,) = compiler.sweep(REVERSE, ["length=1"], suites=(), journal=journal)
    monkeypatch.setattr(f"compiler.sweeps.results.{of}", lambda *_: "other")
    (again,) = compiler.sweep(REVERSE, ["length=1"], suites=(), journal=journal)
    assert (again.known, again.result.counts) == (False, row.result.counts)


def test_code_that_changes_has_another_digest(tmp_path: Path) -> None:
    def digest(**files: str) -> str:
        for name, text in files.items():
            tmp_path.joinpath(name.replace("_", ".")).write_text(text, encoding="utf-8")
        return digest_of_code(tmp_path)

    found = [digest(a_py="1"), digest(b_py="2"), digest(a_py="2", b_py="1"), digest(c_h="")]
    assert len(set(found)) == 4
    assert digest(a_txt="no code") == found[-1]


def test_old_journals_leave_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the newest ones, not that of the spec itself, not one that a process writes to, not other files."""
    monkeypatch.setenv("WEIGHTSPEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("compiler.sweeps.journal.MOST_KEPT", 250)
    specs = sweep_plan([REVERSE], ["length=1"]).specs
    mine = usual_journal(specs)
    assert mine is not None
    names = ["oldest", "used", "old", "new", "newest", mine.stem]
    for age, name in enumerate(names):
        path = mine.with_name(f"{name}.jsonl")
        path.write_bytes(b"x" * 100)
        os.utime(path, (age, age))
    mine.with_name("other.txt").write_bytes(b"x" * 1000)
    with appended_file(mine.with_name("used.jsonl"), ""):
        assert usual_journal(specs) == mine
    assert {path.stem for path in mine.parent.iterdir()} == {"used", "new", "newest", mine.stem, "other"}
    monkeypatch.setattr("compiler.sweeps.journal.own_code", lambda: "other")
    assert usual_journal(specs) != mine


def test_a_journal_in_use_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    first = swept(journal)
    next(first)
    with pytest.raises(SpecError, match="is in use") as wrong:
        next(swept(journal))
    assert "--journal" in (wrong.value.diagnostics[0].hint or "")
    assert len(list(first)) == 5


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    list(swept(journal))
    data = journal.read_bytes()
    journal.unlink()
    lines = data.splitlines(keepends=True)
    room = sum(map(len, lines[:4])) + 20  # of the fourth result only a part
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(SpecError, match=r"cannot write .*journal.jsonl"):
            list(swept(journal))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert journal.read_bytes().count(b"\n") == 4
    assert journal.read_bytes().endswith(b"\n")
    assert [row.known for row in swept(journal)] == [True] * 3 + [False] * 3


def test_rows_say_how_far_it_is() -> None:
    seen: list[tuple[int, int]] = []
    list(compiler.sweep(REVERSE, AXES, suites=["edges"], progress=lambda _, done, total: seen.append((done, total))))
    assert seen == [(done, 6) for done in range(1, 7)]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"suites": ["edgs"]}, "unknown-name"),
        ({"inputs": 0}, "bad-value"),
        ({"budget": float("nan")}, "bad-value"),
        ({"sample": 0}, "bad-value"),
    ],
)
def test_a_wrong_question_is_refused_at_once(asked: dict[str, object], code: str) -> None:
    with pytest.raises(SpecError) as wrong:
        compiler.sweep(REVERSE, AXES[1:], **asked)  # type: ignore[arg-type]
    assert [one.code for one in wrong.value.diagnostics] == [code]


def test_specs_travel_as_content(tmp_path: Path) -> None:
    spec = tmp_path / "small.yaml"
    text = REVERSE.read_text(encoding="utf-8")
    spec.write_text(text, encoding="utf-8")
    rows = compiler.sweep(spec, ["symbols=2", "length=1,2"], suites=["edges"])
    spec.write_text(small("head: {}"), encoding="utf-8")
    assert all(row.result.error is None for row in rows)


def dying(sources: Sequence[Source], settings: Sequence[str], asked: PointQuestion) -> PointResult:
    """What a process is for that the system kills at one of the points, every time."""
    if "symbols=3" in settings:
        os.kill(os.getpid(), signal.SIGKILL)
    return point_result(sources, settings, asked)


@pytest.mark.long
def test_a_killed_process_is_an_error_of_one_point(
    tmp_path: Path, uninterrupted: list[tuple[str, str, PointResult]], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "journal.jsonl"
    monkeypatch.setattr(sweeping, "point_result", dying)
    rows = list(swept(journal, processes=2))
    assert [row.result.error and row.result.error.code for row in rows[4:]] == ["process", "process"]
    assert found(iter(rows[:4])) == uninterrupted[:4]
    monkeypatch.undo()
    assert [row.known for row in swept(journal, processes=2)] == [True] * 4 + [False] * 2
    assert found(swept(journal)) == uninterrupted


def test_leniency_is_part_of_the_question() -> None:
    (point,) = sweep_plan([REVERSE], ["length=1"]).points()
    keys = {
        point_key(point, PointQuestion(leniency=leniency))
        for leniency in (Leniency(), Leniency(strict=True), Leniency(ignore=("no-claims",)))
    }
    assert len(keys) == 3


def test_a_journal_names_its_points(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    list(swept(journal))
    _, *entries = map(json.loads, journal.read_text(encoding="utf-8").splitlines())
    assert entries[3]["spec"] == str(REVERSE)
    assert entries[3]["settings"] == {"symbols": "2", "length": "2"}
