"""Vectors and matrices in expressions and in definitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compiler.expressions.evaluate import evaluate_expression
from compiler.expressions.floats import FORMATS
from compiler.expressions.parse import parse
from compiler.expressions.scope import Scope, Work
from compiler.expressions.syntax import ExpressionError
from compiler.expressions.values import Affine, DimensionFamily, Matrix, Number, Value, Vector
from compiler.network.ir import FeedForward
from compiler.source.diagnostics import SpecError
from compiler.source.text import Source, Span
from tests.helpers import load_text, small

SOURCE = Source("formula", "")
A = [[1, 2, 3], [4, 5, 6]]
V = [2.5, -1]


def vector(items: list[float]) -> Vector:
    return Vector(tuple(map(Number, items)))


def matrix(rows: list[list[int]]) -> Matrix:
    return Matrix(tuple(tuple(map(Number, row)) for row in rows))


NAMES: dict[str, Value] = {
    "A": matrix(A),
    "v": vector(V),
    "k": Number(3),
    "x": Affine({0: Number(1)}),
    "h": DimensionFamily("h", 1, (2,)),
}


def scope(work: int = 10_000, dtype: str = "float64") -> Scope:
    return Scope(NAMES, FORMATS[dtype], lambda start, end: Span(SOURCE, start, end), Work(work))


def plain(value: Value) -> object:
    match value:
        case Number():
            return value.value
        case Vector(items=items):
            return [item.value for item in items]
        case Matrix(rows=rows):
            return [[item.value for item in row] for row in rows]
        case _:
            raise AssertionError(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A", A),
        ("A.T", np.array(A).T.tolist()),
        ("A.T.T", A),
        ("A @ A.T", (np.array(A) @ np.array(A).T).tolist()),
        ("(A @ A.T).T", (np.array(A) @ np.array(A).T).T.tolist()),
        ("A.T @ v", (np.array(A).T @ np.array(V)).tolist()),
        ("v @ v.T", np.outer(V, V).tolist()),
        ("v.T @ v", [7.25]),
        ("v.T", [V]),
        ("2 * A", [[2, 4, 6], [8, 10, 12]]),
        ("A * 2 / 4", (np.array(A) * 2 / 4).tolist()),
        ("-v", [-2.5, 1]),
        ("+v", V),
        ("A + A - A", A),
        ("v - v", [0, 0]),
        ("A[1, 2]", 6),
        ("A[1]", [4, 5, 6]),
        ("A[k - 2, 0]", 4),
        ("v[1]", -1),
        ("[[1, k], [k + 1, 2]]", [[1, 3], [4, 2]]),
        ("[v, v]", [V, V]),
        ("[1, k]", [1, 3]),
        ("where(k > 2, A, v)", A),
        ("3 * v @ v.T", (np.outer(V, V) * 3).tolist()),
    ],
)
def test_values(text: str, expected: object) -> None:
    assert plain(evaluate_expression(parse(text), scope())) == expected


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("A @ A", "shape", "3 columns meet 2 rows"),
        ("A @ v", "shape", "3 columns meet 2 rows"),
        ("A @ 2", "shape", "multiply by a number with *"),
        ("k @ k", "shape", "multiply by a number with *"),
        ("A * A", "shape", "the product of matrices is written @"),
        ("A + v", "shape", "a matrix of 2 × 3 and a vector of 2"),
        ("A + A.T", "shape", "a matrix of 2 × 3 and a matrix of 3 × 2"),
        ("A + 1", "shape", "between a matrix of 2 × 3 and a number"),
        ("A ** 2", "shape", "no meaning"),
        ("2 / A", "shape", "no meaning"),
        ("A / 0", "number", "division by zero"),
        ("k.T", "wrong-type", "expected a matrix, found a number"),
        ("h.T", "wrong-type", "expected a matrix"),
        ("A * x", "wrong-type", "a matrix of 2 × 3 and a dimension"),
        ("x + v", "wrong-type", "a vector of 2 and a dimension"),
        ("[[1, 2], [3]]", "shape", "same length"),
        ("[[1, 2], 3]", "wrong-type", "expected a number, found a vector"),
        ("[]", "wrong-type", "a list of no numbers"),
        ("A[2, 0]", "index-range", "0 to 1"),
        ("A[0, 3]", "index-range", "0 to 2"),
        ("A[0, 0, 0]", "index-range", "takes 2 indices, found 3"),
        ("v[0, 0]", "index-range", "takes 1 index, found 2"),
        ("sum(A, i, 2)", "wrong-type", "found a matrix"),
        ("exp(v)", "wrong-type", "found a vector"),
        ("A < 1", "wrong-type", "found a matrix"),
        ("A.t", "syntax", "only thing written after a dot is .T"),
        ("A .T2", "syntax", "no meaning"),
    ],
)
def test_errors(text: str, code: str, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate_expression(parse(text), scope())
    assert caught.value.code == code
    assert words in f"{caught.value.message} {caught.value.hint}"


def test_a_hint_says_how_to_name_one_element() -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate_expression(parse("exp(A)"), scope())
    assert caught.value.hint == "write A[i, j] for one of them"


def test_products_count_as_work() -> None:
    with pytest.raises(ExpressionError, match="steps to compute"):
        evaluate_expression(parse("A.T @ A"), scope(work=12))


def test_numbers_round_in_the_dtype_one_after_the_other() -> None:
    """float32: each product and each sum rounds, from left to right."""
    entries = [np.float32(entry) for entry in (0.1, 0.7, 1e-3)]
    rounded = tuple(Number(float(entry), True) for entry in entries)
    names: dict[str, Value] = {"row": Matrix((rounded,)), "column": Vector(rounded)}
    own = Scope(names, FORMATS["float32"], lambda start, end: Span(SOURCE, start, end))
    first, second, third = (entry * entry for entry in entries)
    assert plain(evaluate_expression(parse("row @ column"), own)) == [float((first + second) + third)]


ROWS = """
embedding:
  digit[d]: {x: d}
