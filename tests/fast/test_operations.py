"""The formulas one by one, against torch on numbers that are as far from the engine's as the bounds allow.

The plain numbers are drawn first; what the engine has is off by errors of its own and by shared ones, in either
direction, up to the whole error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from compiler.backends.bounds.activations import activation
from compiler.backends.bounds.arithmetic import Arithmetic, Rounding
from compiler.backends.bounds.attention import Keys, attend_head
from compiler.backends.bounds.bounded import Bounded
from compiler.backends.bounds.deciding import decide
from compiler.backends.bounds.magnitudes import ROOM
from compiler.backends.bounds.nodes import attend_all
from compiler.backends.bounds.norms import normalize
from compiler.backends.bounds.quantities import Quantity
from compiler.backends.bounds.tensors import TensorFunctions, TensorLoop
from compiler.backends.elementary.program import Attended, Decision, Linear, Node, Normalized
from compiler.backends.torch.decode import choose
from compiler.backends.torch.ffn import activate
from compiler.backends.torch.linear import ParameterStore
from compiler.backends.torch.norm import Norm
from compiler.expressions.axes import Axis
from compiler.expressions.floats import FORMATS
from compiler.network.ir import ACTIVATIONS, ActivationKind
from compiler.network.ir import Norm as NormIr
from tests.helpers import DTYPES

pytestmark = pytest.mark.machine

SHORT = ("bfloat16", "float16")
ALL = tuple(FORMATS)
BATCH = 200


def arithmetic(dtype: str) -> Arithmetic:
    return Arithmetic(TensorFunctions(), Rounding.of(FORMATS[dtype]))


class Drawn:
    """Plain numbers, and what the engine has for them: `signs` are those of the shared errors."""

    def __init__(self, plain: Tensor, chance: np.random.Generator, share: float, symbols: int = 0) -> None:
        """plain [channels, batch], of a dtype; errors are up to `share` of the numbers, and of their channel's size."""
        self.plain = plain
        exact = plain.double()
        shape = exact.shape
        size = exact.abs() + exact.abs().amax(1, keepdim=True) * torch.tensor(chance.choice([0, 0, 1e-3], shape))
        self.own = size * share * torch.tensor(10.0 ** chance.uniform(-3, 0, shape))
        self.own *= torch.tensor(chance.choice([0.0, 1.0, 1.0], shape))
        ends = torch.tensor(chance.choice([-1.0, 1.0, 0.0, 0.5], shape))
        self.value = exact + self.own * ends
        self.signs = torch.tensor(chance.choice([-1.0, 1.0, 0.3], (symbols, shape[1])))
        self.shared = torch.tensor(chance.normal(0, share, (symbols, *shape))) * size
        for c, sign in zip(self.shared, self.signs, strict=True):
            self.value = self.value - c * sign
        self.own = self.own + (self.value.abs() + exact.abs()) * 2.0**-51  # of these few lines

    def bounded(self) -> list[Bounded]:
        return [
            Bounded(self.value[i], self.own[i], {k: c[i] for k, c in enumerate(self.shared)})
            for i in range(len(self.plain))
        ]

    def check(self, found: Sequence[Bounded], plain: Tensor) -> float:
        """Outputs [channels, batch] are within what is left after the shared errors, whose signs are known; two outputs
        are so much apart that the errors which only they share cancel. How much of a bound was needed, at most."""
        off, left, new = [], [], []
        for x, y in zip(found, plain.double(), strict=True):
            known = sum((c * self.signs[k] for k, c in x.shared.items() if k < len(self.signs)), torch.zeros(()))
            off.append(y - x.value - known)
            left.append(torch.as_tensor(x.error) * (1 + 1e-9) + 1e-320)
            new.append({k: torch.as_tensor(c) for k, c in x.shared.items() if k >= len(self.signs)})
        needed = 0.0
        for i in range(len(found)):
            alone = left[i] + sum((c.abs() for c in new[i].values()), torch.zeros(()))
            needed = max(needed, _contained(off[i], alone, found[i], plain[i]))
            for j in range(i):
                symbols = {*new[i], *new[j]}
                apart = sum(
                    ((new[i].get(k, torch.zeros(())) - new[j].get(k, torch.zeros(()))).abs() for k in symbols),
                    torch.zeros(()),
                )
                needed = max(needed, _contained(off[i] - off[j], left[i] + left[j] + apart, found[i], plain[i]))
        return needed


