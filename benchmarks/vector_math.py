"""How exact and how fast `compiler/backends/native/vector_math.h` is: `.venv/bin/python -m benchmarks.vector_math`.

The functions run as generated code does: compiled by `compiler.backends.native.native`, on lanes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import click
import mpmath as mp
import numpy as np
import numpy.typing as npt

from compiler.backends.native.native import Native, native

Doubles = npt.NDArray[np.float64]
LANES = 64
TIMED = 1 << 16
_BITS = 160
_LEAST_NORMAL = 2.0**-1022

_PROGRAM = """
#define LANES {lanes}
void run(const int32_t *tokens, int32_t *said, int64_t count) {{
    for (int64_t first = 0; first < count; first += LANES) {{
        int64_t here = count - first < LANES ? count - first : LANES;
        ws_lanes a[LANES / WS_LANES] = {{0}}, b[LANES / WS_LANES] = {{0}}, y[LANES / WS_LANES] = {{0}};
        for (int64_t i = 0; i < here; i++) {{
            __builtin_memcpy((double *)a + i, tokens + 4 * (first + i), sizeof(double));
            __builtin_memcpy((double *)b + i, tokens + 4 * (first + i) + 2, sizeof(double));
        }}
        for (int repeat = 0; repeat < {repeats}; repeat++) {{
            for (int l = 0; l < LANES / WS_LANES; l++) y[l] = {expression};
            {again}
        }}
        __builtin_memcpy(said + 2 * first, y, sizeof(double) * (uint64_t)here);
    }}
}}
"""


class Unavailable(Exception):
    """Why no C can be compiled here."""


@dataclass(frozen=True)
class Function:
    """A function of vector_math.h on lanes of doubles: f(a) or f(a, b), written in C."""

    code: Native

    def __call__(self, a: Doubles, b: Doubles | None = None) -> Doubles:
        """Its values, float64 [n]; both arguments are float64 [n]."""
        pairs = np.ascontiguousarray(np.stack([a, a if b is None else b], axis=1), dtype=np.float64)
        values = np.empty((len(pairs), 1))
        self.code.run(pairs.view(np.int32), values.view(np.int32))
        return values[:, 0]


def function(expression: str, repeats: int = 1) -> Function:
    """A C expression in `a[l]` and `b[l]` as a function. Raises `Unavailable`."""
    # The program must not know that it computes the same again and again, or it would do so once.
    again = '__asm__ volatile("" : : "r"(a), "r"(b), "r"(y) : "memory");' if repeats > 1 else ""
    made = native(_PROGRAM.format(lanes=LANES, expression=expression, repeats=repeats, again=again))
    if not isinstance(made, Native):
        raise Unavailable(made.reason)
    return Function(made)


def exp_error(points: Doubles, values: Doubles) -> float:
    """The largest distance from e^x in units in the last place; below 2^-1022 that unit is 2^-1074."""
    return _largest(points, values, mp.exp, lambda exact: max(float(exact), _LEAST_NORMAL))


def erf_error(points: Doubles, values: Doubles) -> float:
    """The largest absolute distance from erf(x)."""
    return _largest(points, values, mp.erf, None)


def _largest(
    points: Doubles, values: Doubles, exact: Callable[[float], mp.mpf], size: Callable[[mp.mpf], float] | None
) -> float:
    worst = 0.0
    with mp.workprec(_BITS):
        for x, y in zip(points.tolist(), values.tolist(), strict=True):
            right = exact(x)
            unit = 1.0 if size is None else float(np.spacing(size(right)))
            error = float(abs(right - y) / unit)
            worst = error if not error <= worst else worst  # NaN stays
    return worst


def exp_points(count: int, seed: int) -> dict[str, Doubles]:
    """Arguments of exp by what they try: normal results, small ones, where n changes, subnormal results."""
    draw = np.random.default_rng(seed)
    steps = (draw.integers(-1020, 1022, count) + 0.5) * float(mp.log(2))
    return {
        "-708.39 to 709.78": draw.uniform(-708.39, 709.78, count),
        "-1 to 1": draw.uniform(-1.0, 1.0, count),
        "-2^-20 to 2^-20": draw.uniform(-(2.0**-20), 2.0**-20, count),
        "near (n + 1/2) ln 2": steps * (1.0 + draw.uniform(-1e-12, 1e-12, count)),
        "-746 to -708.4": draw.uniform(-746.0, -708.4, count),
    }


def erf_points(count: int, seed: int) -> dict[str, Doubles]:
    """Arguments of erf by what they try."""
    draw = np.random.default_rng(seed)
    return {
        "-7 to 7": draw.uniform(-7.0, 7.0, count),
        "-1 to 1": draw.uniform(-1.0, 1.0, count),
        "near 1": draw.uniform(0.999, 1.001, count),
    }


TIMES = {
    "exp": "ws_exp(a[l])",
    "erf": "ws_erf(a[l])",
    "power_floor": "ws_power_floor(a[l])",
    "max": "ws_max(a[l], b[l])",
    "sqrt": "ws_sqrt(ws_abs(a[l]))",
    "multiply, add": "a[l] * b[l] + y[l]",
}


def nanoseconds(expression: str, rounds: int = 7) -> float:
    """Time for one value, the best of some rounds, loads and stores of the cache included."""
    repeats = 200
    timed, once = function(expression, repeats + 1), function(expression, 2)
    a, b = np.random.default_rng(0).uniform(-30.0, 0.0, (2, TIMED // 16))

    def best(call: Function) -> float:
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            call(a, b)
            times.append(time.perf_counter() - start)
        return min(times)

    return (best(timed) - best(once)) / (repeats - 1) / len(a) * 1e9


@click.command()
@click.option("--points", type=click.IntRange(min=1), default=100_000, show_default=True, help="Points of each kind.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the points.")
def main(points: int, seed: int) -> None:
    """Measure the largest errors of exp and erf against mpmath, and nanoseconds for one value on one core.

    Exit codes: 0 measured; 2 there is no C compiler that works.
    """
    try:
        exp, erf = function(TIMES["exp"]), function(TIMES["erf"])
        click.echo(f"compiler  {exp.code.compiler}")
        for name, xs in exp_points(points, seed).items():
            click.echo(f"exp  {name:<22}{exp_error(xs, exp(xs)):>10.3f} units in the last place")
        for name, xs in erf_points(points, seed).items():
            click.echo(f"erf  {name:<22}{erf_error(xs, erf(xs)):>10.2e}")
        for name, expression in TIMES.items():
            click.echo(f"{name:<14}{nanoseconds(expression):>8.2f} ns")
    except Unavailable as error:
        click.echo(error, err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
