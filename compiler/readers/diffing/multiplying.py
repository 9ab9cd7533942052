"""Products of sparse matrices, computed exactly and rounded once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from compiler.expressions.floats import FloatFormat, round_to

MAX_MULTIPLICATIONS = 1 << 20  # multiplications for one product, of numbers with some hundred bits
WIDE = 1000  # bits of a product that count as one multiplication more
SparseMatrix = Mapping[tuple[int, ...], float]  # what is not there is zero


def multiplied(factors: Iterable[SparseMatrix], dtype: FloatFormat) -> dict[tuple[int, ...], float] | None:
    """The product from left to right, each entry rounded to the dtype; without its zeros.

    None where it is too much work, or a factor is not finite.
    """
    first, *others = factors
    product, exponent = _integers(first)
    for factor in others:
        if product is None:
            return None
        rows: dict[int, list[tuple[int, int]]] = {}
        numbers, its_exponent = _integers(factor)
        if numbers is None:
            return None
        for (row, column), number in numbers.items():
            rows.setdefault(row, []).append((column, number))
        work = sum(len(rows.get(inner, ())) for _, inner in product)
        if work * (1 + (_bits(product) + _bits(numbers)) // WIDE) > MAX_MULTIPLICATIONS:
            return None
        made: dict[tuple[int, ...], int] = {}
        for (row, inner), left in product.items():
            for column, right in rows.get(inner, ()):
                made[row, column] = made.get((row, column), 0) + left * right
        product, exponent = made, exponent + its_exponent
    if product is None:
        return None
    rounded = {place: _rounded(number, exponent, dtype) for place, number in product.items()}
    return {place: value for place, value in rounded.items() if value}


def _integers(matrix: SparseMatrix) -> tuple[dict[tuple[int, ...], int] | None, int]:
    """The entries as integers times one power of two; None where one is not finite."""
    if not all(map(math.isfinite, matrix.values())):
        return None, 0
    ratios = {place: value.as_integer_ratio() for place, value in matrix.items()}
    shift = max((below.bit_length() - 1 for _, below in ratios.values()), default=0)
    return {place: above << (shift - below.bit_length() + 1) for place, (above, below) in ratios.items()}, -shift


def _bits(numbers: Mapping[tuple[int, ...], int]) -> int:
    return max((number.bit_length() for number in numbers.values()), default=0)


def _rounded(number: int, exponent: int, dtype: FloatFormat) -> float:
    """`number` · 2**`exponent`, to the nearest number of the dtype, ties to even; an infinity where it overflows."""
    size = abs(number)
    lowest = max(size.bit_length() + exponent, dtype.min_exponent + 1) - dtype.precision  # of the bits that are kept
    shift = lowest - exponent
    kept = size << -shift if shift <= 0 else _shifted(size, shift)
    try:
        value = math.ldexp(kept, lowest)
    except OverflowError:
        value = math.inf
    rounded = round_to(value, dtype)
    return rounded if number > 0 else -rounded


def _shifted(size: int, shift: int) -> int:
    kept, rest = divmod(size, 1 << shift)
    half = 1 << (shift - 1)
    return kept + (rest > half or (rest == half and kept % 2 == 1))
