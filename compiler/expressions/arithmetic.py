"""Arithmetic on numbers with the rounding that the language promises (docs/language.md, "Rounding").

Two doubles (or exact integers) give what Python gives. Where one operand is a number of the spec's dtype, the
other is cast to the dtype first and the result is rounded to it; computing in double and rounding once more is
exact for + - * / in all formats here (double has more than twice the bits and two).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

from compiler.expressions.floats import FloatFormat, round_to, shortest
from compiler.expressions.values import Number, merged_provenance
from compiler.source.limits import MAX_INTEGER_BITS

PythonNumber = int | float


class NotANumber(Exception):
    """The operation has no finite real result; the message says why."""


def _power(base: PythonNumber, exponent: PythonNumber) -> PythonNumber:
    if (
        isinstance(base, int)
        and isinstance(exponent, int)
        and abs(base) > 1
        and base.bit_length() * exponent > 2 * MAX_INTEGER_BITS
    ):
        raise NotANumber(f"the power has more than {MAX_INTEGER_BITS} bits")
    if base == 0 and exponent < 0:
        raise NotANumber("zero has no negative power")
    result: PythonNumber | complex = base**exponent
    if isinstance(result, complex):
        raise NotANumber("the result is complex")
    return result


_BINARY: dict[str, Callable[[PythonNumber, PythonNumber], PythonNumber]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": _power,
}
FUNCTIONS: dict[str, Callable[[PythonNumber], PythonNumber]] = {
    "log": math.log,
    "exp": math.exp,
    "sqrt": math.sqrt,
    "sin": math.sin,
    "cos": math.cos,
    "abs": abs,
    "floor": math.floor,
}
CHOICES: dict[str, Callable[..., PythonNumber]] = {"min": min, "max": max}
COMPARISONS: dict[str, Callable[[PythonNumber, PythonNumber], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def compute(symbol: str, left: Number, right: Number, dtype: FloatFormat) -> Number:
    """`left symbol right`. Raises `NotANumber`."""
    return _apply(_BINARY[symbol], (left, right), dtype)


def compare(symbol: str, left: Number, right: Number, dtype: FloatFormat) -> bool:
    """`left symbol right`; a double is cast to the dtype where the other side is of it. Raises `NotANumber`."""
    if left.rounded != right.rounded:
        left, right = (side if side.rounded else cast(side, dtype) for side in (left, right))
    return COMPARISONS[symbol](left.value, right.value)


def call(function: Callable[..., PythonNumber], arguments: tuple[Number, ...], dtype: FloatFormat) -> Number:
    """A function of numbers, computed in double and rounded where an argument is of the dtype."""
    return _apply(function, arguments, dtype)


def negate(number: Number) -> Number:
    return Number(-number.value, number.rounded, number.provenance)


def cast(number: Number, dtype: FloatFormat) -> Number:
    """The number as one of the dtype. Raises `NotANumber` where it overflows."""
    try:
        value = round_to(number.value, dtype)
    except OverflowError:
        raise NotANumber(f"the integer is too large for {dtype.name}") from None
    if math.isinf(value) and not _infinite(number.value):
        raise NotANumber(f"{exact_figure(number.value)} is too large for {dtype.name}")
    return Number(value, True, number.provenance)


def exact_figure(value: PythonNumber) -> str:
    """A number for people: exact; of an integer with very many digits, its size."""
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 64 else f"an integer of {value.bit_length()} bits"
    return repr(value)


def as_figure(value: PythonNumber, dtype: FloatFormat | None = None) -> str:
    """A number for people. A whole number is exact and has no point; any other is the shortest text that reads back.

    It reads back to the same double; with a `dtype`, to the same number of the dtype.
    """
    if isinstance(value, int):
        return exact_figure(value)
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value if dtype is None else shortest(value, dtype))


def _infinite(value: PythonNumber) -> bool:
    return isinstance(value, float) and math.isinf(value)


def _apply(function: Callable[..., PythonNumber], arguments: tuple[Number, ...], dtype: FloatFormat) -> Number:
    rounded = False
    for argument in arguments:
        rounded = rounded or argument.rounded
    if rounded:
        arguments = tuple(argument if argument.rounded else cast(argument, dtype) for argument in arguments)
    values = [argument.value for argument in arguments]
    try:
        result = function(*values)
    except ZeroDivisionError:
        raise NotANumber("division by zero") from None
    except OverflowError:
        raise NotANumber("the result is too large for a double") from None
    except ValueError:
        shown = ", ".join(as_figure(value, dtype if rounded else None) for value in values)
        raise NotANumber(f"not defined for {shown}") from None
    if isinstance(result, float):
        if math.isnan(result):
            raise NotANumber("the result is not a number")
        if math.isinf(result) and not any(_infinite(value) for value in values):
            raise NotANumber("the result is too large for a double")
    elif result.bit_length() > MAX_INTEGER_BITS:
        raise NotANumber(f"an integer of more than {MAX_INTEGER_BITS} bits")
    provenance = merged_provenance(*(argument.provenance for argument in arguments))
    number = Number(result, rounded, provenance)
    return cast(number, dtype) if rounded else number
