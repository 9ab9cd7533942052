"""What is known to the last bit: operations on known numbers, where no order of summation makes a difference.

A sum of two terms is rounded once, in any order; a sum of more is exact where all terms are multiples of a power of two
and their sizes together are less than 2^p of it (p digits in the dtype). A product may or may not be rounded before it
is added, so that it has to be exact itself, unless it is alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from compiler.backends.bounds.attention import Scored
from compiler.backends.bounds.bounded import Bounded, each_shared
from compiler.backends.bounds.quantities import Quantity
from compiler.backends.elementary.program import Linear, Node, Sum, is_power_of_two
from compiler.expressions.floats import FloatFormat
from compiler.network.meanings import divides

SPLIT = 2.0**27 + 1  # Veltkamp's constant for float64
Known = tuple[Tensor, Tensor]  # numbers, and where they are known
# a rounded product; where it is exact; where it is what the module adds if nothing else is added; where it is not zero
Term = tuple[Tensor, Tensor, Tensor, Tensor]

ROUNDED = {"float64": torch.float64, "float32": torch.float32}


def step(
    dtype: FloatFormat, node: Node, inputs: Sequence[Sequence[Bounded]], bounded: Sequence[Bounded]
) -> list[Bounded]:
    """The live channels of a node, `found` with bounds, without them where they are known."""
    operation = node.operation
    if dtype.name in ROUNDED and isinstance(operation, Linear):
        bias = operation.bias or (0.0,) * len(operation.rows)
        return [
            _linear(dtype, inputs[0], operation.rows[c], bias[c], x) for c, x in zip(node.live, bounded, strict=True)
        ]
    if dtype.name in ROUNDED and isinstance(operation, Sum):
        return [_add(dtype, inputs[0][c], inputs[1][c], x) for c, x in zip(node.live, bounded, strict=True)]
    return list(bounded)


def _linear(
    dtype: FloatFormat, inputs: Sequence[Bounded], terms: Sequence[tuple[int, float]], bias: float, bounded: Bounded
) -> Bounded:
    if not terms:
        return bounded
    parts = [_product(dtype, known(inputs[channel]), _number(weight)) for channel, weight in terms]
    number, sure = _number(bias)
    parts.append((number, sure, sure, number != 0))
    return _settled(bounded, *_sum(dtype, parts))


def _add(dtype: FloatFormat, x: Bounded, y: Bounded, bounded: Bounded) -> Bounded:
    first, second = known(x), known(y)
    total = _rounded(dtype, first[0] + second[0])
    bounded = _settled(bounded, total, first[1] & second[1] & _normal(dtype, total))
    for one, other in ((first, y), (second, x)):  # too little to change anything
        nothing = _size(other) <= 2.0 ** -(dtype.precision + 2) * one[0].abs()
        bounded = _settled(bounded, one[0], one[1] & nothing & _normal(dtype, one[0]))
    return bounded


def score(dtype: FloatFormat, scored: Scored, bounded: Bounded) -> Bounded:
    """The same of a score: products, their sum, the scale and what is added are rounded one after the other."""
    operation = scored.operation
    if dtype.name not in ROUNDED or not is_power_of_two(operation.scale):
        return bounded
    pairs = zip(scored.query, scored.key, strict=True)
    total, sure = _sum(dtype, [_product(dtype, known(x), known(y)) for x, y in pairs])
    total = total / operation.scale if divides(operation.scale_operation) else total * operation.scale
    sure = sure & _normal(dtype, total)
    for added in scored.added:
        total = _rounded(dtype, total + added)
        sure = sure & _normal(dtype, total)
    return _settled(bounded, total, sure)


def _size(x: Bounded) -> Tensor:
    parts = (torch.as_tensor(q, dtype=torch.float64).abs() for q in (x.value, x.error, *x.shared.values()))
    return torch.stack(torch.broadcast_tensors(*parts)).sum(0)  # type: ignore[no-untyped-call]


def known(x: Bounded) -> Known:
    """The numbers, and where there is no error."""
    value, error = (torch.as_tensor(q, dtype=torch.float64) for q in (x.value, x.error))
    sure = error == 0
    for c in x.shared.values():
        sure = sure & (torch.as_tensor(c, dtype=torch.float64) == 0)  # not float32, where 1e-50 is 0
    return value, sure & torch.isfinite(value)


def _number(x: float) -> Known:
    return torch.tensor(x, dtype=torch.float64), torch.tensor(True)


def _product(dtype: FloatFormat, x: Known, y: Known) -> Term:
    value, factor, sure = x[0], y[0], x[1] & y[1]
    product = _rounded(dtype, value * factor)
    exact = _product_error(value, factor) == 0 if dtype.name == "float64" else product == value * factor
    there = (value != 0) & (factor != 0)
    normal = _normal(dtype, product) | ~there
    return product, sure & exact & normal, sure & normal, there


def _sum(dtype: FloatFormat, terms: Sequence[Term]) -> Known:
    values, exact, single, there = (torch.stack(torch.broadcast_tensors(*part)) for part in zip(*terms, strict=True))  # type: ignore[no-untyped-call]
    count = there.sum(0)
    total = _rounded(dtype, values.sum(0))
    all_exact, all_single = exact.all(0), single.all(0)
    grain = torch.where(values != 0, _lowest_bit(values), torch.inf).amin(0)
    whole = values.abs().sum(0) < grain * 2.0**dtype.precision
    sure = torch.where(count <= 1, all_single, all_exact & ((count == 2) | whole))
    return total, sure & _normal(dtype, total)


def _settled(bounded: Bounded, value: Tensor, sure: Tensor) -> Bounded:
    """With the known value and no error where it is sure."""

    def where(one: Quantity, other: Quantity) -> Quantity:
        parts = torch.as_tensor(one, dtype=torch.float64), torch.as_tensor(other, dtype=torch.float64)
        merged = torch.where(sure, *parts)
        return merged if merged.dim() else float(merged)

    error = where(0.0, bounded.error)
    error = 0.0 if bool((torch.as_tensor(error, dtype=torch.float64) == 0).all()) else error
    return Bounded(where(value, bounded.value), error, each_shared(bounded.shared, lambda c: where(0.0, c)))


def _rounded(dtype: FloatFormat, x: Tensor) -> Tensor:
    return x.to(ROUNDED[dtype.name]).double()


def _normal(dtype: FloatFormat, x: Tensor) -> Tensor:
    """Neither infinite nor so small that it, or what is lost of a product, may be taken as zero."""
    return torch.isfinite(x) & ((x == 0) | (x.abs() >= 2.0 ** (dtype.min_exponent + 2 * dtype.precision)))


def _product_error(x: Tensor, y: Tensor) -> Tensor:
    """x · y - fl(x · y), exactly, or NaN where that overflows (Dekker, 1971)."""
    product = x * y
    high_x, high_y = (SPLIT * q - (SPLIT * q - q) for q in (x, y))
    low_x, low_y = x - high_x, y - high_y
    return ((high_x * high_y - product) + high_x * low_y + low_x * high_y) + low_x * low_y


def _lowest_bit(x: Tensor) -> Tensor:
    """The largest power of two that each number is a multiple of."""
    mantissa, exponent = torch.frexp(x)
    whole = (mantissa * 2.0**53).to(torch.int64)
    # not torch.ldexp, of which some versions take the power of two in float32
    return torch.from_numpy(np.ldexp((whole & -whole).double().numpy(), exponent.numpy() - 53))
