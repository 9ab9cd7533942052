"""Feed-forward steps and heads: plain and gated units, streams that change their dimensions, logits."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from compiler.network.ir import ACTIVATIONS
from tests.parity.by_hand.plain import START, Plain, model

UP = [[1, 0, 0], [1, 0, -1], [0, 2, 0]], [0, 0, 1]
DOWN = [[1, -1, 0], [0, 0, 0], [0, 0, 1 / 3]]


def plain(m: Plain, activation: str) -> Tensor:
    x = m.start()
    units = m.units("ffn", activation, m.linear("ffn.up", x, *UP))
    return m.show("ffn", x + m.linear("ffn.down", units, DOWN))


def gated(m: Plain, activation: str) -> Tensor:
    """The activation is that of the gate."""
    x = m.start()
    gate = m.linear("ffn.gate", x, [[0, 1, 0], [0, 2, 0], [0, 0, 1]], [-0.5, -0.5, 0])
    units = m.units("ffn", activation, m.linear("ffn.up", x, *UP), gate)
    return m.show("ffn", x + m.linear("ffn.down", units, DOWN, [0.1, 0, 0]))


for name in ACTIVATIONS:
    model(f"ffn-{name}")(partial(plain, activation=name))
    model(f"gated-{name}")(partial(gated, activation=name))


@model("ffn-widen")
def ffn_widen(m: Plain) -> Tensor:
    """x y z becomes z more[0] more[1] y x: old dimension k is new dimension k, whatever the names are."""
    x = m.start()
    units = m.units("first.ffn", "relu", m.linear("first.ffn.up", x, [[1, 0, 0]], [2]))
    change = m.linear("first.ffn.down", units, [[0], [1], [2], [0], [3]])
    zeros = torch.zeros(*x.shape[:2], 2, dtype=torch.float64)
    x = m.show("first.ffn", torch.cat([x, zeros], -1) + change)
    one_each = [[1 if i == k else 0 for i in range(5)] for k in range(5)]
    tenths = [[0.1 if i == k else 0 for i in range(5)] for k in range(5)]
    units = m.units("second.ffn", "relu", m.linear("second.ffn.up", x, one_each, [-1, -1, -1, -1, -1]))
    return m.show("second.ffn", x + m.linear("second.ffn.down", units, tenths))


@model("ffn-narrow")
def ffn_narrow(m: Plain) -> Tensor:
    """x y z becomes y late: what was x is now y, what was y is now late, and z is gone."""
    x = m.start()
    gate = m.linear("ffn.gate", x, [[0.3, -1, 0]], [0.1], outputs=2)
    up = m.linear("ffn.up", x, [[0, 0, 1], [1, 0, 0]], [0, 1])
    change = m.linear("ffn.down", m.units("ffn", "relu", up, gate), [[1, 1], [0, -1]])
    x = m.show("ffn", torch.stack([x[..., 0], x[..., 1]], -1) + change)
    return m.show("head", m.linear("head.logits", x, [[0, -1 / 3], [1, -1 / 3], [2, -1 / 3], [3, -1 / 3], [0, 1]]))


@model("head-equations")
def head_equations(m: Plain) -> Tensor:
    """The tokens a and b have no row in the embedding: they are zeros."""
    x = m.start([*START, [0, 0, 0], [0, 0, 0]])
    digits = [[0, -1, 0], [1, -1, 0], [math.sqrt(2), -1, 0], [math.sqrt(3), -1, 0]]
    rows = [*digits, [0, 0, 1 / 3], [0, 0, 0], [-1, 0, 0]]
    return m.show("head", m.linear("head.logits", x, rows, [0, 0, 0, 0, 0.5, 0.1, 0]))


@model("head-matrix")
def head_matrix(m: Plain) -> Tensor:
    rows = [[1, 0, 0.1], [0, -1, 0], [1 / 3, 0, 0], [0, 0, 2], [0.7, 0.7, 0.7]]
    return m.show("head", m.linear("head.logits", m.start(), rows, [0, 0, 0, 0, 0]))


@model("head-tied")
def head_tied(m: Plain) -> Tensor:
    """The logit of a token is the product of the normed stream with the token's own row."""
    branch = m.norm("head.norm", m.start(), 1e-2, m.stored("head.norm.weight", [1, 2, -0.5]))
    return m.show("head", m.linear("head.logits", branch, tied="embedding"))


