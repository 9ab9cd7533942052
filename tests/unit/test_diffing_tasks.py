"""What `diff` says about tasks: nothing where they mean the same, else one row for each part, with its lines."""

from __future__ import annotations

from pathlib import Path

import pytest

import compiler
from compiler.pipeline import Spec, load, load_source
from compiler.source.text import Source
from tests.cli.test_cli import call
from tests.helpers import SPECS
from tests.tasks.specs import PARTS, written

IN_FULL = """\
  sizes: {base: 10, digits: 10}
  given: {a: digit*digits, b: digit * digits}
  answers: {sum: digit*(digits+1)}
  equations: {"number( sum )": number(a)+number(b)}
  columns:
    from: last
    state: {carry: {size: 2, start: 0}}
    sum: (a+b+carry) % base
    next  carry: ((a+b+carry)//base)
  numbers: sum a b
  shown: a + b
  suites: [carries, near_carry, adderboard]
"""
TINY = (SPECS / "tiny95.yaml").read_text(encoding="utf-8")
SHORT = "  addition: {base: 10, digits: 10}\n"


def spec(text: str) -> Spec:
    return load_source(Source("spec.yaml", text))


def rows(before: Spec, after: Spec) -> list[tuple[str, str | None, str | None]]:
    return [(one.path, one.before, one.after) for one in compiler.diff(before, after).texts]


def test_a_task_of_the_package_is_the_same_as_one_in_full() -> None:
    assert SHORT in TINY
    assert compiler.diff(spec(TINY), spec(TINY.replace(SHORT, IN_FULL))).empty


def test_what_differs_from_the_package_is_shown_with_both_lines() -> None:
    changed = IN_FULL.replace("number(a)+number(b)", "number(b)+number(a)").replace("(a+b+carry) %", "(b+a+carry) %")
    found = compiler.diff(spec(TINY), spec(TINY.replace(SHORT, changed))).texts
    assert [(one.path, one.before, one.after) for one in found] == [
        ("task", "addition", "sum"),
        ("task.equations / number(sum)", "number(a) + number(b)", "number(b)+number(a)"),
        ("task.columns / sum", "(a + b + carry) % base", "(b+a+carry) % base"),
    ]
    for one in found[1:]:
        assert one.span_before is not None
        assert one.span_after is not None
        assert one.span_before.source.name == "addition.yaml of the package"
        assert one.span_after.source.name == "spec.yaml"
        assert one.span_after.text == one.after


@pytest.mark.parametrize("name", PARTS)
def test_nothing_differs_from_itself(name: str) -> None:
    assert compiler.diff(spec(written(name)), spec(written(name))).empty


@pytest.mark.parametrize(
    ("name", "old", "new", "changes"),
    [
        ("dyck", "deepest + 1", "(deepest+1)", []),
        ("dyck", "deepest + 1", "1 + deepest", [("task.columns / state / depth", "deepest + 1", "1 + deepest")]),
        ("dyck", "next bad: broken", "next  bad:  broken", []),
        ("dyck", "next bad: broken", "next bad: 0", [("task.columns / next bad", "broken", "0")]),
        ("dyck", "    only: word", "    only: 1 == 1 and word", [("task.columns / only", ..., ...)]),
        ("dyck", "broken: where(", "broken: 0 + where(", [("task.columns / let / broken", ..., ...)]),
        ("dyck", "{in_place: word}", "{next: word}", [("task.answer", "{in_place: word}", "{next: word}")]),
        ("increment", "start: 1", "start: 1 * 1", [("task.columns / state / carry / start", "1", "1 * 1")]),
        ("comparison", "end: {is: order}", "end: {is: order + 0}", [("task.columns / end / is", "order", "order + 0")]),
        ("comparison", "relation: = < >", "relation: [=, <, '>']", []),
        ("comparison", "relation: = < >", "relation: = > <", [("task.alphabets / relation", "= < >", "= > <")]),
        ("one_token_sum", "bit: digit[0] digit[1]", "bit: digit[d<2]", []),
        ("parity", "word <cls>\n", "[word, <cls>]\n", []),
        ("parity", "length: {from: 1, to: 6}", "length: {from: 2, to: 6}", [("length", "1 to 6", "2 to 6")]),
        ("parity", "length: {from: 1, to: 6}", "length: 6", [("length", "1 to 6", "6")]),
        ("pair", "two[a[i], b[i]]", "two[a[i],b[i]]", []),
        ("pair", "  order: least_significant_first\n", "", [("task.order", "least_significant_first", None)]),
        ("histogram", "counts[i]: count(", "counts[ i ]: 0 + count(", [("task.equations / counts[i]", ..., ...)]),
        ("aab", "  window: window\n", "  window: 4\n", [("task.window", "window", "4")]),
        ("sort", "  prompt", "  suites: {hard: {only: distinct(word)}}\n  prompt", [
            ("task.suites / hard / only", None, "distinct(word)")
        ]),
        ("sort", "  prompt", "  shown: word\n  prompt", []),
        ("sort", "  prompt", "  name: sorting\n  prompt", []),
    ],
)  # fmt: skip
def test_one_row_for_each_part(
    name: str, old: str, new: str, changes: list[tuple[str, str | None, str | None]]
) -> None:
    text = written(name)
    assert old in text
    found = rows(spec(text), spec(text.replace(old, new)))
    assert [path for path, _, _ in found] == [path for path, _, _ in changes]
    for (_, *texts), (_, *wanted) in zip(found, changes, strict=True):
        assert all(want in (..., text) for text, want in zip(texts, wanted, strict=True))


def test_cases_are_compared_one_by_one() -> None:
    head = "weightspec: 1\nname: n\ndtype: float32\nvocabulary: a b\ntask:\n  cases: "
    tail = "\nstream: x\nnetwork: {embedding: {a: {x: 1}}, head: {logits a: x}}\ndecode: argmax\n"
    before, after = (spec(head + cases + tail) for cases in ("{a b: a, b b: b}", "{a  b: b, b b: b, b a: a}"))
    assert rows(before, after) == [("task.cases / a b", "a", "b"), ("task.cases / b a", None, "a")]


def test_a_spec_without_a_task() -> None:
    bare, asked = (
        spec(f"weightspec: 1\nname: n\ndtype: float32\nvocabulary: symbol[2] =\ncontext: 9\n{task}stream: x\n"
             "network: {embedding: {=: {x: 1}}, head: {logits =: x}}\ndecode: argmax\n")
        for task in ("", "task: {copy: {symbols: 2, length: 3}, prompt: word =, answer: copied}\n")
    )  # fmt: skip
    sizes = [("symbols", None, "2"), ("length", None, "3")]
    assert rows(bare, asked) == [("task", None, "copy"), *sizes]
    assert rows(asked, bare) == [("task", "copy", None), *[(name, value, None) for name, _, value in sizes]]
    assert rows(bare, bare) == []


def test_ranges_on_the_terminal(tmp_path: Path) -> None:
    shown = call("diff", str(SPECS / "tasks/reverse-lengths.yaml"), "--set", "length=3").stdout
    assert "size  length   1 to 8  3      14 → --set:1" in shown
    assert load(SPECS / "tasks/reverse-lengths.yaml").resolved.definitions["length"].text == "1 to 8"
