"""Products of matrices: exact, rounded once, bounded."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import pairwise

import pytest
import torch

from compiler.expressions.floats import FORMATS, FloatFormat, round_to, ulps_apart
from compiler.readers.diffing.multiplying import multiplied

TINY = 5e-324


def neighbours(value: float, dtype: FloatFormat) -> list[float]:
    """The numbers of the dtype right below and right above one of it."""
    number = torch.tensor(value, dtype=getattr(torch, dtype.name))
    return [torch.nextafter(number, torch.tensor(end, dtype=number.dtype)).item() for end in (-math.inf, math.inf)]


@pytest.mark.parametrize("dtype", FORMATS.values(), ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("seed", range(4))
def test_a_product_is_exact_and_rounded_once(dtype: FloatFormat, seed: int) -> None:
    draw = random.Random(seed)
    sizes = 3, 7, 2, 4

    def matrix(rows: int, columns: int) -> dict[tuple[int, ...], float]:
        return {
            (i, j): round_to(draw.uniform(-1, 1) * 10 ** draw.randint(-2, 1), dtype)
            for i in range(rows)
            for j in range(columns)
            if draw.random() < 0.7
        }

    factors = [matrix(*pair) for pair in pairwise(sizes)]
    found = multiplied(factors, dtype)
    assert found is not None
    for i in range(sizes[0]):
        for j in range(sizes[-1]):
            exact = sum(
                (
                    Fraction(factors[0].get((i, a), 0))
                    * Fraction(factors[1].get((a, b), 0))
                    * Fraction(factors[2].get((b, j), 0))
                    for a in range(sizes[1])
                    for b in range(sizes[2])
                ),
                Fraction(0),
            )
            value = found.get((i, j), 0.0)
            error = abs(Fraction(value) - exact)
            assert all(error <= abs(Fraction(other) - exact) for other in neighbours(value, dtype))


@pytest.mark.parametrize(
    ("left", "right", "product"),
    [
        ({(0, 0): 1.0, (0, 1): 1e-300}, {(0, 0): 1.0, (1, 0): 1e-300}, {(0, 0): 1.0}),
        ({(0, 0): 1e300, (0, 1): 1.0, (0, 2): -1e300}, {(0, 0): 1.0, (1, 0): 1.0, (2, 0): 1.0}, {(0, 0): 1.0}),
        ({(0, 0): 3.0, (0, 1): -3.0}, {(0, 0): 2.0, (1, 0): 2.0}, {}),
        ({(0, 0): 1e200}, {(0, 0): -1e200}, {(0, 0): -math.inf}),
        ({(0, 0): 2.0**-600}, {(0, 0): 3 * 2.0**-475}, {(0, 0): 2 * TINY}),  # half a step: to even
        ({(0, 0): 2.0**-600}, {(0, 0): 2.0**-475}, {}),
        ({}, {(0, 0): 1.0}, {}),
    ],
)
def test_products_at_the_edges(
    left: dict[tuple[int, ...], float], right: dict[tuple[int, ...], float], product: dict[tuple[int, ...], float]
) -> None:
    assert multiplied([left, right], FORMATS["float64"]) == product


def test_what_is_not_multiplied() -> None:
    assert multiplied([{(0, 0): math.inf}, {(0, 0): 1.0}], FORMATS["float64"]) is None
    assert multiplied([{(0, 0): 1.0}, {(0, 0): math.nan}], FORMATS["float64"]) is None
    wide: dict[tuple[int, ...], float] = {(i, i): math.ldexp(1.0, 1000 - 4 * i) for i in range(500)}
    full: dict[tuple[int, ...], float] = {(i, j): 1e-300 for i in range(500) for j in range(500)}
    full[0, 0] = 2.0**1000
    assert multiplied([wide, wide], FORMATS["float64"]) is not None
    assert multiplied([wide, full], FORMATS["float64"]) is None  # numbers of thousands of bits
    column: dict[tuple[int, ...], float] = {(i, 0): 1.0 for i in range(2000)}
    assert multiplied([column, {(0, i): 1.0 for i in range(2000)}], FORMATS["float64"]) is None


@pytest.mark.parametrize("dtype", FORMATS.values(), ids=lambda dtype: dtype.name)
def test_ulps_are_steps_to_the_next_number(dtype: FloatFormat) -> None:
    smallest, normal = math.ldexp(1, dtype.min_exponent - dtype.precision + 1), math.ldexp(1, dtype.min_exponent)
    for start in (0.0, smallest, normal, 1.0, 3.0, -2.0, dtype.largest, -normal, -smallest):
        up = neighbours(start, dtype)[1]
        assert ulps_apart(start, up, dtype) == ulps_apart(up, start, dtype) == 1, start
    assert ulps_apart(1.0, 2.0, dtype) == 2 ** (dtype.precision - 1)
    assert ulps_apart(-1.0, 1.0, dtype) == 2 * (ulps_apart(0.0, 1.0, dtype) or 0)
    assert ulps_apart(0.0, -0.0, dtype) == 0
    assert ulps_apart(math.nan, 1.0, dtype) is None
