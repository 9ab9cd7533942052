"""Numbers that are rounded as badly as they can be: each term of the bound of a mix is needed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from random import Random

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from compiler.backends.bounds.arithmetic import SLACK, Arithmetic, Rounding
from compiler.backends.bounds.bounded import Bounded
from compiler.backends.bounds.norms import normalize
from compiler.backends.bounds.tensors import TensorFunctions
from compiler.backends.elementary.program import Normalized
from compiler.expressions.floats import FORMATS
from compiler.pipeline import load
from compiler.verifier.attention import AttentionForms, KeyRows, _Tables, mixed_values
from compiler.verifier.ffn import linear_sum
from compiler.verifier.forms import Ranges
from compiler.verifier.sequences import CONSTANT, sequences
from tests.helpers import SPECS
from tests.verifier.test_relaxations import found_forms

EXACT = Rounding(0.0, 0.0, 0.0, 0.0)  # of a module that rounds nothing: what is left is the engine's own


def mixed(rounding: Rounding, found: AttentionForms, forms: NDArray[np.float64]) -> tuple[Fraction, Fraction]:
    """What a head mixes where its forms [5] are these numbers, and by how much that may be off."""
    a = Arithmetic(TensorFunctions(), rounding)
    x = mixed_values(a, found, Ranges(np.array([0]), forms[None], forms[None]), 100)[0]
    return Fraction(float(x.value)), Fraction(float(a.off(x)))


@pytest.mark.parametrize("one", [False, True])
@pytest.mark.parametrize("keys", [3, 12, 41])
def test_sums_that_lose_all_but_the_largest_term(keys: int, one: bool) -> None:
    """In float32, 1 + 2^-24 and 1 - 2^-25 are 1: the sum of weights loses what would lower the mix, and the sum of
    products what would lower it, too."""
    small, single = 2.0**-24, np.float32
    weights, values = [1.0] + [small] * (keys - 1), [1.0] + [-0.5] * (keys - 1)
    total, mix = single(weights[0]), single(0)
    for weight in weights[1:]:
        total = single(total + single(weight))
    for weight, number in zip(weights, values, strict=True):
        mix = single(mix + single(single(weight) / total) * single(number))
    assert float(total) == float(mix) == 1
    terms = [w * v for w, v in zip(weights, values, strict=True)]
    forms = np.array([sum(terms), sum(weights), 1e-300, 0.0, sum(map(abs, terms))])
    head = replace(found_forms(most=keys).heads[0], one=one)
    value, off = mixed(Rounding.of(FORMATS["float32"]), replace(found_forms(), heads=(head,)), forms)
    assert abs(Fraction(float(mix)) - value) <= off * Fraction(SLACK)
    assert off < 2 * abs(Fraction(float(mix)) - value) or keys == 3


def test_a_key_beside_none_is_rounded_three_times() -> None:
    """Of w / (1 + w) · v the sum, the quotient and the product are rounded."""
    random, single = np.random.default_rng(1), np.float32
    weight = random.uniform(0.1, 1, 400_000).astype(single)
    value = random.uniform(1, 2, 400_000).astype(single)
    plain = (weight / (single(1) + weight) * value).astype(np.float64)
    real = weight.astype(np.float64) / (1 + weight.astype(np.float64)) * value
    found, needed = found_forms(1.0, most=1), 0.0
    for i in np.argsort(-np.abs(plain / real - 1))[:20]:
        w, v = float(weight[i]), float(value[i])
        mean, off = mixed(Rounding.of(FORMATS["float32"]), found, np.array([w * v, 1 + w, 1e-300, 0.0, w * v]))
        needed = max(needed, float(abs(Fraction(float(plain[i])) - mean) / off))
    assert 0.55 < needed <= SLACK


def test_products_of_weights_and_values_that_underflow() -> None:
    """Two thirds of the smallest number are rounded to it, or taken as zero."""
    least = 2.0**-149
    forms = np.array([least, 1.5, 1e-300, 0.0, least])
    value, off = mixed(Rounding.of(FORMATS["float32"]), found_forms(most=2), forms)
    assert off >= value
    assert off >= Fraction(least) - value


@pytest.mark.parametrize("seed", range(30))
def test_what_the_engine_rounds_itself(seed: int) -> None:
    """Were the module exact, a quotient of forms would still be rounded by the engine."""
    random = np.random.default_rng(seed)
    low = random.normal(size=2) + np.array([0.0, 4.0])
    forms = np.array([*low, 0.0, 0.0, abs(low[0])])
    value, off = mixed(EXACT, found_forms(most=1), forms)
    assert abs(Fraction(low[0]) / Fraction(low[1]) - value) <= off
    assert off < abs(value) * Fraction(2.0**-50)


def test_tables_hold_the_sums_of_their_keys() -> None:
    """Several keys of one column, and constant ones, add up: rounded outwards, and no more than has to be."""
    spec = load(SPECS / "tiny95.yaml", {"base": 2, "digits": 2})
    automaton = spec.resolved.task.automaton()
    assert automaton is not None
    length = len(spec.layout.prompt) + 3
    sequence = sequences(automaton, spec.layout, range(length))
    numbers = np.random.default_rng(5)
    tables = _Tables(sequence, tuple(range(length)), 2, KeyRows.of_all_steps(length, sequence.steps))
    assert sequence.columns.count(CONSTANT) > 1
    assert max(sequence.columns.count(k) for k in range(len(automaton.columns))) > 1
    for _ in range(10):
        own = numbers.normal(size=(2, length, sequence.steps)) * 10.0 ** numbers.uniform(-9, 9, (2, length, 1))
        fixed = np.array(sequence.columns) == CONSTANT
        own[:, fixed] = own[:, fixed][..., :1]
        tables.add(torch.from_numpy(own), 1 / 3)
        for case in range(2):
            parts = [Fraction(own[case, i, 0]) for i in np.flatnonzero(fixed)]
            check_pair(tables.made[-1].constant[:, case], [Fraction(1 / 3), *parts])
            for column in range(len(automaton.columns)):
                keys = [i for i, other in enumerate(sequence.columns) if other == column]
                for step in range(sequence.steps):
                    parts = [Fraction(own[case, i, step]) for i in keys]
                    check_pair(tables.forms().tables[:, column, step, case, -1], parts)


def check_pair(found: NDArray[np.float64], parts: list[Fraction]) -> None:
    low, high = map(Fraction, found)
    total, size = sum(parts, Fraction(0)), sum(map(abs, parts), Fraction(0))
    assert low <= total <= high
    assert high - low <= 2 * len(parts) * size * Fraction(2.0**-52)


def test_a_box_holds_its_ends() -> None:
    """The middle of an interval is rounded, so that its radius has to be a little larger."""
    random = Random(3)
    a = Arithmetic(TensorFunctions(), EXACT)
    for _ in range(200):
        low = random.gauss(0, 1)
        high = low + abs(random.gauss(0, random.choice((1, 1e-12, 1e-15, 1e-16))))
        ends = np.array([[low, 0, 0, 0, 0]]), np.array([[high, 0, 0, 0, 0]])
        x = mixed_values(a, found_forms(weighted=False, most=0), Ranges(np.array([0]), *ends), 100)[0]
        middle, radius = Fraction(float(x.value)), Fraction(float(a.off(x)))
        assert middle - radius <= Fraction(low) <= Fraction(high) <= middle + radius
        assert radius <= (high - low) / 2 + 1e-15 * (abs(low) + abs(high))


def test_a_product_of_what_is_off() -> None:
    """Both factors off by all that they may be, and the product rounded."""
    random, single = np.random.default_rng(2), np.float32
    x, y = (random.uniform(1, 2, 100_000).astype(single) for _ in range(2))
    a = Arithmetic(TensorFunctions(), Rounding.of(FORMATS["float32"]))
    worst = np.argsort(-np.abs((x * y).astype(float) - x.astype(float) * y) / 2.0 ** (x.astype(float) * y >= 2))[:20]
    for i, error in product(worst, (0.0, 0.5)):
        one, other = float(x[i]) - error, float(y[i]) - error
        found = a.multiply(Bounded(one, error), Bounded(other, error))
        needed = abs(Fraction(float(x[i] * y[i])) - Fraction(float(found.value)))
        assert needed <= found.error * SLACK
        assert needed > 0.9 * found.error


def test_quotients_by_a_number() -> None:
    """Divided, or times one over the number: rounded once, or twice."""
    random, single = np.random.default_rng(3), np.float32
    x = random.uniform(1, 2, 100_000).astype(single)
    a, least = Arithmetic(TensorFunctions(), Rounding.of(FORMATS["float32"])), 1.0
    for divisor in (3.0, 11.0):
        for plain in (x / single(divisor), x * (single(1) / single(divisor))):
            worst = int(np.argmax(np.abs(plain / (x.astype(float) / divisor) - 1)))
            found = a.divide(Bounded(float(x[worst]), 0.0), divisor)
            needed = abs(Fraction(float(plain[worst])) - Fraction(float(found.value)))
            assert needed <= found.error * SLACK
            least = min(least, float(needed / Fraction(found.error)))
    assert least > 0.3


def test_a_norm_whose_sum_loses_all_but_the_largest_square() -> None:
    """In float32, 1 + 2^-24 is 1: the module's mean is 1/64, and what comes of it 8."""
    a = Arithmetic(TensorFunctions(), Rounding.of(FORMATS["float32"]))
    inputs = [Bounded(x, 0.0) for x in (1.0, *[2.0**-12] * 63)]
    found = normalize(a, inputs, Normalized("rms", 1e-12, 1, None, 10), 0)[0]
    needed = abs(8.0 - found.value)
    assert needed <= a.off(found) * SLACK
    assert needed > 0.6 * a.off(found)


