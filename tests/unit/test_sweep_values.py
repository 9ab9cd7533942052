"""The grammar of the values that a sweep sets: lists, ranges, what brackets and quotes hold together."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from compiler.source.diagnostics import SpecError
from compiler.source.text import Source
from compiler.sweeps.plan import SweepPlan, sweep_plan
from compiler.sweeps.values import AxisValues, as_written, axis_values
from tests.helpers import SPECS, small

REVERSE = SPECS / "reverse.yaml"
VALUES = {
    "2,5,10": ["2", "5", "10"],
    " 2 , 5 ": ["2", "5"],
    "float64,float32": ["float64", "float32"],
    "": [""],
    "1..4": ["1", "2", "3", "4"],
    "1..8..3": ["1", "4", "7"],
    "3..1..-1": ["3", "2", "1"],
    "-1..1": ["-1", "0", "1"],
    "7..7": ["7"],
    "0..0.3..0.1": ["0", "0.1", "0.2", "0.3"],
    "0..1..1/3": ["0", "1/3", "2/3", "1"],
    "1e1..3e1..1e1": ["10", "20", "30"],
    "1e4..1e8..*10": ["10000", "100000", "1000000", "10000000", "100000000"],
    "1..0.2..*1/2": ["1", "0.5", "0.25"],
    "1..10..*3": ["1", "3", "9"],
    "1..3,8,2..4..2": ["1", "2", "3", "8", "2", "4"],
    "where(base > 8, 1, 2)": ["where(base > 8, 1, 2)"],
    "[1, 2],[3, 4]": ["[1, 2]", "[3, 4]"],
    "{from: 1, to: 3},digit[1..3]": ["{from: 1, to: 3}", "digit[1..3]"],
    "'a, b..c',\"d]\"": ["'a, b..c'", '"d]"'],
    "it's,that's": ["it's", "that's"],
    "f(g(1, 2), [3]),4": ["f(g(1, 2), [3])", "4"],
}
WRONG = {
    "1,,2": ("syntax", 2),
    "1,": ("syntax", 2),
    ",": ("syntax", 1),
    "3..1": ("empty-range", 1),
    "1..3..-1": ("empty-range", 1),
    "1..3..0": ("empty-range", 1),
    "9,1e4..1e2..*10": ("empty-range", 3),
    "1..9..*1": ("bad-value", 1),
    "0..9..*2": ("bad-value", 1),
    "1..9..*-2": ("bad-value", 1),
    "1..1e300..*1.0001": ("too-large", 1),
    "1..1e300..*1.00000000000000000001": ("too-large", 1),
    "1..a": ("syntax", 1),
    "..": ("syntax", 1),
    "1..": ("syntax", 1),
    "1..2..3..4": ("syntax", 1),
    "1..1/0": ("syntax", 1),
    "1..1e9999999": ("syntax", 1),
    "1.." + "9" * 200: ("syntax", 1),
    "wait..": ("syntax", 1),
    "[1,2": ("syntax", 1),
    "1,(2": ("syntax", 3),
    "'a,b": ("syntax", 1),
}


def values(text: str) -> AxisValues:
    return axis_values(Source("--set", text), 0)


@pytest.mark.parametrize(("text", "expected"), VALUES.items())
def test_values_are_split_and_ranges_are_exact(text: str, expected: list[str]) -> None:
    found = values(text)
    assert list(found) == list(found) == expected
    assert found.size == len(expected)


@pytest.mark.parametrize(("text", "expected"), WRONG.items())
def test_what_is_no_list_of_values_is_refused_where_it_stands(text: str, expected: tuple[str, int]) -> None:
    with pytest.raises(SpecError) as wrong:
        values(text)
    (found,) = wrong.value.diagnostics
    assert found.span is not None
    assert (found.code, found.span.column) == expected
    assert found.hint or found.code == "syntax"


def test_a_range_of_any_size_is_not_written_out() -> None:
    found = values("0..1e40")
    assert found.size == 10**40 + 1
    assert found.value(10**40) == "1" + "0" * 40


@pytest.mark.parametrize("number", ["0", "-1/2", "12.5", "-0.001", "1/3", "-22/7", "1e30", "1/1024"])
def test_a_number_is_written_exactly(number: str) -> None:
    assert Fraction(as_written(Fraction(number))) == Fraction(number)


def points(plan: SweepPlan) -> list[tuple[str, ...]]:
    return [point.settings for point in plan.points()]


def test_points_are_the_product_in_the_order_of_the_names() -> None:
    plan = sweep_plan([REVERSE, REVERSE], ["symbols=2,3", "length=1..2"])
    one = [(f"symbols={symbols}", f"length={length}") for symbols in (2, 3) for length in (1, 2)]
    assert points(plan) == points(plan) == one * 2
    assert plan.size == 8


@pytest.mark.parametrize("axes", [{"symbols": "2,3"}, {"symbols": [2, 3]}, {"symbols": range(2, 4)}, ["symbols=2..3"]])
def test_axes_are_texts_or_values_of_python(axes: dict[str, object]) -> None:
    assert points(sweep_plan([REVERSE], axes)) == [("symbols=2",), ("symbols=3",)]


def test_a_larger_sample_has_the_points_of_a_smaller_one() -> None:
    axes = ["symbols=2..1000", "length=1..1000000000"]  # far too many to be written out
    samples = [set(points(sweep_plan([REVERSE], axes, sample=size, seed=3))) for size in (5, 50, 500)]
    assert list(map(len, samples)) == [5, 50, 500]
    assert all(less < more for less, more in pairwise(samples))
    assert samples[0] != set(points(sweep_plan([REVERSE], axes, sample=5, seed=4)))


def test_a_sample_of_all_is_all() -> None:
    assert points(sweep_plan([REVERSE], ["symbols=2..4"], sample=3)) == points(sweep_plan([REVERSE], ["symbols=2..4"]))


def test_a_name_may_hold_what_separates_names_from_values(tmp_path: Path) -> None:
    spec = tmp_path / "small.yaml"
    spec.write_text(small("embedding:\n  =: {x: 1}\n  +: {x: 2}"), encoding="utf-8")
    plan = sweep_plan([spec], ["embedding.=.x=1,2"])
    assert points(plan) == [("embedding.=.x=1",), ("embedding.=.x=2",)]


REFUSED = {
    "symbls=2": "unknown-name",
    "symbols": "syntax",
    "symbols=[1": "syntax",
    "symbols={a: 1, a: 2}": "duplicate-key",
    "symbols=2,{a: b: c}": "yaml-syntax",
    "network.embeding.x=1": "unknown-name",
    "symbols=1..1e7": "too-large",
}


@pytest.mark.parametrize(("text", "code"), REFUSED.items())
def test_what_cannot_be_set_is_refused_before_anything_runs(text: str, code: str) -> None:
    with pytest.raises(SpecError) as wrong:
        sweep_plan([REVERSE], [text])
    assert [found.code for found in wrong.value.diagnostics] == [code]


def test_each_spec_must_have_the_names() -> None:
    with pytest.raises(SpecError, match="nothing is named 'symbols'"):
        sweep_plan([REVERSE, SPECS / "tiny95.yaml"], ["symbols=2"])


def test_a_name_is_set_once_however_it_is_spelled() -> None:
    with pytest.raises(SpecError, match=r"'task\.reverse\.symbols' is set twice"):
        sweep_plan([REVERSE], ["symbols=2,3", "task.reverse.symbols=4"])


def test_very_many_points_have_to_be_asked_for() -> None:
    assert sweep_plan([REVERSE], ["symbols=1..1000001"], large=True).size == 1_000_001
    assert sweep_plan([REVERSE], ["symbols=1..1e9"], sample=2).size == 2
    endless = [f"{name}=0..1e999..1e-999" for name in ("symbols", "length", "name", "dtype")]
    with pytest.raises(SpecError, match="these are a great many points"):
        sweep_plan([REVERSE], endless)
    with pytest.raises(SpecError, match="at least one point"):
        sweep_plan([REVERSE], ["symbols=1..3"], sample=0)
    with pytest.raises(SpecError, match="no values"):
        sweep_plan([REVERSE], {"symbols": []})
