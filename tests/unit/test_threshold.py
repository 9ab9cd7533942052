"""`threshold`: the value at which a verdict turns, against every value of small worlds."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import compiler
from compiler.pipeline import Spec, load
from compiler.source.diagnostics import SpecError
from compiler.sweeps import threshold as searched
from compiler.verifier.results import Verification
from tests.cli.test_cli import ROOT, call

TURNING = """\
weightspec: 1
name: turning
dtype: float32
constants: {low: 0.3, high: 0.3}
parameters: {gain: 1}
vocabulary: symbol[symbols]
task:
  reverse: {symbols: 2, length: 1}
  prompt: word
  answer: {in_place: word}
stream: is[symbols]
network:
  embedding:
    symbol[s]: {"is[s]": "where(s > 0, 1, min(gain - low, 0) + max(gain - high, 0))"}
decode: argmax
ignore: no-claims
"""  # wrong for a gain below `low`; between the two `symbol[0]` is as likely as any other, which proves nothing
SIZED = """\
weightspec: 1
name: sized
dtype: float64
constants: {step: 0.15}
vocabulary: symbol[symbols]
task:
  reverse: {symbols: 2, length: 1}
  prompt: word
  answer: {in_place: word}
stream: is[symbols]
network:
  embedding:
    symbol[s]: {"is[s]": 1}
  head:
    logits symbol[s]: is[s] + where(s > 0, 0, step * (symbols - 1))
