"""The polynomials of `compiler/backends/native/vector_math.h`, fitted anew: `.venv/bin/python -m benchmarks.minimax`.

Remez' exchange in 200 bits. Each is printed as the C constants, from the lowest degree on, with the error that is left
in what the polynomial is used for, before any rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click
import mpmath as mp

Real = Callable[[mp.mpf], mp.mpf]
BITS = 200
LONGEST_REMAINDER = 1.0001  # of ln(2) / 2: the rounding to n may be off by a little


@dataclass(frozen=True)
class Fit:
    """A polynomial of `degree` for `function` on an interval; `weight` says how much an error of it matters."""

    name: str
    function: Real
    weight: Real
    low: float
    high: float
    degree: int


def _exp_tail(r: mp.mpf) -> mp.mpf:
    return (mp.expm1(r) - r) / r**2 if abs(r) > 1e-20 else mp.mpf(1) / 2 + r / 6


def _erf_odd(s: mp.mpf) -> mp.mpf:
    return mp.erf(mp.sqrt(s)) / mp.sqrt(s) if s > 0 else 2 / mp.sqrt(mp.pi)


def _erf_far(u: mp.mpf) -> mp.mpf:
    x = _far(u)
    return mp.exp(x * x) * mp.erfc(x)


def _far(u: mp.mpf) -> mp.mpf:
    """x of u = 14.4 / (x + 3) - 2.6, these two being doubles: -1 at x = 6, 1 at x = 1."""
    return mp.mpf(14.4) / (u + mp.mpf(2.6)) - 3


_REMAINDER = LONGEST_REMAINDER * float(mp.log(2)) / 2

FITS = (
    Fit("ws_exp: (e^r - 1 - r) / r^2", _exp_tail, lambda r: r * r, -_REMAINDER, _REMAINDER, 9),
    Fit("ws_erf: erf(x) / x in s = x^2", _erf_odd, mp.sqrt, 0.0, 1.0, 11),
    Fit("ws_erf: e^(x^2) erfc(x) in u", _erf_far, lambda u: mp.exp(-(_far(u) ** 2)), -1.0, 1.0, 11),
)


def fitted(fit: Fit) -> tuple[list[float], float]:
    """The coefficients, rounded to doubles, and the largest weighted error before that rounding."""
    with mp.workprec(BITS):
        nodes = _between(fit, fit.degree + 1)
        grid = _between(fit, 60 * (fit.degree + 2))
        exact = [(fit.function(x), _positive(fit.weight(x))) for x in grid]
        while True:
            coefficients = _levelled(fit, nodes)
            errors = [(mp.polyval(coefficients[::-1], x) - y) * w for x, (y, w) in zip(grid, exact, strict=True)]
            extremes = _extremes(errors)
            moved = [grid[i] for i in extremes]
            if moved == nodes or len(moved) != len(nodes):
                return [float(c) for c in coefficients], float(max(map(abs, errors)))
            nodes = moved


def _between(fit: Fit, count: int) -> list[mp.mpf]:
    """Points of the interval, dense at its ends."""
    middle, half = (mp.mpf(fit.high) + fit.low) / 2, (mp.mpf(fit.high) - fit.low) / 2
    return [middle - half * mp.cos(mp.pi * i / count) for i in range(count + 1)]


def _positive(weight: mp.mpf) -> mp.mpf:
    return max(weight, mp.mpf("1e-30"))


def _levelled(fit: Fit, nodes: Sequence[mp.mpf]) -> list[mp.mpf]:
    """The polynomial whose weighted errors at the nodes are one number with alternating signs."""
    size = fit.degree + 2
    system, right = mp.matrix(size, size), mp.matrix(size, 1)
    for i, x in enumerate(nodes):
        for power in range(size - 1):
            system[i, power] = x**power
        system[i, size - 1] = (-1) ** i / _positive(fit.weight(x))
        right[i] = fit.function(x)
    solution = mp.lu_solve(system, right)
    return [solution[i] for i in range(size - 1)]


def _extremes(errors: Sequence[mp.mpf]) -> list[int]:
    """Where the error is largest between its changes of sign."""
    runs: list[list[int]] = []
    for i, error in enumerate(errors):
        if runs and (error > 0) == (errors[runs[-1][-1]] > 0):
            runs[-1].append(i)
        else:
            runs.append([i])
    return [max(run, key=lambda i: abs(errors[i])) for run in runs]


@click.command()
def main() -> None:
    """Print the polynomials of vector_math.h as C constants, lowest degree first."""
    for fit in FITS:
        coefficients, error = fitted(fit)
        click.echo(f"{fit.name}, {fit.low:g} to {fit.high:g}, error {error:.2e}")
        for coefficient in coefficients:
            click.echo(f"    {coefficient.hex()}")


if __name__ == "__main__":
    main()
