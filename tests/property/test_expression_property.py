"""Random formulas: the bits that Python gives, the bits that torch gives, and never another exception."""

from __future__ import annotations

import ast
import math
import struct
from typing import Any

import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from compiler.expressions.evaluate import evaluate_expression
from compiler.expressions.floats import FORMATS, round_to
from compiler.expressions.parse import parse
from compiler.expressions.scope import Scope
from compiler.expressions.syntax import ExpressionError
from compiler.expressions.values import Affine, DimensionFamily, Number, Truth, Value, Vector
from compiler.source.limits import MAX_INTEGER_BITS
from compiler.source.text import Source, Span

SOURCE = Source("formula", "")
NAMES: dict[str, int | float] = {"a": 7, "b": -0.1, "c": 1e155, "d": 0, "e": 3}
PYTHON: dict[str, Any] = {
    **{name: getattr(math, name) for name in ("log", "exp", "sqrt", "sin", "cos", "floor", "pi")},
    **{"abs": abs, "min": min, "max": max},
    **NAMES,
}


def scope(names: dict[str, Value], dtype: str = "float64") -> Scope:
    return Scope(names, FORMATS[dtype], lambda start, end: Span(SOURCE, start, end))


def outcome(text: str, names: Scope) -> Value | ExpressionError:
    try:
        return evaluate_expression(parse(text), names)
    except ExpressionError as error:
        return error


def bits(value: int | float | bool) -> tuple[str, object]:
    """The value so that 1, 1.0 and True, and 0.0 and -0.0, all differ."""
    return type(value).__name__, struct.pack("<d", value) if isinstance(value, float) else value


literals = st.one_of(
    st.integers(0, 20).map(str),
    st.sampled_from(["0.1", "1e-3", "2.5", "1e300", ".5", "3.", "10", "pi"]),
    st.floats(0, 1e18).map(repr),
    st.sampled_from(sorted(NAMES)),
)


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    small = st.sampled_from(["2", "3", "0.5", "-1", "e"])
    return st.one_of(
        st.tuples(inner, st.sampled_from([" + ", " - ", "*", " / ", "//", " % "]), inner).map("".join),
        st.tuples(inner, st.sampled_from([" ** ", "**"]), small).map("".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"-{text}"),
        st.tuples(st.sampled_from(["log", "exp", "sqrt", "sin", "cos", "abs", "floor"]), inner).map(
            lambda call: f"{call[0]}({call[1]})"
        ),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda call: f"{call[0]}({call[1]}, {call[2]})"),
    )


formulas = st.recursive(literals, larger, max_leaves=8)
comparisons = st.tuples(formulas, st.sampled_from([" < ", "<=", " > ", ">=", " == ", "!="]), formulas).map("".join)


def in_python(text: str) -> int | float | None:
    """What Python makes of the formula; None where it raises, or a step of it gives no finite real number."""
    tree = ast.parse(text.strip(), mode="eval")
    result: int | float | None = None
    for part in reversed(list(ast.walk(tree.body))):  # the whole comes last
        if isinstance(part, ast.expr) and not (isinstance(part, ast.Name) and callable(PYTHON[part.id])):
            try:
                result = eval(compile(ast.Expression(part), "formula", "eval"), {"__builtins__": {}}, PYTHON)
            except (ArithmeticError, ValueError, TypeError):  # TypeError: a function of a complex number
                return None
            if isinstance(result, int):  # one that is too large for a double is still an exact integer
                if result.bit_length() > MAX_INTEGER_BITS:
                    return None
            elif isinstance(result, complex) or not math.isfinite(result):
                return None
    return result


def in_the_language(text: str) -> int | float | bool | None:
    names: dict[str, Value] = {name: Number(value) for name, value in NAMES.items()}
    result = outcome(text, scope(names))
    if isinstance(result, ExpressionError):
        assert result.code == "number", (result.code, result.message)
        assert 0 <= result.at[0] < result.at[1] <= len(text)
        return None
    if isinstance(result, Truth):
        return result.value
    assert isinstance(result, Number)
    return result.value


