"""Long runs: what was found is saved, an interrupted run goes on to the result of one run, and a bad state is ignored.

A run counts as long from a few inputs on here.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import compiler.backends.native.fast_engine
import compiler.evaluation.saved_runs
import compiler.evaluation.suite_runs
from compiler.backends.native.c_compiler import find_compiler
from compiler.evaluation.evaluation import Evaluation, evaluate
from compiler.evaluation.evaluator import AskedInputs, Evaluator, Verdicts
from compiler.evaluation.saved_runs import MOST_FILES, SavedRun, saved_run
from compiler.evaluation.suite_runs import Interrupted
from compiler.pipeline import Spec, load
from compiler.source.diagnostics import SpecError
from tests.helpers import SPECS, load_text
from tests.scripted import TINY


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load(SPECS / "tiny95.yaml")


@pytest.fixture(autouse=True)
def states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of saved states; every suite is long and is saved after each bunch, of as many inputs as can be."""
    monkeypatch.setenv("WEIGHTSPEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(compiler.evaluation.suite_runs, "SLOW", math.inf)
    monkeypatch.setattr(compiler.evaluation.suite_runs, "LONG", 10)
    monkeypatch.setattr(compiler.evaluation.suite_runs, "SAVED_EVERY", 0.0)
    return tmp_path / "cache" / "runs"


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    """Makes the call of that number to the evaluator an interruption; None for no more."""
    decide = Evaluator.decide

    def stop(number: int | None) -> None:
        calls = 0

        def decided(evaluator: Evaluator, asked: AskedInputs) -> Verdicts:
            nonlocal calls
            calls += 1
            if calls == number:
                raise KeyboardInterrupt
            return decide(evaluator, asked)

        monkeypatch.setattr(Evaluator, "decide", decided)

    return stop


def comparable(result: Evaluation) -> Evaluation:
    """Without what may differ: times, and what an earlier run did."""
    return replace(result, suites=tuple(replace(suite, seconds=0.0, resumed=0) for suite in result.suites))


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize(
    ("suites", "pairs", "stops"),
    [
        *((["near_carry"], 300, stops) for stops in ([1], [2], [5], [2, 2, 3], [1, 4, 1])),
        (["uniform"], 200, [2, 2, 3]),
        (["edges"], None, [2, 2, 3]),
        *((["uniform", "near_carry"], 90, stops) for stops in ([5], [2, 2, 3])),
    ],
)
def test_an_interrupted_run_goes_on_to_the_result_of_one_run(
    suites: list[str],
    pairs: int | None,
    stops: list[int],
    spec: Spec,
    states: Path,
    stop_at: Callable[[int | None], None],
) -> None:
    def run() -> Evaluation:
        return evaluate(spec, suites, pairs=pairs, engine="plain", batch=32)

    whole = run()
    assert whole.right < whole.pairs or suites == ["uniform"]
    assert files(states) == []
    for stop in stops:
        stop_at(stop)
        with pytest.raises(Interrupted, match="run the same command again to go on"):
            run()
        assert files(states)
    stop_at(None)
    seen: list[tuple[str, int]] = []
    resumed = evaluate(
        spec, suites, pairs=pairs, engine="plain", batch=32, progress=lambda name, done, _: seen.append((name, done))
    )
    assert comparable(resumed) == comparable(whole)
    assert [suite.resumed for suite in resumed.suites] == [
        next(done for name, done in seen if name == suite.suite) if suite.resumed else 0 for suite in resumed.suites
    ]
    assert (resumed.suites[0].resumed > 0) == (sum(stops) > len(stops))
    assert files(states) == []


@pytest.fixture
def on_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Has compiled code asked by so many threads, in small blocks."""
    monkeypatch.setattr(compiler.backends.native.fast_engine, "WORTH_COMPILING", 0)
    monkeypatch.setattr(compiler.backends.native.fast_engine, "BLOCK", 100)
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.skipif(find_compiler() is None, reason="no C compiler works here")
def test_threads_change_nothing_but_the_time(
    spec: Spec, states: Path, stop_at: Callable[[int | None], None], on_threads: Callable[[int], None]
) -> None:
    """What fails, in its order and its classes, and what was saved at an interruption."""

    def run(threads: int, *stops: int) -> Evaluation:
        on_threads(threads)
        for stop in stops:
            stop_at(stop)
            with pytest.raises(Interrupted, match="run the same command again to go on"):
                evaluate(spec, ["near_carry"], pairs=2500)
        stop_at(None)
        result = evaluate(spec, ["near_carry"], pairs=2500)
        assert result.engine.detail.startswith(f"compiled C, {threads} thread")
        assert result.suites[0].resumed == 100 * sum(stop - 1 for stop in stops)
        return replace(comparable(result), engine=None, threads=0)  # type: ignore[arg-type]

    whole = run(1)
    assert 0 < whole.right < whole.inputs
    assert len(whole.suites[0].parts[0].failures) == 5
    assert len(whole.suites[0].parts[0].classes) > 1
    assert run(2) == run(3, 2, 4) == whole
    assert files(states) == []


def test_what_is_said(spec: Spec, states: Path, stop_at: Callable[[int | None], None]) -> None:
    said: list[str] = []
    stop_at(3)
    with pytest.raises(KeyboardInterrupt) as stopped:
        evaluate(spec, ["near_carry"], pairs=300, engine="plain", notice=said.append)
    right = sum(
        suite.right
        for suite in evaluate(spec, ["near_carry"], pairs=128, engine="plain").suites  # the draws begin the same
    )
    assert said == []
    assert str(stopped.value) == (
        f"interrupted in near_carry after 128 of 300, {right} of them right; run the same command again to go on"
    )
    stop_at(None)
    result = evaluate(spec, ["near_carry"], pairs=300, notice=said.append)
    assert said == ["near_carry: resumed at 128 of 300"]
    assert result.suites[0].resumed == 128


def test_the_time_of_both_runs_counts(
    spec: Spec, stop_at: Callable[[int | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    clock = SimpleNamespace(perf_counter=lambda: now[0], monotonic=lambda: now[0])
    monkeypatch.setattr(compiler.evaluation.suite_runs, "time", clock)

    def passes(*_: object) -> None:
        now[0] += 1.0

    stop_at(3)
    with pytest.raises(Interrupted):
        evaluate(spec, ["near_carry"], pairs=40, engine="plain", batch=10, progress=passes, failures=0)
    stop_at(None)
    again = evaluate(spec, ["near_carry"], pairs=40, engine="plain", batch=10, failures=0)  # in no time
    assert 0 < again.seconds <= now[0]


def test_restart_begins_again(spec: Spec, stop_at: Callable[[int | None], None]) -> None:
    stop_at(2)
    with pytest.raises(Interrupted):
        evaluate(spec, ["near_carry"], pairs=100, engine="plain", batch=20)
    stop_at(None)
    said: list[str] = []
    result = evaluate(spec, ["near_carry"], pairs=100, engine="plain", batch=20, restart=True, notice=said.append)
    assert (result.suites[0].resumed, said) == (0, [])


def test_a_suite_that_is_done_is_not_run_again_after_an_interruption_of_the_next(
    spec: Spec, states: Path, stop_at: Callable[[int | None], None]
) -> None:
    stop_at(10)
    with pytest.raises(Interrupted, match="interrupted in near_carry"):
        evaluate(spec, ["uniform", "near_carry"], pairs=120, engine="plain", batch=20)
    assert len(files(states)) == 2
    stop_at(None)
    result = evaluate(spec, ["uniform", "near_carry"], pairs=120, engine="plain", batch=20)
    assert [suite.resumed for suite in result.suites] == [120, 60]
    assert files(states) == []


def interrupted(tiny: Spec, stop_at: Callable[[int | None], None]) -> None:
    stop_at(2)
    with pytest.raises(Interrupted):
        evaluate(tiny, ["uniform"], pairs=20, engine="plain", batch=5)
    stop_at(None)


def damage(path: Path, how: str, folder: Path) -> None:
    found = json.loads(path.read_text())
    text = found["state"]
    match how:
        case "cut":
            path.write_bytes(path.read_bytes()[:-40])
        case "empty":
            path.write_bytes(b"")
        case "no text":
            path.write_bytes(b"\xff\xfe\x00")
        case "deep":
            path.write_text("[" * 100_000)
        case "a list":
            path.write_text("[]")
        case "no fields":
            path.write_text(json.dumps({"format": compiler.evaluation.saved_runs.RUN_FORMAT}))
        case "an older version":
            path.write_text(json.dumps({**found, "format": 1}))
        case "another run":
            path.write_text(json.dumps({**found, "run": "0" * 64}))
        case "changed":
            path.write_text(json.dumps({**found, "state": text.replace('"right":', '"right":1')}))
        case "signed nonsense" | "signed figures" | "signed list" | "signed too many":
            state = json.loads(text)
            first = state["parts"][0]
            new: Any = {
                "signed nonsense": {**state, "parts": [{**first, "classes": "many"}]},
                "signed figures": {**state, "parts": [{**first, "right": first["right"] + 1}]},
                "signed list": [],
                "signed too many": {**state, "parts": state["parts"] * 5},
            }[how]
            digest = compiler.evaluation.saved_runs._digest(json.dumps(new))
            path.write_text(json.dumps({**found, "digest": digest, "state": json.dumps(new)}))
        case "a link":
            other = folder / "other.json"
            path.rename(other)
            path.symlink_to(other)
        case "a folder":
            path.unlink()
            path.mkdir()
        case "open to others":
            path.chmod(0o666)
        case _:
            raise AssertionError(how)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("cut", "it is damaged"),
        ("empty", "it is damaged"),
        ("no text", "it is damaged"),
        ("deep", "it is damaged"),
        ("a list", "it is damaged"),
        ("no fields", "it is damaged"),
        ("an older version", "an older weightspec wrote it"),
        ("another run", "it is of another run"),
        ("changed", "its content was changed"),
        ("signed nonsense", "it is damaged"),
        ("signed figures", "its figures do not add up"),
        ("signed list", "it is damaged"),
        ("signed too many", "its figures do not add up"),
        ("a link", "others can write to it, or it is no file of yours"),
        ("a folder", "others can write to it, or it is no file of yours"),
        ("open to others", "others can write to it, or it is no file of yours"),
    ],
)
def test_a_state_that_cannot_be_used_is_ignored(
    how: str, says: str, tmp_path: Path, states: Path, stop_at: Callable[[int | None], None]
) -> None:
    tiny = load_text(tmp_path, TINY)
    interrupted(tiny, stop_at)
    (path,) = files(states)
    damage(path, how, tmp_path)
    said: list[str] = []
    result = evaluate(tiny, ["uniform"], pairs=20, engine="plain", batch=5, notice=said.append)
    assert said[0] == f"the saved state of uniform cannot be used, and is made anew: {says}"
    assert (result.pairs, result.suites[0].resumed) == (20, 0)


def test_a_state_of_a_newer_version_is_kept(
    tmp_path: Path, states: Path, stop_at: Callable[[int | None], None]
) -> None:
    tiny = load_text(tmp_path, TINY)
    interrupted(tiny, stop_at)
    (path,) = files(states)
    newer = {**json.loads(path.read_text()), "format": compiler.evaluation.saved_runs.RUN_FORMAT + 1, "state": None}
    path.write_text(json.dumps(newer))
    written = path.read_bytes()
    with pytest.raises(SpecError, match="written by a newer weightspec") as caught:
        evaluate(tiny, ["uniform"], pairs=20, engine="plain", batch=5)
    assert "upgrade weightspec" in (caught.value.diagnostics[0].hint or "")
    assert path.read_bytes() == written
    assert evaluate(tiny, ["uniform"], pairs=20, engine="plain", batch=5, restart=True).pairs == 20


def test_a_state_of_other_versions_is_kept_and_mentioned(
    tmp_path: Path, states: Path, stop_at: Callable[[int | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = load_text(tmp_path, TINY)
    interrupted(tiny, stop_at)
    said: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(compiler.evaluation.saved_runs, "installed_version", lambda: "99")
        result = evaluate(tiny, ["uniform"], pairs=20, engine="plain", batch=5, notice=said.append)
    assert result.suites[0].resumed == 0
    other = "an earlier run was of another version of weightspec or torch, and only that version can resume it"
    assert said == [f"uniform begins anew: {other}"]
    assert evaluate(tiny, ["uniform"], pairs=20, engine="plain", batch=5).suites[0].resumed == 5


def test_a_large_file_is_not_read(
    tmp_path: Path, states: Path, stop_at: Callable[[int | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = load_text(tmp_path, TINY)
    interrupted(tiny, stop_at)
    monkeypatch.setattr(compiler.evaluation.saved_runs, "MAX_SAVED_BYTES", 100)
    said: list[str] = []
    assert evaluate(tiny, ["uniform"], pairs=20, engine="plain", batch=5, notice=said.append).suites[0].resumed == 0
    problems = [line.rpartition(": ")[2] for line in said]
    assert problems == ["it is too large", "the state would be larger than 100 bytes"]


def test_without_a_safe_cache_a_run_is_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: Callable[[int | None], None]
) -> None:
    monkeypatch.setenv("WEIGHTSPEC_CACHE", "")
    stop_at(2)
    with pytest.raises(
        Interrupted, match=r"after 5 of 20, \d of them right; that could not be saved: there is no safe"
    ):
        evaluate(load_text(tmp_path, TINY), ["uniform"], pairs=20, engine="plain", batch=5)


def test_a_full_disk_stops_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes, *, mode: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(compiler.evaluation.saved_runs, "write_whole", full)
    said: list[str] = []
    result = evaluate(load_text(tmp_path, TINY), ["uniform"], pairs=20, engine="plain", batch=5, notice=said.append)
    assert result.pairs == 20
    assert said == ["the state of uniform cannot be saved: No space left on device"]


def test_what_killed_runs_left_goes_with_the_next_run(tmp_path: Path, states: Path) -> None:
    """Whatever run it was of, and whatever version that was."""
    tiny = load_text(tmp_path, TINY)
    place(tiny)
    for name in (".0123456789abcdef.tmp", ".weightspec-0123456789abcdef-0123456789abcdef.tmp", "other.json"):
        (states / name).write_text("half")
    evaluate(tiny, ["uniform"], pairs=20, engine="plain")
    assert [path.name for path in files(states)] == ["other.json"]


def test_a_short_run_is_not_saved(
    tmp_path: Path, states: Path, monkeypatch: pytest.MonkeyPatch, stop_at: Callable[[int | None], None]
) -> None:
    monkeypatch.setattr(compiler.evaluation.suite_runs, "LONG", 20)
    stop_at(2)
    with pytest.raises(KeyboardInterrupt) as stopped:
        evaluate(load_text(tmp_path, TINY), ["uniform"], pairs=20, engine="plain", batch=5)
    assert str(stopped.value) == ""
    assert files(states) == []


def place(
    spec: Spec, suite: str = "uniform", pairs: int = 20, seed: int = 0, kept: int = 5, in_batches: bool = True
) -> SavedRun:
    found = saved_run(
        spec, suite, spec.resolved.task.suites()[suite].parts(pairs, seed), seed, kept, in_batches=in_batches
    )
    assert found is not None
    return found


def test_a_state_belongs_to_one_run_with_any_engine(tmp_path: Path) -> None:
    spec = load_text(tmp_path, TINY)
    others = [
        place(spec, "near_carry"),
        place(spec, pairs=21),
        place(spec, seed=1),
        place(spec, kept=4),
        place(spec, in_batches=False),
        place(load_text(tmp_path, TINY, {"embedding.digit[d]": "{one: 2}"})),
        place(load_text(tmp_path, TINY.replace("float64", "float32"), name="other")),
    ]
    assert len({run.path for run in (place(spec), *others)}) == 1 + len(others)
    assert place(load_text(tmp_path, TINY, name="copy")) == place(spec)


def test_the_oldest_states_make_room(tmp_path: Path, states: Path, stop_at: Callable[[int | None], None]) -> None:
    tiny = load_text(tmp_path, TINY)
    assert place(tiny).path.parent == states
    for age in range(MOST_FILES + 3):
        (states / f"{age}.json").write_text("{}")
        os.utime(states / f"{age}.json", (1e9 - age, 1e9 - age))
    interrupted(tiny, stop_at)
    left = {path.name for path in files(states)}
    assert left == {place(tiny).path.name, *(f"{age}.json" for age in range(MOST_FILES - 1))}


def test_files_are_the_users_own(tmp_path: Path, states: Path, stop_at: Callable[[int | None], None]) -> None:
    before = os.umask(0o002)
    try:
        interrupted(load_text(tmp_path, TINY), stop_at)
    finally:
        os.umask(before)
    (path,) = files(states)
    assert path.stat().st_mode & 0o777 == 0o600
    said: list[str] = []
    evaluate(load_text(tmp_path, TINY), ["uniform"], pairs=20, engine="plain", batch=5, notice=said.append)
    assert said == ["uniform: resumed at 5 of 20"]