def _contained(off: Tensor, bound: Tensor, found: Bounded, plain: Tensor) -> float:
    outside = (off.abs() > bound) | (~off.isfinite() & bound.isfinite())
    if not outside.any():
        return float((off.abs() / bound).nan_to_num(0.0).max())
    at = int(outside.nonzero()[0, 0])
    value, error = (torch.as_tensor(q).expand(outside.shape)[at].item() for q in (found.value, found.error))
    numbers = f"{plain[at]}, {value} ± {error}; {off[at]} > {bound[at]}"
    raise AssertionError(f"{int(outside.sum())} of {len(off)}: {numbers}")


def every_number(dtype: str) -> Tensor:
    """Those of a dtype of 16 bits that are not too near its end."""
    numbers = torch.arange(-(2**15), 2**15).to(torch.int16).view(DTYPES[dtype])
    return numbers[numbers.abs() <= FORMATS[dtype].largest * ROOM]


def some_numbers(dtype: str, count: int, seed: int) -> Tensor:
    chance = np.random.default_rng(seed)
    wide = chance.normal(0, 1, count) * 10.0 ** chance.uniform(-40, 4, count)
    near = chance.normal(0, 1, count) * 10.0 ** chance.uniform(-2, 2, count)
    edges = np.concatenate([np.linspace(-120, 120, 4001), np.linspace(-800, 800, 1601), np.linspace(-7, 7, 2001)])
    return torch.tensor(np.concatenate([wide, near, edges]), dtype=DTYPES[dtype])


@pytest.mark.parametrize("kind", [kind for kind in ACTIVATIONS if kind != "identity"])  # which computes nothing
@pytest.mark.parametrize("dtype", ALL)
def test_activations(dtype: str, kind: ActivationKind) -> None:
    """Of every number, where the dtype is short."""
    numbers = every_number(dtype) if dtype in SHORT else some_numbers(dtype, 20_000, 1)
    numbers = numbers[activate(kind, numbers).abs() <= FORMATS[dtype].largest * ROOM]  # others are refused before
    a, needed = arithmetic(dtype), 0.0
    for seed, share in enumerate((0.0, 1e-12, 1e-6, 1e-2, 0.5, 3.0)):
        drawn = Drawn(numbers[None], np.random.default_rng(seed), share, symbols=2 if share else 0)
        plain = activate(kind, numbers)[None]
        needed = max(needed, drawn.check([activation(kind).bound(a, x) for x in drawn.bounded()], plain))
    assert needed > 0.9


@pytest.mark.parametrize("kind", ["rms", "layer"])
@pytest.mark.parametrize("dtype", ALL)
def test_norms(dtype: str, kind: Literal["rms", "layer"]) -> None:
    a, needed = arithmetic(dtype), 0.0
    epsilons = (1e-3, 0.1, 10.0) if dtype == "float16" else (1e-12, 1e-6, 1.0)
    for seed in range(60):
        chance = np.random.default_rng(seed)
        size, epsilon = int(chance.integers(1, 7)), float(chance.choice(epsilons))
        weight = tuple(torch.tensor(chance.normal(0, 1, size), dtype=DTYPES[dtype]).tolist()) if seed % 2 else None
        scale = 10.0 ** chance.uniform(-3, 1, 400)
        numbers = torch.tensor(chance.normal(0, 1, (size, 400)) * scale, dtype=DTYPES[dtype])
        numbers[:, chance.integers(0, 400, 20)] = 0.0
        drawn = Drawn(numbers, chance, float(chance.choice([0.0, 1e-9, 1e-4, 0.02, 0.2])), symbols=seed % 3)
        operation = Normalized(kind, epsilon, 1, weight, first_symbol=10)
        module = Norm(NormIr("norm", kind, epsilon, Axis(()), None), ParameterStore(DTYPES[dtype]))
        plain = module(numbers.T)
        plain = plain if weight is None else plain * torch.tensor(weight, dtype=DTYPES[dtype])
        needed = max(needed, drawn.check(normalize(a, drawn.bounded(), operation, 0), plain.T))
    assert needed > 0.5


ORDERS = ("torch", "rising", "falling", "as it is")


def summed(terms: Tensor, order: str) -> Tensor:
    """Terms [n, batch] of a dtype, added one by one and rounded each time."""
    if order in ("rising", "falling"):
        terms = terms.gather(0, terms.abs().argsort(0, descending=order == "falling"))
    total = torch.zeros_like(terms[0])
    for term in terms:
        total = total + term
    return total


