"""SiLU and GELU lie a little below max(0, x): by no more than the verifier takes off, wherever the argument is."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import erfc, pi, sqrt, tanh

import pytest
import torch
from torch.nn import functional

from compiler.backends.bounds.activations import GELU_BELOW, GELU_TANH_BELOW, SILU_BELOW, activation
from compiler.backends.bounds.bounded import Bounded
from compiler.network.ir import ActivationKind
from tests.verifier.test_relaxations import arithmetic

APPROXIMATE = {"gelu": "none", "gelu_tanh": "tanh"}
STEP = 2.0**-16
STEEPEST = 1.13  # of GELU, and so of what it is below max(0, x)


def below_gelu(x: float) -> float:
    return x / 2 * erfc(x / sqrt(2))


def below_gelu_tanh(x: float) -> float:
    return x / 2 * (1 - tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))


def test_silu_is_never_further_below() -> None:
    """x / (1 + e^x) ≤ c where c (1 + e^x) - x ≥ 0, which is least at x = -ln c, where it is c + 1 + ln c."""
    below = Decimal(SILU_BELOW)
    assert below + 1 + below.ln() > Decimal("1e-6")
    assert below - Decimal("1e-5") + 1 + (below - Decimal("1e-5")).ln() < 0


@pytest.mark.parametrize(("below", "most"), [(below_gelu, GELU_BELOW), (below_gelu_tanh, GELU_TANH_BELOW)])
def test_gelu_is_never_further_below(below: Callable[[float], float], most: float) -> None:
    """Between two points that are tried it can be larger by half a step at the steepest slope; from 4 on, x Φ(-x)
    falls, and that of the other formula is no more than x e^-2x."""
    highest = max(below(i * STEP) for i in range(round(4 / STEP) + 1))
    assert highest + STEEPEST * STEP / 2 < most
    assert highest > most - 1.5e-5


@pytest.mark.parametrize("kind", ["silu", "gelu", "gelu_tanh"])
@pytest.mark.parametrize("shared", [True, False])
def test_a_wide_argument_loses_no_more_than_its_chord(kind: ActivationKind, shared: bool) -> None:
    """What is apart from what is shared is a quarter of its radius, and what the function is below the chord."""
    radius = torch.tensor([[0.01, 4.0, 271.0]], dtype=torch.float64)
    x = Bounded(torch.full_like(radius, 0.25), *((0.0 * radius, {7: radius}) if shared else (radius, {})))
    found = activation(kind).bound_of_cells(arithmetic("float32"), x)
    narrow, _, wide = found.error[0].tolist()
    assert narrow < 0.012
    assert wide < (0.25 * 271 + 0.2 if shared else 271.5)
    value, off = found.value, arithmetic().off(found)
    for share in torch.linspace(-1, 1, 401, dtype=torch.float64):
        z = x.value + share * radius
        real = functional.silu(z) if kind == "silu" else functional.gelu(z, approximate=APPROXIMATE[kind])
        assert (abs(real - value - share * found.shared.get(7, 0.0)) <= found.error).all()
        assert (abs(real - value) <= off).all()


@pytest.mark.parametrize("kind", ["silu", "gelu", "gelu_tanh"])
@pytest.mark.parametrize("middle", [-300.0, -0.5, 0.5, 300.0])
def test_arguments_that_all_have_one_sign(kind: ActivationKind, middle: float) -> None:
    """The chord is then all of ReLU, or none of it: what is shared along the tangent stays where that is taken."""
    radius = torch.tensor([[0.01, 0.1, 0.4]], dtype=torch.float64)
    x = Bounded(torch.full_like(radius, middle), 0.0 * radius, {7: radius})
    found = activation(kind).bound_of_cells(arithmetic("float32"), x)
    for share in torch.linspace(-1, 1, 101, dtype=torch.float64):
        z = x.value + share * radius
        real = functional.silu(z) if kind == "silu" else functional.gelu(z, approximate=APPROXIMATE[kind])
        assert (abs(real - found.value - share * found.shared.get(7, 0.0)) <= found.error).all()