ffn:
  hidden: u[2]
  up: M
"""


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("parameters: {M: [[1, 2, 3], [4, 5, 6]]}", A),
        ('parameters: {M: "[[1, 2, 3], [4, 5, 6]]"}', A),
        ("parameters: {r: [1, 2, 3], s: [4, 5, 6], M: [r, s]}", A),
        ("constants: {c: [[1, 2], [3, 4], [5, 6]]}\nparameters: {M: c.T}", [[1, 3, 5], [2, 4, 6]]),
        ("constants: {n: 2, M: [[n, n + 1, 0], [n * n, 0, 1 / n]]}", [[2, 3, 0], [4, 0, 0.5]]),
    ],
)
def test_matrices_as_definitions(tmp_path: Path, written: str, expected: list[list[float]]) -> None:
    spec = load_text(tmp_path, small(ROWS, definitions=written))
    definition = spec.resolved.definitions["M"]
    assert plain(definition.value) == expected
    assert [number.value for number in definition.numbers] == [value for row in expected for value in row]
    step = spec.network.step("ffn")
    assert isinstance(step, FeedForward)
    entries = {entry.index: entry.value for entry in step.up.weight.entries}
    assert entries == {(i, j): value for i, row in enumerate(expected) for j, value in enumerate(row)}


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("parameters: {M: [[1, 2, 3], [4, 5]]}", "shape"),
        ("parameters: {M: [[1, 2, 3], 4]}", "shape"),
        ("parameters: {r: [1, 2, 3], s: [4, 5], M: [r, s]}", "shape"),
        ("parameters: {r: [1, 2, 3], M: [r, 4]}", "wrong-type"),
        ("parameters: {r: [1, 2, 3], M: [[r, r, r], [r, r, r]]}", "wrong-type"),
        ("parameters: {M: [[1, 2], [3, 4]]}", "shape"),
        ("parameters: {M: [1, 2, 3]}", "wrong-type"),
        ("parameters: {M: []}", "bad-value"),
        ("parameters: {M: [[1e999]]}", "number"),
    ],
)
def test_matrices_that_are_refused(tmp_path: Path, written: str, code: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_text(tmp_path, small(ROWS, definitions=written))
    assert [one.code for one in caught.value.diagnostics if one.severity == "error"] == [code]


def test_one_element_can_be_set(tmp_path: Path) -> None:
    written = "parameters: {M: [[1, 2, 3], [4, 5, 6]]}"
    spec = load_text(tmp_path, small(ROWS, definitions=written), {"M[1][2]": 60})
    assert plain(spec.resolved.definitions["M"].value) == [[1, 2, 3], [4, 5, 60]]