@pytest.mark.parametrize("dtype", ALL)
def test_linear_maps(dtype: str) -> None:
    """In the order that torch has, and in others that it might have."""
    a, needed = arithmetic(dtype), 0.0
    for seed in range(100):
        chance = np.random.default_rng(seed)
        size, outputs = int(chance.integers(1, 9)), 3
        weights = chance.normal(0, 1, (outputs, size)) * 10.0 ** chance.uniform(-2, 2, (outputs, size))
        weights = np.where(chance.random((outputs, size)) < 0.3, 2.0 ** np.round(np.log2(np.abs(weights))), weights)
        weight = torch.tensor(weights * (chance.random((outputs, size)) < 0.8), dtype=DTYPES[dtype])
        bias = torch.tensor(chance.normal(0, 1, outputs) * (seed % 2), dtype=DTYPES[dtype])
        numbers = torch.tensor(chance.normal(0, 1, (size, 200)) * 10.0 ** chance.uniform(-2, 1, (size, 1)))
        numbers[0] -= numbers[1:].sum(0) * (seed % 3 == 0)  # they cancel
        numbers = numbers.to(DTYPES[dtype])
        drawn = Drawn(numbers, chance, float(chance.choice([0.0, 1e-9, 1e-4, 0.1])), symbols=seed % 3)
        terms = [[(c, float(w)) for c, w in enumerate(row) if w] for row in weight.tolist()]
        found = [a.linear(drawn.bounded(), row, float(b)) for row, b in zip(terms, bias, strict=True)]
        products = weight[:, :, None] * numbers  # [outputs, size, batch], rounded
        biases = bias[:, None, None].expand(outputs, 1, 200)
        for order in ORDERS:
            if order == "torch":
                plain = functional.linear(numbers.T.contiguous(), weight, bias if seed % 2 else None).T
            else:
                plain = torch.stack([summed(own, order) for own in torch.cat((products, biases), dim=1)])
            needed = max(needed, drawn.check(found, plain))
    assert needed > 0.9


def in_any_order(terms: Sequence[np.floating]) -> set[float]:
    """All that additions of these can come to, of two sums at a time."""
    if len(terms) == 1:
        return {float(terms[0])}
    found = set[float]()
    for chosen in range(1, 1 << (len(terms) - 1)):
        parts = [[x for i, x in enumerate(terms) if (chosen >> i & 1) == side] for side in (0, 1)]
        kind = type(terms[0])
        found |= {float(kind(x) + kind(y)) for x in in_any_order(parts[0]) for y in in_any_order(parts[1])}
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_sum_whose_terms_cancel(dtype: type[np.floating]) -> None:
    """No order is further off. The sizes of all terms would give nearly twice as much."""
    a, needed, chance = arithmetic(dtype.__name__), 0.0, np.random.default_rng(1)
    by_parts = by_sizes = 0.0
    for _ in range(100):
        terms = [dtype(x) for x in chance.uniform(0.5, 16, 5 if dtype is np.float16 else 4)]
        terms[-1] = dtype(-sum(terms[:-1]) * chance.uniform(0.8, 1))
        exact = math.fsum(map(float, terms))
        bound = a.sum([Bounded(float(x), 0.0) for x in terms])
        worst = max(abs(x - exact) for x in in_any_order(terms))
        assert worst <= bound.error
        needed = max(needed, worst / bound.error)
        by_parts += bound.error
        by_sizes += (len(terms) - 1) * a.rounded(sum(abs(float(x)) for x in terms))
    assert needed > 0.6
    assert by_parts < 0.6 * by_sizes


def weighed(scores: Tensor, plus_one: bool, order: str) -> Tensor:
    """Scores [keys, batch] to weights, as torch does it or step by step."""
    if order == "torch":
        exponentials = scores.T.exp()
        return (exponentials / (1 + exponentials.sum(-1, keepdim=True)) if plus_one else scores.T.softmax(-1)).T
    exponentials = scores.exp() if plus_one else (scores - scores.amax(0)).exp()
    total = summed(exponentials, order)
    return exponentials / (1 + total if plus_one else total)


def flat(x: Quantity) -> Tensor:
    return torch.as_tensor(x, dtype=torch.float64).expand(1, 1, BATCH).flatten()


def same(keys: Keys, _head: int) -> Keys:
    return keys


def drawn_scores(chance: np.random.Generator, seed: int, size: int, dtype: str, plus_one: bool) -> Tensor:
    spread = 10.0 ** chance.uniform(-2, 1.5 if dtype != "float16" or not plus_one else 0.5)
    scores = torch.tensor(chance.normal(0, spread, (size, BATCH)))
    if seed % 3 == 0:
        scores = scores.round()  # several are at the top
    if seed % 4 == 1:
        scores[0] = scores.amax(0) + 40.0 * chance.random()  # one stands out
    return (scores.clamp(max=5.0) if plus_one else scores).to(DTYPES[dtype])


