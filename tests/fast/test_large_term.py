"""A sum's own roundings, against sums in random orders, fused or not, in exact arithmetic."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
import torch

from compiler.backends.bounds.arithmetic import Arithmetic, Rounding
from compiler.backends.bounds.bounded import Bounded
from compiler.backends.bounds.large_term import roundings_beside_largest
from compiler.backends.bounds.tensors import TensorFunctions
from compiler.expressions.floats import FORMATS, FloatFormat

pytestmark = pytest.mark.machine

STEPS = 64  # offsets are multiples of 1 / STEPS of a step


def _rounded(x: Fraction, dtype: FloatFormat) -> Fraction:
    """To the nearest number of the dtype, ties to even."""
    if x == 0:
        return x
    power = abs(x.numerator).bit_length() - x.denominator.bit_length()
    if abs(x) < Fraction(2) ** power:
        power -= 1
    step = Fraction(2) ** (power + 1 - dtype.precision)
    return round(x / step) * step


def _summed(large: Fraction, small: list[Fraction], dtype: FloatFormat, chance: random.Random) -> Fraction:
    """In some order, or without any rounding before the end. The large term is a product that is rounded by itself, or
    with the first sum that it is in."""
    if chance.random() < 0.1:
        return _rounded(large + sum(small), dtype)
    terms = [(large, True), *((x, False) for x in small)]
    if chance.random() < 0.5:
        terms[0] = (_rounded(large, dtype), False)
    while len(terms) > 1:
        chance.shuffle(terms)
        (first, _), (second, _) = terms.pop(), terms.pop()
        terms.append((_rounded(first + second, dtype), False))
    ((total, exact),) = terms
    return _rounded(total, dtype) if exact else total


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
@pytest.mark.parametrize("others", [1, 2, 3, 4])
def test_what_is_lost_beside_a_large_term(name: str, others: int) -> None:
    """Both bounds hold, neither is twice too large, and they are better than half a step for each addition."""
    dtype = FORMATS[name]
    arithmetic = Arithmetic(TensorFunctions(), Rounding.of(dtype))
    chance = random.Random(others)
    step = Fraction(2) ** (10 - dtype.precision)  # between 512 and 1024
    half = float(step) / 2
    better, tight = 0, 0
    for _ in range(100):
        large = Fraction(chance.randrange(750 * 2**20, 790 * 2**20), 2**20)
        # offsets that add up to just below or just above half a step, and whole steps beside them
        offsets = [chance.choice([chance.randrange(STEPS // 2), STEPS // (2 * others)]) for _ in range(others)]
        small = [chance.choice([-1, 1]) * (chance.randrange(3) * step + step * offset / STEPS) for offset in offsets]
        off = float(step) / 2**12
        terms = [Bounded(torch.tensor(float(large), dtype=torch.float64), 0.0)]
        terms += [Bounded(torch.tensor(float(x), dtype=torch.float64), off) for x in small]
        lowered, raised = (float(x) for x in roundings_beside_largest(arithmetic, terms, others * half))
        better += lowered < others * half
        differences = []
        for _ in range(50):
            moved = [x + chance.choice([-1, 0, 1]) * Fraction(off) for x in small]
            exact = large + sum(moved)
            differences.append(float(_summed(large, moved, dtype, chance) - exact))
        assert -(lowered + half) <= min(differences)
        assert max(differences) <= raised + half
        tight += min(differences) < -(lowered + half) / 2
    assert better > 50
    assert tight > 15


def test_elsewhere_nothing_is_claimed() -> None:
    """Where two terms are as large, or the sum crosses a power of two."""
    arithmetic = Arithmetic(TensorFunctions(), Rounding.of(FORMATS["float32"]))
    for numbers in ([600.0, 600.0, 1.0], [600.0, -600.0, 1.0], [1023.9, 0.05, 0.06], [512.01, -0.05, 0.001]):
        terms = [Bounded(torch.tensor(x, dtype=torch.float64), 0.0) for x in numbers]
        assert roundings_beside_largest(arithmetic, terms, 7.0) == (7.0, 7.0)


def test_a_term_that_float64_rounds_too_is_not_taken_for_a_lead() -> None:
    """Beside 1.5 the module loses the small term, and the engine makes a whole unit in its last place of it."""
    dtype = FORMATS["float32"]
    arithmetic = Arithmetic(TensorFunctions(), Rounding.of(dtype))
    large, small = 1.5, torch.tensor(0.6 * 2.0**-52, dtype=torch.float32).item()
    terms = [Bounded(torch.tensor(x, dtype=torch.float64), 0.0) for x in (large, small)]
    lowered, _ = roundings_beside_largest(arithmetic, terms, float(dtype.unit_roundoff))
    assert torch.tensor(large, dtype=torch.float32) + torch.tensor(small, dtype=torch.float32) == large
    assert lowered >= (large + small) - large > small
    assert lowered < 1e-15
