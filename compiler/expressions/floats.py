"""The number formats a spec can name, and correct rounding into them, without torch.

Every format here is a subset of the IEEE doubles, so a number of any dtype is kept as a Python float.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_UP, Context, Decimal
from typing import Literal

DtypeName = Literal["float64", "float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class FloatFormat:
    """A binary floating-point format: `precision` significant bits, exponents `min_exponent` to `max_exponent`."""

    name: DtypeName
    precision: int
    min_exponent: int
    max_exponent: int

    @property
    def unit_roundoff(self) -> float:
        """The largest relative error of one rounding to nearest."""
        return 2.0**-self.precision

    @property
    def largest(self) -> float:
        return math.ldexp(2.0 - 2.0 ** (1 - self.precision), self.max_exponent)


FORMATS: dict[str, FloatFormat] = {
    "float64": FloatFormat("float64", 53, -1022, 1023),
    "float32": FloatFormat("float32", 24, -126, 127),
    "bfloat16": FloatFormat("bfloat16", 8, -126, 127),
    "float16": FloatFormat("float16", 11, -14, 15),
}


def round_to(number: int | float, target: FloatFormat) -> float:
    """The nearest number of the format, ties to even; an infinity where it overflows.

    Raises `OverflowError` for an integer that no double can hold.
    """
    value = float(_round_integer(number, target.precision) if isinstance(number, int) else number)
    if target.precision == 53 or value == 0.0 or not math.isfinite(value):
        return value
    _, exponent = math.frexp(value)  # value = m * 2**exponent with 0.5 <= |m| < 1
    if exponent > target.max_exponent + 1:
        return math.copysign(math.inf, value)
    lowest = max(exponent, target.min_exponent + 1) - target.precision
    rounded = math.ldexp(round(math.ldexp(value, -lowest)), lowest)
    return math.copysign(math.inf, value) if abs(rounded) > target.largest else math.copysign(rounded, value)


def shortest(value: float, target: FloatFormat) -> float:
    """The double with the shortest decimal text that rounds to `value` in the format; else `value` itself.

    Of 0.10000000149011612, a number of float32, it is 0.1. Numbers that are none of the format stay as they are.
    """
    if target.precision == 53 or not math.isfinite(value) or round_to(value, target) != value:
        return value
    exact = Decimal(value)
    for digits in range(1, 18):
        for rounding in (ROUND_HALF_EVEN, ROUND_UP):  # above a power of two the numbers lie further apart than below it
            near = float(Context(prec=digits, rounding=rounding).plus(exact))
            if round_to(near, target) == value:
                return near
    return value


def _round_integer(number: int, precision: int) -> int:
    """The nearest integer of so many significant bits, ties to even: a double in between would round twice."""
    shift = abs(number).bit_length() - precision
    if shift <= 0:
        return number
    kept, rest = divmod(number, 1 << shift)
    half = 1 << (shift - 1)
    return (kept + (rest > half or (rest == half and kept % 2 == 1))) << shift


def ulps_apart(first: float, second: float, dtype: FloatFormat) -> int | None:
    """How many steps from one number of the format to the next lie between two of its numbers; None with a NaN.

    Both zeros are one number here, and an infinity is one step away from the largest number.
    """
    if math.isnan(first) or math.isnan(second):
        return None
    return abs(_ordinal(first, dtype) - _ordinal(second, dtype))


def _ordinal(number: float, dtype: FloatFormat) -> int:
    """Zero is 0, the smallest positive number of the format 1, its negative -1, and so on."""
    if number == 0:
        return 0
    size = abs(number)
    if math.isinf(size):
        largest = _ordinal(dtype.largest, dtype)
        return largest + 1 if number > 0 else -largest - 1
    exponent = max(math.frexp(size)[1] - 1, dtype.min_exponent)
    steps = int(math.ldexp(size, dtype.precision - 1 - exponent))
    ordinal = steps + ((exponent - dtype.min_exponent) << (dtype.precision - 1))
    return -ordinal if number < 0 else ordinal