@settings(max_examples=200, deadline=None)
@given(formulas)
@example("-2 ** 2")
@example("2**-1")
@example("-0.1 % 3 // 2 * -7")
@example("0 * -0.1")
@example("-7 // 2.5")
@example("(-8)**0.5")
@example("1e300*1e300")
@example("floor(1e300) ** 2")
@example("floor(1e300) ** 2 * 0.5")
@example("floor(1e300) ** 8")
@example("7 - 3 - 2 ** 3**2")
def test_formulas_have_the_bits_of_python(text: str) -> None:
    expected, found = in_python(text), in_the_language(text)
    assert (expected is None) == (found is None), (expected, found)
    if expected is not None and found is not None:
        assert bits(found) == bits(expected)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(comparisons, min_size=1, max_size=3),
    st.lists(st.sampled_from([" and ", " or "]), min_size=2),
    st.booleans(),
)
def test_conditions_are_those_of_python(parts: list[str], joins: list[str], negated: bool) -> None:
    text = ("not " if negated else "") + parts[0] + "".join(map("".join, zip(joins, parts[1:], strict=False)))
    if any(in_python(side) is None for part in parts for side in _sides(part)):
        return  # infinities compare in Python, and are errors here
    expected, found = in_python(text), in_the_language(text)
    assert isinstance(found, bool)
    assert found is expected


def _sides(comparison: str) -> list[str]:
    for symbol in ("<=", ">=", "==", "!=", "<", ">"):
        if symbol in comparison:
            return comparison.split(symbol)
    raise AssertionError(comparison)


singles = st.floats(width=32, allow_nan=False, allow_infinity=False)
doubles = st.floats(allow_nan=False, allow_infinity=False, min_value=-3e38, max_value=3e38)
LETTERS = ("p", "q", "r", "s")


@settings(max_examples=200, deadline=None)
@given(
    st.lists(singles, min_size=4, max_size=4),
    st.lists(st.one_of(st.sampled_from(LETTERS), doubles.map(lambda x: f"({x!r})")), min_size=3, max_size=3),
    st.lists(st.sampled_from("+-*/"), min_size=3, max_size=3),
)
def test_dtype_formulas_have_the_bits_of_torch(values: list[float], operands: list[str], symbols: list[str]) -> None:
    """`p + (0.1) * q …`, grouped to the left so that each step has an operand of the dtype."""
    text = "(((p" + "".join(f" {symbol} {operand})" for symbol, operand in zip(symbols, operands, strict=True))
    names: dict[str, Value] = {name: Number(value, True) for name, value in zip(LETTERS, values, strict=True)}
    tensors = {name: torch.tensor(value, dtype=torch.float32) for name, value in zip(LETTERS, values, strict=True)}
    total = tensors["p"]
    for symbol, operand in zip(symbols, operands, strict=True):
        right = tensors.get(operand)
        if right is None:
            right = torch.tensor(float(operand[1:-1]), dtype=torch.float32)
        total = {"+": total + right, "-": total - right, "*": total * right, "/": total / right}[symbol]
        if not total.isfinite():
            break
    result = outcome(text, scope(names, "float32"))
    if isinstance(result, ExpressionError):
        assert result.code == "number"
        assert not total.isfinite()
    else:
        assert isinstance(result, Number)
        assert result.rounded
        assert bits(float(result.value)) == bits(total.item())


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.text(max_size=40),
        st.lists(
            st.sampled_from(["1", "2.5e3", "a", "w", "h", "x", "sum(", "where(", "dot(", "[", "]", "(", ")", ",", "**"])
            | st.sampled_from(["*", "-", "+", "<", "==", "and", "not", "or", "%", " ", ".", "e", "[0]", "k", "٣", "²"]),
            max_size=20,
        ).map(" ".join),
    )
)
def test_nothing_but_an_expression_error_is_raised(text: str) -> None:
    names: dict[str, Value] = {
        "a": Number(0.1, True),
        "w": Vector((Number(1), Number(2))),
        "h": DimensionFamily("h", 1, (2,)),
        "x": Affine({0: Number(1)}),
    }
    result = outcome(text, scope(names, "float32"))
    if isinstance(result, ExpressionError):
        assert result.message
        assert 0 <= result.at[0] < result.at[1] <= max(1, len(text))


@settings(max_examples=200, deadline=None)
@given(st.floats(), st.sampled_from(sorted(FORMATS)))
@example(1.7976931348623157e308, "float32")
@example(-1.7976931348623157e308, "float16")
def test_rounding_twice_is_rounding_once(value: float, name: str) -> None:
    once = round_to(value, FORMATS[name])
    assert bits(round_to(once, FORMATS[name])) == bits(once) or math.isnan(value)
    if math.isfinite(once) and abs(value) >= 2.0 ** FORMATS[name].min_exponent:
        assert abs(once - value) <= FORMATS[name].unit_roundoff * abs(value)


@settings(max_examples=200, deadline=None)
@given(st.floats(allow_nan=False), st.floats(allow_nan=False), st.sampled_from(sorted(FORMATS)))
def test_rounding_keeps_order_and_sign(first: float, second: float, name: str) -> None:
    low, high = sorted((first, second))
    assert round_to(low, FORMATS[name]) <= round_to(high, FORMATS[name])
    assert bits(round_to(-low, FORMATS[name])) == bits(-round_to(low, FORMATS[name]))
