"""Arithmetic of affine expressions: one number per dimension, and a constant."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from compiler.expressions.arithmetic import compute, negate
from compiler.expressions.floats import FloatFormat
from compiler.expressions.values import Affine, DimensionFamily, Number


def column(family: DimensionFamily, indices: tuple[int, ...]) -> int:
    """The column of one dimension of a family, the last index running fastest."""
    offset = 0
    for index, size in zip(indices, family.sizes, strict=True):
        offset = offset * size + index
    return family.start + offset


def add(symbol: str, left: Number | Affine, right: Number | Affine, dtype: FloatFormat) -> Affine:
    """`left + right` or `left - right`, dimension by dimension. Raises `NotANumber`."""
    first, second = _affine(left), _affine(right)
    terms = dict(first.terms)
    for key, number in second.terms.items():
        terms[key] = _plus(symbol, terms.get(key), number, dtype)
    constant = first.constant
    if second.constant is not None:
        constant = _plus(symbol, constant, second.constant, dtype)
    return Affine(terms, constant)


def add_up(parts: Iterable[Number | Affine], dtype: FloatFormat) -> Number | Affine:
    """The sum of many, from left to right, each number once; no parts are zero. Raises `NotANumber`."""
    total: Number | None = None
    terms: dict[int, Number] = {}
    for part in parts:
        expression = _affine(part)
        for key, number in expression.terms.items():
            terms[key] = _plus("+", terms.get(key), number, dtype)
        if expression.constant is not None:
            total = _plus("+", total, expression.constant, dtype)
    return Affine(terms, total) if terms else total if total is not None else Number(0)


def multiply(expression: Number | Affine, factor: Number, dtype: FloatFormat, *, number_first: bool) -> Affine:
    """Each number of the expression times `factor`, in the order in which they stand. Raises `NotANumber`."""
    if number_first:
        return _each(expression, lambda number: compute("*", factor, number, dtype))
    return _each(expression, lambda number: compute("*", number, factor, dtype))


def divide(expression: Number | Affine, divisor: Number, dtype: FloatFormat) -> Affine:
    """Each number of the expression divided by `divisor`. Raises `NotANumber`."""
    return _each(expression, lambda number: compute("/", number, divisor, dtype))


def negated(expression: Affine) -> Affine:
    return _each(expression, negate)


def _each(expression: Number | Affine, change: Callable[[Number], Number]) -> Affine:
    source = _affine(expression)
    constant = None if source.constant is None else change(source.constant)
    return Affine({key: change(number) for key, number in source.terms.items()}, constant)


def _plus(symbol: str, left: Number | None, right: Number, dtype: FloatFormat) -> Number:
    if left is None:
        return right if symbol == "+" else negate(right)
    return compute(symbol, left, right, dtype)


def _affine(value: Number | Affine) -> Affine:
    return Affine({}, value) if isinstance(value, Number) else value
