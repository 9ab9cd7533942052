"""A program in the arithmetic of its dtype, each time in another of the ways that the rounding model allows: sums in
any order, fused or not, and functions that are off by a little.

All numbers are long doubles, which hold the exact result of an operation on two numbers of the dtype, or nearly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from compiler.backends.elementary.program import (
    Activated,
    Attended,
    Linear,
    Lookup,
    Mixed,
    Node,
    Normalized,
    Product,
    Program,
    Renewed,
    Resized,
    Rotated,
    Scaled,
    Subtraction,
    Sum,
)
from compiler.expressions.floats import FloatFormat

Numbers = NDArray[np.longdouble]
WIDE = np.finfo(np.longdouble).nmant > 60  # else there is nothing to round from


@dataclass(frozen=True, eq=False)
class Machine:
    """One that rounds to a dtype; what the model leaves open it draws."""

    dtype: FloatFormat
    random: np.random.Generator

    def rounded(self, x: Numbers) -> Numbers:
        """To nearest, ties to even, once."""
        with np.errstate(all="ignore"):
            _, exponents = np.frexp(x)
            lowest = np.maximum(exponents, self.dtype.min_exponent + 1) - self.dtype.precision
            found: Numbers = np.ldexp(np.rint(np.ldexp(x, -lowest)), lowest)
            return np.where(np.abs(found) > self.dtype.largest, np.copysign(np.inf, x), found)

    def function(self, exact: Numbers) -> Numbers:
        """A value of exp, rsqrt, cos or sin: off by two units at most, rounding included."""
        return self.rounded(exact * (1 + self.dtype.unit_roundoff * self.random.uniform(-1, 1, exact.shape)))

    def chance(self) -> bool:
        return bool(self.random.random() < 0.5)

    def sum(self, terms: Sequence[Numbers]) -> Numbers:
        """One after the other, or in pairs, in any order."""
        left: list[Numbers] = [terms[i] for i in self.random.permutation(len(terms))]
        in_pairs = self.chance()
        while len(left) > 1:
            x, y = left.pop(0), left.pop(0)
            left.insert(len(left) if in_pairs else 0, self.rounded(x + y))
        return left[0]

    def products(self, pairs: Sequence[tuple[Numbers, Numbers]], more: Sequence[Numbers] = ()) -> Numbers:
        """The sum of products and of more terms."""
        if self.chance():
            return self.sum([*(self.rounded(x * y) for x, y in pairs), *more])
        total = self.sum(more) if more else None
        for i in self.random.permutation(len(pairs)):
            x, y = pairs[i]
            total = self.rounded(x * y if total is None else total + x * y)  # fused
        assert total is not None
        return total

    def linear(self, operation: Linear, x: Numbers) -> Numbers:
        """x [..., channels]"""
        rows = []
        for number, terms in enumerate(operation.rows):
            bias = [] if operation.bias is None else [np.full(x.shape[:-1], operation.bias[number], np.longdouble)]
            pairs = [(x[..., channel], _wide(weight)) for channel, weight in terms]
            rows.append(self.products(pairs, bias) if pairs or bias else np.zeros(x.shape[:-1], np.longdouble))
        return np.stack(rows, -1)

    def activated(self, kind: str, x: Numbers) -> Numbers:
        match kind:
            case "relu":
                return np.maximum(x, np.longdouble(0))
            case "silu":
                with np.errstate(over="ignore"):
                    return self.rounded(x * self.rounded(1 / self.rounded(1 + self.function(np.exp(-x)))))
            case "gelu":
                scaled = torch.from_numpy((x * np.sqrt(_wide(0.5))).astype(np.float64))
                erf = self.rounded(torch.erf(scaled).numpy() + x * 0)
                return self.rounded(self.rounded(0.5 * x) * self.rounded(1 + erf))
            case "gelu_tanh":
                inner = np.sqrt(2 / np.longdouble(np.pi)) * (x + np.longdouble("0.044715") * x * x * x)
                tangent = self.rounded(np.tanh(self.rounded(inner)))
                return self.rounded(self.rounded(0.5 * x) * self.rounded(1 + tangent))
            case "tanh":
                return self.function(np.tanh(x))
            case "sigmoid":
                with np.errstate(over="ignore"):
                    return self.rounded(1 / self.rounded(1 + self.function(np.exp(-x))))
            case "square":
                return self.rounded(x * x)
            case "identity":
                return x
        raise AssertionError(f"{kind} is not computed here")

    def normalized(self, operation: Normalized, x: Numbers) -> Numbers:
        size = x.shape[-1] // operation.groups
        found = []
        for first in range(0, x.shape[-1], size):
            own = [x[..., first + i] for i in range(size)]
            if operation.kind == "layer":
                mean = self.rounded(self.sum(own) / size)
                own = [self.rounded(one - mean) for one in own]
            mean = self.rounded(self.products([(one, one) for one in own]) / size)
            with np.errstate(divide="ignore", invalid="ignore"):
                root: Numbers = np.sqrt(self.rounded(mean + _wide(operation.epsilon)))
                inverse = self.function(_wide(1.0) / root)
                own = [self.rounded(one * inverse) for one in own]
            if operation.weight is not None:
                own = [self.rounded(one * _wide(w)) for one, w in zip(own, operation.weight, strict=True)]
            found += own
        return np.stack(found, -1)

    def rotated(self, operation: Rotated, x: Numbers) -> Numbers:
        """x [samples, time, channels]"""
        size = x.shape[-1] // operation.groups
        off = operation.error * self.random.uniform(-0.5, 0.5, operation.error.shape)
        found = x.copy()
        for pair in range(size // 2):
            cos, sin = (self.rounded(f(operation.angles[:, pair].astype(np.longdouble)) + off[:, pair]) for f in TURNS)
            for group in range(operation.groups):
                a = group * size + (2 * pair if operation.pairs == "adjacent" else pair)
                b = a + (1 if operation.pairs == "adjacent" else size // 2)
                found[..., a] = self.products([(x[..., a], cos), (-x[..., b], sin)])
                found[..., b] = self.products([(x[..., a], sin), (x[..., b], cos)])
        return found

    def attended(self, operation: Attended, query: Numbers, key: Numbers, value: Numbers) -> Numbers:
        scale = self.rounded(_wide(operation.scale))
        heads = []
        for head in range(operation.heads):
            pairs = [
                (query[:, :, None, i], key[:, None, :, j])
                for i, j in zip(operation.query_channels(head), operation.key_channels(head), strict=True)
            ]
            score = self.products(pairs)
            if operation.scale != 1:
                score = self.rounded(score / scale if operation.scale_operation == "divide" else score * scale)
            for table in operation.additions:
                score = self.rounded(score + table[head % len(table)])
            visible = operation.visible_to(head)
            score = np.where(visible, score, -np.inf)
            if operation.ties is not None:
                weight = self.rounded(_on_largest(score, operation.ties))
                heads.append(self.mixed(weight, value[..., list(operation.value_channels(head))]))
                continue
            if not operation.plus_one:
                score = self.rounded(score - score.max(-1, keepdims=True))
            weight = np.where(visible, self.function(np.exp(score)), 0)
            total = self.sum(list(np.moveaxis(weight, -1, 0)))
            total = self.rounded(1 + total) if operation.plus_one else total
            weight = self.rounded(weight / total[..., None])
            heads.append(self.mixed(weight, value[..., list(operation.value_channels(head))]))
        return np.concatenate(heads, -1)

    def fixed(self, operation: Mixed, value: Numbers) -> Numbers:
        heads = []
        for head in range(operation.heads):
            weight = self.within(operation.weights[head], operation.error[head])
            heads.append(self.mixed(weight[None], value[..., list(operation.value_channels(head))]))
        return np.concatenate(heads, -1)

    def mixed(self, weight: Numbers, value: Numbers) -> Numbers:
        """Weights [samples | 1, queries, keys] of values [samples, keys, coordinates]."""
        pairs = [(weight[..., j, None], value[:, None, j]) for j in range(value.shape[1]) if weight[..., j].any()]
        shape = len(value), weight.shape[1], value.shape[2]
        return self.products(pairs) if pairs else np.zeros(shape, np.longdouble)

    def within(self, value: NDArray[np.float64], error: NDArray[np.float64]) -> Numbers:
        """Numbers of the dtype no farther from the values than the errors; the values where none is found."""
        wide = value.astype(np.longdouble)
        drawn = self.rounded(wide + error * self.random.uniform(-1, 1, value.shape))
        return np.where(np.abs(drawn - wide) <= error, drawn, wide)


TURNS: tuple[Callable[[Numbers], Numbers], ...] = (np.cos, np.sin)


def computed(program: Program, tokens: NDArray[np.int64], random: np.random.Generator) -> list[Numbers]:
    """What each node is for sequences of tokens [samples, time]: [samples, time, channels]. What does not matter of a
    program may be anything."""
    machine = Machine(program.dtype, random)
    shape = tokens.shape
    found: list[Numbers] = []
    for node in program.nodes:
        inputs = [found[source] if source >= 0 else None for source in node.inputs]
        found.append(np.broadcast_to(on_node(machine, node, inputs, tokens), (*shape, node.channels)))
    return found


def on_node(machine: Machine, node: Node, inputs: Sequence[Numbers | None], tokens: NDArray[np.int64]) -> Numbers:
    operation = node.operation
    if isinstance(operation, Lookup):
        full = (tokens.shape[1], max(operation.value.shape[1], 1), node.channels)
        value, error = (np.broadcast_to(part, full) for part in (operation.value, operation.error))
        rows = np.arange(tokens.shape[1])[None], tokens if full[1] > 1 else np.zeros_like(tokens)
        return machine.within(value[rows], error[rows])
    if isinstance(operation, Attended):
        sizes = operation.heads * operation.head_dim, operation.kv_heads * operation.head_dim
        values = operation.kv_heads * operation.value_dim
        read = [_zeros(tokens, size) if x is None else x for x, size in zip(inputs, (*sizes, values), strict=True)]
        return machine.attended(operation, *read)
    if isinstance(operation, Mixed):
        values = operation.kv_heads * operation.value_dim
        return machine.fixed(operation, _zeros(tokens, values) if inputs[0] is None else inputs[0])
    x, y = (_zeros(tokens, _width(node)) if part is None else part for part in (inputs[0], inputs[-1]))
    match operation:
        case Linear():
            return machine.linear(operation, x)
        case Sum():
            return machine.rounded(x + y)
        case Subtraction():
            return machine.rounded(x - y)
        case Product():
            return machine.rounded(x * y)
        case Scaled(operation=scaling, factors=factors):
            wide = np.array(factors, np.longdouble)
            return machine.rounded(x * wide if scaling == "multiply" else x / wide)
        case Resized():
            missing = max(0, node.channels - x.shape[-1])
            return np.pad(x, ((0, 0), (0, 0), (0, missing)))[..., : node.channels]
        case Renewed():
            return x
        case Activated(kind=kind):
            return machine.activated(kind, x)
        case Normalized():
            return machine.normalized(operation, x)
        case Rotated():
            return machine.rotated(operation, x)
        case _:
            raise AssertionError(type(operation).__name__)


def _on_largest(scores: Numbers, ties: str) -> Numbers:
    """Weights [..., keys]: of the largest scores, in equal shares, or of the first or last of them."""
    largest = scores == scores.max(-1, keepdims=True)
    if ties != "share":
        last = largest[..., ::-1].argmax(-1)
        chosen = largest.argmax(-1) if ties == "earliest" else largest.shape[-1] - 1 - last
        largest = np.arange(largest.shape[-1]) == chosen[..., None]
    weights: Numbers = largest / largest.sum(-1, keepdims=True, dtype=np.longdouble)
    return weights


def _wide(number: float) -> Numbers:
    return np.array(number, np.longdouble)


def _zeros(tokens: NDArray[np.int64], channels: int) -> Numbers:
    return np.zeros((*tokens.shape, channels), np.longdouble)


def _width(node: Node) -> int:
    """How many channels are read of an input that does not matter."""
    if isinstance(node.operation, Linear):
        return max((channel for terms in node.operation.rows for channel, _ in terms), default=0) + 1
    return node.channels
