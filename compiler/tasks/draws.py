"""The numbers that `random.Random` draws, many at once.

Python and numpy both have the Mersenne Twister MT19937, with one state and one stream of 32-bit words. For a bound of k
bits `randrange` takes the first k bits of a word, or two words, the lower one first, until they are below the bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import numpy as np
from numpy.random import MT19937
from numpy.typing import NDArray

_AT_ONCE = 1 << 15  # words that are drawn together: few enough for the cache


def drawn(random: Random, bound: int, width: int, rows: range, size: int) -> Iterator[NDArray[np.uint64]]:
    """What `random.randrange(bound)` gives time after time, `width` numbers in a row, for each of `rows`.

    They come in blocks [at most `size`, width]. `bound` has at most 64 bits; `random` is left as it is.
    """
    numbers = _below(random, bound)
    rest = np.empty(0, np.uint64)
    skip = rows.start * width
    for first in range(rows.start, rows.stop, size):
        while skip >= len(rest):
            skip -= len(rest)
            rest = next(numbers)
        rest = rest[skip:]
        skip = 0
        missing = min(size, rows.stop - first) * width
        pieces = []
        while missing > len(rest):
            pieces.append(rest)
            missing -= len(rest)
            rest = next(numbers)
        last = rest[:missing]
        yield (np.concatenate((*pieces, last)) if pieces else last).reshape(-1, width)
        rest = rest[missing:]


def _below(random: Random, bound: int) -> Iterator[NDArray[np.uint64]]:
    """The numbers without an end, so many at once as happen to be below the bound."""
    bits = bound.bit_length()
    twister = _twister(random)
    while True:
        words = twister.random_raw(_AT_ONCE)
        if bits <= 32:
            numbers = np.right_shift(words, 32 - bits, out=words)
        else:
            numbers = words[1::2] >> (64 - bits)
            numbers <<= 32
            numbers |= words[::2]
        yield numbers.compress(numbers < bound)


def _twister(random: Random) -> MT19937:
    """Numpy's generator in the state of Python's."""
    *key, position = random.getstate()[1]
    twister = MT19937()
    twister.state = {"bit_generator": "MT19937", "state": {"key": np.array(key, np.uint32), "pos": position}}
    return twister
