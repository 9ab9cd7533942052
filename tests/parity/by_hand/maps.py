"""What maps store: biases, rows stored once, tensors under several names, products, defaults."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tests.parity.by_hand.plain import START, Plain, model, split


@model("biases")
def biases(m: Plain) -> Tensor:
    """A bias is stored where an equation has a constant part, or where `biases` says so. A step's list replaces that
    of `defaults` (key, up and gate); in `defaults` a map that a step lacks is ignored."""
    x = m.start()
    query = m.linear("attention.query", x, [[1, 0, 0], [0, 0, 0]], [0, 0])
    key = m.linear("attention.key", x, [[0, 0, 0], [0, 1, 0]], [0, -1])
    value = m.linear("attention.value", x, [[0, 0, 1], [1, 0, 0]], [0, 0])
    mixed = m.attend("attention", split(query, 2), split(key, 2), split(value, 2))
    x = m.show("attention", x + m.linear("attention.output", mixed, [[1, -1], [0, 0], [0, 0]], [0, 0, 0]))
    units = m.units("first.ffn", "relu", m.linear("first.ffn.up", x, [[1, 0, 0], [0, 0, 0]], [0.5, 0]))
    x = m.show("first.ffn", x + m.linear("first.ffn.down", units, [[0, 0], [1, 0], [0, 0]]))
    gate = m.linear("second.ffn.gate", x, [[0, 0, 1], [0, 1, 0]])
    units = m.units("second.ffn", "relu", m.linear("second.ffn.up", x, [[1, 0, 0], [0, 0, 0]], [0, 0.1]), gate)
    x = m.show("second.ffn", x + m.linear("second.ffn.down", units, [[0, 0], [1, 1], [0, 0]], [0, 0, 0]))
    rows = [[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0], [0, 1, 0]]
    return m.show("head", m.linear("head.logits", x, rows, [0, 0, 0, 0, 0]))


@model("bias")
def bias(m: Plain) -> Tensor:
    """A bias by itself, whatever the weight is: rows, a matrix, a tie, one row, low rank. A vector or a list is stored
    as it is, one number once, and rows without a line are zero, or the constant part of their equation."""
    matrix, b = [[1, 0, 1 / 3], [0, -1, 0.5]], [m.number(0.1), m.number(-0.7)]
    x = m.start()
    query = m.linear("attention.query", x, matrix, b)
    key = m.linear("attention.key", x, bias=[1 / 3, 2], tied="attention.query")
    value = m.linear("attention.value", x, [[1, 0, -1]], [0, b[0] / m.number(3)], outputs=2)
    mixed = m.attend("attention", split(query, 2), split(key, 2), split(value, 2))
    turned = [[1, 0], [0, -1], [1 / 3, 0.5]]
    x = m.show("attention", x + m.linear("attention.output", mixed, turned, [0.3]))
    gate = m.linear("ffn.gate", x, [[1, 0, 0]], [*b, 2], outputs=3)
    up = m.linear("ffn.up", x, [[0, 1, 0], [0, 1, 0], [0, 0, 0]], [0, 1, -1 / 3])
    units = m.units("ffn", "relu", up, gate)
    x = m.show("ffn", x + m.linear("ffn.down", units, [[0, 0, 1], [0, 0, 0], [0, 0, 0]], [1 / 3, 2 / 3, 3 * (1 / 3)]))
    inner = m.linear("head.logits.inner", x, tied="attention.query")
    rows = [[1, 0], [0, 1], [1, 1], [2, -1], [0, 0.1]]
    return m.show("head", m.linear("head.logits", inner, rows, [0, -0.1, -0.4, -0.9, 0]))


@model("broadcast")
def broadcast(m: Plain) -> Tensor:
    """A bare number is one bias beside a weight of zeros in its full shape, a bare row one row with one bias."""
    x = m.start()
    query = m.linear("attention.query", x, [[0, 0, 0], [0, 0, 0]], [1.5])
    key = m.linear("attention.key", x, [[0.3, -1, 0]], outputs=2)
    value = m.linear("attention.value", x, [[0, 0, 1], [1, 0, 0]])
    mixed = m.attend("attention", split(query, 2), split(key, 2), split(value, 2))
    x = m.show("attention", x + m.linear("attention.output", mixed, [[1, -1 / 3]], [0.25], outputs=3))
    gate = m.linear("ffn.gate", x, [[0, 0, 0], [0, 0, 0], [0, 0, 0]], [0.1])
    up = m.linear("ffn.up", x, [[0, 2, -1]], [0.7], outputs=3)
    units = m.units("ffn", "relu", up, gate)
    x = m.show("ffn", x + m.linear("ffn.down", units, [[1, 1 / 2, 1 / 3]], outputs=3))
    return m.show("head", m.linear("head.logits", x, [[-1, 0, 0]], [1 / 3], outputs=5))


@model("ties")
def ties(m: Plain) -> Tensor:
    """A tie is of the weight: biases stay apart, and are stored only where they are asked for."""
    x = m.start()
    query = m.linear("one.attention.query", x, [[1, 0, 0], [0, 0, 0]], [-0.1, 0])
    key = m.linear("one.attention.key", x, [[1, 0, 0], [0, 1 / 3, 0]], [1, 0])
    value = m.linear("one.attention.value", x, bias=[0, 0], tied="one.attention.key")
    mixed = m.attend("one.attention", split(query, 2), split(key, 2), split(value, 2))
    x = m.show("one.attention", x + m.linear("one.attention.output", mixed, [[1, 0], [0, 1], [0, 0]]))
    gate = m.linear("one.ffn.gate", x, [[0, -1, 0.3]], [0.1], outputs=2)
    up = m.linear("one.ffn.up", x, bias=[0, 0], outputs=2, tied="one.ffn.gate")
    units = m.units("one.ffn", "relu", up, gate)
    x = m.show("one.ffn", x + m.linear("one.ffn.down", units, [[0, 0], [0, 0], [1, -0.7]]))
    units = m.units("two.ffn", "relu", m.linear("two.ffn.up", x, tied="one.attention.query"))
    x = m.show("two.ffn", x + m.linear("two.ffn.down", units, bias=[0, 0, 0], tied="one.ffn.down"))
    return m.show("head", m.linear("head.logits", x, tied="embedding"))


@model("ties-transposed")
def ties_transposed(m: Plain) -> Tensor:
    """The transpose of what another map stores: of low rank its factors in turn; of a transpose the tensor itself."""
    x = m.start()
    query = m.linear("one.attention.query", x, [[1, -0.1, 0], [0, 0, 1 / 3]])
    key = m.linear("one.attention.key", x, tied="one.attention.query")
    value = m.linear("one.attention.value", x, [[0, 0, 0.5], [1, 0, 0.5]], [1, 1])
    mixed = m.attend("one.attention", [query], [key], [value], scale=1 / math.sqrt(2))
    output = m.linear("one.attention.output", mixed, bias=[0, 0.5, 0], transpose="one.attention.query")
    x = m.show("one.attention", x + output)
    inner = m.linear("one.ffn.up.inner", x, [[0.25, -0.7, 1 / 3]])
    units = m.units("one.ffn", "relu", m.linear("one.ffn.up", inner, [[0.1], [1], [-0.3], [2]]))
    inner = m.linear("one.ffn.down.inner", units, transpose="one.ffn.up")
    x = m.show("one.ffn", x + m.linear("one.ffn.down", inner, transpose="one.ffn.up.inner"))
    units = m.units("two.ffn", "relu", m.linear("two.ffn.up", x, tied="embedding"))
    x = m.show("two.ffn", x + m.linear("two.ffn.down", units, transpose="embedding"))
    query = m.linear("two.attention.query", x, tied="one.attention.query")
    key = m.linear("two.attention.key", x, [[0, 1, 0], [0, 0, 0]])
    value = m.linear("two.attention.value", x, [[0, 0, 0], [0, 0, 0]])
    mixed = m.attend("two.attention", [query], [key], [value], scale=1 / math.sqrt(2))
    x = m.show("two.attention", x + m.linear("two.attention.output", mixed, transpose="one.attention.query"))
    return m.show("head", m.linear("head.logits", x, tied="embedding"))


@model("ties-parameters")
def ties_parameters(m: Plain) -> Tensor:
    """Whatever is a parameter as a whole is one tensor, wherever it stands; its transpose is another one."""
    rows = [[0.1, 0, 0], [0, 0.2, 0], [0, 0, 0.3], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1 / 3, 0, 0]]
    matrix = [[0.1, 1, -0.3], [0.25, 0, 1 / 3], [-0.7, 0.5, 0]]
    turned = [[0.1, 0.25, -0.7], [1, 0, 0.5], [-0.3, 1 / 3, 0]]
    time = m.tokens.shape[1]
    x = m.start()
    x = m.show("early.position", x + m.stored("early.position.weight", rows)[:time])
    x = m.norm("norm", x, 0.25, m.stored("norm.weight", [0.5, -2, 1 / 7]))
    branch = m.norm("attention.norm", x, 0.5, m.tied("attention.norm.weight", "norm.weight"), layer=True)
    query = m.linear("attention.query", branch, matrix)
    key = m.linear("attention.key", branch, turned)
    value = m.linear("attention.value", branch, tied="attention.query")
    weight = m.tied("attention.query_norm.weight", "norm.weight")
    query = m.norm("attention.query_norm", query[:, None], 0.125, weight)[:, 0]
    weight = m.tied("attention.key_norm.weight", "norm.weight")
    key = m.norm("attention.key_norm", key[:, None], 0.125, weight)[:, 0]
    mixed = m.attend("attention", [query], [key], [value], scale=1 / math.sqrt(3))
    x = m.show("attention", x + m.linear("attention.output", mixed, tied="attention.key"))
    x = m.show("late.position", x + m.tied("late.position.weight", "early.position.weight")[:time])
    x = m.show("scale", x * m.tied("scale.weight", "norm.weight"))
    units = m.units("ffn", "relu", m.linear("ffn.up", x, tied="attention.query"))
    doubled = [[2 * m.number(value) for value in row] for row in matrix]
    return m.show("ffn", x + m.linear("ffn.down", units, doubled))


@model("ties-vectors")
def ties_vectors(m: Plain) -> Tensor:
    """A norm or a scale can name an earlier one, which may itself be tied: one tensor, and whatever eps and kind."""
    x = m.start()
    x = m.show("scale", x * m.stored("scale.weight", [0.5, -2, 1 / 7]))
    x = m.norm("early.norm", x, 0.25, m.tied("early.norm.weight", "scale.weight"))
    branch = m.norm("one.attention.norm", x, 0.5, m.tied("one.attention.norm.weight", "scale.weight"), layer=True)
    query = m.linear("one.attention.query", branch, [[1, 0, 0], [1, -1, 0], [1, -2, 0]])
    key = m.linear("one.attention.key", branch, [[0, 1, 0], [3, 1, 0], [6, 1, 0]])
    value = m.linear("one.attention.value", branch, [[0, 0, 1], [0, 0, 1], [0, 0, 1]], [0, 1, 2])
    weight = m.stored("one.attention.query_norm.weight", [0.1, -0.7, 2])
    query = m.norm("one.attention.query_norm", query[:, None], 0.125, weight)[:, 0]
    weight = m.tied("one.attention.key_norm.weight", "one.attention.query_norm.weight")
    key = m.norm("one.attention.key_norm", key[:, None], 0.125, weight)[:, 0]
    mixed = m.attend("one.attention", [query], [key], [value], scale=1 / math.sqrt(3))
    output = m.linear("one.attention.output", mixed, [[0, 0, 0], [1, -1, 0], [0, 0, 0]])
    x = m.show("one.attention", x + output)
    x = m.show("late.scale", x * m.tied("late.scale.weight", "one.attention.query_norm.weight"))
    branch = m.norm("one.ffn.norm", x, 0.5, m.tied("one.ffn.norm.weight", "scale.weight"))
    units = m.units("one.ffn", "relu", m.linear("one.ffn.up", branch, [[1, 1, 0], [0, 0, 1]]))
    x = m.show("one.ffn", x + m.linear("one.ffn.down", units, [[1, -1], [0, 0], [0, 0]]))
    branch = m.norm("head.norm", x, 0.125, m.tied("head.norm.weight", "scale.weight"))
    return m.show("head", m.linear("head.logits", branch, tied="embedding"))


@model("low-rank")
def low_rank(m: Plain) -> Tensor:
    """Maps one after the other, the last factor first; each factor that is a parameter as a whole is stored once."""
    a, b, c = [[0.5], [-1], [1 / 3]], [[2, -0.1]], [[1, 0.25, 0], [0, -0.7, 1]]
    x = m.start()
    inner = m.linear("attention.query.inner", m.linear("attention.query.inner.inner", x, c), b)
    query = m.linear("attention.query", inner, a, [0, 0, 0])
    inner = m.linear("attention.key.inner", x, [[0.1, 0.2, 0.3]])
    key = m.linear("attention.key", inner, tied="attention.query")
    inner = m.linear("attention.value.inner.inner", x, tied="attention.query.inner.inner")
    inner = m.linear("attention.value.inner", inner, tied="attention.query.inner")
    value = m.linear("attention.value", inner, tied="attention.query")
    mixed = m.attend("attention", [query], [key], [value], scale=1 / math.sqrt(3))
    inner = m.linear("attention.output.inner", mixed, tied="attention.key.inner")
    x = m.show("attention", x + m.linear("attention.output", inner, [[1], [-0.5], [0.1]]))
    inner = m.linear("head.logits.inner", x, tied="attention.query.inner.inner")
    return m.show("head", m.linear("head.logits", inner, [[1, 0], [0, 1], [1, 1], [2, -1 / 7], [0, 0.5]]))


@model("defaults")
def defaults(m: Plain) -> Tensor:
    """Every default in the first attention and the first ffn; the others have values of their own, or `none`."""
    gains = [1, 2, 0.5]
    x = m.start(START)
    branch = m.norm("all.attention.norm", x, 0.1, m.stored("all.attention.norm.weight", gains))
    rows = [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]]
    query = m.linear("all.attention.query", branch, rows, [0, -1, 0, 0])
    key = m.linear("all.attention.key", branch, [[0, 0, 1], [0, 0, 2]])
    value = m.linear("all.attention.value", branch, [[1, 0, 0]])
    queries = m.norm("all.attention.query_norm", torch.stack(split(query, 2), 1), 1e-6, layer=True)
    key = m.norm("all.attention.key_norm", key[:, None], 1e-6, layer=True)[:, 0]
    turned = [m.turned(head, {(0, 1): 0.3}) for head in queries.unbind(1)]
    key = m.turned(key, {(0, 1): 0.3})
    mixed = m.attend("all.attention", turned, [key], [value], reads=[0, 0], scale=0.7, later=0, plus_one=True)
    x = m.show("all.attention", x + m.linear("all.attention.output", mixed, [[0, 0], [1, -1], [0, 0]]))
    query = m.linear("own.attention.query", x, [[1, 0, 0]])
    key = m.linear("own.attention.key", x, [[0, 1, 0]])
    value = m.linear("own.attention.value", x, [[0, 0, 1], [0, 0, 1]], [0, -1])
    mixed = m.attend("own.attention", [query], [key], [value], scale=1 / 3)
    x = m.show("own.attention", x + m.linear("own.attention.output", mixed, [[-1, 1], [0, 0], [0, 0]]))
    branch = m.norm("all.ffn.norm", x, 0.1, m.stored("all.ffn.norm.weight", gains))
    units = m.units("all.ffn", "silu", m.linear("all.ffn.up", branch, [[1, -1, 0]], [0]))
    x = m.show("all.ffn", x + m.linear("all.ffn.down", units, [[0], [0], [1]]))
    branch = m.norm("own.ffn.norm", x, 1e-6, layer=True)
    units = m.units("own.ffn", "relu", m.linear("own.ffn.up", branch, [[1, -1, 0]]))
    x = m.show("own.ffn", x + m.linear("own.ffn.down", units, [[0], [0], [1]]))
    rows = [[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0], [0, 1, 1]]
    return m.show("head", m.linear("head.logits", x, rows))
