"""The language of numbers: what expressions are worth, and what is wrong with the others."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import pytest

from compiler.expressions.evaluate import affine_value, evaluate_expression, integer_value, number_value
from compiler.expressions.floats import FORMATS
from compiler.expressions.formulas import attempt, read_formula
from compiler.expressions.parse import is_name, parse
from compiler.expressions.scope import AlreadyReported, Scope, Work
from compiler.expressions.syntax import ExpressionError, free_names
from compiler.expressions.values import Affine, DimensionFamily, Number, Truth, Unknown, Value, Vector
from compiler.source.diagnostics import Findings
from compiler.source.document import Mapping, Scalar, parse_document
from compiler.source.text import Source, Span

SOURCE = Source("formula", "")
NAMES: dict[str, Value] = {
    "base": Number(10),
    "scale": Number(2.5),
    "w": Vector((Number(3), Number(4.5), Number(-1))),
    "x": Affine({0: Number(1)}),
    "y": Affine({1: Number(1)}),
    "h": DimensionFamily("h", 2, (3,)),
    "m": DimensionFamily("m", 5, (2, 3)),
    "broken": Unknown(),
}
FLOAT32 = {
    "p": Number(0.10000000149011612, True),  # float32(0.1)
    "big": Number(3e38, True),
    "d": Number(0.1),
}


def scope(names: dict[str, Value] | None = None, dtype: str = "float64") -> Scope:
    return Scope(NAMES if names is None else names, FORMATS[dtype], lambda start, end: Span(SOURCE, start, end))


def value(text: str) -> Value:
    return evaluate_expression(parse(text), scope())


def error(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        value(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 4 - 3", 3),
        ("2 / 4 / 2", 0.25),
        ("7 // 2 * 2", 6),
        ("-7 // 2", -4),
        ("-7 % 3", 2),
        ("7.5 % -2", -0.5),
        ("-2 ** 2", -4),
        ("(-2) ** 2", 4),
        ("2 ** 3 ** 2", 512),
        ("2 ** -1", 0.5),
        ("2 ** -3 ** 2", 2**-9),
        ("2 * -3", -6),
        ("--3", 3),
        ("+-+3", -3),
        ("- 2 * 3", -6),
        ("6 / 3", 2.0),
        ("6 // 3", 2),
        ("6 // 3.0", 2.0),
        ("0.1 + 0.2", 0.30000000000000004),
        ("0.1 + (0.2 + 0.3)", 0.1 + (0.2 + 0.3)),
        ("1e3", 1000.0),
        (".5 + 5.", 5.5),
        ("1.5E-2", 0.015),
        ("010", 10),
        ("2 ** 4095", 2**4095),
        ("2 ** 100 + 1", 2**100 + 1),
        ("1 ** 10 ** 1000", 1),
        ("0 ** 0", 1),
        ("log(8) / log(2)", math.log(8) / math.log(2)),
        ("log(2 ** 2000)", math.log(2**2000)),
        ("exp(1)", math.e),
        ("sqrt(2)", math.sqrt(2)),
        ("sin(1) + cos(1)", math.sin(1) + math.cos(1)),
        ("abs(-3)", 3),
        ("floor(-2.5)", -3),
        ("min(3, 1, 2)", 1),
        ("max(3)", 3),
        ("min(1, 2.0)", 1),
        ("pi", math.pi),
        ("-inf", -math.inf),
        ("exp(-inf)", 0.0),
        ("1 / inf", 0.0),
        ("base ** 3", 1000),
        ("w[0] + w[base - 9]", 7.5),
        ("w[2.0]", -1),
        ("where(1 < 2, 5, 6)", 5),
        ("where(2 < 1, 5, 6)", 6),
        ("where(2 < 1, 5, 1 < 2, 6, 7)", 6),
        ("where(1 < 2, 5, 1 / 0)", 5),
        ("where(2 < 1, nowhere, 1 < 2, 6, 1 / 0 < 1, 7, log(0))", 6),
        ("where(1 < 2 or 1 / 0 < 1, 1, 0)", 1),
        ("where(2 < 1 and 1 / 0 < 1, 1, 0)", 0),
        ("where(not 1 < 2 or 1 == 1, 1, 0)", 1),
        ("where(1 == 1 or 1 == 1 and 1 == 2, 1, 0)", 1),
        ("where(not (1 == 1 or 1 == 1) and 1 == 2, 1, 0)", 0),
        ("where(1 + 1 >= 2 and 2 != 3, 1, 0)", 1),
        ("where(2 ** 2000 < 1.5, 1, 0)", 0),
        ("sum(k, k, 5)", 10),
        ("sum(w[k] * k, k, 3)", 2.5),
        ("sum(1 / 0, k, 0)", 0),
        ("sum(sum(i * j, j, 3), i, 4)", 18),
        ("sum(0.1, k, 10)", 0.9999999999999999),
        ("dot(w, w)", 9 + 20.25 + 1),
        ("dot([1, 2], [3, 4])", 11),
        ("(((((3)))))", 3),
        (" 1\n+\t2 ", 3),
    ],
)
def test_numbers(text: str, expected: int | float) -> None:
    result = value(text)
    assert isinstance(result, Number)
    assert (result.value, type(result.value)) == (expected, type(expected))
    assert not result.rounded


@pytest.mark.parametrize(("text", "expected"), [("1 < 2", True), ("not 1 <= 1", False), ("1 == 1.0", True)])
def test_truths(text: str, expected: bool) -> None:
    assert value(text) == Truth(expected)


def test_vectors() -> None:
    result = value("[base, base / 4, 0, -scale]")
    assert isinstance(result, Vector)
    assert [item.value for item in result.items] == [10, 2.5, 0, -2.5]


@pytest.mark.parametrize(
    ("text", "terms", "constant"),
    [
        ("3", {}, 3),
        ("x", {0: 1}, None),
        ("2 * x - y / 4 + 1", {0: 2, 1: -0.25}, 1),
        ("-(x - 3)", {0: -1}, 3),
        ("3 - x", {0: -1}, 3),
        ("x * 2 + x * 3", {0: 5}, None),
        ("(x + 1) * 0.1", {0: 0.1}, 0.1),
        ("h[1] + m[1, 2]", {3: 1, 10: 1}, None),
        ("sum(k * h[k] + 1, k, 3)", {2: 0, 3: 1, 4: 2}, 3),
        ("dot(w, h)", {2: 3, 3: 4.5, 4: -1}, None),
        ("dot(h, w)", {2: 3, 3: 4.5, 4: -1}, None),
        ("where(1 < 2, x, y)", {0: 1}, None),
    ],
)
def test_affine_expressions(text: str, terms: dict[int, float], constant: float | None) -> None:
    result = affine_value(parse(text), scope())
    assert {column: term.value for column, term in result.terms.items()} == terms
    assert (result.constant.value if result.constant is not None else None) == constant


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("", "syntax", (0, 1)),
        ("1 +", "syntax", (2, 3)),
        ("1 2", "syntax", (2, 3)),
        ("(1", "syntax", (1, 2)),
        ("1)", "syntax", (1, 2)),
        ("[1, 2", "syntax", (4, 5)),
        ("w[]", "syntax", (0, 3)),
        ("5[0]", "syntax", (1, 2)),
        ("2 ^ 3", "syntax", (2, 3)),
        ("1 + $", "syntax", (4, 5)),
        ("1_000", "syntax", (1, 5)),
        ("0x10", "syntax", (1, 4)),
        ("1 + ٣", "syntax", (4, 5)),
        ("'text'", "syntax", (0, 1)),
        ("1 if 2 else 3", "syntax", (2, 4)),
        ("lambda: 1", "syntax", (6, 7)),
        ("base = 3", "syntax", (5, 6)),
        ("1 == not 2", "syntax", (5, 8)),
        ("1 < 2 < 3", "syntax", (6, 7)),
        ("1 < 2 == 2", "syntax", (6, 8)),
        ("not 1 < 2 < 3", "syntax", (10, 11)),
        ("base.real", "syntax", (4, 5)),
        ("w.__class__", "syntax", (1, 2)),
        ("__import__(base)", "unknown-name", (0, 10)),
        ("1 + eval(base)", "unknown-name", (4, 8)),
        ("w(1)", "unknown-name", (0, 1)),
        ("log", "syntax", (0, 3)),
        ("log(1, 2)", "syntax", (0, 9)),
        ("min()", "syntax", (0, 5)),
        ("where(1 < 2, 1)", "syntax", (0, 15)),
        ("sum(1, 2, 3)", "syntax", (0, 12)),
        ("dot(w)", "syntax", (0, 6)),
        ("1 + nothing", "unknown-name", (4, 11)),
        ("True", "unknown-name", (0, 4)),
        ("(1 < 2) + 1", "wrong-type", (1, 6)),
        ("1 + (1 < 2)", "wrong-type", (5, 10)),
        ("-(1 < 2)", "wrong-type", (2, 7)),
        ("abs(1 < 2)", "wrong-type", (4, 9)),
        ("(1 < 2) == (1 < 2)", "wrong-type", (1, 6)),
        ("not 1", "wrong-type", (4, 5)),
        ("1 and 1 < 2", "wrong-type", (0, 1)),
        ("where(1, 2, 3)", "wrong-type", (6, 7)),
        ("w + 1", "shape", (0, 5)),
        ("1 + h", "wrong-type", (4, 5)),
        ("[x, 1]", "wrong-type", (1, 2)),
        ("x < 1", "wrong-type", (0, 1)),
        ("base[0]", "wrong-type", (0, 7)),
        ("w[0.5]", "wrong-type", (2, 5)),
        ("sum(k, k, 2.5)", "wrong-type", (10, 13)),
        ("dot(w, [1, 2])", "wrong-type", (0, 14)),
        ("dot(w, m)", "wrong-type", (7, 8)),
        ("w[3]", "index-range", (2, 3)),
        ("1 + w[-1]", "index-range", (6, 8)),
        ("w[0, 1]", "index-range", (0, 7)),
        ("h[3]", "index-range", (2, 3)),
        ("m[0, 3]", "index-range", (5, 6)),
        ("m[0]", "index-range", (0, 4)),
        ("sum(1, base, 3)", "name-clash", (7, 11)),
        ("x * y", "non-affine", (0, 5)),
        ("1 + x * x", "non-affine", (4, 9)),
        ("1 / x", "non-affine", (0, 5)),
        ("x ** 2", "non-affine", (0, 6)),
        ("x // 2", "non-affine", (0, 6)),
        ("x % 2", "non-affine", (0, 5)),
        ("exp(x)", "non-affine", (0, 6)),
        ("min(1, x)", "non-affine", (0, 9)),
        ("dot(h, h)", "non-affine", (0, 9)),
        ("2 + 1 / 0", "number", (4, 9)),
        ("x / 0", "number", (0, 5)),
        ("7 // 0", "number", (0, 6)),
        ("7 % 0.0", "number", (0, 7)),
        ("0 ** -1", "number", (0, 7)),
        ("sqrt(-1)", "number", (0, 8)),
        ("log(0)", "number", (0, 6)),
        ("(-8) ** 0.5", "number", (0, 11)),
        ("2 * (x * (y + 1))", "non-affine", (5, 16)),
        ("(1 / 0) + 1", "number", (1, 6)),
        ("1e999", "number", (0, 5)),
        ("1e308 * 10", "number", (0, 10)),
        ("1e308 ** 2", "number", (0, 10)),
        ("exp(1000)", "number", (0, 9)),
        ("10 ** 400 / 1", "number", (0, 13)),
        ("2 ** 2000 * 1.0", "number", (0, 15)),
        ("inf - inf", "number", (0, 9)),
        ("inf * 0", "number", (0, 7)),
        ("floor(inf)", "number", (0, 10)),
        ("2 ** 4096", "number", (0, 9)),
        ("2 ** 4095 * 2", "number", (0, 13)),
        ("9" * 1300, "number", (0, 1300)),
    ],
    ids=lambda item: item[:30] if isinstance(item, str) else "",
)
def test_errors(text: str, code: str, at: tuple[int, int]) -> None:
    found = error(text)
    assert (found.code, found.at) == (code, at)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bse", "no name 'bse' here; did you mean 'base'?"),
        ("Scale", "no name 'Scale' here; did you mean 'scale'?"),
        ("expp(1)", "no function 'expp'; did you mean 'exp'?"),
        ("h[5]", "index 5 is out of range: 'h' has 0 to 2"),
        ("1 < 2 < 3", "comparisons cannot be chained"),
    ],
)
def test_messages(text: str, message: str) -> None:
    assert error(text).message == message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("2 ^ 3", "powers are written **"),
        ("h + 1", "write h[i] for one of them"),
        ("m + 1", "write m[i, j] for one of them"),
        ("not 1", "compare it with something, as in `x > 0`"),
        ("1 < 2 < 3", "write `a < b and b < c`"),
    ],
)
def test_hints(text: str, hint: str) -> None:
    assert error(text).hint == hint


@pytest.mark.parametrize(
    "text",
    [
        "9 ** 9 ** 9 ** 9",
        "2 ** 2 ** 2 ** 2 ** 2 ** 2",
        "sum(0, k, 10 ** 9)",
        "9 ** 9999999 ** 0.99",
    ],
)
def test_unbounded_work_is_an_error_at_once(text: str) -> None:
    start = time.process_time()
    assert error(text).code in {"number", "too-much-work"}
    assert time.process_time() - start < 1


def test_nested_sums_end_when_the_work_is_used_up() -> None:
    limited = replace(scope(), work=Work(1000))
    with pytest.raises(ExpressionError) as caught:
        evaluate_expression(parse("sum(sum(1, i, 100), j, 100)"), limited)
    assert caught.value.code == "too-much-work"
    assert number_value(parse("sum(1, i, 100)"), replace(scope(), work=Work(1000))).value == 100


@pytest.mark.parametrize("text", ["dot(w, h)", "sum(w[k] * h[k], k, 40000)"])
def test_long_affine_sums_take_linear_time(text: str) -> None:
    names: dict[str, Value] = {
        "h": DimensionFamily("h", 0, (40_000,)),
        "w": Vector(tuple(Number(i) for i in range(40_000))),
    }
    start = time.process_time()
    assert len(affine_value(parse(text), scope(names)).terms) == 40_000
    assert time.process_time() - start < 1.5


def test_long_chains_are_walked() -> None:
    assert number_value(parse("1" + " + 1" * 4999), scope()).value == 5000
    assert number_value(parse("-1" + " - -1" * 3000), scope()).value == 2999
    assert value(" and ".join(["1 < 2"] * 2000)) == Truth(True)
    assert set(free_names(parse("base" + " + x" * 4000))) == {"base", "x"}


def test_depth_has_a_limit() -> None:
    assert value("(" * 99 + "1" + ")" * 99) == Number(1)
    assert value("-" * 98 + "1") == Number(1)
    nested = (
        "".join(f"sum(1 * (k{i} + " for i in range(24)) + "1" + "".join(f"), k{i}, 1)" for i in reversed(range(24)))
    )
    assert number_value(parse(nested), scope()).value == 1
    for text in ("(" * 500 + "1" + ")" * 500, "-" * 5000 + "1", "2 ** " * 3000 + "1", "abs(" * 3000, "[" * 9000):
        assert error(text).code == "syntax"
        assert "nested" in error(text).message
    assert error("1" + " " * 20_000).code == "syntax"


def test_a_name_whose_definition_failed_stays_silent() -> None:
    with pytest.raises(AlreadyReported):
        value("1 + broken")


def test_integers_have_to_be_exact() -> None:
    assert integer_value(parse("2 ** 60 + 1"), scope()) == 2**60 + 1
    assert integer_value(parse("6 / 2"), scope()) == 3
    with pytest.raises(ExpressionError) as caught:
        integer_value(parse("7 / 2"), scope())
    assert caught.value.code == "wrong-type"


@pytest.mark.parametrize(
    ("text", "expected"), [("a_1", True), ("_x", True), ("not", False), ("1a", False), ("é", False)]
)
def test_what_can_be_a_name(text: str, expected: bool) -> None:
    assert is_name(text) is expected


def test_free_names_stand_where_they_are_first_used() -> None:
    assert free_names(parse("base + x * base - x")) == {"base": (0, 4), "x": (7, 8)}


def test_the_index_of_a_sum_is_not_free() -> None:
    assert free_names(parse("sum(w[k] * z, k, n) + k")) == {"w": (4, 5), "z": (11, 12), "n": (17, 18), "k": (22, 23)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p + d", 0.20000000298023224),
        ("p * 3", 0.30000001192092896),
        ("1 / p", 10.0),
        ("exp(p)", 1.1051709651947021),
        ("-p", -0.10000000149011612),
        ("min(p, d)", 0.10000000149011612),
        ("where(p == d, 1, 0)", 1),
        ("where(p > d, 1, 0)", 0),
        ("where(d < p, 1, 0)", 0),
    ],
)
def test_a_double_that_meets_a_dtype_number_is_cast_first(text: str, expected: float) -> None:
    """Each expected value is torch's for `p = torch.tensor(0.1)` and `d = 0.1`."""
    assert number_value(parse(text), scope(dict(FLOAT32), "float32")).value == expected


