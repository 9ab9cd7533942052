"""Weights of a softmax that are taken to be known to the last bit are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from compiler.backends.bounds.arithmetic import Arithmetic, Rounding
from compiler.backends.bounds.bounded import Bounded
from compiler.backends.bounds.key_tables import key_weights
from compiler.backends.bounds.tensors import TensorFunctions
from compiler.backends.elementary.model import translate
from compiler.backends.elementary.program import Attended
from compiler.expressions.floats import FORMATS
from compiler.pipeline import load_source
from compiler.source.text import Source
from compiler.verifier import exact
from tests.helpers import small

pytestmark = pytest.mark.machine


def operation(**options: Any) -> Attended:
    spec = load_source(Source("one head", small("embedding:\n  digit[d]: {x: d}\nattention:\n  value head: x\n")))
    (found,) = (n.operation for n in translate(spec.network, spec.layout)[0].nodes if isinstance(n.operation, Attended))
    return replace(found, **options)


@pytest.mark.parametrize(
    ("plus_one", "scores", "known", "one"),
    [
        (False, (0.0, 0.0, 0.0), (True, True, True), True),
        (False, (1.7, 1.7, 0.3), (True, True, False), True),  # the module subtracts the largest score
        (True, (0.0, 0.0, -0.5), (True, True, False), True),
        (True, (1.7, 1.7, 0.3), (False, False, False), False),  # it does not: exp(1.7) is rounded
        (True, (-1.7, -1.7, 0.0), (False, False, True), True),
    ],
)
def test_weights_that_are_known(plus_one: bool, scores: tuple[float, ...], known: tuple[bool, ...], one: bool) -> None:
    a = Arithmetic(TensorFunctions(), Rounding.of(FORMATS["float64"]))
    value = torch.tensor(scores, dtype=torch.float64)[None, :, None]
    visible = torch.ones(1, 3, 1, dtype=torch.bool)
    found = key_weights(a, operation(plus_one=plus_one), Bounded(value, 0.0), visible, (1, 3, 1))
    assert tuple((found.more[0, :, 0] == 0).tolist()) == known
    assert found.one == one
    top = max(0.0, *scores) if plus_one else max(scores)
    real = torch.exp(value - top)
    assert ((found.weight - real).abs() <= found.more).all()


def test_the_weight_of_no_key_is_1_only_where_it_is_exactly_1() -> None:
    a = Arithmetic(TensorFunctions(), Rounding.of(FORMATS["float64"]))
    value = torch.tensor([0.0, 1e-20, 1e-17, 1.0], dtype=torch.float64)[:, None, None]
    visible = torch.ones(1, 1, 1, dtype=torch.bool)
    found = key_weights(a, operation(plus_one=True), Bounded(value, 0.0), visible, (4, 1, 1))
    assert (found.nothing == 1).tolist() == [True, False, False, False]


def test_the_lowest_bit_of_numbers_of_any_size() -> None:
    numbers = [3 * 2.0**k for k in (-1000, -200, -3, 0, 100, 181, 200, 1000)]
    found = exact._lowest_bit(torch.tensor(numbers, dtype=torch.float64))
    assert found.tolist() == [number / 3 for number in numbers]
