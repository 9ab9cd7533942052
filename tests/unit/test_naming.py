"""Lists of names to axes, and targets to the dimensions they stand for."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from compiler.expressions.axes import Axis, Family
from compiler.expressions.floats import FORMATS
from compiler.expressions.formulas import Word
from compiler.expressions.naming import axis_names, read_axis, words
from compiler.expressions.scope import Scope
from compiler.expressions.targets import Aim, targets
from compiler.expressions.values import Affine, DimensionFamily, Number
from compiler.source.diagnostics import Diagnostic, Findings
from compiler.source.document import Mapping, Node, Scalar, parse_document
from compiler.source.limits import MAX_AXIS
from compiler.source.text import Source, Span

SOURCE = Source("none", "")
SCOPE = Scope({"base": Number(3), "half": Number(1.5)}, FORMATS["float64"], lambda a, b: Span(SOURCE, a, b))
AXIS = Axis((Family("eq"), Family("candidate", (3,)), Family("pair", (2, 3)), Family("square", (3, 3))))


def node(text: str) -> Node:
    document = parse_document(Source("spec.yaml", f"a: {text}"))
    assert isinstance(document, Mapping)
    value = document.get("a")
    assert value is not None
    return value


def node_scalar(text: str) -> Scalar:
    value = node(text)
    assert isinstance(value, Scalar)
    return value


def places(findings: Iterable[Diagnostic]) -> list[tuple[str, int, str]]:
    return [(d.code, d.span.column, d.span.text) for d in findings if d.span is not None]


def axis(text: str, *, tokens: bool = False) -> Axis:
    findings = Findings()
    result = read_axis(node(text), SCOPE, findings, "dimension", tokens=tokens)
    assert not findings
    assert result is not None
    return result.axis


@pytest.mark.parametrize(
    "text",
    [
        "eq candidate[base] pair[base - 1, base]",
        "'eq  candidate[base]   pair[base-1,base]'",
        "[eq, 'candidate[base]', 'pair[2, 3]']",
        "['eq', 'candidate[3]', ' pair[2, 3.0] ']",
        "eq candidate[base]\n  pair[2,\n  3]",
    ],
    ids=["plain", "quoted", "list", "list of strings", "lines"],
)
def test_an_axis_in_each_way_to_write_it(text: str) -> None:
    assert axis(text) == Axis((Family("eq"), Family("candidate", (3,)), Family("pair", (2, 3))))


def test_the_layout_of_an_axis() -> None:
    assert AXIS.size == 1 + 3 + 6 + 9
    assert AXIS.starts == {"eq": 0, "candidate": 1, "pair": 4, "square": 10}
    assert AXIS.labels[:10] == (
        *("eq", "candidate[0]", "candidate[1]", "candidate[2]"),
        *("pair[0, 0]", "pair[0, 1]", "pair[0, 2]", "pair[1, 0]", "pair[1, 1]", "pair[1, 2]"),
    )
    assert str(AXIS) == "eq candidate[3] pair[2, 3] square[3, 3]"
    assert AXIS.family("pair") == Family("pair", (2, 3))
    assert AXIS.family("nothing") is None


def test_a_coordinate_runs_fastest_within_each_head() -> None:
    heads = axis("one look[2]").extended(2)
    assert heads.labels == ("one[0]", "one[1]", "look[0, 0]", "look[0, 1]", "look[1, 0]", "look[1, 1]")


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, ""),
        (1, "eq"),
        (4, "eq candidate[3]"),
        (3, "eq candidate[2]"),
        (6, "eq candidate[3] pair[0, 0]"),
    ],
)
def test_a_cut_axis_keeps_the_names_of_what_is_left(size: int, shown: str) -> None:
    cut = AXIS.first(size)
    assert cut.labels == AXIS.labels[:size]
    assert str(cut).startswith(shown)
    assert cut.size == size


def test_names_in_expressions_are_columns() -> None:
    assert axis_names(axis("eq pair[2, 3] place")) == {
        "eq": Affine({0: Number(1)}),
        "pair": DimensionFamily("pair", 1, (2, 3)),
        "place": Affine({7: Number(1)}),
    }


def test_tokens_have_any_spelling() -> None:
    tokens = axis("digit[base] = <bos> + 7", tokens=True)
    assert tokens.labels == ("digit[0]", "digit[1]", "digit[2]", "=", "<bos>", "+", "7")


def test_words_know_where_they_stand() -> None:
    found = words(node("'eq  pair[n+1, n] x'"))
    assert [(word.text, word.span.column, word.span.text) for word in found] == [
        ("eq", 5, "eq"),
        ("pair[n+1, n]", 9, "pair[n+1, n]"),
        ("x", 22, "x"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eq two eq", [("duplicate-name", 11, "eq")]),
        ("eq eq[2]", [("duplicate-name", 7, "eq[2]")]),
        ("eq a-b", [("bad-name", 7, "a-b")]),
        ("not", [("bad-name", 4, "not")]),
        ("a[0]", [("index-range", 6, "0")]),
        ("b a[2, -1]", [("index-range", 11, "-1")]),
        (f"a[{MAX_AXIS + 1}]", [("too-large", 6, str(MAX_AXIS + 1))]),
        ("a[half]", [("wrong-type", 6, "half")]),
        ("a[bse]", [("unknown-name", 6, "bse")]),
        ("a[1 +]", [("syntax", 9, "]")]),
        ("a[]", [("syntax", 4, "a[]")]),
        ("a[2", [("bad-name", 4, "a[2")]),
        (f"a[{MAX_AXIS}] b", [("too-large", 13, "b")]),
        ("eq a-b two[x] eq", [("bad-name", 7, "a-b"), ("unknown-name", 15, "x"), ("duplicate-name", 18, "eq")]),
    ],
)
def test_axes_that_are_refused(text: str, expected: list[tuple[str, int, str]]) -> None:
    findings = Findings()
    assert read_axis(node(text), SCOPE, findings, "dimension") is None
    assert places(findings) == expected


def aim(text: str) -> tuple[list[tuple[int, dict[str, int | float]]], list[Diagnostic]]:
    """The targets of `gate TEXT`, and what was found wrong."""
    scalar = node_scalar(f"gate {text}")
    findings = Findings()
    result = targets(Word(text, scalar, len("gate ")), Aim(AXIS, "hidden unit", "hidden"), SCOPE, findings)
    values = [(one.position, {name: value.value for name, value in one.indices.items()}) for one in result]
    return values, list(findings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eq", [(0, {})]),
        ("candidate[i]", [(1, {"i": 0}), (2, {"i": 1}), (3, {"i": 2})]),
        ("candidate[2]", [(3, {})]),
        ("candidate[base - 1]", [(3, {})]),
        ("candidate[4 / 2]", [(3, {})]),
        ("pair[i, 1]", [(5, {"i": 0}), (8, {"i": 1})]),
        ("pair[1, k]", [(7, {"k": 0}), (8, {"k": 1}), (9, {"k": 2})]),
        ("pair[i, j]", [(4 + 3 * i + j, {"i": i, "j": j}) for i in range(2) for j in range(3)]),
        ("square[i, i]", [(10, {"i": 0}), (14, {"i": 1}), (18, {"i": 2})]),
        ("pair[i, i]", [(4, {"i": 0}), (8, {"i": 1})]),
        ("pair[0, base - 2]", [(5, {})]),
        ("candidate[c < 2]", [(1, {"c": 0}), (2, {"c": 1})]),
        ("candidate[2 > c]", [(1, {"c": 0}), (2, {"c": 1})]),
        ("candidate[c >= base - 1]", [(3, {"c": 2})]),
        ("candidate[c % 2 == 0]", [(1, {"c": 0}), (3, {"c": 2})]),
        ("candidate[c > 0 and c < 2]", [(2, {"c": 1})]),
        ("candidate[not c == 1]", [(1, {"c": 0}), (3, {"c": 2})]),
        ("pair[i, j < i]", [(7, {"i": 1, "j": 0})]),
        ("pair[i < 1, j != 1]", [(4, {"i": 0, "j": 0}), (6, {"i": 0, "j": 2})]),
        ("pair[i, i > 0]", [(8, {"i": 1})]),
        ("hidden[k < 2]", [(0, {"k": 0}), (1, {"k": 1})]),
    ],
)
def test_targets(text: str, expected: list[tuple[int, dict[str, int]]]) -> None:
    assert aim(text) == (expected, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eqq", [("unknown-name", 9, "eqq")]),
        ("candidat[i]", [("unknown-name", 9, "candidat")]),
        ("candidate", [("index-range", 9, "candidate")]),
        ("candidate[3]", [("index-range", 19, "3")]),
        ("candidate[-1]", [("index-range", 19, "-1")]),
        ("candidate[base]", [("index-range", 19, "base")]),
        ("candidate[half]", [("wrong-type", 19, "half")]),
        ("candidate[i + 1]", [("unknown-name", 19, "i")]),
        ("candidate[i, j]", [("index-range", 9, "candidate[i, j]")]),
        ("pair[i]", [("index-range", 9, "pair[i]")]),
        ("pair[0, 3]", [("index-range", 17, "3")]),
        ("eq[0]", [("index-range", 9, "eq[0]")]),
        ("candidate[", [("syntax", 18, "[")]),
        ("candidate[1] + 1", [("syntax", 9, "candidate[1] + 1")]),
        ("candidate[c < 0]", [("index-range", 9, "candidate[c < 0]")]),
        ("candidate[base < 2]", [("name-clash", 19, "base < 2")]),
        ("candidate[c and 1]", [("wrong-type", 19, "c")]),
        ("candidate[c < d]", [("unknown-name", 23, "d")]),
        ("candidate[c < 1 < 2]", [("syntax", 25, "<")]),
    ],
)
def test_targets_that_are_refused(text: str, expected: list[tuple[str, int, str]]) -> None:
    values, found = aim(text)
    assert values == []
    assert places(found) == expected


def test_suggestions_and_hints() -> None:
    (unknown,) = aim("candidat[i]")[1]
    assert unknown.message == "no hidden unit 'candidat' here; did you mean 'candidate'?"
    (bare,) = aim("pair")[1]
    assert bare.hint == "write pair[i, j] for all of them"


def test_a_target_says_which_case_it_is() -> None:
    scalar = node_scalar("pair[i, j]")
    cases = [target.case() for target in targets(Word("pair[i, j]", scalar, 0), Aim(AXIS, "x"), SCOPE, Findings())]
    assert cases[1] == " (for i = 0, j = 1)"
    (single,) = targets(Word("eq", node_scalar("eq"), 0), Aim(AXIS, "x"), SCOPE, Findings())
    assert single.case() == ""


@pytest.mark.parametrize("name", ["pi", "inf"])
def test_a_number_with_a_name_of_its_own_is_no_index_name(name: str) -> None:
    """`candidate[pi]` does not run over the family with pi = 0, 1, 2."""
    values, found = aim(f"candidate[{name}]")
    assert values == []
    assert places(found) == [("wrong-type", 19, name)]
