"""Rounding into the formats a spec can name, and arithmetic that rounds as torch does."""

from __future__ import annotations

import math
import struct
import sys
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pytest
import torch

from compiler.expressions.arithmetic import cast, compute
from compiler.expressions.floats import FORMATS, round_to, shortest
from compiler.expressions.values import Number

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "float64": torch.float64}


def doubles(count: int = 3000) -> list[float]:
    """Doubles of every size, and many near the middle between two short numbers."""
    random = Random(0)
    found = [0.0, -0.0, 1.0, math.pi, 5e-324, 2.0**-149, 2.0**-150, 2.0**-151, 2.0**-24, 2.0**-25, 65519.99, 65520.0]
    for _ in range(count):
        found.append(random.choice((-1, 1)) * math.ldexp(random.random(), random.randint(-170, 140)))
        middle = math.ldexp(2 * random.randrange(1 << 24) + 1, random.randint(-175, 100))
        found += [middle, math.nextafter(middle, 0), math.nextafter(middle, math.inf)]
        middle = math.ldexp(2 * random.randrange(1 << 11) + 1, random.randint(-40, 6))
        found += [middle, math.nextafter(middle, 0), math.nextafter(middle, math.inf)]
    return found


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


def packed(code: str, value: float) -> float:
    try:
        result: float = struct.unpack(code, struct.pack(code, value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return result


@pytest.mark.parametrize(("name", "code"), [("float32", "<f"), ("float16", "<e"), ("float64", "<d")])
def test_rounding_is_that_of_struct(name: str, code: str) -> None:
    for value in doubles():
        assert bits(round_to(value, FORMATS[name])) == bits(packed(code, value)), value.hex()


@pytest.mark.parametrize("name", ["bfloat16", "float16", "float32"])
def test_rounding_is_that_of_torch(name: str) -> None:
    """From float32, as torch goes through it and would round twice."""
    values = torch.tensor(doubles(), dtype=torch.float32)
    expected = values.to(DTYPES[name]).to(torch.float64).tolist()
    for value, want in zip(values.to(torch.float64).tolist(), expected, strict=True):
        assert bits(round_to(value, FORMATS[name])) == bits(want), value.hex()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("float32", 1 + 2.0**-24, 1.0),
        ("float32", 1 + 3 * 2.0**-24, 1 + 2.0**-22),
        ("float32", 1 + 2.0**-24 + 2.0**-50, 1 + 2.0**-23),
        ("float32", 2.0**-150, 0.0),
        ("float32", 3 * 2.0**-150, 2.0**-148),
        ("float32", -(2.0**-151), -0.0),
        ("float32", 3.4028235677973366e38, math.inf),
        ("float32", math.nextafter(3.4028235677973366e38, 0), 3.4028234663852886e38),
        ("float32", -sys.float_info.max, -math.inf),
        ("float16", sys.float_info.max, math.inf),
        ("bfloat16", sys.float_info.max, math.inf),
        ("bfloat16", 1 + 2.0**-8, 1.0),
        ("bfloat16", 1 + 2.0**-8 + 2.0**-40, 1 + 2.0**-7),
        ("bfloat16", 3.4e38, math.inf),
        ("bfloat16", 257, 256.0),
        ("float16", 65519.99, 65504.0),
        ("float16", 65520.0, math.inf),
        ("float16", 2049, 2048.0),
        ("float16", 2051, 2052.0),
        ("float16", 2.0**-25, 0.0),
        ("float32", math.inf, math.inf),
        ("float64", 2**53 + 1, 2.0**53),
        ("float32", 2**24 + 1, 2.0**24),
        ("float32", 2**60 + 2**36 + 1, 2.0**60 + 2.0**37),
    ],
)
def test_ties_limits_and_integers(name: str, value: float, expected: float) -> None:
    assert bits(round_to(value, FORMATS[name])) == bits(expected)


def test_nan_stays_nan() -> None:
    assert all(math.isnan(round_to(math.nan, target)) for target in FORMATS.values())


def test_an_integer_beyond_the_doubles_raises() -> None:
    with pytest.raises(OverflowError):
        round_to(10**400, FORMATS["float32"])


