"""Attention: how heads are named and shared, what they read, and how they are put back into the stream."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tests.parity.by_hand.plain import Plain, model, split


@model("heads-single")
def heads_single(m: Plain) -> Tensor:
    """A head without a name of its own, with one coordinate: nothing is scaled."""
    x = m.start()
    query = m.linear("attention.query", x, [[1, -1, 0]], [0.5])
    key = m.linear("attention.key", x, [[0, 0.3, 0]])
    value = m.linear("attention.value", x, [[0, 0, 1]], [-1])
    mixed = m.attend("attention", [query], [key], [value])
    return m.show("attention", x + m.linear("attention.output", mixed, [[2], [0], [-1 / 3]], [0, 0, 0.25]))


@model("heads-named")
def heads_named(m: Plain) -> Tensor:
    x = m.start()
    query = m.linear("layer0.attention.query", x, [[1, 0, 0], [0, 1, -1], [0, 0, 0], [1, 0, 0]], [0, 0, 0.5, 0.5])
    key = m.linear("layer0.attention.key", x, [[0, 0, 0.2], [0, 0, 0.4], [0, 1, 0], [0, 0, 0]])
    value = m.linear("layer0.attention.value", x, [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]], [0, 0, 0, -1])
    mixed = m.attend("layer0.attention", split(query, 2), split(key, 2), split(value, 2), scale=1 / math.sqrt(2))
    change = m.linear("layer0.attention.output", mixed, [[0, 0, 0, 0], [1, -1, 0.5, 0], [0, 0, 0, 1]])
    return m.show("layer0.attention", x + change)


@model("heads-family")
def heads_family(m: Plain) -> Tensor:
    """Rows: look[0,0] look[0,1] look[1,0] look[1,1] look[2,0] look[2,1] solo[0] solo[1]."""
    x = m.start()
    quarters = [[0.25, 0, 0], [0.25, 1, 0], [0.5, 0, 0], [0.5, 1, 0], [0.75, 0, 0], [0.75, 1, 0]]
    query = m.linear("attention.query", x, [*quarters, [0, 0, 1], [0, 0, 0]])
    by_turns = [[0, 1, 0], [0, 0, 1]]
    key_bias = [0, 0, -1, 0, -2, 0, 0, 0]
    key = m.linear("attention.key", x, [*by_turns, *by_turns, *by_turns, [0.5, 0, 0], [1, 0, 0]], key_bias)
    rows = [[1, 0, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]
    value = m.linear("attention.value", x, rows, [0, 0, 0, 1, 0, 0, 0, 0])
    slopes = (-0.1, 0.0, 0.1, 0.0)

    def add(head: int, i: int, j: int) -> float:
        return slopes[head] * j

    mixed = m.attend("attention", split(query, 4), split(key, 4), split(value, 4), scale=1 / math.sqrt(2), add=add)
    to_stream = [[1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, -1, 1, 0]]
    return m.show("attention", x + m.linear("attention.output", mixed, to_stream))


@model("kv-groups")
def kv_groups(m: Plain) -> Tensor:
    """Heads a and b read the keys and values `left`, c and d those of `right`."""
    x = m.start()
    query = m.linear("attention.query", x, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, -1, 0]])
    key = m.linear("attention.key", x, [[0, 1, 0], [-1, 0, 0]], [0, 0.1])
    value = m.linear("attention.value", x, [[1, 0, 0], [0, 0, 1]], [0, -1])
    mixed = m.attend("attention", split(query, 4), split(key, 2), split(value, 2), reads=[0, 0, 1, 1])
    return m.show("attention", x + m.linear("attention.output", mixed, [[1, 0, -1, 0], [0, 0.5, 0, 0], [0, 0, 0, 1]]))


@model("kv-shared")
def kv_shared(m: Plain) -> Tensor:
    """Three heads of two coordinates read the same keys, and the same values of one coordinate."""
    x = m.start()
    query = m.linear("attention.query", x, [[-1, 0, 0], [-1, 1, 0], [0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0]])
    key = m.linear("attention.key", x, [[0, 0.25, 0], [0, 0.25, -1]])
    value = m.linear("attention.value", x, [[1, 0, 0]], [0.5])
    mixed = m.attend("attention", split(query, 3), [key], [value], reads=[0, 0, 0], scale=1 / math.sqrt(2))
    return m.show("attention", x + m.linear("attention.output", mixed, [[1, 0, 0], [0, 0.5, 0], [0, 0, 1 / 3]]))


@model("value-dim")
def value_dim(m: Plain) -> Tensor:
    """Queries and keys have one coordinate, values three."""
    x = m.start()
    query = m.linear("attention.query", x, [[1, 0, 0], [0, 1, 0]], [0, -0.5])
    key = m.linear("attention.key", x, [[0, 0, 1], [0.3, 0, 0]])
    value = m.linear("attention.value", x, [[0, 1, 0], [1, 1, 0], [2, 1, 0], [0, 0, 1], [0, 0, 2], [0, 0, 3]])
    mixed = m.attend("attention", split(query, 2), split(key, 2), split(value, 2))
    rows = [[1, 0, 0, 0, 0, -1], [0, 0, 1 / 3, 1, 0, 0], [0, 1, 0, 0, 1, 0]]
    return m.show("attention", x + m.linear("attention.output", mixed, rows))


@model("output-identity")
def output_identity(m: Plain) -> Tensor:
    """Head coordinate k goes to dimension k, and nothing is stored for it. Maps that are not written are zeros."""
    x = m.start()
    query = m.linear("attention.query", x, [[0, 0, 0], [0, 0, 0], [0, 0, 0]], [1, 0, 0])
    key = m.linear("attention.key", x, [[0, 1, 0], [0, 0, 0], [0, 0, 0]])
    value = m.linear("attention.value", x, [[0, 1, 0], [0, 0, 0], [1, 0, 0]], [0, 0, 2])
    mixed = m.attend("attention", split(query, 3), split(key, 3), split(value, 3))
    return m.show("attention", x + mixed)


@model("output-broadcast")
def output_broadcast(m: Plain) -> Tensor:
    """One coordinate goes to every dimension."""
    x = m.start()
    query = m.linear("attention.query", x, [[0, 0, 0.5]])
    key = m.linear("attention.key", x, [[1, 0, 0]], [-0.25])
    value = m.linear("attention.value", x, [[0, 1, 2]])
    mixed = m.attend("attention", [query], [key], [value])
    return m.show("attention", torch.stack([x[..., k] + mixed[..., 0] for k in range(3)], -1))


@model("output-matrix")
def output_matrix(m: Plain) -> Tensor:
    x = m.start()
    query = m.linear("attention.query", x, [[1, 0, 0], [0, 0, 0]])
    key = m.linear("attention.key", x, [[0, 1, 0], [0, 0, 0]])
    value = m.linear("attention.value", x, [[0, 0, 1], [1, 0, 0]])
    mixed = m.attend("attention", split(query, 2), split(key, 2), split(value, 2))
    doubled = [[2, -4], [0, 2 * m.number(0.3)], [2 * m.number(1 / 3), 0]]
    return m.show("attention", x + m.linear("attention.output", mixed, doubled, [0, 0, 0]))
