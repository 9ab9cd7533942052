"""Attention: what the scores are made of, and how they become weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tests.parity.by_hand.plain import Plain, model, split

NEVER = -math.inf


@model("score-alibi")
def score_alibi(m: Plain) -> Tensor:
    """Slopes log 3 and log 3 / 2, and none for the last head."""
    x = m.start()
    query = m.linear("attention.query", x, [[0.5, 0, 0], [0.5, 0, 0], [0.5, 0, 0]])
    key = m.linear("attention.key", x, [[0, 0, 1], [0, 0, 2], [0, 0, 3]])
    value = m.linear("attention.value", x, [[0, 1, 0], [0, 1, 0], [0, 1, 0]], [0, 1, 2])
    slopes = (math.log(3), math.log(3) / 2, 0.0)

    def add(head: int, i: int, j: int) -> float:
        return slopes[head] * (j - i)

    return m.show("attention", x + m.attend("attention", split(query, 3), split(key, 3), split(value, 3), add=add))


@model("score-routing")
def score_routing(m: Plain) -> Tensor:
    """The first head reads the token before, the second those at even distances, the third whatever it likes."""
    x = m.start()
    query = m.linear("attention.query", x, [[1, 0, 0], [0, 0, 0], [0, 0, 0]], [0, 0, 1])
    key = m.linear("attention.key", x, [[0, 1, 0], [0, 0, 0], [1, 0, 0]])
    value = m.linear("attention.value", x, [[1, 0, 0], [0, 1, 0], [0, 0, 1]])

    def add(head: int, i: int, j: int) -> float:
        if head == 0:
            return 0.5 if i == 0 else 0 if j == i - 1 else NEVER
        if head == 1:
            return -0.1 * j if (i - j) % 2 == 0 else NEVER
        return 0

    return m.show("attention", x + m.attend("attention", split(query, 3), split(key, 3), split(value, 3), add=add))


@model("time-scores")
def time_scores(m: Plain) -> Tensor:
    """The first head sees both ends, the last one of which is another key in each length; the second the nearer keys,
    the less so the longer the sequence is. Under the mask one head sees the first half, and itself."""
    x, time = m.start(), m.tokens.shape[1]
    query = m.linear("open.attention.query", x, [[1, 0, 0], [0, 0, 1], [0, 0, 0]])
    key = m.linear("open.attention.key", x, [[0, 1, 0], [1, 0, 0], [0, 0, 0]])
    value = m.linear("open.attention.value", x, [[0, 0, 1], [1, 0, 0], [0, 1, 0]])

    def add(head: int, i: int, j: int) -> float:
        if head == 0:
            return 0.5 if j == time - 1 else -1 / time if j == 0 else NEVER
        return (j - i) / time if head == 1 else float(i == j)

    heads = split(query, 3), split(key, 3), split(value, 3)
    x = m.show("open.attention", x + m.attend("open.attention", *heads, add=add, later=0))
    query = m.linear("closed.attention.query", x, [[0, 0, 0]], [1])
    key = m.linear("closed.attention.key", x, [[1, 0, 0]])
    value = m.linear("closed.attention.value", x, [[0, 1, 0]])

    def half(head: int, i: int, j: int) -> float:
        return 2 if j < time // 2 else 0.3 if i == j else NEVER

    mixed = m.attend("closed.attention", [query], [key], [value], add=half)
    return m.show("closed.attention", x + m.linear("closed.attention.output", mixed, [[1], [0], [0]]))


def one_wide_head(m: Plain, scale: float) -> Tensor:
    """The score line is added after the scale."""
    x = m.start()
    query = m.linear("attention.query", x, [[1, 0, 0], [1, 0, 0], [1, 0, 0]], [0, 1, 2])
    key = m.linear("attention.key", x, [[0, 1, 0], [0, 1, -1], [0, 1, -2]])
    value = m.linear("attention.value", x, [[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    mixed = m.attend("attention", [query], [key], [value], scale=scale, add=lambda h, i, j: j / 10)
    return m.show("attention", x + m.linear("attention.output", mixed, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]))


@model("score-scale")
def score_scale(m: Plain) -> Tensor:
    return one_wide_head(m, float(m.number(0.3) * m.number(math.sqrt(2))))


@model("score-divide")
def score_divide(m: Plain) -> Tensor:
    return one_wide_head(m, 1 / (2 * math.sqrt(2)))


@model("qk-norm-rms")
def qk_norm_rms(m: Plain) -> Tensor:
    """The norm is of each head's coordinates. Some are so small that the default epsilon of 1e-6 matters."""
    x = m.start()
    rows = [[1e-3, 0, 0], [1e-3, 0, 0], [0, 1, 0], [0, 1, 1]]
    query = m.linear("attention.query", x, rows, [0, -1e-3, 0, 0])
    rows = [[1, -1, 0], [1, -0.5, 0], [0, 0, 1e-3], [0, 0, 1e-3]]
    key = m.linear("attention.key", x, rows, [0, 0, 0, 1e-3 * 2])
    value = m.linear("attention.value", x, [[1, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 1]])
    queries = m.norm("attention.query_norm", torch.stack(split(query, 2), 1), 1e-6)
    keys = m.norm("attention.key_norm", torch.stack(split(key, 2), 1), 1e-6)
    scale = 1 / math.sqrt(2)
    mixed = m.attend("attention", list(queries.unbind(1)), list(keys.unbind(1)), split(value, 2), scale=scale)
    return m.show("attention", x + m.linear("attention.output", mixed, [[1, 0, 0, -1], [0, 0, 0, 0], [0, 0, 0, 0]]))