@pytest.mark.parametrize(("text", "at"), [("big * 2", (0, 7)), ("1 + p * 1e39", (4, 12)), ("p + 10 ** 60", (0, 12))])
def test_overflow_of_the_dtype_is_an_error(text: str, at: tuple[int, int]) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate_expression(parse(text), scope(dict(FLOAT32), "float32"))
    assert (caught.value.code, caught.value.at) == ("number", at)


@pytest.mark.parametrize(
    ("text", "code", "column"),
    [
        ("1 + bad", "unknown-name", 8),
        ("'1 + bad'", "unknown-name", 9),
        ("1 / 0", "number", 4),
        ("1e999", "number", 4),
        (".nan", "number", 4),
        ("true", "unknown-name", 4),
    ],
)
def test_a_formula_in_a_document_knows_its_place(text: str, code: str, column: int) -> None:
    document = parse_document(Source("spec.yaml", f"a: {text}"))
    assert isinstance(document, Mapping)
    node = document.get("a")
    assert isinstance(node, Scalar)
    findings = Findings()
    formula = read_formula(node, findings)
    if formula is not None:
        attempt(formula, scope(), number_value, findings)
    (diagnostic,) = findings
    assert diagnostic.code == code
    assert diagnostic.span is not None
    assert (diagnostic.span.line, diagnostic.span.column) == (1, column)
