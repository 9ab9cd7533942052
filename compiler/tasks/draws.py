"""The numbers that `random.Random` draws, many at once.

Python and numpy both have the Mersenne Twister MT19937, with one state and one stream of 32-bit words. For a bound of k
bits `randrange` takes as many words as hold these, the least significant one first and of the last one its first bits,
until they are below the bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import numpy as np
from numpy.random import MT19937
from numpy.typing import NDArray

_AT_ONCE = 1 << 15  # words that are drawn together: few enough for the cache


def drawn(random: Random, among: range, width: int, rows: range, size: int) -> Iterator[NDArray[np.uint64]]:
    """What `random.choice(among)` gives time after time, `width` numbers in a row, for each of `rows`.

    They come in blocks [parts, at most `size`, width]: parts of 64 bits, the least significant one first. `random` is
    left as it is.
    """
    numbers, parts = _raised(random, among), -(-among.stop.bit_length() // 64)
    rest = np.empty((parts, 0), np.uint64)
    skip = rows.start * width
    for first in range(rows.start, rows.stop, size):
        while skip >= rest.shape[1]:
            skip -= rest.shape[1]
            rest = next(numbers)
        rest = rest[:, skip:]
        skip = 0
        missing = min(size, rows.stop - first) * width
        pieces = []
        while missing > rest.shape[1]:
            pieces.append(rest)
            missing -= rest.shape[1]
            rest = next(numbers)
        last = rest[:, :missing]
        yield (np.concatenate((*pieces, last), 1) if pieces else last).reshape(parts, -1, width)
        rest = rest[:, missing:]


def _raised(random: Random, among: range) -> Iterator[NDArray[np.uint64]]:
    """The numbers without an end, [parts, numbers], so many at once as happen to be found."""
    count = -(-among.stop.bit_length() // 64)
    parts = _parts(among.start, count)
    for numbers in _below(random, among.stop - among.start):
        if len(numbers) < count:
            more = np.zeros((count - len(numbers), numbers.shape[1]), np.uint64)
            numbers = np.concatenate((numbers, more))
        for k, own in reversed([*enumerate(parts)] if among.start else []):
            carry = np.add(numbers[k], own, out=numbers[k]) < own
            for part in numbers[k + 1 :]:
                part += carry
                carry &= part == 0
        yield numbers


def _below(random: Random, bound: int) -> Iterator[NDArray[np.uint64]]:
    """Numbers without an end, [parts, numbers], so many at once as happen to be below the bound."""
    bits = bound.bit_length()
    count = -(-bits // 32)
    lowest, *limits = _parts(bound, -(-bits // 64))
    twister = _twister(random)
    while True:
        words = twister.random_raw(max(1, _AT_ONCE // count) * count).reshape(-1, count).T
        np.right_shift(words[-1], 32 * count - bits, out=words[-1])
        pairs = words[1::2] << 32
        pairs |= words[: 2 * len(pairs) : 2]
        first, *others = *pairs, *words[2 * len(pairs) :]
        is_below = first < lowest
        for part, limit in zip(others, limits, strict=True):
            is_below = (part < limit) | (part == limit) & is_below
        kept = first.compress(is_below)[None]
        yield np.stack([*kept, *(part.compress(is_below) for part in others)]) if others else kept


def _parts(number: int, count: int) -> list[int]:
    return [number >> 64 * k & (1 << 64) - 1 for k in range(count)]


def _twister(random: Random) -> MT19937:
    """Numpy's generator in the state of Python's."""
    *key, position = random.getstate()[1]
    twister = MT19937()
    twister.state = {"bit_generator": "MT19937", "state": {"key": np.array(key, np.uint32), "pos": position}}
    return twister