@model("qk-norm-layer")
def qk_norm_layer(m: Plain) -> Tensor:
    x = m.start()
    query = m.linear("attention.query", x, [[0, -1, 0], [1, -1, 0], [2, -1, 0]])
    key = m.linear("attention.key", x, [[0, 0, 1], [0, 1, 1], [0, 4, 1]])
    value = m.linear("attention.value", x, [[0, 1, 0]])
    query = m.norm("attention.query_norm", query[:, None], 1e-6, layer=True)[:, 0]
    key = m.norm("attention.key_norm", key[:, None], 1e-6, layer=True)[:, 0]
    return m.show("attention", x + m.attend("attention", [query], [key], [value], scale=1 / math.sqrt(3)))


@model("qk-norm-shared")
def qk_norm_shared(m: Plain) -> Tensor:
    """One weight for queries and keys, stored once."""
    x = m.start()
    query = m.linear("attention.query", x, [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 1]], [0, -1, 0, 0])
    key = m.linear("attention.key", x, [[2, -1, 0], [2, -0.5, 0]])
    value = m.linear("attention.value", x, [[1, 0, 0], [1, 0, 0]], [0, 1])
    weight = m.stored("attention.query_norm.weight", [0.7, -1.5])
    queries = m.norm("attention.query_norm", torch.stack(split(query, 2), 1), 0.25, weight)
    weight = m.tied("attention.key_norm.weight", "attention.query_norm.weight")
    key = m.norm("attention.key_norm", key[:, None], 0.25, weight)[:, 0]
    scale = 1 / math.sqrt(2)
    mixed = m.attend("attention", list(queries.unbind(1)), [key], [value], reads=[0, 0], scale=scale)
    return m.show("attention", x + m.linear("attention.output", mixed, [[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, -1]]))


@model("qk-norm-bias")
def qk_norm_bias(m: Plain) -> Tensor:
    """A bias is stored for queries and for keys, also where their weight is one tensor."""
    g, b = [0.7, -1.5, 1 / 3], [0.1, 0, -2]
    x = m.start()
    query = m.linear("both.attention.query", x, [*([1, -c, 0] for c in range(3)), *([0, 1, c] for c in range(3))])
    key = m.linear("both.attention.key", x, [[3 * c, 1, 0] for c in range(3)])
    value = m.linear("both.attention.value", x, [[0, 0, 1]] * 3, [0, 1, 2])
    weight, bias = m.stored("both.attention.query_norm.weight", g), m.stored("both.attention.query_norm.bias", b)
    queries = m.norm("both.attention.query_norm", torch.stack(split(query, 2), 1), 0.25, weight, bias, layer=True)
    weight = m.tied("both.attention.key_norm.weight", "both.attention.query_norm.weight")
    bias = m.stored("both.attention.key_norm.bias", b)
    key = m.norm("both.attention.key_norm", key[:, None], 0.25, weight, bias, layer=True)[:, 0]
    mixed = m.attend("both.attention", list(queries.unbind(1)), [key], [value], reads=[0, 0], scale=1 / math.sqrt(3))
    rows = [[0] * 6, [1, 0, 0, 0, -1, 0], [0] * 6]
    x = m.show("both.attention", x + m.linear("both.attention.output", mixed, rows))
    query = m.linear("own.attention.query", x, [[1, 0, 0], [1, 0, 0]], [0, -1])
    key = m.linear("own.attention.key", x, [[0, 1, 0], [0, 1, 1]])
    value = m.linear("own.attention.value", x, [[0, 0, 1], [0, 0, 1]], [0, 1])
    bias = m.stored("own.attention.query_norm.bias", [0.3, -0.7])
    query = m.norm("own.attention.query_norm", query[:, None], 0.125, None, bias)[:, 0]
    bias = m.stored("own.attention.key_norm.bias", [1 / 7, 1 / 7])
    key = m.norm("own.attention.key_norm", key[:, None], 0.125, None, bias)[:, 0]
    mixed = m.attend("own.attention", [query], [key], [value], scale=1 / math.sqrt(2))
    return m.show("own.attention", x + m.linear("own.attention.output", mixed, [[1, -1], [0, 0], [0, 0]]))


