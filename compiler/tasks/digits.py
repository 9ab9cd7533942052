"""Many numbers as words of digits, in numpy arrays; numbers that are too large for 64 bits are cut into limbs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Limbs = list[NDArray[np.uint64]]  # the least significant one first, each below base**digits_of_limb(base)

_NARROWER: dict[np.dtype[np.unsignedinteger], type[np.unsignedinteger]]
_NARROWER = {np.dtype(np.uint64): np.uint32, np.dtype(np.uint32): np.uint16}


def counted(numbers: range, size: int) -> Iterator[NDArray[np.uint64]]:
    """Numbers one after the other, at most `size` at once."""
    for first in range(numbers.start, numbers.stop, size):
        yield np.arange(first, min(first + size, numbers.stop), dtype=np.uint64)


def digits_of_limb(base: int) -> int:
    """How many digits a limb has: two limbs and a carry fit 64 bits."""
    return _fitting(base, 63)


def limbs_of_integers(numbers: Sequence[int], base: int, digits: int) -> Limbs:
    """Python's integers, each below base**digits, as limbs [numbers]."""
    size = digits_of_limb(base)
    limbs = []
    rest = list(numbers)
    for _ in range(size, digits, size):
        cut = [divmod(number, base**size) for number in rest]
        limbs.append(np.array([low for _, low in cut], np.uint64))
        rest = [high for high, _ in cut]
    return [*limbs, np.array(rest, np.uint64)]


def limbs_of_array(numbers: NDArray[np.uint64], base: int, digits: int) -> Limbs:
    """Numbers [n] of at most 64 bits, each below base**digits, as limbs [n]."""
    size = digits_of_limb(base)
    limbs = []
    for _ in range(size, digits, size):
        high = numbers // base**size
        limbs.append(numbers - high * base**size)
        numbers = high
    return [*limbs, numbers]


def word(limbs: Limbs, base: int, digits: int) -> NDArray[np.uint16]:
    """Words [n, digits] of the numbers that limbs [n] stand for, most significant digit first.

    Each column is stored as a whole, since it is made and read as one.
    """
    columns = np.empty((digits, len(limbs[0])), np.uint16)
    size = digits_of_limb(base)
    end = digits
    for limb in limbs[:-1]:
        _fill(columns[end - size : end], limb, base)
        end -= size
    _fill(columns[:end], limbs[-1], base)
    return columns.T


def added(a: Limbs, b: Limbs, base: int) -> Limbs:
    """The limbs of a + b; the last one may be larger than others by one digit."""
    limit = base ** digits_of_limb(base)
    carry = np.zeros_like(a[0])
    limbs = []
    for x, y in zip(a[:-1], b[:-1], strict=True):
        total = x + y + carry
        carry = (total >= limit).astype(np.uint64)
        limbs.append(total - carry * limit)
    return [*limbs, a[-1] + b[-1] + carry]


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
    size = _fitting(base, 8 * np.dtype(narrower).itemsize)
    while len(columns) > size:
        high = numbers // base**size
        _fill(columns[-size:], (numbers - high * base**size).astype(narrower), base)
        columns, numbers = columns[:-size], high
    _fill(columns, numbers.astype(narrower), base)


def _fitting(base: int, bits: int) -> int:
    """The most digits that fit so many bits: one symbol alone takes none, and is cut as if there were two."""
    digits = 1
    while max(base, 2) ** (digits + 1) <= 1 << bits:
        digits += 1
    return digits
