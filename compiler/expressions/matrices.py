"""Arithmetic of vectors and matrices: number by number, products from left to right."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from compiler.expressions.arithmetic import compute
from compiler.expressions.floats import FloatFormat
from compiler.expressions.values import KINDS, Matrix, Number, Vector

VectorOrMatrix = Vector | Matrix


class ShapeMismatch(Exception):
    """Two arrays do not fit together; the message says why."""


def each(array: VectorOrMatrix, change: Callable[[Number], Number]) -> VectorOrMatrix:
    """The array with every number changed."""
    if isinstance(array, Vector):
        return Vector(tuple(change(number) for number in array.items))
    return Matrix(tuple(tuple(change(number) for number in row) for row in array.rows))


def combine(
    symbol: str, left: Number | VectorOrMatrix, right: Number | VectorOrMatrix, dtype: FloatFormat
) -> VectorOrMatrix:
    """`left symbol right`, one side at least an array: @, sums of equal shapes, multiples.

    Raises `ShapeMismatch`, and `NotANumber` where a number cannot be computed.
    """
    if symbol == "@":
        return matrix_product(left, right, dtype)
    if isinstance(right, Number) and not isinstance(left, Number) and symbol in ("*", "/"):
        return each(left, lambda number: compute(symbol, number, right, dtype))
    if isinstance(left, Number) and not isinstance(right, Number) and symbol == "*":
        return each(right, lambda number: compute(symbol, left, number, dtype))
    if symbol not in ("+", "-") or isinstance(left, Number) or isinstance(right, Number):
        message = f"'{symbol}' has no meaning between {describe(left)} and {describe(right)}"
        raise ShapeMismatch(f"{message}; the product of matrices is written @" if symbol == "*" else message)
    if type(left) is not type(right) or size(left) != size(right):
        raise ShapeMismatch(f"'{symbol}' of {describe(left)} and {describe(right)}")
    if isinstance(left, Vector) and isinstance(right, Vector):
        return Vector(_added(symbol, left.items, right.items, dtype))
    rows = zip(rows_of(left), rows_of(right), strict=True)
    return Matrix(tuple(_added(symbol, first, second, dtype) for first, second in rows))


def matrix_product(left: Number | VectorOrMatrix, right: Number | VectorOrMatrix, dtype: FloatFormat) -> VectorOrMatrix:
    """`left @ right`. A vector is a column; a matrix times a vector is a vector. Raises as `combine` does."""
    if isinstance(left, Number) or isinstance(right, Number):
        raise ShapeMismatch("@ takes two matrices or vectors; multiply by a number with *")
    first, second = rows_of(left), rows_of(right)
    if len(first[0]) != len(second):
        raise ShapeMismatch(f"{describe(left)} @ {describe(right)}: {len(first[0])} columns meet {len(second)} rows")
    columns = list(zip(*second, strict=True))
    product = tuple(tuple(_dot(row, column, dtype) for column in columns) for row in first)
    return Vector(tuple(row[0] for row in product)) if isinstance(right, Vector) else Matrix(product)


def transposed(array: VectorOrMatrix) -> Matrix:
    """Rows as columns; a vector becomes a single row."""
    return Matrix(tuple(zip(*rows_of(array), strict=True)))


def rows_of(array: VectorOrMatrix) -> tuple[tuple[Number, ...], ...]:
    """The rows of a matrix; those of a vector have one number each."""
    return array.rows if isinstance(array, Matrix) else tuple((number,) for number in array.items)


def size(array: Number | VectorOrMatrix) -> tuple[int, ...]:
    match array:
        case Number():
            return ()
        case Vector(items=items):
            return (len(items),)
        case Matrix():
            return array.shape


def describe(array: Number | VectorOrMatrix) -> str:
    """The array for messages: `a matrix of 2 × 3`."""
    kind, sizes = KINDS[type(array)], " × ".join(map(str, size(array)))
    return f"{kind} of {sizes}" if sizes else kind


def work(symbol: str, left: Number | VectorOrMatrix, right: Number | VectorOrMatrix) -> int:
    """How many operations `left symbol right` takes."""
    if symbol == "@":
        return 2 * prod(size(left)) * prod(size(right)[1:])
    return max(size_of(left), size_of(right))


def numbers_in(array: Number | VectorOrMatrix) -> tuple[Number, ...]:
    """The number, or those of the vector or matrix, row by row."""
    match array:
        case Number():
            return (array,)
        case Vector(items=items):
            return items
        case Matrix(rows=rows):
            return tuple(number for row in rows for number in row)


def size_of(array: Number | VectorOrMatrix) -> int:
    """How many numbers an array holds."""
    return prod(size(array))


def _added(symbol: str, left: tuple[Number, ...], right: tuple[Number, ...], dtype: FloatFormat) -> tuple[Number, ...]:
    return tuple(compute(symbol, a, b, dtype) for a, b in zip(left, right, strict=True))


def _dot(left: tuple[Number, ...], right: tuple[Number, ...], dtype: FloatFormat) -> Number:
    total = compute("*", left[0], right[0], dtype)
    for a, b in zip(left[1:], right[1:], strict=True):
        total = compute("+", total, compute("*", a, b, dtype), dtype)
    return total
