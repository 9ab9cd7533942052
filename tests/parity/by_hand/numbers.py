"""Numbers and equations: expressions, matrices, rounding, names under `let`, targets with conditions."""

from __future__ import annotations

import math

from torch import Tensor

from tests.parity.by_hand.plain import Plain, model, split


@model("let")
def let(m: Plain) -> Tensor:
    """slope is (i + 1) / 10 wherever it is read, i being the index of the equation that reads it."""
    x = m.start()
    branch = m.norm("attention.norm", x, 0.1)
    query = m.linear("attention.query", branch, [[1, -0.1, 0], [1, -0.2, 0]])
    key = m.linear("attention.key", branch, [[2, -0.2, 0], [2, -0.4, 0]], [0, 1])
    value = m.linear("attention.value", branch, [[0, 0, 1], [0, 0, 1]])
    slopes = (0.1, 0.2)

    def add(head: int, i: int, j: int) -> float:
        return slopes[head] * (j - i)

    mixed = m.attend("attention", split(query, 2), split(key, 2), split(value, 2), scale=3 * 0.1, add=add)
    x = m.show("attention", x + m.linear("attention.output", mixed, [[1, -1], [0, 0], [0, 0]]))
    x = m.norm("norm", x, 0.25, m.stored("norm.weight", [1, 0.25, -0.5]), layer=True)
    units = m.units("ffn", "relu", m.linear("ffn.up", x, [[0.5, 0.5, 0], [0.5, 0.5, 0]], [0, -1]))
    x = m.show("ffn", x + m.linear("ffn.down", units, [[0, 0], [0, 0], [1, 1]]))
    rows = [[0, 0, 0], [1, 0, -1], [2, 0, -2], [3, 0, -3], [-1, 0, 1]]
    return m.show("head", m.linear("head.logits", x, rows, [0, 0, 0, 0, 0.5]))


@model("restricted")
def restricted(m: Plain) -> Tensor:
    """Columns: x, up[0,0] up[0,1] up[1,0] up[1,1] up[2,0] up[2,1]; head coordinates a[0,0] a[0,1] … a[2,1]."""
    zero = [0, 0, 0, 0, 0, 0, 0]
    table = [zero, zero, [2 / 7, *zero[1:]], [3 / 7, *zero[1:]], [0, 0, 0, 1, 0, 2, 12], [5 / 7, *zero[1:]]]
    x = m.start([*table, [0, 0.1, 0.1, 0, 0, 0.1, 0.1]])
    from_x = [1, 0, 0, 0, 0, 0, 0]
    rows = [from_x, from_x, from_x, from_x, [0, 1, 0, 0, 0, 0, 0], zero]
    query = m.linear("attention.query", x, rows, [0, 0, 1, 1, 0, 0])
    rows = [from_x, [0, 0, 1, 0, 0, 0, 0], from_x, [0, 0, 0, 0, 1, 0, 0], from_x, [0, 0, 0, 0, 0, 0, 1]]
    key = m.linear("attention.key", x, rows, [0, 0, 0, -1, 0, -2])
    rows = [[1, 0, 1, 0, 0, 0, 0], zero, zero, [1, 0, 0, 0, 1, 0, 0], zero, zero]
    value = m.linear("attention.value", x, rows)
    slopes = (0.0, 1 / 5, 2 / 5)

    def add(head: int, i: int, j: int) -> float:
        return slopes[head] * (j - i)

    mixed = m.attend("attention", split(query, 3), split(key, 3), split(value, 3), scale=1 / math.sqrt(2), add=add)
    rows = [[1 if d == c + 1 else 0 for c in range(6)] for d in range(7)]
    x = m.show("attention", x + m.linear("attention.output", mixed, rows))
    from_last = [0, 0, 0, 0, 0, 1, 0]
    rows = [zero, from_last, [2, *zero[1:]], from_last, [4, *zero[1:]]]
    units = m.units("ffn", "relu", m.linear("ffn.up", x, rows, [-1, 0, -1, 0, -1]))
    rows = [[0] * 5 for _ in range(7)]
    rows[0] = [0, -1, 0, 0, 1]
    rows[1][0] = rows[2][1] = rows[4][2] = 1  # up[0, 0], up[0, 1], up[1, 1]
    return m.show("ffn", x + m.linear("ffn.down", units, rows))