@pytest.mark.parametrize("plus_one", [False, True])
@pytest.mark.parametrize("dtype", ALL)
def test_attention(dtype: str, plus_one: bool) -> None:
    """Scores that are off make other weights; keys at the top that are alike; values that are alike."""
    a, needed = arithmetic(dtype), 0.0
    for seed in range(60):
        chance = np.random.default_rng(seed)
        size, coordinates = int(chance.integers(1, 13)), int(chance.integers(1, 4))
        scores = drawn_scores(chance, seed, size, dtype, plus_one)
        values = torch.tensor(chance.normal(0, 1, (coordinates, size, BATCH)) * 10.0 ** chance.uniform(-2, 2))
        if seed % 5 == 0:
            values[:] = values[:, :1] * (1 + 1e-3 * values)
        values = values.to(DTYPES[dtype])
        share = float(chance.choice([0.0, 1e-9, 1e-4, 0.02, 0.1]))
        keys = Drawn(scores, chance, share)
        mixed = Drawn(values.flatten(0, 1), chance, share * float(chance.choice([0.0, 1.0])))
        visible = torch.tensor(chance.random(size) < 0.8)
        visible[0] = True
        operation = Attended(
            step="attention",
            run=0,
            heads=1,
            kv_heads=1,
            head_dim=1,
            value_dim=coordinates,
            scale=1.0,
            scale_operation="multiply",
            additions=(),
            visible=visible[None, None].numpy(),
            plus_one=plus_one,
            limits=(math.inf,) * coordinates,
        )
        own = [part.view(coordinates, size, BATCH) for part in (mixed.value, mixed.own)]
        seen = Keys(
            TensorLoop(visible[None, :, None], int(visible.sum())),
            [Bounded(keys.value[None], keys.own[None])],
            [Bounded(own[0][c][None], own[1][c][None]) for c in range(coordinates)],
            [],
            0.0,
        )
        query = [Bounded(torch.ones(1, 1, BATCH, dtype=torch.float64), 0.0)]
        live = tuple(range(coordinates))
        node = Node(operation, (), len(live), (0,), live)
        outputs = attend_all(a, node, operation, query, partial(same, seen), attend_head)
        found = [Bounded(flat(x.value), flat(x.error)) for x in outputs]
        shown = scores.masked_fill(~visible[:, None], -torch.inf)
        for order in ORDERS:
            pattern = weighed(shown, plus_one, order)
            if order == "torch":
                plain = (pattern.T[:, None] @ values.permute(2, 1, 0))[:, 0].T  # [coordinates, batch]
            else:
                plain = torch.stack([summed(pattern * own_values, order) for own_values in values])
            needed = max(needed, mixed.check(found, plain))
    assert needed > 0.5


@pytest.mark.parametrize("decode", ["argmax", "argmin"])
@pytest.mark.parametrize("dtype", ALL)
def test_decisions(dtype: str, decode: Literal["argmax", "argmin"]) -> None:
    """What is sure is said by the plain module; logits are close, and have much in common."""
    a, sure, total = arithmetic(dtype), 0, 0
    unit = FORMATS[dtype].unit_roundoff
    for seed in range(150):
        chance = np.random.default_rng(seed)
        size, classes, batch = int(chance.integers(1, 5)), int(chance.integers(1, 5)), 300
        weights = np.round(chance.normal(0, 3, (classes, size))) if seed % 2 else chance.normal(0, 1, (classes, size))
        weights[:, 0] += (seed % 3 == 0) * 100
        weight = torch.tensor(weights, dtype=DTYPES[dtype])
        bias = torch.tensor(np.round(chance.normal(0, 2, classes)) * (seed % 2), dtype=DTYPES[dtype])
        numbers = torch.tensor(chance.normal(0, 1, (size, batch)) * 10.0 ** chance.uniform(-1, 1))
        if seed % 5 < 3:
            numbers = numbers.round()
        share = float(chance.choice([0.0, unit, 10 * unit, 0.01]))
        drawn = Drawn(numbers.to(DTYPES[dtype]), chance, share, symbols=seed % 3)
        rows = tuple(tuple((c, float(w)) for c, w in enumerate(row) if w) for row in weight.tolist())
        linear = Linear(rows, tuple(bias.tolist()))
        decision = Decision(0, linear, classes, (0,), decode)
        found = torch.as_tensor(decide(a, decision, drawn.bounded())).expand(batch)
        products = weight[:, :, None] * drawn.plain
        terms = torch.cat((products, bias[:, None, None].expand(classes, 1, batch)), dim=1)
        for order in ORDERS:
            if order == "torch":
                plain = functional.linear(drawn.plain.T.contiguous(), weight, bias).T
            else:
                plain = torch.stack([summed(own, order) for own in terms])
            chosen = choose(plain.T, decode)
            assert ((found < 0) | (found == chosen)).all(), (seed, order)
        sure += int((found >= 0).sum())
        total += len(found)
    assert sure > 0.4 * total
