"""What is taken to be known to the last bit is what every order of summation gives, fused or not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import permutations, product
from random import Random

import numpy as np
import pytest
import torch

from compiler.backends.bounds.attention import Scored
from compiler.backends.bounds.bounded import Bounded
from compiler.backends.elementary.program import Linear, Node, Sum
from compiler.expressions.floats import FORMATS, FloatFormat
from compiler.verifier import exact
from tests.verifier.test_exact_weights import operation

pytestmark = pytest.mark.machine

DTYPES = tuple(exact.ROUNDED)
CASES = 300
UNKNOWN = 1e30  # the error of what is not known here


def rounded(dtype: FloatFormat, x: Fraction) -> Fraction:
    """To nearest, ties to even, also below the smallest normal number. Overflow is not looked at."""
    if not x:
        return x
    size = abs(x)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()  # or one less
    exponent -= size < Fraction(2) ** exponent
    grain = Fraction(2) ** (max(exponent, dtype.min_exponent) - dtype.precision + 1)
    return round(x / grain) * grain


def sums(dtype: FloatFormat, pairs: Sequence[tuple[float, float]], bias: Sequence[float] = ()) -> set[Fraction]:
    """All that a sum of products and more terms can be: one after the other in any order, and two by two."""
    exactly = [Fraction(x) * Fraction(y) for x, y in pairs] + [Fraction(x) for x in bias]
    found = set()
    for order in permutations(exactly):
        for fused in (True, False):
            total = Fraction(0)
            for term in order:
                total = rounded(dtype, total + (term if fused else rounded(dtype, term)))
            found.add(total)
        if len(order) == 4:
            one, two, three, four = (rounded(dtype, term) for term in order)
            halves = rounded(dtype, one + two), rounded(dtype, three + four)
            found.add(rounded(dtype, sum(halves, Fraction(0))))
    return found


def any_number(dtype: FloatFormat, random: Random) -> float:
    p = dtype.precision
    x = random.choice(
        (
            0.0,
            1.0,
            random.choice((2.0, 0.5, -4.0)),
            float(random.randint(-9, 9)),
            float(random.randint(2 ** (p - 2), 2**p)),
            random.gauss(0, 1),
            random.gauss(0, 1e-9),
            2.0 ** random.choice((dtype.min_exponent, dtype.min_exponent - 5, -dtype.min_exponent, p, -p, p - 1)),
        )
    )
    return float(torch.tensor(x, dtype=exact.ROUNDED[dtype.name]))


def live_node(made: Linear | Sum) -> Node:
    return Node(made, (0, 1), 1, (0,), (0,))


def known_inputs(dtype: FloatFormat, random: Random, channels: int) -> tuple[list[float], list[Bounded]]:
    numbers = [any_number(dtype, random) for _ in range(channels)]
    return numbers, [Bounded(x, 0.0) for x in numbers]


def known(found: Bounded) -> Fraction | None:
    """None where it is not."""
    if found.error or any(found.shared.values()):
        return None
    return Fraction(float(found.value))


@pytest.mark.parametrize("name", DTYPES)
def test_linear_maps(name: str) -> None:
    dtype, random = FORMATS[name], Random(f"linear:{name}")
    sure = changing = 0
    for _ in range(CASES):
        channels = random.randint(1, 3)
        numbers, inputs = known_inputs(dtype, random, channels)
        weights = [any_number(dtype, random) or 1.0 for _ in range(channels)]
        bias = any_number(dtype, random) if random.random() < 0.5 else 0.0
        node = live_node(Linear((tuple(enumerate(weights)),), (bias,)))
        (found,) = exact.step(dtype, node, [inputs], [Bounded(1.0, UNKNOWN, {3: 1.0})])
        ways = sums(dtype, list(zip(numbers, weights, strict=True)), [bias] if bias else [])
        value = known(found)
        assert value is None or abs(value) > 2 ** (-dtype.min_exponent) or ways == {value}, (numbers, weights, bias)
        sure, changing = sure + (value is not None), changing + (len(ways) > 1)
    assert sure > 0.2 * CASES
    assert changing > 0.05 * CASES


@pytest.mark.parametrize("name", DTYPES)
def test_scores(name: str) -> None:
    """Products, their sum, the scale, and what is added, one after the other."""
    dtype, random, sure = FORMATS[name], Random(f"scores:{name}"), 0
    scales, head = (1.0, 2.0, 0.5, 3.0, float(np.float32(math.sqrt(2)))), operation()
    for _ in range(CASES):
        size = random.randint(1, 3)
        (query, own), (keys, theirs) = (known_inputs(dtype, random, size) for _ in range(2))
        added = [any_number(dtype, random) for _ in range(random.randint(0, 2))]
        made = replace(head, scale=random.choice(scales), scale_operation=random.choice(("multiply", "divide")))
        found = exact.score(
            dtype,
            Scored(made, own, theirs, [torch.tensor(x, dtype=torch.float64) for x in added]),
            Bounded(1.0, UNKNOWN),
        )
        value = known(found)
        if value is None or abs(value) > 2 ** (-dtype.min_exponent):
            continue
        sure += 1
        for total in sums(dtype, list(zip(query, keys, strict=True))):
            scale = Fraction(made.scale)
            total = rounded(dtype, total / scale if made.scale_operation == "divide" else total * scale)
            for number in added:
                total = rounded(dtype, total + Fraction(number))
            assert total == value, (query, keys, made.scale, added)
    assert sure > 0.1 * CASES


def ends(x: Bounded) -> Iterator[Fraction]:
    parts = [Fraction(float(part)) for part in (x.error, *x.shared.values())]
    for signs in product((-1, 1), repeat=len(parts)):
        yield Fraction(float(x.value)) + sum((s * part for s, part in zip(signs, parts, strict=True)), Fraction(0))


@pytest.mark.parametrize("name", DTYPES)
def test_sums_of_two(name: str) -> None:
    """The second may be off: by so little that it does not matter, or by more."""
    dtype, random, sure, unsure = FORMATS[name], Random(f"two:{name}"), 0, 0
    for _ in range(2 * CASES):
        (one, x), (_, y) = (known_inputs(dtype, random, 1) for _ in range(2))
        if random.random() < 0.7:
            small = [abs(one[0]) * 2.0**-dtype.precision * random.choice((0.1, 0.2, 0.5, 1.0)) for _ in range(3)]
            y = [Bounded(random.choice((0.0, small[0])), random.choice((0.0, small[1])), {5: small[2]})]
        (found,) = exact.step(dtype, live_node(Sum()), [x, y], [Bounded(1.0, UNKNOWN)])
        value = known(found)
        sure, unsure = sure + (value is not None), unsure + (value is None)
        if value is not None and abs(value) < 2 ** (-dtype.min_exponent):
            assert {rounded(dtype, Fraction(one[0]) + end) for end in ends(y[0])} == {value}, (one, y)
    assert min(sure, unsure) > 0.1 * CASES