decode: argmax
ignore: no-claims
"""  # the first symbol is ahead of all others where there are many


NEAR = [0.2, *(k / 1000 for k in range(290, 311, 2)), 0.4]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEIGHTSPEC_CACHE", str(tmp_path / "cache"))
    for name, text in (("turning", TURNING), ("sized", SIZED)):
        Path(f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def all_right(path: str, settings: list[str]) -> bool:
    evaluation = compiler.evaluate(load(path, settings), ["exhaustive"])
    return all(suite.right == suite.inputs for suite in evaluation.suites)


@pytest.mark.parametrize(
    ("name", "values", "settings", "between"),
    [
        ("gain", NEAR, [], (-1, 1)),
        ("gain", NEAR, [], (1, 0.01)),
        ("gain", [-value for value in NEAR], ["low=-0.3", "high=-0.3"], (-1, -0.11)),
        ("low", NEAR, ["high=0.1", "gain=0.2"], (0, 1)),
    ],
)
def test_the_turn_is_where_trying_every_input_finds_it(
    folder: Path, name: str, values: list[float], settings: list[str], between: tuple[float, float]
) -> None:
    found = compiler.threshold(load("turning.yaml", settings), name, between, rel=0.01)
    assert found.refuted is not None
    assert found.proved is not None
    values = [*values, found.refuted.value, found.proved.value]
    by_value = {value: all_right("turning.yaml", [*settings, f"{name}={value!r}"]) for value in values}
    between_them = sorted((found.refuted.value, found.proved.value))
    assert 0 < between_them[1] - between_them[0] <= 0.021 * max(map(abs, between_them))
    rising = found.refuted.value < found.proved.value
    for value, right in by_value.items():
        if value <= between_them[0]:
            assert right is not rising, value
        if value >= between_them[1]:
            assert right is rising, value


def test_integers_end_as_neighbours(folder: Path) -> None:
    right = [size for size in range(2, 40) if all_right("sized.yaml", [f"symbols={size}"])]
    found = compiler.threshold(load("sized.yaml"), "symbols", (2, 39.0))
    assert found.ending == "precise"
    assert found.proved is not None
    assert found.refuted is not None
    assert (found.proved.value, found.refuted.value) == (max(right), max(right) + 1)
    steps = compiler.threshold(load("turning.yaml", ["low=3", "high=3"]), "gain", (1, 9), integers=True)
    assert [known.value for known in (steps.refuted, *steps.open, steps.proved) if known is not None] == [2, 3, 4]


def test_both_ends_give_the_same_verdicts_again(folder: Path) -> None:
    """With `rel` 0 the values are neighbours in the dtype; at a third itself the logits are equal."""
    found = compiler.threshold(load("turning.yaml", ["low=1/3", "high=1/3"]), "gain", (0.1, 5e22), rel=0, verdicts=99)
    known = [value for value in (found.refuted, *found.open, found.proved) if value is not None]
    third, step = 11184811 / 2**25, 2**-25
    assert [float32(value.value) for value in known] == [third - step, third, third + step]
    for value, verdict in zip(known, ("refuted", "open", "proved"), strict=True):
        assert compiler.verify(load("turning.yaml", ["low=1/3", "high=1/3", value.setting])).verdict == verdict


def float32(value: float | int) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]  # type: ignore[no-any-return]


def test_open_values_are_left_between_the_two(folder: Path) -> None:
    found = compiler.threshold(load("turning.yaml", ["low=0.3", "high=0.5"]), "gain", (0.1, 1), rel=0.01)
    assert found.ending == "open"
    assert found.refuted is not None
    assert found.proved is not None
    assert 0.295 < found.refuted.value < 0.3
    assert 0.5 < found.proved.value < 0.51
    assert {known.verdict for known in found.open} == {"open"}
    assert all(0.3 <= known.value <= 0.5 for known in found.open)


@pytest.mark.parametrize(("between", "refuted", "proved"), [((0.4, 2), False, True), ((0.4, 0.1), True, False)])
def test_an_end_that_is_open(folder: Path, between: tuple[float, float], refuted: bool, proved: bool) -> None:
    found = compiler.threshold(load("turning.yaml", ["low=0.3", "high=0.5"]), "gain", between, rel=0.01)
    assert found.ending == "open"
    assert (found.refuted is not None, found.proved is not None) == (refuted, proved)
    edge, turn = (found.proved, 0.5) if proved else (found.refuted, 0.3)
    assert edge is not None
    assert abs(edge.value - turn) <= 0.011 * turn


def test_no_more_verdicts_than_wanted_and_each_is_told(folder: Path) -> None:
    told: list[searched.ValueVerdict] = []
    found = compiler.threshold(load("turning.yaml"), "gain", (0.1, 2), verdicts=5, progress=told.append)
    assert found.ending == "verdicts"
    assert tuple(told) == found.values
    assert len(told) == 5


@pytest.mark.parametrize("after", [0, 1, 3])
def test_an_interruption_keeps_what_is_known(folder: Path, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Spec] = []

    def interrupted(spec: Spec, *, budget: float) -> Verification:
        calls.append(spec)
        if len(calls) > after:
            raise KeyboardInterrupt
        return compiler.verify(spec, budget=budget)

    monkeypatch.setattr(searched, "verify", interrupted)
    result = call("threshold", "turning.yaml", "gain", "--between", "0.1", "2", "--json")
    printed = json.loads(result.stdout)
    assert result.exit_code == 3
    assert printed["ending"] == "interrupted"
    assert len(printed["values"]) == after
    assert len(printed["calls"]) == min(after, 2)


def found_again(printed: str) -> tuple[object, ...]:
    """All that must not differ from one run to another."""
    found = json.loads(printed)
    verdicts = [(one["setting"], one["verdict"], one["failing"], one["why_open"]) for one in found["values"]]
    return found["ending"], verdicts, found["calls"]


def test_a_search_that_was_killed_goes_on(folder: Path) -> None:
    words = ("threshold", "turning.yaml", "gain", "--between", "0.1", "2", "--json", "--set", "high=0.4")
    with subprocess.Popen(
        [sys.executable, str(ROOT / "cli.py"), *words, "--rel", "0", "--verdicts", "10000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stderr is not None
        told = [child.stderr.readline() for _ in range(3)]
        child.kill()
    assert told[:2] == ["gain=0.1: refuted, 50 % wrong\n", "gain=2: proved\n"]
    again, whole = call(*words), call(*words, "--restart")
    known = [one["known"] for one in json.loads(again.stdout)["values"]]
    assert known[:3] == [True] * 3
    assert known == sorted(known, reverse=True)
    assert not any(one["known"] for one in json.loads(whole.stdout)["values"])
    assert found_again(again.stdout) == found_again(whole.stdout)
    assert all(one["known"] for one in json.loads(call(*words).stdout)["values"])
    assert "verdicts known before" in call(*(word for word in words if word != "--json")).stdout


def test_another_question_is_not_known(folder: Path) -> None:
    def known(verdicts: int = 9, budget: float = 60.0) -> list[bool]:
        spec = load("turning.yaml", settings)
        found = compiler.threshold(spec, "gain", (0.1, 2), rel=0.5, journal="kept", verdicts=verdicts, budget=budget)
        return [one.known for one in found.values]

    settings = ["low=0.25"]
    assert not any(known())
    assert all(known())
    assert known(verdicts=2) == [True, True]
    assert not any(known(budget=50.0))
    settings = ["low=0.26"]
    assert not any(known())
    (row, *_) = compiler.read_rows("kept")
    assert (row.spec, row.settings, row.result.suites) == ("turning.yaml", {"low": "0.25", "gain": "0.1"}, ())
    assert row.result.verdict is not None
    assert row.result.verdict.verdict == "refuted"
    assert row.result.counts is not None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gian", "--between", "0.1", "2"), "did you mean 'gain'?"),
        (("gain", "--between", "2", "2.0"), "both ends of 'gain' are 2"),
        (("gain", "--between", "0.1", "0.100000000001"), "both ends of 'gain' are 0.1"),  # in float32
        (("gain", "--between", "0.1", "much"), "'much' is not a number"),
        (("gain", "--between", "0.1", "nan"), "have to be numbers, not nan"),
        (("gain", "--between", "0.1", "1e300"), "too large for float32"),
        (("gain", "--between", "0.1", "9" * 400), "have to be numbers, not 999"),
        (("gain", "--between", "0.1", "0.2"), "refuted at both ends, gain=0.1 and gain=0.2"),
        (("gain", "--between", "1", "2"), "proved at both ends, gain=1 and gain=2"),
        (("gain", "--between", "0.1", "2", "--set", "gain=3"), "has a value of its own in --set"),
        (("gain", "--between", "0.1", "2", "--rel", "-1"), "not -1"),
        (("gain", "--between", "0.1", "2", "--verdicts", "1"), "too few"),
        (("gain", "--between", "0.1", "2", "--budget", "0"), "above 0"),
        (("symbols", "--between", "2", "3.5"), "integers, and 3.5 is none"),
        (("symbols", "--between", "0", "3"), "symbols"),  # what `--set symbols=0` says
        (("low", "--between", "0", "3", "--set", "low=[1, 2]"), "low"),
    ],
)
def test_what_cannot_be_searched_is_said(folder: Path, words: tuple[str, ...], message: str) -> None:
    result = call("threshold", "turning.yaml", *words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_list_has_no_values_between_two(folder: Path) -> None:
    Path("list.yaml").write_text(TURNING.replace("low: 0.3", "low: 0.3, many: [1, 2]"), encoding="utf-8")
    with pytest.raises(SpecError, match="'many' is no single number"):
        compiler.threshold(load("list.yaml"), "many", (0, 1))


def test_what_is_printed(folder: Path) -> None:
    words = ("threshold", "turning.yaml", "gain", "--between", "-2", "1e6", "--set", "low=1/3", "--set", "high=1/7")
    result = call(*words, "--budget", "7", "--rel", "0.1")
    assert result.exit_code == 0
    first, second, *_, refuted, proved = result.stdout.splitlines()
    assert (first, second) == ("gain=-2: refuted, 50 % wrong", "gain=1e6: proved")
    for line in (refuted, proved):
        assert line.startswith("  python cli.py verify turning.yaml --set low=1/3 --set high=1/7 --set gain=0.")
        assert line.endswith(" --budget 7")
    assert call(*refuted.split()[2:]).exit_code == 1
    assert call(*proved.split()[2:]).exit_code == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9590000.0, "9.59e6"),
        (9.595e6, "9595000"),
        (1000.0, "1000"),
        (1e22, "1e+22"),
        (-0.0125, "-0.0125"),
        (7, "7"),
        (-1e8, "-1e8"),
    ],
)
def test_a_value_has_the_shortest_text_that_is_read_as_it(value: float, text: str) -> None:
    assert searched.as_text(value) == text
    assert float(text) == value
