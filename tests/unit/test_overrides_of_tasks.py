"""`--set` of what a task states: sizes and ranges, conditions, columns, windows, places; names and suggestions."""

from __future__ import annotations

import pytest

from compiler.pipeline import Spec, load, load_source
from compiler.source.diagnostics import SpecError
from compiler.source.text import Source
from compiler.tasks.rules import rules, section_of
from tests.cli.test_cli import call
from tests.helpers import SPECS
from tests.tasks.specs import written


def varied(name: str, *settings: str) -> Spec:
    return load_source(Source("spec.yaml", written(name)), settings)


def said(spec: Spec) -> dict[str, str]:
    section = section_of(spec.resolved.document)
    assert section is not None
    return {str(rule): rule.text for rule in rules(section)}


@pytest.mark.parametrize(
    ("setting", "lengths"),
    [
        ("length=3", [3]),
        ("length={from: 2, to: 5}", [2, 3, 4, 5]),
        ("length.to=3", [1, 2, 3]),
        ("task.sizes.length=4", [4]),
        ("sizes.length=4", None),
    ],
)
def test_sizes_and_ranges(setting: str, lengths: list[int] | None) -> None:
    if lengths is None:
        with pytest.raises(SpecError, match=r"nothing is named 'sizes.length'"):
            varied("parity", setting)
        return
    assert [asked.task.sizes["length"] for asked in varied("parity", setting).resolved.asked] == lengths


@pytest.mark.parametrize(
    ("name", "setting", "rule", "text"),
    [
        ("subtraction", "task.only=number(a) > number(b)", "only", "number(a) > number(b)"),
        (
            "subtraction",
            "task.columns.next borrow=where(a < b + borrow, 1, 0)",
            "next borrow",
            "where(a < b + borrow, 1, 0)",
        ),
        ("subtraction", "task.columns.next  borrow=where(a < b + borrow, 1, 0)", "next borrow", ...),
        ("subtraction", "task.columns.state.borrow=3", "state borrow", "3"),
        ("subtraction", "task.columns.end.only=borrow <= 0", "end only", "borrow <= 0"),
        ("subtraction", "task.equations.number(difference)=number(a) + -number(b)", "number(difference)", ...),
        ("histogram", "task.equations.counts[ i ]=1", "counts[i]", "1"),
    ],
)
def test_one_rule_is_replaced(name: str, setting: str, rule: str, text: object) -> None:
    before, after = said(varied(name)), said(varied(name, setting))
    assert list(before) == list(after)
    assert [key for key in before if before[key] != after[key]] == [rule]
    assert text in (..., after[rule])


def test_windows_places_suites_and_no_task() -> None:
    assert varied("aab").layout.window == 5
    assert varied("aab", "task.window=4").layout.window == 4
    assert varied("aab", "task.window=null").layout.window is None
    assert varied("dyck", "task.answer={next: word}").layout.read_at == (1, 2, 3, 4, 5)
    hard = varied("sort", 'task.suites={hard: {only: "word[0] > 0", size: 100}}')
    assert "hard" in hard.resolved.task.suites()
    assert varied("sort", "task=null", "vocabulary=symbol[3]", "context=9").resolved.asked == ()


def test_a_part_of_a_task_of_the_package() -> None:
    tiny = SPECS / "tiny95.yaml"
    carry = "where(a + b + carry >= base, 1, 0)"
    before, after = said(load(tiny)), said(load(tiny, [f"task.columns.next carry={carry}"]))
    assert before["next carry"] == "(a + b + carry) // base"
    assert after == {**before, "next carry": carry}
    with pytest.raises(SpecError, match="by the columns and") as caught:
        load(tiny, ["task.columns.next carry=0"])
    assert caught.value.diagnostics[0].code == "contradiction"


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("task.colums.next borrow=0", "did you mean 'task.columns.next borrow'?"),
        ("task.columns.next borow=0", "did you mean 'next borrow'?"),
        ("task.wndow=3", "did you mean 'window'?"),
        ("digts=3", "did you mean 'digits'?"),
        ("task.columns.ed.only=0", "did you mean"),
    ],
)
def test_names_that_are_not_there_get_a_suggestion(setting: str, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        varied("subtraction", setting)
    found = caught.value.diagnostics[0]
    assert found.span is not None
    assert (found.span.source.name, says in found.message) == ("--set", True), found


def test_eval_of_one_size() -> None:
    shown = call("eval", str(SPECS / "tasks/reverse-lengths.yaml"), "--set", "length={from: 2, to: 3}")
    assert shown.exit_code == 0
    assert "length 2" in shown.stdout
    assert "length 4" not in shown.stdout
