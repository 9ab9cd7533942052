"""Numbers whose differences are zero, or underflow to it: quotients by them are bounds all the same."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import pytest
import torch
from click.testing import CliRunner

import cli
from compiler.backends.bounds.activations import relu_by_chord
from compiler.backends.bounds.arithmetic import Arithmetic, Rounding
from compiler.backends.bounds.bounded import Bounded
from compiler.backends.bounds.quantities import quotient
from compiler.backends.bounds.tensors import TensorFunctions
from compiler.backends.elementary.program import Linear, Node
from compiler.expressions.floats import FORMATS
from compiler.pipeline import load
from compiler.verifier import exact
from compiler.verifier.verify import verify
from tests.helpers import SPECS
from tests.verifier.truth import truth
from tests.verifier.verdicts import check

ROUNDING = Rounding.of(FORMATS["float64"])
SMALL = (0.0, -0.0, 5e-324, -5e-324, 1e-320, 2.0**-1022, 1e-160)


@pytest.mark.parametrize("number", ["1", "0", "-0.0", "1e-320", "5e-324", "1e-160", "1e308", "-1e308"])
@pytest.mark.parametrize("name", ["layer0.attention.output", "v_scale"])
def test_a_verdict_is_found(name: str, number: str) -> None:
    spec = load(SPECS / "tiny95.yaml", {"digits": 1, "base": 4, name: number})
    check(f"{name}={number}", spec, verify(spec, tried=0), truth(spec))


def test_the_command_ends_with_a_verdict() -> None:
    settings = ("--set", "digits=1", "--set", "base=4", "--set", "layer0.attention.output=1e-320")
    called = CliRunner().invoke(cli.main, ["verify", str(SPECS / "tiny95.yaml"), *settings, "--budget", "600"])
    assert called.exit_code == 1
    assert "REFUTED" in called.stdout


@pytest.mark.parametrize(
    ("x", "y"), list(product([0.0, 1.0, -2.0, 5e-324, math.inf, math.nan], [0.0, -0.0, 5e-324, 1.0]))
)
def test_quotients_of_floats_are_those_of_tensors(x: float, y: float) -> None:
    found = quotient(x, y)
    wanted = float(torch.tensor(x, dtype=torch.float64) / torch.tensor(y, dtype=torch.float64))
    assert found == wanted or (math.isnan(found) and math.isnan(wanted))


def test_a_relu_of_what_is_almost_nothing() -> None:
    """As floats, which channels are that are the same for all cells; float32 holds none of these."""
    a = Arithmetic(TensorFunctions(), ROUNDING)
    for value, shared, error in product(SMALL, SMALL, (0.0, 5e-324, 1e-320, 1e-60)):
        found = relu_by_chord(a, Bounded(value, error, {0: shared}))
        for symbol, own in product((-1, 0, 1), (-1, 0, 1)):
            real = max(Fraction(0), Fraction(value) + Fraction(shared) * symbol + Fraction(error) * own)
            middle = Fraction(float(found.value)) + Fraction(float(found.shared.get(0, 0.0))) * symbol
            assert abs(real - middle) <= Fraction(float(found.error))


@pytest.mark.parametrize("off", [1e-46, 5e-324])
def test_what_is_off_by_almost_nothing_is_not_known(off: float) -> None:
    """As floats, of which float32 makes zeros."""
    assert not bool(exact.known(Bounded(1e-30, 0.0, {0: off}))[1])
    assert not bool(exact.known(Bounded(1e-30, off))[1])
    assert bool(exact.known(Bounded(1e-30, 0.0, {0: 0.0}))[1])
    node = Node(Linear((((0, 3.0), (1, 0.1)),)), (0,), 1, (0,), (0,))
    (found,) = exact.step(FORMATS["float64"], node, [[Bounded(1e-30, off), Bounded(1e-30, 0.0)]], [Bounded(3e-30, off)])
    assert float(found.error) == off
