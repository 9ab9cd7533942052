"""What stands at the start of a model and acts on the stream itself: embedding, position, norm, scale."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tests.parity.by_hand.plain import Plain, model, split
from tests.parity.reference import embed

TINY = [[0, -1e-3, 2e-3], [1e-3, -1e-3, 2e-3], [1e-3 * 2, -1e-3, 2e-3], [1e-3 * 3, -1e-3, 2e-3], [0.75, 0, -3]]


@model("embedding-rows")
def embedding_rows(m: Plain) -> Tensor:
    """Columns: x, one[0..3], cell[0,0] cell[0,1] cell[1,0] … cell[2,1]."""
    return m.start(
        [
            [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            [1 / 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            [2 / 3, 0, 0, -1, 0, 0, 0, 0, 0, 0, 0],
            [1, 0, 0, 0, -2, 0, 0, 0, 0, 0, 0],
            [0, 0.1, 0.1 * 1 + 0.1, 0.1 * 2 + 0.1, 0.1 * 3 + 0.1, 0, 0, 0, 0, 0, 0],
            [0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0],
            [-1, 0, 0, 0, 1 / 7, 0, 0, 2, 0, 0, 0],
            [-2, 0, 0, 0, 2 / 7, 0, 0, 0, 0, 3, 0],
            [1, 0, 0, 0, 0, 0, 11, 0, 0, 0, 0],
            [0, 0, 7, 0, 0, 0, 0, 0, 12, 0, 0],
            [-1, 0, 0, 0, 2 / 7, 0, 0, 0, 0, 0, 13],
            [-4.5, -3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5],
        ]
    )


@model("embedding-matrix")
def embedding_matrix(m: Plain) -> Tensor:
    rows = [[0.1, 2 / 3, -1], [1e-3, 0, 5], [-0.7, 0.3, 0.30000000000000004], [0, 0, 0], [math.pi, -1 / 7, 2]]
    return m.start(rows)


@model("embedding-low-rank")
def embedding_low_rank(m: Plain) -> Tensor:
    """A row of the first factor, then one product after the other; a tied head runs the same factors backwards."""
    a, c = [[1, 0], [1, 1], [1, 2], [-0.7, 1 / 3], [0, 0.1]], [[1, 0.25, 0], [0, -0.7, 1]]
    x = m.show("embedding.rows", embed(m.stored("embedding.weight", a), m.tokens))
    x = m.show("embedding.inner", x @ m.stored("embedding.inner.weight", [[2, -0.1], [1 / 7, 0]]))
    x = m.show("embedding.inner.inner", x @ m.stored("embedding.inner.inner.weight", c))
    x = m.show("embedding", x)
    units = m.units("ffn", "relu", m.linear("ffn.up", x, tied="embedding.inner.inner"))
    x = m.show("ffn", x + m.linear("ffn.down", units, [[1, 0], [0.25, -0.7], [0, 1]]))
    inner = m.linear("head.logits.inner.inner", x, tied="embedding.inner.inner")
    inner = m.linear("head.logits.inner", inner, tied="embedding.inner")
    return m.show("head", m.linear("head.logits", inner, tied="embedding"))


@model("position-equations")
def position_equations(m: Plain) -> Tensor:
    """`slow ** -k` is 1 and 0.1; positions are numbers of the dtype, and so is what is made of them."""
    x = m.start([[-1.5, 0, 0, 0], [-0.5, 0, 1, 0], [0.5, 0, 2, 0], [1.5, 0, 3, 0], [0, 0, 0, 1]])
    rows = []
    for position in range(m.tokens.shape[1]):
        pos = m.number(position)
        logarithm = 0.5 if position == 0 else m.number(math.log(position))
        waves = [m.number(math.cos(float(pos * m.number(factor)))) for factor in (1, 0.1)]
        rows.append([float(number) for number in (logarithm, *waves, -pos / m.number(7))])
    return m.show("position", x + torch.tensor(rows, dtype=torch.float64))


@model("position-formula-table")
def position_formula_table(m: Plain) -> Tensor:
    """Stored, for every position of the context; the dimension without an equation is zero."""
    x = m.start()
    tenths = [float(m.number(position) / m.number(10)) for position in range(7)]
    column = [0.5, *(float(m.number(math.log(position))) for position in range(1, 7))]
    waves = [float(m.number(math.cos(angle)) - m.number(1)) for angle in tenths]
    table = m.stored("position.weight", [[a, 0, b] for a, b in zip(column, waves, strict=True)])
    return m.show("position", x + table[: x.shape[1]])


@model("time-positions")
def time_positions(m: Plain) -> Tensor:
    """How many tokens follow, as a share of all, and as an exponent; then a number that all positions have."""
    x, time = m.start(), m.tokens.shape[1]
    rows = []
    for position in range(time):
        left = m.number(time - 1 - position)
        near = float(m.number(math.exp(-left)))
        rows.append([float(m.number(position) / m.number(10)), near, float(left / m.number(time))])
    x = m.show("both.position", x + torch.tensor(rows, dtype=torch.float64))
    share = float(m.number(1) / m.number(time))
    return m.show("one.position", x + torch.tensor([share, 0, 0], dtype=torch.float64))


@model("position-table")
def position_table(m: Plain) -> Tensor:
    """The table has a row more than the context."""
    x = m.start()
    rows = [
        [0, 0.1, 0.2],
        [1 / 3, -1, 0],
        [2, 0, -0.7],
        [0, 0, 1e-3],
        [-3, 0.3, 0],
        [0.5, 0, 1.5],
        [0, -0.25, 1 / 7],
        [100, 100, 100],
    ]
    table = m.stored("position.weight", rows)
    return m.show("position", torch.stack([x[:, i] + table[i] for i in range(x.shape[1])], 1))


@model("context")
def context(m: Plain) -> Tensor:
    """11 tokens, where the task needs 7."""
    x = m.start()
    second = torch.tensor([float(i * i) / 100 for i in range(x.shape[1])], dtype=torch.float64)
    x = m.show("position", x + second[:, None] * torch.tensor([0.0, 1, 0], dtype=torch.float64))
    query = m.linear("attention.query", x, [[1, 0, 0]])
    key = m.linear("attention.key", x, [[0, 0, 1]])
    value = m.linear("attention.value", x, [[0, 1, 0]])

    def add(head: int, i: int, j: int) -> float:
        return 1.5 if j > 8 else -0.1 * j

    mixed = m.attend("attention", split(query, 1), split(key, 1), split(value, 1), add=add)
    return m.show("attention", x + mixed.expand_as(x))


@model("norm-rms")
def norm_rms(m: Plain) -> Tensor:
    """The mean square of the first tokens is as small as the default epsilon of 1e-6, or smaller."""
    x = m.norm("first.norm", m.start(TINY), 1e-6)
    x = m.norm("second.norm", x, 0.5, m.stored("second.norm.weight", [0.1, -2, 1 / 3]))
    return m.norm("third.norm", x, 0.125, m.stored("third.norm.weight", [2, 0.7, -1]))


@model("norm-layer")
def norm_layer(m: Plain) -> Tensor:
    x = m.norm("first.norm", m.start(TINY), 1e-6, layer=True)
    x = m.norm("second.norm", x, 0.5, m.stored("second.norm.weight", [0.1, -2, 1 / 3]), layer=True)
    return m.norm("third.norm", x, 0.125, m.stored("third.norm.weight", [0.7, 0.7, 0.7]), layer=True)


@model("scale-vector")
def scale_vector(m: Plain) -> Tensor:
    x = m.start()
    x = m.show("named.scale", x * m.stored("named.scale.weight", [0.1, -2, 1 / 3]))
    return m.show("listed.scale", x * m.stored("listed.scale.weight", [0.5, 2 / 3, 0]))


@model("scale-number")
def scale_number(m: Plain) -> Tensor:
    """One number, stored for each dimension."""
    return m.show("scale", m.start() * m.stored("scale.weight", [1 / 3, 1 / 3, 1 / 3]))


@model("scale-mapping")
def scale_mapping(m: Plain) -> Tensor:
    x = m.start([[-1.5, -1, -1, -1], [-0.5, -1, 0, 1], [0.5, -1, 1, 3], [1.5, -1, 2, 5], [0, 0, 0, 0]])
    return m.show("scale", x * m.stored("scale.weight", [0.1, -0.3, 0.7, 2]))


@model("post-norm")
def post_norm(m: Plain) -> Tensor:
    """The norm is of the sum, over the dimensions after the step, and runs again where the step does."""
    g = [0.7, -1.5, 1 / 3]
    x = m.start()
    branch = m.norm("attention.norm", x, 1e-6)
    query = m.linear("attention.query", branch, [[1, 0, 0]])
    key = m.linear("attention.key", branch, [[0, 1, 0]])
    value = m.linear("attention.value", branch, [[0, 0, 1]])
    output = m.linear("attention.output", m.attend("attention", [query], [key], [value]), [[0], [1], [0]])
    weight, bias = m.stored("attention.post_norm.weight", g), m.stored("attention.post_norm.bias", [0.1, 0, -2])
    x = m.show("attention", m.norm("attention.post_norm", x + output, 0.25, weight, bias, layer=True))
    units = m.units("ffn", "relu", m.linear("ffn.up", x, [[1, -1, 0]]))
    change = m.linear("ffn.down", units, [[1], [0], [0], [1]], [1, 0, 0, 0])
    weight = m.stored("ffn.post_norm.weight", [2, 2, 2, 2])
    x = torch.cat([x, torch.zeros_like(x[..., :1])], -1) + change
    x = m.show("ffn", m.norm("ffn.post_norm", x, 0.5, weight))
    weight = m.tied("tied.ffn.post_norm.weight", "ffn.post_norm.weight")
    up, down = m.stored("tied.ffn.up.weight", [[0, 0, 0, 1]]), m.stored("tied.ffn.down.weight", [[0], [1], [0], [0]])
    for _ in range(2):
        units = m.units("tied.ffn", "relu", m.show("tied.ffn.up", x @ up.T))
        x = x + m.show("tied.ffn.down", units @ down.T)
        x = m.show("tied.ffn", m.norm("tied.ffn.post_norm", x, 0.125, weight))
    return m.show("again.repeat", x)


@model("post-norm-defaults")
def post_norm_defaults(m: Plain) -> Tensor:
    """`none` and `add` in a step switch off what the defaults say."""
    g = [0.7, -1.5, 1 / 3]
    x = m.start()
    query = m.linear("first.attention.query", x, [[1, 0, 0]])
    key = m.linear("first.attention.key", x, [[0, 1, 0]])
    value = m.linear("first.attention.value", x, [[0, 0, 1]])
    mixed = m.attend("first.attention", [query], [key], [value])
    output = m.linear("first.attention.output", mixed, [[1], [0], [-1]], [0, 0, 1])
    weight = m.stored("first.attention.post_norm.weight", g)
    x = m.show("first.attention", m.norm("first.attention.post_norm", output, 1e-5, weight, layer=True))
    units = m.units("first.ffn", "relu", m.linear("first.ffn.up", x, [[1, -1, 0]]))
    change = m.linear("first.ffn.down", units, [[1], [0], [0.5]])
    weight = m.tied("first.ffn.post_norm.weight", "first.attention.post_norm.weight")
    x = m.show("first.ffn", m.norm("first.ffn.post_norm", change, 1e-5, weight, layer=True))
    query = m.linear("second.attention.query", x, [[0, 0, 0]])
    key = m.linear("second.attention.key", x, [[0, 0, 0]])
    value = m.linear("second.attention.value", x, [[0, 0, 1]])
    mixed = m.attend("second.attention", [query], [key], [value])
    x = m.show("second.attention", x + m.linear("second.attention.output", mixed, [[0], [1], [0]]))
    units = m.units("second.ffn", "relu", m.linear("second.ffn.up", x, [[0, 1, 0]]))
    x = x + m.linear("second.ffn.down", units, [[1], [0], [0]])
    return m.show("second.ffn", m.norm("second.ffn.post_norm", x, 1e-6, layer=True))


@model("residual-none")
def residual_none(m: Plain) -> Tensor:
    """What a step puts out is the stream after it, of the step's own size; what it does not write is zero."""
    x = m.start()
    query = m.linear("wide.attention.query", x, [[1, 0, 0]])
    key = m.linear("wide.attention.key", x, [[0, 1, 0]])
    value = m.linear("wide.attention.value", x, [[0, 0, 1]], [1])
    mixed = m.attend("wide.attention", [query], [key], [value])
    x = m.norm("wide.attention.post_norm", torch.cat([mixed, mixed, mixed], -1), 1e-6)
    x = m.show("wide.attention", x)
    time = torch.arange(x.shape[1], dtype=torch.float64)
    added = torch.stack([time / 2, 1 - time, torch.zeros_like(time)], -1)
    x = m.show("position", x + added)
    query = m.linear("attention.query", x, [[0, 0, 0], [0, 0, 0], [1, 0, 0]])
    key = m.linear("attention.key", x, [[0, 0, 0], [0, 0, 0], [0, 1, 0]])
    value = m.linear("attention.value", x, [[1, -1, 0], [0, 1, 0], [1, 0, 0]], [0, 0, 0.5])
    x = m.show("attention", m.attend("attention", *(split(y, 3) for y in (query, key, value))))
    units = m.units("narrow.ffn", "relu", m.linear("narrow.ffn.up", x, [[1, 0, 0], [0, 1, -1]]))
    x = m.show("narrow.ffn", m.linear("narrow.ffn.down", units, [[1, -1], [0, 1 / 3]], [0, 0.1]))
    branch = m.norm("wide.ffn.norm", x, 1e-6)
    gate, up = m.linear("wide.ffn.gate", branch, [[0, 1]]), m.linear("wide.ffn.up", branch, [[1, 0]])
    change = m.linear("wide.ffn.down", m.units("wide.ffn", "relu", up, gate), [[1], [0], [-1], [0]])
    return m.show("wide.ffn", change)