@model("qk-norm-own")
def qk_norm_own(m: Plain) -> Tensor:
    """First the norm, with a weight for each, then rope."""
    x = m.start()
    query = m.linear("attention.query", x, [[1, 0, 0], [1, -1, 0]])
    key = m.linear("attention.key", x, [[0, 1, 0], [3, 1, 0]])
    value = m.linear("attention.value", x, [[0, 0, 1], [0, 0, 1]], [0, 1])
    weight = m.stored("attention.query_norm.weight", [0.7, -1.5])
    query = m.norm("attention.query_norm", query[:, None], 0.25, weight, layer=True)[:, 0]
    weight = m.stored("attention.key_norm.weight", [2, 1 / 3])
    key = m.norm("attention.key_norm", key[:, None], 0.25, weight, layer=True)[:, 0]
    query, key = m.turned(query, {(0, 1): 0.4}), m.turned(key, {(0, 1): 0.4})
    mixed = m.attend("attention", [query], [key], [value], scale=1 / math.sqrt(2))
    return m.show("attention", x + m.linear("attention.output", mixed, [[0, 0], [1, -1], [0, 0]]))


def two_turned_heads(m: Plain, pairs: dict[tuple[int, int], float]) -> Tensor:
    """Queries and keys turn, values do not."""
    x = m.start()
    rows = [[1, 0, 0], [1, 0.1, 0], [1, 0.1 * 2, 0], [1, 0.1 * 3, 0], [1, 0.1 * 4, 0], [1, 0.1 * 5, 0]]
    bias = [0, 0, 0, 0, 0, 0, 0, -0.2, -0.2 * 2, -0.2 * 3, -0.2 * 4, -0.2 * 5]
    query = m.linear("attention.query", x, [*rows, *[[0, 1, 0]] * 6], bias)
    rows = [[0, 0, 1], [-0.3, 0, 1], [-0.3 * 2, 0, 1], [-0.3 * 3, 0, 1], [-0.3 * 4, 0, 1], [-0.3 * 5, 0, 1]]
    bias = [0, 0, 0, 0, 0, 0, -0.4, -0.2, 0, 0.2, 0.4, 0.6]
    key = m.linear("attention.key", x, [*rows, *[[0, 0, 0]] * 6], bias)
    rows = [[0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 0, 3], [0, 0, 4], [0, 0, 5]]
    value = m.linear("attention.value", x, [*[[1, 0, 0]] * 6, *rows])
    queries, keys = ([m.turned(head, pairs) for head in split(y, 2)] for y in (query, key))
    mixed = m.attend("attention", queries, keys, split(value, 2), scale=1 / math.sqrt(6))
    to_x = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    to_y = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0.5, 0]
    return m.show("attention", x + m.linear("attention.output", mixed, [to_x, to_y, [0] * 12]))


@model("rope-default")
@model("rope-adjacent")
def rope_adjacent(m: Plain) -> Tensor:
    return two_turned_heads(m, {(0, 1): 0.9, (2, 3): 0.9 / 3, (4, 5): 0.9 / 9})


@model("rope-halves")
def rope_halves(m: Plain) -> Tensor:
    return two_turned_heads(m, {(0, 3): 0.9, (1, 4): 0.9 / 3, (2, 5): 0.9 / 9})


@model("softmax-plus-one")
def softmax_plus_one(m: Plain) -> Tensor:
    """The second head sees nothing before position 3, and then odd positions only."""
    x = m.start()
    query = m.linear("attention.query", x, [[1, 0, 0], [1, 0, 0]], [-1, 0])
    key = m.linear("attention.key", x, [[0, 1, 0], [1, 0, 0]])
    value = m.linear("attention.value", x, [[0, 0, 1], [5, 0, 0]])

    def add(head: int, i: int, j: int) -> float:
        return 0 if head == 0 else 0.5 if i >= 3 and j % 2 == 1 else NEVER

    mixed = m.attend("attention", split(query, 2), split(key, 2), split(value, 2), add=add, plus_one=True)
    assert not mixed[:, :3, 1].any()
    return m.show("attention", x + m.linear("attention.output", mixed, [[1, 0], [0, 1], [0, 0]]))


