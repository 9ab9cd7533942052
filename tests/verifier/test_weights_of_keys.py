"""What each key adds to the sums of a softmax, against all that the module's weights can be."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import product

import numpy as np
import pytest
import torch

from compiler.backends.bounds.arithmetic import SLACK, Arithmetic, Rounding
from compiler.backends.bounds.bounded import Bounded
from compiler.backends.bounds.key_tables import KeyWeights, key_weights
from compiler.backends.bounds.tensors import TensorFunctions
from compiler.expressions.floats import FORMATS
from compiler.tasks.automaton import complete
from compiler.verifier.attention import AttentionNode, Query, _relative_to_largest, attention_forms, mixed_values
from compiler.verifier.forms import Ranges, outwards
from compiler.verifier.sequences import CONSTANT
from tests.verifier.test_exact_weights import operation
from tests.verifier.test_keys_with_weights import arithmetic, read_so_far

KEYS, TOKENS = 3, 2
HEAD = operation()
SINGLE = np.float32


def weights(dtype: str, plus_one: bool, score: np.ndarray, error: np.ndarray) -> KeyWeights:
    """Of one query; scores are [keys, tokens]."""
    a = Arithmetic(TensorFunctions(), Rounding.of(FORMATS[dtype]))
    scores = Bounded(torch.tensor(score)[None], torch.tensor(error)[None])
    visible = torch.ones(1, len(score), 1, dtype=torch.bool)
    return key_weights(a, replace(HEAD, plus_one=plus_one), scores, visible, (1, *score.shape))


def drawn(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    shape, kind = (KEYS, TOKENS), random.integers(0, 4)
    score = random.normal(size=shape) * random.choice([1e-6, 1e-3, 1.0, 20.0])
    if kind == 1:
        score = np.array([0.0, 0.0, -85.0])[:, None] - random.uniform(0, 20, shape)
    if kind == 2:
        score = random.choice([1.7, 0.3, -3.3], shape)
    error = random.choice([0.0, 0.0, 1e-9, 1e-7, 1e-3, 0.5, 2.0]) * random.uniform(0, 1, shape)
    return score.astype(SINGLE).astype(np.float64), error


@pytest.mark.parametrize("plus_one", [False, True])
def test_weights_in_single_precision(plus_one: bool) -> None:
    """Scores as far off as they can be, the difference rounded, the exponential off by two units, or taken as zero."""
    random, finite, exact = np.random.default_rng(8), 0, 0
    unit, least = 2.0**-24, 2.0**-126
    for _ in range(120):
        score, error = drawn(random)
        value = random.normal(size=score.shape)
        found = weights("float32", plus_one, score, error)
        off_by_one_in_100 = Bounded(torch.tensor(value)[None], torch.tensor(abs(value) / 100)[None])
        parts = found.weight, found.more, *found.products(off_by_one_in_100)
        top = max(score.max(), 0.0) if plus_one else score.max()
        for tokens in product(range(TOKENS), repeat=KEYS):
            at = np.arange(KEYS), np.array(tokens)
            weight, more, mixed, off, size = (part[0].numpy()[at] for part in parts)
            if found.one and not plus_one:
                assert ((weight == 1) & (more == 0)).any()
                assert (weight <= 1).all()
            for signs in ((1, 1, 1), (1, -1, -1), (-1, 1, 1), (0, 0, 0)):
                own = score[at] + np.array(signs) * error[at] * (1 - 1e-6)
                near = own.astype(SINGLE)
                near = np.where(abs(near - score[at]) <= error[at], near, score[at].astype(SINGLE))
                highest = SINGLE(0) if plus_one else near.max()
                plain = np.exp((near - highest).astype(np.float64))
                for factor in (1 + 2 * unit, 1 - 2 * unit, 0.0):
                    own = plain * np.where((near == highest) & (near - highest == 0), 1.0, factor)
                    own = np.where((factor == 0) & (plain >= least), plain, own)
                    own = own * np.exp(float(highest) - top)
                    bounded = np.isfinite(more)
                    assert (abs(own - weight) <= more * SLACK + 1e-14 * weight)[bounded].all(), (score, error, signs)
                    for share in (1.01, 0.99):
                        products = own * value[at] * share
                        assert (abs(products - mixed) <= off * SLACK + 1e-14 * abs(mixed))[bounded].all()
                        assert (abs(products) <= size * SLACK + 1e-14 * abs(mixed))[bounded].all()
                    finite, exact = finite + bounded.sum(), exact + (more == 0).sum()
    assert finite > 1000
    assert exact > 100 or plus_one


def test_a_weight_that_scores_hide_and_errors_do_not() -> None:
    score, error = np.array([[0.0], [-760.0]]), np.array([[0.0], [100.0]])
    assert weights("float64", False, score, error).more[0, 1, 0] == np.inf
    error[1] = 2.0
    assert weights("float64", False, score, error).more[0, 1, 0] < 1e-300


def test_a_weight_that_a_product_takes_as_zero() -> None:
    """In bfloat16, e^-84 is normal, but a 64th of it is not."""
    score = np.array([[0.0]] * 63 + [[-84.0]])
    found = weights("bfloat16", False, score, np.zeros((64, 1)))
    assert 2.0**-126 < found.weight[0, 63, 0] < 64 * 2.0**-126
    assert found.more[0, 63, 0] >= found.weight[0, 63, 0]


def test_weights_relative_to_the_largest() -> None:
    """Where the weights are all divided by what the largest is off by, that one is known, and no mean has changed."""
    random, worth = np.random.default_rng(3), 0
    for _ in range(300):
        weight = np.exp(
            -random.exponential(random.choice([0.1, 3.0, 20.0]), (1, KEYS, 1)) * random.uniform(0.9, 1, (1, 1, TOKENS))
        )
        more = weight * random.choice([1e-9, 1e-3, 0.1, 0.4]) * random.uniform(0, 1, weight.shape)
        known = KeyWeights(torch.tensor(weight), torch.tensor(more), torch.zeros(1), KEYS, False)
        found, grown = _relative_to_largest(known)
        bound = found.more.numpy()
        changed = (bound == 0).all(2)[0]
        if not changed.any():
            assert (bound == more).all()
            assert grown == 1
            continue
        worth += 1
        (largest,) = np.flatnonzero(changed)
        for tokens in product(range(TOKENS), repeat=KEYS):
            at = np.arange(KEYS), np.array(tokens)
            for signs in product((-1, 0, 1), repeat=KEYS):
                plain = weight[0][at] + np.array(signs) * more[0][at]
                factor = weight[0][largest, tokens[largest]] / plain[largest]
                assert factor <= grown[0]
                assert (abs(plain * factor - weight[0][at]) <= bound[0][at] + 1e-15).all()
        assert bound.sum() <= 2 * more.sum() * grown[0]
    assert 50 < worth < 290


@pytest.mark.parametrize("plus_one", [False, True])
def test_keys_of_hardly_any_weight(plus_one: bool) -> None:
    """They are in no table, but in the bounds: here of all that they can add, in decimals."""
    random, sequence = np.random.default_rng(5), read_so_far()
    a, made = arithmetic("float64"), replace(HEAD, additions=(), head_dim=1, value_dim=1, scale=1.0, plus_one=plus_one)
    few = 0
    for _ in range(60):
        score = random.choice([0.0, -50.0, -60.0, -100.0, -300.0], 3) + random.normal(size=3)
        value = random.normal(size=3) * 10.0 ** random.choice([0.0, 0.0, 3.0, 12.0], 3)
        keys, values = (Bounded(torch.tensor(x)[:, None].expand(3, sequence.steps), 0.0) for x in (score, value))
        node = AttentionNode(FORMATS["float64"], made, (0,), sequence, (0, 1, 2), [keys], [values])
        found = attention_forms(a, node, Query(3, 1, [Bounded(torch.ones(1, dtype=torch.float64), 0.0)]))
        (path,) = complete(sequence.automaton, 0, np.zeros((1, 1), np.int64))
        forms = found.forms.constant[:, [0]]
        for column, step in enumerate(path):
            forms = outwards(forms, found.forms.tables[:, column, [step], 0])
        mixed = mixed_values(a, found, Ranges(np.array([0]), *forms), 100)[0]
        weights = [Decimal(x).exp() for x in score]
        total = sum(weights) + plus_one
        real = sum((w * Decimal(v) for w, v in zip(weights, value, strict=True)), Decimal(0)) / total
        assert abs(real - Decimal(float(mixed.value))) <= Decimal(float(a.off(mixed)))
        columns = sum(bool(table.any()) for table in found.forms.tables[..., 0].swapaxes(0, 1))
        few += columns < len({sequence.columns[i] for i in range(3)} - {CONSTANT})
    assert few > 10
