"""Exact integers of many inputs at once: numpy's machine integers while these hold them, Python's where they do not.

Each value has bounds that are known without looking at the inputs. They decide which integers hold a result, so that
none overflows.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.expressions.arithmetic import COMPARISONS

Truths = bool | NDArray[np.bool_]  # one for all inputs, or one for each

_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}


@dataclass(frozen=True, eq=False, slots=True)
class Integers:
    """One integer for all inputs, or an array [inputs] of any integer type or of Python's integers.

    All lie from `low` to `high`.
    """

    values: int | NDArray[Any]
    low: int
    high: int

    @property
    def bits(self) -> int:
        """At most so many bits has each."""
        return max(self.low.bit_length(), self.high.bit_length())


def constant(value: int) -> Integers:
    return Integers(value, value, value)


def tightened(value: Integers) -> Integers:
    """The same integers with the bounds that they reach."""
    if isinstance(value.values, int):
        return constant(value.values)
    return Integers(value.values, int(value.values.min()), int(value.values.max()))


def picked(value: Integers, rows: NDArray[np.intp]) -> Integers:
    """Those of some inputs."""
    return value if isinstance(value.values, int) else Integers(value.values[rows], value.low, value.high)


def combined(symbol: str, left: Integers, right: Integers) -> Integers:
    """`left symbol right` for an arithmetic operator. Divisors are not 0, exponents not negative."""
    if isinstance(left.values, int) and isinstance(right.values, int):
        return constant(_OPERATORS[symbol](left.values, right.values))
    bounds = _bounds(symbol, left, right)
    if not _fit(bounds) and _fit((left.low, left.high, right.low, right.high)):
        left, right = tightened(left), tightened(right)
        bounds = _bounds(symbol, left, right)
    fits = _fit((left.low, left.high, right.low, right.high, *bounds))
    values = _OPERATORS[symbol](_wide(left, fits), _wide(right, fits))
    return shrunk(Integers(values, *bounds))


def raised(base: Integers, exponent: Integers, bits: int) -> Integers:
    """`base ** exponent`, the exponents being such that each result has at most so many bits, or a few more."""
    if (base.bits - 1) * exponent.high <= bits:
        return combined("**", base, exponent)
    values = _wide(base, False) ** _wide(exponent, False)
    return constant(values) if isinstance(values, int) else shrunk(tightened(Integers(values, 0, 0)))


def comparison(symbol: str, left: Integers, right: Integers) -> Truths:
    """`left symbol right` for a comparison."""
    compare: Callable[[Any, Any], Any] = COMPARISONS[symbol]
    if isinstance(left.values, int) and isinstance(right.values, int):
        return bool(compare(left.values, right.values))
    fits = _fit((left.low, left.high, right.low, right.high))
    sides = (left.values, right.values) if fits else (_wide(left, False), _wide(right, False))
    found: NDArray[np.bool_] = np.asarray(compare(*sides)).astype(bool, copy=False)
    return found


def negative(value: Integers) -> Integers:
    return combined("-", constant(0), value)


def absolute(value: Integers) -> Integers:
    return value if value.low >= 0 else larger(value, negative(value))


def larger(left: Integers, right: Integers) -> Integers:
    return _chosen(np.maximum, max, left, right)


def smaller(left: Integers, right: Integers) -> Integers:
    return _chosen(np.minimum, min, left, right)


def put_together(pieces: Iterable[tuple[NDArray[np.intp], Integers]], count: int) -> Integers:
    """One value [count] of pieces that hold those of some rows each, of every row together."""
    known = list(pieces)
    low, high = min(piece.low for _, piece in known), max(piece.high for _, piece in known)
    found = np.empty(count, np.int64 if _fit((low, high)) else object)
    for rows, piece in known:
        found[rows] = piece.values
    return Integers(found, low, high)


def replaced(value: Integers, bad: Truths, substitute: int) -> Integers:
    """The value with a substitute where it is bad; all others lie within its bounds."""
    if isinstance(value.values, int):
        return constant(substitute)
    return tightened(Integers(np.where(bad, substitute, value.values), 0, 0))


def too_long(value: Integers, bits: int) -> Truths:
    """Which have more than so many bits."""
    if isinstance(value.values, int):
        return value.values.bit_length() > bits
    return np.fromiter((int(one).bit_length() > bits for one in value.values), bool, len(value.values))


def too_high(base: Integers, exponent: Integers, bits: int) -> Truths:
    """For which the power has more than so many bits, by far."""
    if isinstance(base.values, int) and isinstance(exponent.values, int):
        return (base.values.bit_length() - 1) * exponent.values > bits
    pairs = np.broadcast(_wide(base, False), _wide(exponent, False))
    return np.fromiter(((int(one).bit_length() - 1) * int(times) > bits for one, times in pairs), bool, pairs.size)


def _chosen(many: Any, one: Callable[[int, int], int], left: Integers, right: Integers) -> Integers:
    low, high = one(left.low, right.low), one(left.high, right.high)
    if isinstance(left.values, int) and isinstance(right.values, int):
        return constant(low)
    fits = _fit((left.low, left.high, right.low, right.high))
    return shrunk(Integers(many(_wide(left, fits), _wide(right, fits)), low, high))


def _wide(value: Integers, fits: bool) -> Any:
    """An operand: a Python integer, or an array of 64 bits where everything `fits`, else one of Python's integers."""
    if isinstance(value.values, int):
        return value.values
    return value.values.astype(np.int64 if fits else object, copy=False)


def shrunk(value: Integers) -> Integers:
    """Machine integers where the bounds allow them."""
    if isinstance(value.values, np.ndarray) and value.values.dtype == object and _fit((value.low, value.high)):
        return Integers(value.values.astype(np.int64), value.low, value.high)
    return value


def _fit(numbers: Iterable[int]) -> bool:
    return all(_LOWEST <= number <= _HIGHEST for number in numbers)


def _bounds(symbol: str, left: Integers, right: Integers) -> tuple[int, int]:
    a, b, c, d = left.low, left.high, right.low, right.high
    match symbol:
        case "+":
            return a + c, b + d
        case "-":
            return a - d, b - c
        case "*":
            corners = (a * c, a * d, b * c, b * d)
            return min(corners), max(corners)
        case "//":
            divisors = [one for one in {c, d, *(near for near in (-1, 1) if c <= near <= d)} if one]
            quotients = [one // divisor for one in (a, b) for divisor in divisors]
            return min(quotients), max(quotients)
        case "%":
            if c > 0 and a >= 0 and b < c:
                return a, b
            return (c + 1 if c < 0 else 0), (d - 1 if d > 0 else 0)
        case _:
            most = max(abs(a), abs(b)) ** d
            return (-most if a < 0 else 0), max(most, 1)
