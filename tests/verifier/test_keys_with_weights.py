"""One query over keys: which of them can have a weight, and what is mixed by weights that are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from compiler.backends.bounds.arithmetic import SLACK, Arithmetic, Rounding
from compiler.backends.bounds.bounded import Bounded
from compiler.backends.bounds.tensors import TensorFunctions
from compiler.backends.elementary.program import Attended, Mixed
from compiler.expressions.floats import FORMATS
from compiler.pipeline import load
from compiler.tasks.automaton import complete
from compiler.verifier.attention import AttentionNode, Query, _with_weight, attention_forms, mixed_values
from compiler.verifier.forms import Ranges, outwards
from compiler.verifier.sequences import Sequences, sequences
from tests.helpers import SPECS
from tests.verifier.test_exact_weights import operation


def arithmetic(dtype: str) -> Arithmetic:
    return Arithmetic(TensorFunctions(), Rounding.of(FORMATS[dtype]))


def doubles(numbers: Any) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def read_so_far() -> Sequences:
    spec = load(SPECS / "tiny95.yaml", {"base": 2, "digits": 2})
    automaton = spec.resolved.task.automaton()
    assert automaton is not None
    return sequences(automaton, spec.layout, range(4))


def mixed_by(
    dtype: str, made: Attended | Mixed, values: Sequence[float], off: Sequence[float] = (), score: float = 0.0
) -> tuple[float, Fraction]:
    """What the last of the positions mixes of these values of the first ones, up to `off`, and by how much it may
    differ."""
    a, sequence, keys = arithmetic(dtype), read_so_far(), len(values)
    value, error = (doubles(part)[:, None].expand(keys, sequence.steps) for part in (values, off or (0.0,) * keys))
    query = [Bounded(doubles([score]), 0.0)]
    key = [Bounded(torch.ones(keys, sequence.steps, dtype=torch.float64), 0.0)]
    node = AttentionNode(FORMATS[dtype], made, (0,), sequence, tuple(range(keys)), key, [Bounded(value, error)])
    found = attention_forms(a, node, Query(3, 1, query))
    (path,) = complete(sequence.automaton, 0, np.zeros((1, 1), np.int64))
    forms = found.forms.constant[:, [0]]
    for column, step in enumerate(path):
        forms = outwards(forms, found.forms.tables[:, column, [step], 0])
    mixed = mixed_values(a, found, Ranges(np.array([0]), *forms), 100)[0]
    return float(mixed.value), Fraction(float(a.off(mixed)))


def fixed(weights: Sequence[float], error: Sequence[float]) -> Mixed:
    """The weights of the last of 4 positions, for the first ones."""
    tables = np.zeros((2, 1, 4, 4))
    tables[0, 0, 3, : len(weights)], tables[1, 0, 3, : len(weights)] = weights, error
    return Mixed(1, 1, 1, *tables)


def test_weights_and_values_that_are_off() -> None:
    for signs in product((-1, 1), repeat=4):
        weights, values = (0.5, 0.3), (2.0, -3.0)
        errors, offs = (2.0**-10, 2.0**-12), (2.0**-9, 2.0**-11)
        value, off = mixed_by("float64", fixed(weights, errors), values, offs)
        parts = [
            (Fraction(w) + signs[i] * Fraction(errors[i])) * (Fraction(v) + signs[2 + i] * Fraction(offs[i]))
            for i, (w, v) in enumerate(zip(weights, values, strict=True))
        ]
        assert abs(sum(parts) - Fraction(value)) <= off * Fraction(SLACK)


@pytest.mark.parametrize("keys", [1, 2, 3])
def test_products_and_sums_of_fixed_weights_are_rounded(keys: int) -> None:
    random, single = np.random.default_rng(keys), np.float32
    weights, values = (random.uniform(0.5, 2, (400_000, keys)).astype(single) for _ in range(2))
    products = weights * values
    plain, real = products[:, 0], (weights.astype(float) * values).sum(1)
    for i in range(1, keys):
        plain = plain + products[:, i]
    power = 2.0 ** np.floor(np.log2(real))
    needed = Fraction(0)
    for i in np.argsort(-np.abs(plain - real) / power)[:10]:
        value, off = mixed_by("float32", fixed(weights[i].tolist(), [0.0] * keys), values[i].tolist())
        needed = max(needed, abs(Fraction(float(plain[i])) - Fraction(value)) / off)
    assert 0.6 < needed <= SLACK


def test_sums_of_fixed_weights_that_lose_all_but_the_largest_term() -> None:
    """With weights that are powers of two, sums alone are rounded."""
    for values, plain in (((2.0, 2.0**-23), 1.0), ((2.0, 2.0**-23, 2.0**-23), 1.0)):
        value, off = mixed_by("float32", fixed([0.5] * len(values), [0.0] * len(values)), values)
        needed = abs(Fraction(plain) - Fraction(value))
        assert needed > 0
        assert needed <= off * Fraction(SLACK) <= 3 * needed


def test_products_that_underflow() -> None:
    for dtype, weight, number in (("float32", 0.5, 2.0**-149), ("bfloat16", 2.0**-130, 2.0**120)):
        value, off = mixed_by(dtype, fixed([weight], [0.0]), [number])
        assert Fraction(value) > 0
        assert off >= Fraction(value)  # the module may say 0


def test_a_head_with_one_key_copies_its_value() -> None:
    visible = np.zeros((1, 4, 4), bool)
    visible[0, 3, 1] = True
    made = replace(operation(), additions=(), visible=visible, head_dim=1, value_dim=1, plus_one=False)
    value, off = mixed_by("float64", made, (5.0, 7.0, 9.0), (0.1, 0.25, 0.1), score=1.0)
    assert value == 7.0
    assert off == 0.25


@pytest.mark.parametrize("plus_one", [False, True])
def test_a_key_without_a_weight_never_has_one(plus_one: bool) -> None:
    """Scores are off, and those of the other keys depend on their steps: all exponentials that can be more than the
    smallest number have a weight."""
    a, random = arithmetic("float64"), np.random.default_rng(4)
    lowest_weight, kept, left = -745.2, 0, 0  # e^-745.2 is rounded to 0, e^-745.1 is not
    made = replace(operation(), plus_one=plus_one)
    for _ in range(1000):
        value = random.choice([0.0, -300.0, -700.0, -740.0, -760.0, -1500.0], (1, 3, 2)) + random.normal(size=(1, 3, 2))
        error = random.choice([0.0, 1e-6, 3.0, 30.0], (1, 3, 2))
        visible = torch.ones(1, 3, 1, dtype=torch.bool)
        found = _with_weight(a, made, Bounded(doubles(value), doubles(error)), visible, (1, 3, 2))[0, :, 0]
        highest, least = (value + error).max(2)[0], (value - error).min(2)[0]
        for key in range(3):
            others = [0.0] if plus_one else [least[other] for other in range(3) if other != key]
            above = highest[key] - max(others)
            if above > lowest_weight:
                assert found[key]
                kept += 1
            left += not found[key]
    assert kept > 100
    assert left > 20
