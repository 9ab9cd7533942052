"""What the fast engine takes for granted of torch: docs/performance.md says it, and here it is measured."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from compiler.backends.bounds.activations import (
    GELU_TANH_UNITS,
    GELU_UNITS,
    SIGMOID_UNITS,
    SILU_UNITS,
    TANH_UNITS,
)
from compiler.backends.elementary.program import FUNCTION_UNITS
from compiler.backends.torch.ffn import activate
from compiler.backends.torch.reference import alone
from compiler.expressions.floats import FORMATS
from compiler.network.ir import ActivationKind
from tests.helpers import DTYPES, same_bits

pytestmark = pytest.mark.machine

ALL = tuple(FORMATS)


def exactly(name: str, x: float) -> mpmath.mpf:
    functions = {"exp": mpmath.exp, "erf": mpmath.erf, "cos": mpmath.cos, "sin": mpmath.sin}
    return 1 / mpmath.sqrt(x) if name == "rsqrt" else functions[name](mpmath.mpf(x))


@pytest.mark.parametrize("name", ["exp", "erf", "rsqrt", "cos", "sin"])
@pytest.mark.parametrize("dtype", ALL)
def test_functions_of_torch(dtype: str, name: str) -> None:
    """They are off by what the bounds take for granted: of the value, for cosine and sine of one."""
    chance, number = np.random.default_rng(3), FORMATS[dtype]
    tiny = math.ldexp(1.0, number.min_exponent)
    reach = {"exp": 0.9 * math.log(number.largest), "erf": 7.0, "rsqrt": 100.0, "cos": 3000.0, "sin": 3000.0}[name]
    points = chance.uniform(-reach, reach, 3000) * 10.0 ** -chance.choice([0.0, 1.0, 2.0], 3000)
    numbers = torch.tensor(np.abs(points) + tiny if name == "rsqrt" else points, dtype=DTYPES[dtype])
    found = getattr(torch, name)(numbers).tolist()
    for x, y in zip(numbers.tolist(), found, strict=True):
        exact = exactly(name, x)
        size = 1 if name in ("cos", "sin") else abs(exact)
        assert abs(exact - y) <= FUNCTION_UNITS * number.unit_roundoff * size + tiny, (x, y, exact)


@pytest.mark.parametrize("dtype", ALL)
def test_the_exponential_of_a_softmax(dtype: str) -> None:
    """Torch has another one there. Beside a score of 0, the sum is 1, and the weight the exponential itself."""
    chance, number = np.random.default_rng(5), FORMATS[dtype]
    tiny = math.ldexp(1.0, number.min_exponent)
    smallest = -math.log(2) * (max(24, number.precision) + 1)  # short dtypes are summed in float32
    points = torch.tensor(chance.uniform(math.log(tiny) - 40, smallest, 20_000), dtype=DTYPES[dtype])
    for size in (2, 20):
        scores = torch.full((len(points), size), -torch.inf, dtype=DTYPES[dtype])
        scores[:, 0], scores[:, -1] = 0.0, points
        weights = torch.softmax(scores, -1).double()
        exact = torch.exp(points.double())
        assert ((weights[:, -1] - exact).abs() <= FUNCTION_UNITS * number.unit_roundoff * exact + tiny).all()
        assert (weights[:, 0] == 1).all()


# Where torch's gelu in float32 was found to be off most, by 6.3 units of the argument
HARD_FOR_GELU = (2.9791181087493896, 3.4531474113464355)


def exact_tanh(x: Tensor) -> Tensor:
    small = x - x**3 / 3 + 2 * x**5 / 15 - 17 * x**7 / 315
    return torch.where(x.abs() < 1e-2, small, torch.tanh(x))


# In float64, and by how much torch may be off
EXACT: dict[ActivationKind, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "silu": lambda x: (y := x / (1 + torch.exp(-x)), SILU_UNITS * y.abs()),
    "gelu": lambda x: (x * torch.special.ndtr(x), GELU_UNITS * x.abs()),
    "gelu_tanh": lambda x: (
        x / (1 + torch.exp(-2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        GELU_TANH_UNITS * x.abs(),
    ),
    "tanh": lambda x: (y := exact_tanh(x), TANH_UNITS * y.abs()),
    "sigmoid": lambda x: (y := 1 / (1 + torch.exp(-x)), SIGMOID_UNITS * y.abs()),
    "square": lambda x: (x * x, x * x),
}


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("dtype", ALL)
def test_activations_of_torch(dtype: str, name: ActivationKind) -> None:
    """Vectors and what is left over at their ends."""
    chance, number = np.random.default_rng(4), FORMATS[dtype]
    tiny = 1024 * math.ldexp(1.0, number.min_exponent)
    near = [x * (1 + chance.uniform(-1e-4, 1e-4, 4000)) for x in HARD_FOR_GELU]
    points = np.concatenate([chance.uniform(-20, 20, 6000) * 10.0 ** -chance.choice([0.0, 1.0, 3.0], 6000), *near])
    x = torch.tensor(points, dtype=DTYPES[dtype])
    for size in (len(x), 5):
        parts = (x[first : first + size] for first in range(0, len(x), size))
        found = torch.cat([activate(name, part) for part in parts]).double()
        # with some guard bits, or none in float64, where torch is within half of what is taken for granted
        exact, room = EXACT[name](x.double())
        assert ((found - exact).abs() <= number.unit_roundoff * room + tiny).all()


def layer(tokens: Tensor, table: Tensor, up: Tensor, bias: Tensor, down: Tensor) -> Tensor:
    x = functional.embedding(tokens[None], table)
    x = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)
    return functional.linear(functional.silu(functional.linear(x, up, bias)), down)[0]


@pytest.mark.parametrize("dtype", ALL)
def test_a_row_does_not_depend_on_the_others(dtype: str) -> None:
    """Norm, map, activation, map: bit by bit the same in a sequence of one repeated token. `measured` rests on it."""
    with alone():
        for seed in range(60):
            chance = np.random.default_rng(seed)
            length, size, hidden, outputs = (int(n) for n in chance.integers(1, 40, 4))
            shapes = ((5, size), (hidden, size), (hidden,), (outputs, hidden))
            table, up, bias, down = (torch.tensor(chance.normal(0, 1, shape), dtype=DTYPES[dtype]) for shape in shapes)

            tokens = torch.tensor(chance.integers(0, 5, length))
            found = layer(tokens, table, up, bias, down)
            for token in range(5):
                repeated = layer(torch.full((length,), token), table, up, bias, down)
                assert same_bits(found[tokens == token], repeated[tokens == token])
