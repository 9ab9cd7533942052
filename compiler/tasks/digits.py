"""Many numbers as words of digits, in numpy arrays. Numbers have parts of 64 bits, the least significant one first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

Parts = NDArray[np.uint64]  # of numbers, [parts, numbers]

_NARROWER: dict[np.dtype[np.unsignedinteger], type[np.unsignedinteger]]
_NARROWER = {np.dtype(np.uint64): np.uint32, np.dtype(np.uint32): np.uint16}
_HALF = 32  # bits of half a part: of a remainder and half a part together, the quotient fits half a part


def counted(numbers: range, size: int) -> Iterator[NDArray[np.uint64]]:
    """Numbers one after the other, at most `size` at once."""
    for first in range(numbers.start, numbers.stop, size):
        yield np.arange(first, min(first + size, numbers.stop), dtype=np.uint64)


def digits_of_limb(base: int) -> int:
    """How many digits a limb has: two limbs and a carry fit 64 bits."""
    return _fitting(base, 63)


def word_of_integers(numbers: Sequence[int], base: int, digits: int) -> NDArray[np.uint16]:
    """As `word`, of Python's integers."""
    columns = np.empty((digits, len(numbers)), np.uint16)
    size, end, rest = digits_of_limb(base), digits, list(numbers)
    while end > size:
        cut = [divmod(number, base**size) for number in rest]
        _fill(columns[end - size : end], np.array([low for _, low in cut], np.uint64), base)
        end, rest = end - size, [high for high, _ in cut]
    _fill(columns[:end], np.array(rest, np.uint64), base)
    return columns.T


def word(numbers: Parts, base: int, digits: int) -> NDArray[np.uint16]:
    """Words [n, digits] of numbers below base**digits, most significant digit first.

    Each column is stored as a whole, since it is made and read as one.
    """
    columns = np.empty((digits, numbers.shape[1]), np.uint16)
    size, end, rest = _fitting(base, _HALF), digits, numbers[0]
    if len(numbers) > 1:
        halves = [half for part in numbers for half in (part & ((1 << _HALF) - 1), part >> _HALF)]
        while (used := -(-(base**end - 1).bit_length() // _HALF)) > 2:
            _fill(columns[end - size : end], _divided(halves[:used], base**size), base)
            end -= size
        rest = halves[0] | halves[1] << _HALF
    _fill(columns[:end], rest, base)
    return columns.T


def _divided(halves: Sequence[NDArray[np.uint64]], divisor: int) -> NDArray[np.uint32]:
    """Divide numbers by one of at most 32 bits, in place, and give what remains."""
    rest = np.zeros_like(halves[0])
    for half in reversed(halves):
        rest <<= _HALF
        rest |= half
        np.floor_divide(rest, divisor, out=half)
        rest -= half * divisor
    return rest.astype(np.uint32)


def _fill(columns: NDArray[np.uint16], numbers: NDArray[np.unsignedinteger], base: int) -> None:
    """Write digits of numbers [n] into columns [digits, n]: short types divide faster, so the numbers are cut first."""
    narrower = _NARROWER.get(numbers.dtype)
    if narrower is None:
        for column in columns[:0:-1]:
            high = numbers // base
            np.subtract(numbers, high * base, out=column)
            numbers = high
        columns[0] = numbers
        return
    bits = 8 * np.dtype(narrower).itemsize
    size, low = _fitting(base, bits), numbers.astype(narrower)
    while len(columns) > size:
        numbers = numbers // base**size
        high = numbers.astype(narrower)
        _fill(columns[-size:], low - high * (base**size % (1 << bits)), base)  # what remains fits these bits
        columns, low = columns[:-size], high
    _fill(columns, low, base)


@cache
def _fitting(base: int, bits: int) -> int:
    """The most digits that fit so many bits: one symbol alone takes none, and is cut as if there were two."""
    digits = 1
    while max(base, 2) ** (digits + 1) <= 1 << bits:
        digits += 1
    return digits
