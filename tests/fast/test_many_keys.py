"""Attention over many keys in bfloat16, where roundings of what was rounded before matter, and small weights vanish."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from compiler.backends.bounds.arithmetic import SLACK, Arithmetic, Rounding
from compiler.backends.bounds.attention import Keys, attend_head
from compiler.backends.bounds.bounded import ZERO, Bounded
from compiler.backends.bounds.key_tables import KeyWeights, key_weights
from compiler.backends.bounds.nodes import attend_all
from compiler.backends.bounds.quantities import Quantity
from compiler.backends.bounds.tensors import TensorFunctions, TensorLoop
from compiler.backends.elementary.program import Attended, Node
from compiler.expressions.floats import FORMATS
from compiler.verifier.attention import mixed_values
from compiler.verifier.forms import Ranges
from tests.verifier.test_relaxations import found_forms

ARITHMETIC = Arithmetic(TensorFunctions(), Rounding.of(FORMATS["bfloat16"]))
SMALLEST = 2.0**-126  # normal number


def attended(keys: int) -> Attended:
    """A head of one coordinate."""
    visible = np.ones((1, 1, keys), dtype=bool)
    nothing = np.zeros((1, 1, keys))
    return Attended("attention", 0, 1, 1, 1, 1, 1.0, "multiply", (nothing,), visible, False, (math.inf,))


def column(numbers: Quantity, keys: int) -> Tensor:
    """[queries, keys, batch]"""
    return torch.as_tensor(numbers, dtype=torch.float64).expand(keys)[None, :, None]


def mixed(scores: Tensor, value: Quantity, error: Quantity) -> tuple[float, float]:
    """What one query mixes from values that are off, and its bound; scores [keys]."""
    keys = len(scores)
    mask = torch.ones(1, keys, 1, dtype=torch.bool)
    own = Bounded(column(value, keys), column(error, keys))
    seen = Keys(
        TensorLoop(mask, keys), [ZERO], [own], [column(scores, keys)], 0.0
    )  # scores without a rounding of their own
    node = Node(attended(keys), (), 1, (0,), (0,))
    (found,) = attend_all(ARITHMETIC, node, attended(keys), [ZERO], partial(same, seen), attend_head)
    return float(found.value), float(found.error)


def same(keys: Keys, _head: int) -> Keys:
    return keys


def weights(scores: Tensor) -> KeyWeights:
    """The same as tables of one token."""
    keys = len(scores)
    visible = torch.ones(1, keys, 1, dtype=torch.bool)
    return key_weights(ARITHMETIC, attended(keys), Bounded(column(scores, keys), 0.0), visible, (1, keys, 1))


def proved(scores: Tensor, value: Quantity, error: Quantity) -> tuple[float, float]:
    """As the verifier bounds it."""
    found, keys = weights(scores), len(scores)
    product, off, size = found.products(Bounded(column(value, keys), column(error, keys)))
    forms = np.array([[float(part.sum()) for part in (product, found.weight, found.more, off, size)]])
    one = found_forms(most=found.most)
    made = replace(one, heads=(replace(one.heads[0], one=found.one),))
    x = mixed_values(ARITHMETIC, made, Ranges(np.array([0]), forms, forms), 100)[0]
    return float(x.value), float(ARITHMETIC.off(x))


WAYS = {"attended": mixed, "verifier": proved}


def added(terms: Tensor) -> Tensor:
    """One after the other, each sum rounded."""
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def check(way: str, scores: Tensor, value: Quantity, error: Quantity, plain: float) -> None:
    found, off = WAYS[way](scores, value, error)
    assert abs(plain - found) <= off * SLACK
    assert off < 20 * abs(plain - found)  # and it is a bound of some use


def one_outweighs(count: int) -> Tensor:
    """Scores of which one is 0; the weights of all others are less than half a unit of 1 in bfloat16."""
    return torch.tensor([0.0] + [-5.5625] * (count - 1), dtype=torch.bfloat16)


def said(scores: Tensor, values: Tensor) -> float:
    """By the module's steps, each rounded."""
    weights = scores.exp()
    return float(added(weights / added(weights) * values))


@pytest.mark.parametrize("way", WAYS)
def test_a_sum_of_weights_that_loses_all_but_the_largest_moves_what_is_off_too(way: str) -> None:
    """Values that are zero up to their errors are mixed to 1, though the largest weight is 0.64 of all."""
    scores, values = one_outweighs(150), torch.tensor([1.0] + [0.0] * 149, dtype=torch.bfloat16)
    weights = scores.double().exp()
    assert float(weights[0] / weights.sum()) < 0.65
    assert said(scores, values) == 1
    check(way, scores.double(), 0.0, values.double(), 1.0)


@pytest.mark.parametrize("way", WAYS)
def test_sums_of_products_with_weights_that_are_too_large(way: str) -> None:
    """Each product is a little more than half a unit of the sum so far, until that is 2."""
    scores, values = one_outweighs(150), torch.tensor([1.0] + [1 + 3 / 128] * 149, dtype=torch.bfloat16)
    assert said(scores, values) == 2
    check(way, scores.double(), 0.0, values.double(), 2.0)


@pytest.mark.parametrize("way", WAYS)
def test_a_product_may_take_a_small_weight_as_zero(way: str) -> None:
    """Its weight is a normal number before it is divided by the sum of all, and none after that."""
    scores = torch.tensor([0.0] * 32 + [-84.0], dtype=torch.bfloat16)
    values = torch.tensor([0.0] * 32 + [2.0**126], dtype=torch.bfloat16)
    weights = scores.exp()
    pattern = weights / added(weights)
    assert float(weights[-1]) > SMALLEST > float(pattern[-1]) > 0
    kept = pattern.double() @ values.double()
    assert kept > 0.3
    found, off = WAYS[way](scores.double(), values.double(), 0.0)
    assert abs(found) <= off * SLACK
    assert abs(float(kept) - found) <= off * SLACK
    assert off < 20 * kept