@model("expressions")
def expressions(m: Plain) -> Tensor:
    x = m.start()
    rows = [[0.1, 0.2, -0.3], [2 * 0.1, 2 * 0.2, -2 * 0.3], [3 * 0.1, 3 * 0.2, -3 * 0.3]]
    query = m.linear("attention.query", x, rows)
    key = m.linear("attention.key", x, [[1, 0, 0], [0, 1, 0], [0, 0, 1]], [0, -1, 0])
    value = m.linear("attention.value", x, [[1, 2, 3], [4, 5, 6], [7, 8, 10]])
    x = m.show("attention", x + m.attend("attention", split(query, 3), split(key, 3), split(value, 3)))
    up = m.linear("ffn.up", x, [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 1]], [0, 2, 4])
    units = m.units("ffn", "relu", up)
    rows = [[2, -0.3, 0], [0, 0, -math.sqrt(2) / 7], [0, 0, 0]]
    return m.show("ffn", x + m.linear("ffn.down", units, rows, [0, 1, 0]))


@model("rounding")
def rounding(m: Plain) -> Tensor:
    """Parameters are numbers of the dtype, and what meets them is rounded first; the rest is double until stored."""
    p = m.number(0.1)
    q = m.number(0.7) + p
    t = [m.number(1 / 3), q * p, m.number(1e3 + 1e-6)]
    d = 0.1 + 0.2
    rows = [
        [
            p * m.number(s) / m.number(3),
            0.1 * s / 3,
            m.number(math.exp(float(t[0] * m.number(s)))) - t[1],
            q * m.number(0.1 + d * s),
        ]
        for s in range(4)
    ]
    last = [t[2] - t[0], 2, t[2] * m.number(1 / 3), m.number(math.sqrt(float(p))) + m.number(math.sin(0.1))]
    x = m.start([*rows, last])
    units = m.units("ffn", "relu", m.linear("ffn.up", x, [[p, 0.1, 0, 0]], [m.number(-d) + p]))
    return m.show("ffn", x + m.linear("ffn.down", units, [[0], [0], [p / m.number(3)], [0]]))


@model("matrices")
def matrices(m: Plain) -> Tensor:
    u, v = [1, -0.5, 0.1], [2, 0, 1 / 3]
    matrix = [[0.1, 0, 1], [0.2, -1, 0], [0.3, 1 / 7, 0.5]]
    x = m.start()
    query = m.linear("attention.query", x, [[0.1, 0.2, 0.3], [0, -1, 1 / 7], [1, 0, 0.5]])
    rows = [[matrix[i][j] - u[i] * v[j] / 2 for j in range(3)] for i in range(3)]
    key = m.linear("attention.key", x, rows)
    rows = [
        [-(matrix[i][0] * matrix[0][j] + matrix[i][1] * matrix[1][j] + matrix[i][2] * matrix[2][j]) for j in range(3)]
        for i in range(3)
    ]
    value = m.linear("attention.value", x, rows)
    mixed = m.attend("attention", [query], [key], [value], scale=1 / math.sqrt(3))
    rows = [[m.number(0.3) * m.number(value) for value in row] for row in matrix]
    x = m.show("attention", x + m.linear("attention.output", mixed, rows))
    units = m.units("ffn", "relu", m.linear("ffn.up", x, [[1, -0.5, 0.1 + 1], [3, 0, 1 / 3]]))
    x = m.show("ffn", x + m.linear("ffn.down", units, [[1, 2], [-0.5, 0], [0.1, 1 / 3]]))
    return m.show("head", m.linear("head.logits", x, [u, v, [1, 1, 1], [0, 0, 0], [0.25, 0, 0]]))
