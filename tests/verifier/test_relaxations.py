"""Operations on values of which much varies: each result is inside its abstract value for the very symbols that its
inputs were made from, not just for some."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import product
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from compiler.backends.bounds.activations import relu_by_chord
from compiler.backends.bounds.arithmetic import SLACK, Arithmetic, Rounding
from compiler.backends.bounds.bounded import Bounded
from compiler.backends.bounds.tensors import TensorFunctions
from compiler.backends.elementary.program import (
    Activated,
    Linear,
    Node,
    Normalized,
    Operation,
    Product,
    Scaled,
    Subtraction,
    Sum,
)
from compiler.expressions.floats import FORMATS
from compiler.network.ir import ACTIVATIONS
from compiler.verifier.attention import AttentionForms, HeadForms, mixed_values
from compiler.verifier.ffn import cell_step
from compiler.verifier.forms import Forms, Ranges
from tests.verifier.rounding import WIDE, Machine, on_node

DTYPES = tuple(FORMATS)
SHARE = st.one_of(st.sampled_from((-1.0, 0.0, 1.0)), st.floats(-1, 1))
# what is so small that its products underflow has a bound of its own
NUMBER = st.one_of(st.floats(-10, 10), st.floats(-1e-6, 1e-6), st.integers(-5, 5).map(float)).map(
    lambda x: x if abs(x) > 1e-100 else 0.0
)
SIZE = NUMBER.map(abs)


def arithmetic(dtype: str = "float64") -> Arithmetic:
    return Arithmetic(TensorFunctions(), Rounding.of(FORMATS[dtype]))


def cell(number: float) -> torch.Tensor:
    return torch.tensor([[number]], dtype=torch.float64)


def number(x: object) -> Fraction | None:
    """A quantity of one cell; None where it is not finite."""
    found = float(x.item()) if isinstance(x, torch.Tensor) else float(x)  # type: ignore[arg-type]
    return Fraction(found) if math.isfinite(found) else None


def inside(found: Bounded, exact: Fraction, shares: Mapping[int, float | Fraction]) -> bool:
    """Whether a number is inside for these symbols; all numbers are where something is not finite."""
    value, error = number(found.value), number(found.error)
    parts = [number(c) for c in found.shared.values()]
    if value is None or error is None or None in parts:
        return True
    expected = value + sum(
        (part * Fraction(shares[symbol]) for symbol, part in zip(found.shared, parts, strict=True) if part is not None),
        Fraction(0),
    )
    return abs(exact - expected) <= error * Fraction(SLACK)


@settings(deadline=None, max_examples=250)
@given(value=NUMBER, error=SIZE, shared=st.lists(NUMBER, max_size=2), shares=st.tuples(SHARE, SHARE, SHARE))
@example(value=0.0, error=0.0, shared=[1.0], shares=(1.0, 0.0, 0.0))
@example(value=1.0, error=0.0, shared=[2.0], shares=(-0.5, 0.0, 0.0))
@example(value=-1.0, error=0.0, shared=[-1.0, 2.0**-60], shares=(-1.0, 1.0, 0.0))
@example(value=1.0, error=0.0, shared=[1.0, 2.0**-60], shares=(-1.0, -1.0, 0.0))
@example(value=-1.0, error=0.5, shared=[2.0], shares=(1.0, 0.0, 1.0))
def test_relu(value: float, error: float, shared: list[float], shares: tuple[float, float, float]) -> None:
    x = Bounded(cell(value), cell(error), {i: cell(c) for i, c in enumerate(shared)})
    own = [Fraction(c) * Fraction(s) for c, s in zip(shared, shares, strict=False)]
    exact = Fraction(value) + sum(own, Fraction(0)) + Fraction(error) * Fraction(shares[2])
    found = relu_by_chord(arithmetic(), x)
    assert inside(found, max(exact, Fraction(0)), dict(enumerate(shares)))
    off = sum(map(abs, shared)) + error
    assert number(found.error) is not None
    assert float(found.error) <= off * 1.001  # never worse than to give up what is shared
    if abs(value) > 1.001 * off:
        assert float(found.error) <= error


def test_relu_of_denormals() -> None:
    """Where the sign is open, what the chord loses by underflow counts."""
    least = 2.0**-1074
    for value, first, second, error in product(range(-6, 7), range(4), range(-3, 4), range(2)):
        shared = {0: cell(first * least), 1: cell(second * least)}
        found = relu_by_chord(arithmetic(), Bounded(cell(value * least), cell(error * least), shared))
        for shares in product((-1.0, 0.5, 1.0), (-1.0, 1.0), (-1.0, 1.0)):
            parts = zip((first, second, error), shares, strict=True)
            real = Fraction(value) + sum((Fraction(c) * Fraction(s) for c, s in parts), Fraction(0))
            assert inside(found, max(real * Fraction(least), Fraction(0)), dict(enumerate(shares)))


def found_forms(nothing: float = 0.0, *, weighted: bool = True, most: int = 3) -> AttentionForms:
    """One head that mixes one channel. Its forms are Σ w v, Σ w, and as bounds what weights and products are off, and
    the size of what is mixed."""
    head = HeadForms((0,), (0,), 1 if weighted else None, 2, (3,), (4,), np.array([nothing]), most)
    empty = np.zeros((2, 1, 1, 1, 5))
    made = Forms(empty[:, 0, 0], empty[:, :, 0][:, :, None], empty, empty)
    return AttentionForms(made, (head,), np.array([False, False, True, True, True]))


def mixed_of(a: Arithmetic, found: AttentionForms, low: Sequence[float], high: Sequence[float]) -> Bounded:
    return mixed_values(a, found, Ranges(np.array([0]), np.array([low]), np.array([high])), 100)[0]


def between(low: float, high: float, share: float) -> Fraction:
    """The middle and this share of the radius."""
    return (Fraction(low) + Fraction(high)) / 2 + (Fraction(high) - Fraction(low)) / 2 * Fraction(share)


def symbol(low: float, high: float, point: Fraction) -> Fraction:
    """What the symbol of a form from `low` to `high` is where the form is this number: the middle was rounded."""
    form = mixed_of(arithmetic(), found_forms(weighted=False, most=0), (low, 0, 0, 0, 0), (high, 0, 0, 0, 0))
    off, radius = point - Fraction(float(form.value)), Fraction(float(form.shared.get(100, 0.0)))
    share = off / radius if radius else off  # which then has to be zero
    assert abs(share) <= (1 if radius else 0)
    return share


POSITIVE = st.one_of(st.floats(1e-3, 10), st.floats(1e-6, 1e-3), st.just(1.0))


@settings(deadline=None, max_examples=300)
@given(
    ends=st.tuples(NUMBER, SIZE),
    weight=st.tuples(POSITIVE, SIZE),
    shares=st.tuples(SHARE, SHARE),
    off=st.tuples(SIZE, SIZE),
    scale=st.sampled_from((0.0, 1e-9, 1e-3, 0.1)),
)
@example((0.0, 1.0), (1.0, 1.0), (1.0, -1.0), (0.0, 0.0), 0.0)
@example((5.0, 0.0), (1.0, 3.0), (0.0, -1.0), (0.0, 0.0), 0.0)
@example((5.0, 0.0), (1.0, 0.0), (0.0, 0.0), (1.0, 1.0), 0.1)
@example((0.0, 9.0), (1.0, 0.0), (1.0, 0.0), (0.0, 1.0), 0.1)
@example((0.0, 9.0), (1.0, 0.0), (1.0, 0.0), (1.0, 0.0), 0.1)
def test_a_ratio_of_forms(
    ends: tuple[float, float],
    weight: tuple[float, float],
    shares: tuple[float, float],
    off: tuple[float, float],
    scale: float,
) -> None:
    """N / D where weights and products are off."""
    products, more = scale * off[0], scale * off[1]
    low = ends[0], weight[0], 0.0, 0.0, 0.0
    high = ends[0] + ends[1], weight[0] + weight[1], more, products, 1e-3
    mixed = mixed_of(arithmetic(), found_forms(), low, high)
    for corner in product((-1, 1), repeat=2) if scale else [(0, 0)]:
        n, d = (between(low[i], high[i], shares[i]) for i in range(2))
        symbols = {100 + i: symbol(low[i], high[i], form) for i, form in enumerate((n, d))}
        n, d = n + Fraction(products) * corner[0], d + Fraction(more) * corner[1]
        if d > 0:
            assert inside(mixed, n / d, symbols)
        else:
            assert number(mixed.error) is None


@settings(deadline=None, max_examples=200)
@given(ends=st.tuples(NUMBER, SIZE), share=SHARE, off=SIZE, sign=SHARE)
def test_a_form_of_known_weights(ends: tuple[float, float], share: float, off: float, sign: float) -> None:
    low, high = (ends[0], 0.0, 0.0, 0.0, 0.0), (ends[0] + ends[1], 0.0, 0.0, off, 10.0)
    mixed = mixed_of(arithmetic(), found_forms(weighted=False), low, high)
    form = between(low[0], high[0], share)
    assert inside(mixed, form + Fraction(off) * Fraction(sign), {100: symbol(low[0], high[0], form)})


@pytest.mark.skipif(not WIDE, reason="long doubles are no wider than doubles here")
@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_roundings_of_a_softmax(dtype: str, equal: bool) -> None:
    """Weights and values are exact; all the rest is rounded."""
    numbers, a = np.random.default_rng(7), arithmetic(dtype)
    worst = 0.0
    for keys in range(2, 30):
        machine = Machine(FORMATS[dtype], numbers)
        weights = 2.0 ** -numbers.integers(0, 1 if equal else 3, keys).astype(np.longdouble)
        values = machine.rounded(numbers.normal(size=keys).astype(np.longdouble))
        low = [float((weights * values).sum()), float(weights.sum()), 0.0, 0.0, 0.0]
        high = [*low[:2], 0.0 if equal else 1e-300, 0.0, float(np.abs(weights * values).sum())]
        below = np.nextafter(low[0], -np.inf)  # the sum of products was rounded
        mixed = mixed_of(a, found_forms(most=keys), [below, *low[1:]], [np.nextafter(low[0], np.inf), *high[1:]])
        allowed = float(mixed.error) + sum(float(abs(c)) for c in mixed.shared.values())
        for _ in range(20):
            total = machine.sum(list(weights))
            parts = machine.rounded(weights / total)
            plain = machine.products([(parts[i : i + 1], values[i : i + 1]) for i in range(keys)])[0]
            worst = max(worst, abs(float(plain - np.longdouble(mixed.value.item()))) / allowed)
    assert 0.05 < worst <= SLACK


CHANNELS = 3
RANDOM_OPERATIONS = 120


def any_operation(random: Random) -> Operation:
    weights = [random.choice((1.0, -1.0, 0.5, random.gauss(0, 1), random.gauss(0, 30))) for _ in range(9)]
    weight = random.choice((None, tuple(weights[:CHANNELS])))
    match random.randrange(8):
        case 0:
            rows = tuple(tuple((c, weights[3 * r + c]) for c in range(random.randint(1, 3))) for r in range(CHANNELS))
            return Linear(rows, random.choice((None, (1.0, 0.0, -7.0))))
        case 1:
            return random.choice((Sum(), Subtraction()))
        case 2:
            return Product()
        case 3:
            factors = tuple(w or 1.0 for w in weights[:CHANNELS])
            return Scaled(random.choice(("multiply", "divide")), factors)
        case 4 | 5:
            return Activated(random.choice(ACTIVATIONS))
        case _:
            return Normalized(random.choice(("rms", "layer")), random.choice((0.0, 1e-6, 1e-3, 1.0)), 1, weight, 50)


def check_operation(seed: int, samples: int = 60) -> bool:
    """Whether a bound was finite. Channels are off by anything from a rounding to a multiple of their size."""
    random, numbers = Random(f"operation:{seed}"), np.random.default_rng(seed)
    dtype = FORMATS[random.choice(DTYPES)]
    operation = any_operation(random)
    machine = Machine(dtype, numbers)

    def rounded(x: np.ndarray) -> np.ndarray:
        return machine.rounded(x.astype(np.longdouble)).astype(np.float64)

    spread = random.choice((0.0, 1e-6, 0.01, 0.3, 2.0, 10.0))
    sides = 2 if isinstance(operation, Sum | Subtraction | Product) else 1
    values, parts = [], []
    for _ in range(sides):
        middle = rounded(numbers.normal(size=CHANNELS) * random.choice((0.1, 1.0, 8.0)))
        shared = spread * numbers.normal(size=(2, CHANNELS)) * numbers.choice([0, 1], (2, CHANNELS))
        own = spread * random.choice((0.0, 0.1)) * np.abs(numbers.normal(size=CHANNELS))
        size = np.abs(middle) + np.abs(shared).sum(0) + own
        error = own + 2 * dtype.unit_roundoff * size + 2.0 ** (dtype.min_exponent - dtype.precision)
        values.append(
            [
                Bounded(cell(middle[c]), cell(error[c]), {s: cell(shared[s, c]) for s in range(2)})
                for c in range(CHANNELS)
            ]
        )
        parts.append((middle, shared, own))
    node = Node(operation, tuple(range(sides)), CHANNELS, (0,), tuple(range(CHANNELS)))
    found = cell_step(arithmetic(dtype.name), node, values, [0])

    shares = np.where(numbers.random((samples, 2)) < 0.5, numbers.choice([-1.0, 1.0], (samples, 2)), 0)
    shares = np.where(shares == 0, numbers.uniform(-1, 1, (samples, 2)), shares)
    inputs = [
        machine.rounded((m + shares @ sh + own * numbers.choice([-1, 0, 1], (samples, CHANNELS))).astype(np.longdouble))
        for m, sh, own in parts
    ]
    plain = on_node(machine, node, [x[:, None] for x in inputs], np.zeros((samples, 1), np.int64))[:, 0]
    finite = False
    for c, x in enumerate(found):
        error = float(x.error) + sum(abs(float(part)) for symbol, part in x.shared.items() if symbol > 1)
        expected = float(x.value) + shares @ np.array([float(x.shared.get(s, 0.0)) for s in range(2)])
        if math.isfinite(error) and np.isfinite(expected).all():
            finite = True
            off = np.abs(plain[:, c] - expected)
            assert (off <= SLACK * error + 2.0**-50 * np.abs(expected)).all(), (seed, operation, c, off.max(), error)
    return finite


@pytest.mark.skipif(not WIDE, reason="long doubles are no wider than doubles here")
def test_operations_on_cells() -> None:
    assert sum(map(check_operation, range(RANDOM_OPERATIONS))) > 0.8 * RANDOM_OPERATIONS


@pytest.mark.long
@pytest.mark.skipif(not WIDE, reason="long doubles are no wider than doubles here")
@pytest.mark.parametrize("chunk", range(20))
def test_many_operations_on_cells(chunk: int) -> None:
    seeds = range(RANDOM_OPERATIONS + 500 * chunk, RANDOM_OPERATIONS + 500 * (chunk + 1))
    assert sum(check_operation(seed, 300) for seed in seeds) > 400
