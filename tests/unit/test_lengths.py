"""A task of many lengths is asked length by length: figures, claims, failures and reports say which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import compiler.evaluation.suite_runs
from compiler.evaluation.evaluation import Evaluation, evaluate
from compiler.evaluation.evaluator import Evaluator, Verdicts
from compiler.evaluation.suite_runs import Interrupted
from compiler.pipeline import Spec, load
from tests.cli.test_cli import call, call_json
from tests.helpers import SPECS

LENGTHS = range(1, 6)
CHANGES = {
    "{from: 1, to: 8}": "{from: 1, to: 5}",
    "sharp: 40": "sharp: 4",  # too blunt for long words
    "  equations:": "  only: length < 3 or word[0] != word[1]\n  equations:",
}


def written(folder: Path, claims: str = "", name: str = "lengths", **changes: str) -> str:
    text = (SPECS / "tasks" / "reverse-lengths.yaml").read_text(encoding="utf-8").partition("expect:")[0]
    for before, after in {**CHANGES, **changes}.items():
        assert before in text
        text = text.replace(before, after)
    text = text.replace("name: reverse-lengths", f"name: {name}")
    path = folder / f"{name}.yaml"
    path.write_text(text + (claims or "expect: {count: {nonzero: 27}}\n"), encoding="utf-8")
    return str(path)


def expected(length: int) -> int:
    """How many words there are."""
    return int(3**length if length < 3 else 2 * 3 ** (length - 1))


def by_length(result: Evaluation) -> dict[str, dict[str, tuple[int, int]]]:
    return {suite.suite: {part.label: (part.right, part.inputs) for part in suite.parts} for suite in result.suites}


def test_each_length_is_what_it_is_alone(tmp_path: Path) -> None:
    path = written(tmp_path)
    found = by_length(evaluate(load(path), ["exhaustive", "edges"]))
    assert [inputs for _, inputs in found["exhaustive"].values()] == [expected(length) for length in LENGTHS]
    for length in LENGTHS:
        alone = by_length(evaluate(load(path, {"length": length}), ["exhaustive", "edges"]))
        assert alone == {suite: {"": parts[f"length {length}"]} for suite, parts in found.items()}
    rights = [right for right, _ in found["exhaustive"].values()]
    assert rights[0] == 3
    assert 0 < rights[-1] < expected(5)


def test_the_table_and_the_json_of_eval(tmp_path: Path) -> None:
    path = written(tmp_path)
    found = by_length(evaluate(load(path), ["exhaustive"]))["exhaustive"]
    lines = call("eval", path, "--suite", "exhaustive").stdout.splitlines()
    table = lines[1 : lines.index("")]
    assert table[0].startswith("exhaustive ")
    for line, (label, (right, inputs)) in zip(table, found.items(), strict=True):
        assert f"{label} " in line
        assert f" {inputs}" in line
        assert ("wrong" in line) == (right < inputs)
    (suite,) = call_json("eval", path, "--suite", "exhaustive")["suites"]
    assert {part["label"]: (part["right"], part["inputs"]) for part in suite["parts"]} == found
    assert (suite["right"], suite["inputs"]) == tuple(map(sum, zip(*found.values(), strict=True)))


def test_failures_and_their_classes_are_of_a_length(tmp_path: Path) -> None:
    path = written(tmp_path)
    (suite,) = evaluate(load(path), ["exhaustive"], failures=2).suites
    for part, length in zip(suite.parts, LENGTHS, strict=True):
        wrong = part.inputs - part.right
        assert len(part.failures) == min(2, wrong)
        assert all(len(failure.text.split()) == length for failure in part.failures)
        assert sum(alike.count for alike in part.classes) == wrong
        assert all(len(alike.text.split()) == length for alike in part.classes)
    shown = call("eval", path, "--suite", "exhaustive", "--failures", "1").stdout
    classes = shown.partition("failure classes")[2]
    assert "length 5" in classes
    assert "length 1 " not in classes


def claim(right: dict[str, int]) -> str:
    inputs = sum(expected(length) for length in LENGTHS)
    listed = ", ".join(f"{label}: {count}" for label, count in right.items())
    return f"expect:\n  eval:\n    exhaustive: {{inputs: {inputs}, right: {{{listed}}}}}\n"


@pytest.mark.parametrize("off", [0, 1, -1])
def test_claims_by_length_are_checked(tmp_path: Path, off: int) -> None:
    found = by_length(evaluate(load(written(tmp_path)), ["exhaustive"]))["exhaustive"]
    right = {label: count for label, (count, _) in found.items()}
    right["length 5"] += off
    path = written(tmp_path, claim(right))
    result = call("eval", path, "--suite", "exhaustive")
    assert result.exit_code == (1 if off else 0), result.output
    (checked,) = (
        one for one in call_json("eval", path, exit_code=result.exit_code)["claims"] if "right" in one["claim"]
    )
    assert checked["status"] == ("failed" if off else "held")
    if off:
        assert "length 5" in checked["reason"]


def test_a_report_shows_right_answers_by_length(tmp_path: Path) -> None:
    path, other = written(tmp_path), written(tmp_path, name="all", **{"  equations:": "  equations:"})
    found = by_length(evaluate(load(path), ["exhaustive"]))["exhaustive"]
    page = call("report", path, other, "--suite", "exhaustive").stdout
    rows = page.partition("### lengths\n")[2].partition("| right answers |")[2]
    for label, (right, inputs) in found.items():
        shown = f"{right} of {inputs}"
        assert f"| {label}      | {shown if right == inputs else f'**{shown}**'} |" in rows
    models: Any = call_json("report", path, other, "--suite", "exhaustive")["models"]
    (suite,) = next(model for model in models if model["name"] == "lengths")["suites"]
    assert {part["label"]: (part["right"], part["inputs"]) for part in suite["parts"]} == found


@pytest.fixture
def stop_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    """Every suite is long; the call of that number to the evaluator is an interruption, None for no more."""
    monkeypatch.setenv("WEIGHTSPEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(compiler.evaluation.suite_runs, "LONG", 1)
    monkeypatch.setattr(compiler.evaluation.suite_runs, "SAVED_EVERY", 0.0)
    judged = Evaluator.verdicts

    def stop(number: int | None) -> None:
        calls = 0

        def verdicts(evaluator: Evaluator, *tokens: Any) -> Verdicts:
            nonlocal calls
            calls += 1
            if calls == number:
                raise KeyboardInterrupt
            return judged(evaluator, *tokens)

        monkeypatch.setattr(Evaluator, "verdicts", verdicts)

    return stop


def comparable(result: Evaluation) -> Evaluation:
    return replace(result, suites=tuple(replace(suite, seconds=0.0, resumed=0) for suite in result.suites))


@pytest.mark.parametrize("stops", [(3,), (6,), (9, 4), (12, 2, 2)])
def test_an_interrupted_run_goes_on_in_its_length(
    tmp_path: Path, stop_at: Callable[[int | None], None], stops: tuple[int, ...]
) -> None:
    spec = load(written(tmp_path))

    def run() -> Evaluation:
        return evaluate(spec, ["uniform", "exhaustive"], inputs=300, engine="plain", batch=16)

    whole = run()
    done = 0
    for stop in stops:
        stop_at(stop)
        with pytest.raises(Interrupted, match="run the same command again to go on"):
            run()
        done += stop - 1
    stop_at(None)
    resumed = run()
    assert comparable(resumed) == comparable(whole)
    assert sum(suite.resumed for suite in resumed.suites) > 8 * (done - len(stops))
    assert list((tmp_path / "cache" / "runs").iterdir()) == []


def test_progress_counts_all_lengths(tmp_path: Path) -> None:
    spec: Spec = load(written(tmp_path))
    seen: list[tuple[str, int, int]] = []
    evaluate(spec, ["exhaustive"], progress=lambda *one: seen.append(one))
    every = sum(expected(length) for length in LENGTHS)
    assert {total for _, _, total in seen} == {every}
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert seen[-1][1] == every


def test_counting_what_only_allows_is_said(tmp_path: Path) -> None:
    spec = load(written(tmp_path), {"length": 9})
    said: list[str] = []
    (suite,) = evaluate(spec, ["exhaustive"], failures=0, notice=said.append).suites
    assert said == ["exhaustive: counting what `only` allows of 19,683 inputs"]
    assert suite.inputs == expected(9)
