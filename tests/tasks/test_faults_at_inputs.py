"""Mistakes of a stated task that only some inputs show: each command that meets one names the input and the formula."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import cli
import compiler
from compiler.source.diagnostics import SpecError
from compiler.tasks import TaskError, samples, suites
from compiler.tasks.interpreter import TaskWork
from tests.helpers import SPECS

SPEC = """\
weightspec: 1
name: rare
dtype: float64
ignore: no-claims unlisted-logit unseen-token
vocabulary: bit[2] =
task:
  sizes: {{length: {length}}}
  given: {{word: bit*length}}
  answers: {{other: bit}}
{right}
  prompt: word =
  answer: other
stream: s
network:
  embedding:
    bit[i]: {{s: 1}}
  head:
    logits bit[i]: s
decode: argmax
"""
RARE = "5000 // (number(word) - 1234) % 2"
BY_EQUATION = f"  equations: {{other: {RARE}}}"
BY_COLUMNS = f"""\
  columns:
    from: first
    state: {{n: 2 ** length}}
    next n: (2 * n + word) % 2 ** length
    end: {{other: {RARE.replace("number(word)", "n")}}}"""
NEVER = "  only: number(word) == 123456\n  equations: {other: 1}"
HARD = '  equations: {other: 1}\n  suites: {hard: {only: "number(word) == 123456", size: 10}}'
WORD = "1 0 0 1 1 0 1 0 0 1 0"  # 1234


def written(folder: Path, right: str, length: object = 11) -> Path:
    path = folder / "rare.yaml"
    path.write_text(SPEC.format(length=length, right=right), encoding="utf-8")
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(cli.main, list(map(str, words)))


@pytest.mark.parametrize("right", [BY_EQUATION, BY_COLUMNS], ids=["equation", "columns"])
@pytest.mark.parametrize("command", ["eval", "run", "report", "verify"])
def test_a_formula_that_fails_at_an_input_has_its_place(tmp_path: Path, right: str, command: str) -> None:
    path = written(tmp_path, right)
    compiler.load(path)  # none of the inputs that are looked at shows it
    result = run(command, path, *(WORD.split() if command == "run" else ()))
    assert (result.exit_code, result.stdout) == (2, "")
    line = 10 if right == BY_EQUATION else 14
    column = path.read_text(encoding="utf-8").split("\n")[line - 1].index("5000") + 1
    first, *rest = result.stderr.split("\n")
    assert first.startswith(f"{path}:{line}:{column}: error: ")
    assert first.endswith("division by zero  [number]")
    assert (f"for {WORD}: " in first) or "with n = 1234: " in first  # the verifier follows steps, not inputs
    assert any("exclude" in line for line in rest)


def test_scripts_get_the_place_too(tmp_path: Path) -> None:
    result = run("eval", written(tmp_path, BY_EQUATION), "--json")
    assert result.exit_code == 2
    (error,) = json.loads(result.stdout)["errors"]
    assert (error["code"], error["line"], error["message"]) == ("number", 10, f"for {WORD}: division by zero")


def test_what_costs_too_much_at_an_input_has_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("interpreter", "work"):
        monkeypatch.setattr(f"compiler.tasks.{module}.MAX_TASK_WORK", 10_000)  # less, so that it takes no time
    loops = "sum(sum(sum(1, i, number(word)), j, number(word)), k, number(word)) % 2"
    path = written(tmp_path, f"  equations:\n    other: {loops}")
    result = run("run", path, *["1"] * 11)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{path}:11:20: error: more than 10,000 steps to compute one input")


@pytest.mark.parametrize("right", [NEVER, HARD], ids=["only", "suite"])
@pytest.mark.parametrize("command", ["eval", "report"])
def test_inputs_that_are_never_drawn_are_an_error_of_the_spec(tmp_path: Path, right: str, command: str) -> None:
    suite = () if right == NEVER else ("--suite", "hard")
    path = written(tmp_path, right, 20)
    result = run(command, path, *suite)
    assert result.exit_code == 2
    assert "1000 inputs were drawn, and `only` allows none of them  [no-input]" in result.stderr
    place = ":10:9: " if right == NEVER else ":11:25: "
    assert result.stderr.startswith(f"{path}{place}error: ")


def test_a_suite_of_the_author_has_the_inputs_that_it_says(tmp_path: Path) -> None:
    right = HARD.replace("number(word) == 123456", "word[0] == 1 and word[4] == 0")
    task = compiler.load(written(tmp_path, right)).resolved.task
    (part,) = task.suites()["hard"].parts(100, 0)
    drawn = list(part.generate())
    assert len(drawn) == 100
    assert {(symbols[0], symbols[4]) for symbols in drawn} == {(1, 0)}
    assert len(set(drawn)) > 50


def test_what_is_no_input_of_a_stated_task_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "  only: number(word) > 5\n  equations: {other: 1}")
    result = run("run", path, *["0"] * 11)
    assert result.exit_code == 2
    assert "is no input of other: `only` excludes it" in result.stderr


def test_sizes_without_an_input_are_left_out_with_a_warning(tmp_path: Path) -> None:
    path = written(tmp_path, "  only: number(word) > 5\n  equations: {other: 1}", "{from: 1, to: 4}")
    spec = compiler.load(path)
    (warning,) = spec.warnings
    assert (warning.code, warning.span and warning.span.line) == ("no-input", 10)
    assert warning.message == "no input is allowed for length 1, length 2"
    assert [dict(asked.choice) for asked in spec.resolved.asked] == [{"length": 3}, {"length": 4}]


def test_equations_beside_columns_are_compared_on_every_input_where_there_are_few(tmp_path: Path) -> None:
    columns = BY_COLUMNS.replace(RARE.replace("number(word)", "n"), "n % 2")
    path = written(tmp_path, f"{columns}\n  equations: {{other: 'where(number(word) == 357, 0, word[8])'}}", 9)
    with pytest.raises(SpecError) as caught:
        compiler.load(path)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "contradiction"
    assert diagnostic.message == "for 1 0 1 1 0 0 1 0 1: 'other' is `1` by the columns and `0` by the equations"
    assert [note.span.text for note in diagnostic.notes] == ["n % 2"]


def test_what_would_cost_too_much_is_not_looked_at(tmp_path: Path) -> None:
    path = written(tmp_path, "  equations: {other: 'sum(7 // (word[0] + word[1]) + sum(1, j, 99), k, 99) % 2'}", 2)
    with pytest.raises(SpecError, match="division by zero"):
        compiler.load(path)
    path.write_text(path.read_text(encoding="utf-8").replace("sum(1, j, 99)", "sum(1, j, 999)"), encoding="utf-8")
    assert compiler.load(path).warnings == ()


def test_looking_spends_what_it_costs(tmp_path: Path) -> None:
    task = compiler.load(written(tmp_path, "  equations: {other: 'max(word[0], 0)'}")).resolved.task
    work = TaskWork(1000)
    assert samples.fault(task, work) is None
    assert 0 < work.left < 1000
    assert samples.fault(task, TaskWork(1)) is None
    assert not samples.is_empty(replace(task), TaskWork(0))


def test_a_task_error_is_an_error_of_the_spec() -> None:
    error = TaskError("no such case", code="task", hint="try another")
    assert isinstance(error, SpecError)
    assert [(one.code, one.message, one.hint) for one in error.diagnostics] == [("task", "no such case", "try another")]


@pytest.mark.parametrize("path", [SPECS / "tiny95.yaml", SPECS / "reverse.yaml", *sorted(SPECS.glob("tasks/*.yaml"))])
def test_suites_are_known_by_name_without_being_made(path: Path) -> None:
    for asked in compiler.load(path).resolved.asked:
        made = {name: suite.sampled for name, suite in asked.task.suites().items()}
        known = suites.sampling_by_name(asked.task)
        if asked.task.is_restricted and "edges" not in made:
            del known["edges"]  # it may be that none of them is allowed, which only making them tells
        assert list(known.items()) == list(made.items())


def test_suites_of_cases_and_of_an_author_are_known_by_name(tmp_path: Path) -> None:
    hard = compiler.load(written(tmp_path, HARD)).resolved.task
    cases = compiler.load(Path(__file__).parents[1] / "invalid/cases/parts/cases.yaml").resolved.task
    for task in (hard, cases):
        assert suites.sampling_by_name(task) == {name: suite.sampled for name, suite in task.suites().items()}
