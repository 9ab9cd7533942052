"""Rules about prompt and answer, for every layout that a task can have, and for a spec without a task."""

from __future__ import annotations

import pytest

import compiler
from compiler.pipeline import load_source
from compiler.source.diagnostics import Diagnostic
from compiler.source.text import Source
from tests.tasks.specs import PARTS, written


def found(text: str, rules: str = "adderboard") -> dict[str, Diagnostic]:
    return {one.code: one for one in compiler.lint(load_source(Source("spec.yaml", text)), rules)}


@pytest.mark.parametrize("name", PARTS)
def test_every_task_is_linted(name: str) -> None:
    codes = set(found(written(name)))
    assert codes >= {"other-task", "no-count"}
    assert ("not-generated" in codes) == (name in ("parity", "histogram", "dyck"))
    assert not {"operand-twice", "forced-token"} & codes


@pytest.mark.parametrize(
    ("name", "old", "new", "code", "message", "marked"),
    [
        ("parity", "", "", "not-generated", "nothing is generated", "<cls>"),
        ("dyck", "{in_place: word}", "{next: word}", "not-generated", "nothing is generated", "word"),
        ("subtraction", "", "", "other-task", "the task difference is not the one that adderboard tests", "task"),
        ("subtraction", "prompt: a - b =", "prompt: a - b = a", "operand-twice", "'a' stands in the prompt 2", "a"),
        (
            "subtraction",
            "prompt: a - b =",
            "prompt: a - b b[1] =",
            "operand-twice",
            "'b[1]' stands in the prompt 2 times",
            "b[1]",
        ),
        (
            "pair",
            "prompt: two[a[i], b[i]] =",
            "prompt: two[a[i], b[i]] = b",
            "operand-twice",
            "'b' stands in the prompt 2 times",
            "b",
        ),
        (
            "memory",
            '"?", query]',
            '"?", query, query]',
            "operand-twice",
            "'query' stands in the prompt 2 times",
            "query",
        ),
        (
            "increment",
            "  head:\n",
            "  head:\n    classes: base\n",
            "forced-token",
            "the model cannot emit =: it is put there, after the last token that it predicts",
            "=",
        ),
    ],
)  # fmt: skip
def test_where_it_is_found(name: str, old: str, new: str, code: str, message: str, marked: str) -> None:
    text = written(name).replace("answer: successor", "answer: successor =")
    assert old in text
    one = found(text.replace(old, new, 1) if old else text)[code]
    assert message in one.message
    assert one.span is not None
    assert one.span.text == marked


def test_a_window_a_table_and_no_task() -> None:
    assert "later-tokens" not in found(written("aab"))
    head = "weightspec: 1\nname: n\ndtype: float32\nvocabulary: a b\ncontext: 5\n"
    tail = "stream: x\nnetwork: {embedding: {a: {x: 1}}, head: {logits a: x}}\ndecode: argmin\n"
    table = found(f"{head}task: {{cases: {{a b: a, b: b b}}}}\n{tail}")
    assert {"argmin", "other-task"} <= table.keys()
    assert table["other-task"].span is not None
    untasked = found(head + tail)
    assert "argmin" in untasked
    assert untasked["other-task"].message == "the spec states no task, and adderboard tests one"