@pytest.mark.parametrize("name", list(FORMATS))
def test_formats_are_those_of_torch(name: str) -> None:
    info, target = torch.finfo(DTYPES[name]), FORMATS[name]
    assert target.largest == info.max
    assert target.unit_roundoff == info.eps / 2
    assert 2.0**target.min_exponent == info.tiny


def test_a_parameter_is_rounded_once() -> None:
    value = cast(Number(0.1), FORMATS["float32"])
    assert (value.value, value.rounded) == (0.10000000149011612, True)


@pytest.mark.parametrize("symbol", ["+", "-", "*", "/"])
@pytest.mark.parametrize("other", ["float32", "double"])
def test_arithmetic_in_float32_is_that_of_torch(symbol: str, other: str) -> None:
    random = Random(1)
    for _ in range(1500):
        a = packed("<f", math.ldexp(random.uniform(-1, 1), random.randint(-70, 60)))
        b = math.ldexp(random.uniform(0.5, 1), random.randint(-70, 60)) * random.choice((-1, 1))
        if random.random() < 0.5:
            b = a * (1 + random.randint(-4, 4) * 2.0**-24)
        if other == "float32":
            b = packed("<f", b)
        if b == 0:
            continue
        left, right = torch.tensor(a, dtype=torch.float32), torch.tensor(b, dtype=torch.float32)
        expected = {"+": left + right, "-": left - right, "*": left * right, "/": left / right}[symbol].item()
        result = compute(symbol, Number(a, True), Number(b, other == "float32"), FORMATS["float32"])
        assert bits(float(result.value)) == bits(expected), (a.hex(), symbol, b.hex())
        assert result.rounded
        mirrored = {"+": right + left, "-": right - left, "*": right * left}.get(symbol)
        if mirrored is not None:
            result = compute(symbol, Number(b, other == "float32"), Number(a, True), FORMATS["float32"])
            assert bits(float(result.value)) == bits(mirrored.item())


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_short_formats_round_every_step(name: str) -> None:
    """(1 + u) + u in the format: each half unit is lost at its own step, though together they are a whole one."""
    u = FORMATS[name].unit_roundoff
    one = Number(1.0, True)
    step = compute("+", one, Number(u, True), FORMATS[name])
    assert compute("+", step, Number(u, True), FORMATS[name]).value == 1.0
    value = torch.tensor(1.0, dtype=DTYPES[name])
    assert (value + u + u).item() == 1.0


@pytest.mark.parametrize(("name", "dtype"), [("float32", np.float32), ("float16", np.float16)])
def test_the_shortest_text_is_as_short_as_that_of_numpy(name: str, dtype: type[np.floating[Any]]) -> None:
    """Which of several texts of that length it is, is free; each reads back to the number."""
    powers = [math.ldexp(1.0, exponent) for exponent in range(-149, 128)]
    for value in {round_to(value, FORMATS[name]) for value in (*powers, *doubles(300))}:
        near = shortest(value, FORMATS[name])
        assert bits(round_to(near, FORMATS[name])) == bits(value)
        if math.isfinite(value):
            assert figures(near) == figures(float(np.format_float_scientific(dtype(value), unique=True))), value.hex()


def figures(value: float) -> int:
    """How many decimal digits the shortest text of a double has."""
    return len(Decimal(repr(value)).normalize().as_tuple().digits)


@pytest.mark.parametrize(
    ("value", "name", "expected"),
    [
        (0.1, "bfloat16", 0.1),
        (1 / 3, "bfloat16", 0.334),
        (2.0**-133, "bfloat16", 9e-41),
        (0.1, "float64", 0.1),
        (math.inf, "float32", math.inf),
    ],
)
def test_the_shortest_text(value: float, name: str, expected: float) -> None:
    assert shortest(round_to(value, FORMATS[name]), FORMATS[name]) == expected


def test_a_double_that_is_no_number_of_the_format_stays_as_it_is() -> None:
    assert shortest(1 / 3, FORMATS["float32"]) == 1 / 3
