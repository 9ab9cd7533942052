"""Binary operators on numbers, affine expressions, vectors and matrices, with errors that know their place."""

from __future__ import annotations

from compiler.expressions.affine import add, divide, multiply
from compiler.expressions.arithmetic import NotANumber, compare, compute
from compiler.expressions.matrices import ShapeMismatch, combine, describe, work
from compiler.expressions.scope import Scope
from compiler.expressions.syntax import ExpressionError, TextRange
from compiler.expressions.values import Affine, Matrix, Number, Truth, Vector

Operand = Number | Affine | Vector | Matrix


def compared(symbol: str, left: Number, right: Number, at: TextRange, scope: Scope) -> Truth:
    """`left symbol right`. Raises `ExpressionError`."""
    try:
        return Truth(compare(symbol, left, right, scope.dtype))
    except NotANumber as error:
        raise ExpressionError("number", str(error), at) from None


def applied(symbol: str, left: Operand, right: Operand, at: TextRange, scope: Scope) -> Operand:
    """`left symbol right`. Raises `ExpressionError`."""
    try:
        if isinstance(left, Affine) or isinstance(right, Affine):
            return _affine(symbol, left, right, at, scope)
        if isinstance(left, Vector | Matrix) or isinstance(right, Vector | Matrix) or symbol == "@":
            scope.work.spend(work(symbol, left, right), at)
            return combine(symbol, left, right, scope.dtype)
        return compute(symbol, left, right, scope.dtype)
    except NotANumber as error:
        raise ExpressionError("number", str(error), at) from None
    except ShapeMismatch as error:
        raise ExpressionError("shape", str(error), at) from None


def product_of(left: Number | Affine, right: Number | Affine, at: TextRange, scope: Scope) -> Number | Affine:
    """`left * right`. Raises `ExpressionError`."""
    try:
        if isinstance(left, Number) and isinstance(right, Number):
            return compute("*", left, right, scope.dtype)
        return _affine("*", left, right, at, scope)
    except NotANumber as error:
        raise ExpressionError("number", str(error), at) from None


NON_AFFINE_HINT = "products and functions of dimensions are computed by the units of an ffn: see `gate`, `activation`"


def _affine(symbol: str, left: Operand, right: Operand, at: TextRange, scope: Scope) -> Affine:
    """`left symbol right`, one side at least being affine in the dimensions. Raises `NotANumber`."""
    dtype = scope.dtype
    for side in (left, right):
        if isinstance(side, Vector | Matrix):
            hint = "dot(vector, family) sums a vector times dimensions"
            raise ExpressionError("wrong-type", f"'{symbol}' of {describe(side)} and a dimension", at, hint)
    assert isinstance(left, Number | Affine)
    assert isinstance(right, Number | Affine)
    scope.work.spend(sum(len(side.terms) for side in (left, right) if isinstance(side, Affine)), at)
    match symbol:
        case "+" | "-":
            return add(symbol, left, right, dtype)
        case "*" if isinstance(right, Number):
            return multiply(left, right, dtype, number_first=False)
        case "*" if isinstance(left, Number):
            return multiply(right, left, dtype, number_first=True)
        case "/" if isinstance(right, Number):
            return divide(left, right, dtype)
    message = "not affine: dimensions can be added up and multiplied or divided by numbers, nothing else"
    raise ExpressionError("non-affine", message, at, NON_AFFINE_HINT)