@model("head-low-rank")
def head_low_rank(m: Plain) -> Tensor:
    inner = m.linear("head.logits.inner", m.start(), [[1, 0, 1 / 3], [0, -1, 0.5]])
    return m.show("head", m.linear("head.logits", inner, [[1, 0], [0, 1], [1, 1], [2, -1], [0, 0.1]]))


@model("head-classes")
def head_classes(m: Plain) -> Tensor:
    """`=` has no logit."""
    rows = [[0, -1, 0], [1, -1, 0], [2, -1, 0], [3, -1, 0]]
    return m.show("head", m.linear("head.logits", m.start(), rows, [0.1, 0.1, 0.1, 0.1]))


@model("prenorm")
def prenorm(m: Plain) -> Tensor:
    """A norm in a step feeds its branch; the stream that the branch is added to is not normed."""
    x = m.start()
    branch = m.norm("attention.norm", x, 1e-6)
    query = m.linear("attention.query", branch, [[1, 0, 0]])
    key = m.linear("attention.key", branch, [[0, 1, 0]])
    value = m.linear("attention.value", branch, [[0, 0, 1]])
    x = m.show("attention", x + m.attend("attention", [query], [key], [value]))
    branch = m.norm("ffn.norm", x, 0.3, m.stored("ffn.norm.weight", [2, -1 / 3, 0.5]))
    gate = m.linear("ffn.gate", branch, [[1, 0, 0]], [-0.2])
    up = m.linear("ffn.up", branch, [[0, 0, 1]])
    x = m.show("ffn", x + m.linear("ffn.down", m.units("ffn", "relu", up, gate), [[1], [0], [0]]))
    branch = m.norm("head.norm", x, 0.05, m.stored("head.norm.weight", [1, 0.1, 3]), layer=True)
    return m.show("head", m.linear("head.logits", branch, [[1, 0, 0], [1, -1, 0], [1, -2, 0], [1, -3, 0], [0, 0, 1]]))


@model("prenorm-layer")
def prenorm_layer(m: Plain) -> Tensor:
    x = m.start()
    branch = m.norm("attention.norm", x, 1e-3, layer=True)
    query = m.linear("attention.query", branch, [[1, 0, 0]])
    key = m.linear("attention.key", branch, [[0, 1, 0]])
    value = m.linear("attention.value", branch, [[0, 0, 1]])
    x = m.show("attention", x + m.attend("attention", [query], [key], [value]))
    branch = m.norm("ffn.norm", x, 1e-6, layer=True)
    units = m.units("ffn", "relu", m.linear("ffn.up", branch, [[1, 0, -1]]))
    x = m.show("ffn", x + m.linear("ffn.down", units, [[1], [0], [0]]))
    branch = m.norm("head.norm", x, 1e-6)
    return m.show("head", m.linear("head.logits", branch, [[1, 0, 0], [1, -1, 0], [1, -2, 0], [1, -3, 0], [0, 0, 1]]))


@model("norm-bias")
def norm_bias(m: Plain) -> Tensor:
    """A bias is added last, with or without a weight, and is a tensor of its own whatever it is written as."""
    b = [m.number(0.1), m.number(0), m.number(-2)]
    weight, bias = m.stored("first.norm.weight", [0.7, -1.5, 1 / 3]), m.stored("first.norm.bias", b)
    x = m.norm("first.norm", m.start(), 0.5, weight, bias, layer=True)
    x = m.norm("alone.norm", x, 0.25, None, m.stored("alone.norm.bias", [1 / 3] * 3))
    weight, bias = m.tied("ffn.norm.weight", "first.norm.weight"), m.stored("ffn.norm.bias", [0.3, -0.1, 2])
    branch = m.norm("ffn.norm", x, 1e-5, weight, bias, layer=True)
    units = m.units("ffn", "relu", m.linear("ffn.up", branch, [[1, -1, 0]]))
    x = m.show("ffn", x + m.linear("ffn.down", units, [[0], [0], [1]]))
    weight, bias = m.stored("head.norm.weight", [1, 1, 1]), m.stored("head.norm.bias", [2 * each for each in b])
    branch = m.norm("head.norm", x, 1e-3, weight, bias)
    return m.show("head", m.linear("head.logits", branch, [[1, 0, 0], [1, -1, 0], [1, -2, 0], [1, -3, 0], [0, 0, 1]]))