@model("mask-none")
def mask_none(m: Plain) -> Tensor:
    """Every query sees every key, and score lines hold for later ones too."""
    x = m.start()
    query = m.linear("attention.query", x, [[1, 0, 0]])
    key = m.linear("attention.key", x, [[0, 0.5, 0]])
    value = m.linear("attention.value", x, [[0, 0, 1]])
    mixed = m.attend("attention", [query], [key], [value], add=lambda h, i, j: 0.2 * (i - j), later=0)
    return m.show("attention", x + mixed)


@model("mask-number")
def mask_number(m: Plain) -> Tensor:
    """-1.5 is added to the scores of later keys, besides the score lines."""
    x = m.start()
    query = m.linear("attention.query", x, [[1, 0, 0], [0, 0, 0]])
    key = m.linear("attention.key", x, [[0, 0.5, 0], [0, 0, 0]])
    value = m.linear("attention.value", x, [[0, 0, 1], [1, 0, 0]])

    def add(head: int, i: int, j: int) -> float:
        return -j / 8 if head == 0 else 0.1 * j if j > i else 0

    mixed = m.attend("attention", split(query, 2), split(key, 2), split(value, 2), add=add, later=-1.5)
    return m.show("attention", x + m.linear("attention.output", mixed, [[1, 0], [0, 0], [0, 1]]))


@model("softmax-hard")
def softmax_hard(m: Plain) -> Tensor:
    """Latest, earliest, all of those with the largest score; the second head of the second step has no scores."""
    x = m.start()
    query, key = m.linear("last.attention.query", x, [[1, 0, 0]]), m.linear("last.attention.key", x, [[0, 1, 0]])
    value = m.linear("last.attention.value", x, [[1, 0, 0]])

    def add(head: int, i: int, j: int) -> float:
        return -1 if j % 3 == 0 else 0

    mixed = m.attend("last.attention", [query], [key], [value], add=add, ties="latest")
    x = m.show("last.attention", x + m.linear("last.attention.output", mixed, [[0], [1], [0]]))
    query = m.linear("first.attention.query", x, [[0, 1, 0], [0, 0, 0]])
    key = m.linear("first.attention.key", x, [[1, 0, 0], [0, 0, 0]])
    value = m.linear("first.attention.value", x, [[0, 1, 0], [1, 0, 0]], [-1, 0])
    mixed = m.attend("first.attention", split(query, 2), split(key, 2), split(value, 2), ties="earliest")
    x = m.show("first.attention", x + m.linear("first.attention.output", mixed, [[0.5, -1], [0, 0], [0, 0]]))
    query = m.linear("all.attention.query", x, [[-1, 0, 0]], [1])
    key, value = m.linear("all.attention.key", x, [[0, 1, 0]]), m.linear("all.attention.value", x, [[0, 0, 1]])
    mixed = m.attend("all.attention", [query], [key], [value], later=0, ties="share")
    return m.show("all.attention", x + m.linear("all.attention.output", mixed, [[0], [0], [2]]))


@model("mask-window")
def mask_window(m: Plain) -> Tensor:
    """Three keys, then a query's own alone."""
    x = m.start()
    query = m.linear("near.attention.query", x, [[1, 0, 0], [0, 0, 0]])
    key = m.linear("near.attention.key", x, [[0, 0.5, 0], [0, 0, 0]])
    value = m.linear("near.attention.value", x, [[0, 0, 1], [1, 0, 0]])
    heads = [split(y, 2) for y in (query, key, value)]
    mixed = m.attend("near.attention", *heads, window=3, add=lambda h, i, j: h / (3 - (i - j)))
    x = m.show("near.attention", x + m.linear("near.attention.output", mixed, [[1, 0], [0, 0], [0, 1]]))
    nothing = [[0, 0, 0]]
    query, key = m.linear("own.attention.query", x, nothing), m.linear("own.attention.key", x, nothing)
    value = m.linear("own.attention.value", x, [[1, 0, 0]])
    mixed = m.attend("own.attention", [query], [key], [value], window=1)
    return m.show("own.attention", x + m.linear("own.attention.output", mixed, [[0], [0.25], [0]]))
