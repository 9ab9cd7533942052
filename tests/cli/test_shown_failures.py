"""The list of failures stays short, names an input once, and says how many more there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from compiler.terminal.evaluations import _lines
from tests.cli.test_cli import call, call_json

SPEC = """\
weightspec: 1
name: wrong
dtype: float32
vocabulary: digit[2] =
task:
  sizes: {length: {from: 1, to: 5}}
  given: {word: digit*length}
  answers: {copied: digit*length}
  equations: {copied: word}
  prompt: word =
  answer: copied
stream: x y
network:
  embedding:
    digit[d]: {x: d}
  head:
    classes: 3
    logits: embedding
decode: argmax
ignore: no-claims
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    found = tmp_path / "wrong.yaml"
    found.write_text(SPEC, encoding="utf-8")
    return str(found)


def listed(shown: str) -> tuple[str, list[str], int]:
    """The title of the list of failures, its inputs, and how many more there are."""
    lines = shown.splitlines()
    start = next(number for number, line in enumerate(lines) if "greedy decoding says" in line)
    rows = lines[start + 1 : lines.index("", start)]
    more = [int(found[1].replace(",", "")) for row in rows if (found := re.search(r"… and ([\d,]+) more", row))]
    inputs = [re.split(r"  +", row)[1] for row in rows if "…" not in row]
    return re.split(r"  +", lines[start])[0], inputs, sum(more)


@pytest.mark.parametrize(
    ("option", "most"), [([], 12), (["--failures", "1"], 9), (["--failures", "20"], 20), (["--failures", "all"], 62)]
)
def test_failures_are_listed_once_and_counted(path: str, option: list[str], most: int) -> None:
    suites = ("--suite", "uniform", "--suite", "exhaustive")
    found = call_json("eval", path, *suites, "--failures", "all")
    failing = [failure["input"] for suite in found["suites"] for part in suite["parts"] for failure in part["failures"]]
    title, inputs, more = listed(call("eval", path, *suites, *option).stdout)
    assert len(set(inputs)) == len(inputs)
    assert 4 <= len(inputs) <= most
    assert set(inputs) <= set(failing)
    if option[-1:] == ["all"]:
        assert (title, more, set(inputs)) == ("failures", 0, set(failing))
    else:
        assert title == "first failures"
        assert 0 < more <= len(failing) - len(inputs)
    if most == 12:
        assert len({text.count(" ") for text in inputs}) >= 4  # of each length some


def test_a_line_of_facts_is_broken_between_them() -> None:
    facts = "10 of 20 right in 1.5 s; 30 per second; float32; seed 0"
    assert list(_lines(facts, None)) == [facts]
    lines = list(_lines(facts, 40))
    assert " ".join(lines) == facts
    assert all(len(line) <= 40 and (line.endswith(";") or line is lines[-1]) for line in lines)
    assert len(lines) == 2
