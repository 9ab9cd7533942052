"""vector_math.h against mpmath and numpy, compiled as generated code is."""

from __future__ import annotations

import platform
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from benchmarks.minimax import FITS, Fit, fitted
from benchmarks.vector_math import (
    TIMES,
    Doubles,
    Function,
    erf_error,
    erf_points,
    exp_error,
    exp_points,
    function,
)
from compiler.backends.native import c_compiler
from compiler.backends.native.c_compiler import find_compiler

pytestmark = pytest.mark.machine

HEADER = Path(__file__).parents[2] / "compiler" / "backends" / "native" / "vector_math.h"
POINTS = 3000
EXP_ULPS = 1.3  # as the header says, and why
SUBNORMAL_UNITS = 1.2
ERF_ERROR = 4e-16
SPECIAL = np.array([0.0, -0.0, 1.0, -1.5, 5e-324, -2e-310, 1e308, -1e308, np.inf, -np.inf, np.nan, -np.nan])


@cache
def compiled(expression: str) -> Function:
    if find_compiler() is None:
        pytest.skip("no C compiler works here")
    return function(expression)


def same(found: Doubles, expected: Doubles) -> None:
    """The same numbers, signs of zeros and NaN included."""
    np.testing.assert_array_equal(found, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[numbers]), np.signbit(expected[numbers]))


@pytest.mark.parametrize("kind", exp_points(1, 0))
def test_exp_is_within_its_bound(kind: str) -> None:
    xs = exp_points(POINTS, 1)[kind]
    assert exp_error(xs, compiled(TIMES["exp"])(xs)) <= (SUBNORMAL_UNITS if kind == "-746 to -708.4" else EXP_ULPS)


def test_exp_at_the_ends_of_its_range() -> None:
    exp = compiled(TIMES["exp"])
    largest, smallest = 709.782712893384, -745.1332191019411  # whose results are a finite number and 2^-1074
    last = np.array([largest, smallest])
    assert exp_error(last, exp(last)) <= EXP_ULPS
    beyond = np.array([np.nextafter(largest, np.inf), np.nextafter(smallest, -np.inf), 721.0, -761.0, 1e300, -1e300])
    same(exp(beyond), np.array([np.inf, 0.0] * 3))
    same(exp(np.array([np.inf, -np.inf, 0.0, -0.0, 5e-324, -2e-310])), np.array([np.inf, 0.0, 1.0, 1.0, 1.0, 1.0]))
    assert np.isnan(exp(np.array([np.nan, -np.nan]))).all()


@pytest.mark.parametrize("kind", erf_points(1, 0))
def test_erf_is_within_its_bound(kind: str) -> None:
    xs = erf_points(POINTS, 1)[kind]
    assert erf_error(xs, compiled(TIMES["erf"])(xs)) <= ERF_ERROR


def test_erf_of_anything() -> None:
    xs = np.array([0.0, -0.0, 6.0, -6.0, 1e300, -1e300, np.inf, -np.inf])
    same(compiled(TIMES["erf"])(xs), np.array([0.0, -0.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0]))
    assert np.isnan(compiled(TIMES["erf"])(np.array([np.nan, -np.nan]))).all()
    tiny = np.array([5e-324, 1e-310, -1e-300])
    assert erf_error(tiny, compiled(TIMES["erf"])(tiny)) <= 1e-300


def test_power_floor() -> None:
    draw = np.random.default_rng(2).integers(0, 1 << 64, POINTS, dtype=np.uint64).view(np.float64)
    xs = np.concatenate([draw[np.isfinite(draw)], 2.0 ** np.arange(-1022, 1024), np.nextafter(2.0 ** np.arange(64), 0)])
    xs = xs[np.abs(xs) >= 2.0**-1022]
    same(compiled(TIMES["power_floor"])(xs), np.ldexp(1.0, np.frexp(xs)[1] - 1))
    edges = np.array([0.0, -0.0, 5e-324, -2e-310, np.inf, -np.inf, np.nan, -np.nan])
    same(compiled(TIMES["power_floor"])(edges), np.array([0.0] * 4 + [np.inf] * 4))


@pytest.mark.parametrize(("expression", "expected"), [("ws_max", np.maximum), ("ws_min", np.minimum)])
def test_max_and_min_keep_nan(expression: str, expected: np.ufunc) -> None:
    a, b = (grid.ravel() for grid in np.meshgrid(SPECIAL, SPECIAL))
    found = compiled(f"{expression}(a[l], b[l])")(a, b)
    np.testing.assert_array_equal(found, expected(a, b))  # the sign of a zero is not promised


def test_abs_and_sqrt_are_exact() -> None:
    xs = np.concatenate([SPECIAL, np.random.default_rng(3).uniform(0, 1e9, POINTS)])
    same(compiled("ws_abs(a[l])")(xs), np.abs(xs))
    with np.errstate(invalid="ignore"):
        same(compiled("ws_sqrt(a[l])")(xs), np.sqrt(xs))


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="these are flags for x86-64")
@pytest.mark.parametrize(("without", "lanes"), [(("-mno-avx512f",), 4), (("-mno-avx512f", "-mno-avx"), 2)])
def test_narrower_registers_give_the_same(
    monkeypatch: pytest.MonkeyPatch, without: tuple[str, ...], lanes: int
) -> None:
    exact = {expression: compiled(expression) for expression in TIMES.values()}
    monkeypatch.delenv(c_compiler.TARGET, raising=False)
    monkeypatch.setattr(c_compiler, "_THIS_MACHINE", (("-march=native", *without),))
    c_compiler._found.cache_clear()
    try:
        width = function("ws_all(WS_LANES)")(np.zeros(1))[0]
        assert width <= lanes  # fewer on a machine without such registers
        xs, ys = np.concatenate([SPECIAL, exp_points(500, 5)["-1 to 1"]]), np.full(500 + len(SPECIAL), 0.25)
        for expression, wide in exact.items():
            np.testing.assert_allclose(function(expression)(xs, ys), wide(xs, ys), rtol=1e-15, atol=0.0)
    finally:
        c_compiler._found.cache_clear()


@pytest.mark.parametrize("fit", FITS, ids=lambda fit: fit.name)
def test_the_header_holds_the_fitted_polynomials(fit: Fit) -> None:
    coefficients, error = fitted(fit)
    assert error < 1e-17
    stated = {float.fromhex(text) for text in re.findall(r"0x1\.[0-9a-f]+p[+-]\d+", HEADER.read_text())}
    assert {abs(coefficient) for coefficient in coefficients} <= stated