@pytest.mark.parametrize("count", [2, 3, 6])
def test_linear_maps_that_lose_all_but_the_largest_term(count: int) -> None:
    """Added to 1 one by one, each half a unit in the last place of 1 is lost; the bound is no larger than that."""
    half = 2.0**-24
    terms = [Bounded(1.0, 0.0), *(Bounded(half, 0.0) for _ in range(count - 1))]
    found = linear_sum(Arithmetic(TensorFunctions(), Rounding.of(FORMATS["float32"])), terms)
    said = np.float32(1)
    for term in terms[1:]:
        said += np.float32(term.value)
    assert said == 1
    assert found.value - 1 <= found.error <= (count - 1) * half * 1.0001


def test_linear_maps_that_engine_and_module_round_apart() -> None:
    """The engine adds to 1 three times, and is rounded down; the module adds the small ones first, and goes up."""
    unit = 2.0**-53
    terms = [Bounded(1.0, 0.0), *(Bounded(unit, 0.0) for _ in range(3))]
    found = linear_sum(Arithmetic(TensorFunctions(), Rounding.of(FORMATS["float64"])), terms)
    said = 1.0 + (unit + unit + unit)
    assert (found.value, said) == (1.0, 1.0 + 4 * unit)
    assert 4 * unit <= found.error <= 6.001 * unit


def test_a_linear_map_of_what_is_off() -> None:
    """The sum is rounded where its terms are as large as they can be: above 2, not below."""
    terms = [Bounded(1.0, 0.25), Bounded(0.75, 0.0, {1: 0.25})]
    found = linear_sum(Arithmetic(TensorFunctions(), Rounding.of(FORMATS["float32"])), terms)
    assert found.shared == {1: 0.25}
    assert 0.25 + 2.0**-23 <= found.error <= 0.25 + 2.0**-22.99
