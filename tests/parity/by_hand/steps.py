"""Models as sequences of steps: repeated, mixed, and put in their places by a variant."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tests.parity.by_hand.plain import Plain, Values, model


def one_head(m: Plain, name: str, x: Tensor, rows: Sequence[Values]) -> Tensor:
    """Query, key and value of one coordinate."""
    query, key, value = (
        m.linear(f"{name}.{kind}", x, [row]) for kind, row in zip(("query", "key", "value"), rows, strict=True)
    )
    return m.attend(name, [query], [key], [value])


def attention(m: Plain, x: Tensor, value: Values) -> Tensor:
    mixed = one_head(m, "layer0.attention", x, ([1, 0, 0], [0, 1, 0], value))
    return m.show("layer0.attention", x + m.linear("layer0.attention.output", mixed, [[0], [1], [0]]))


def ffn(m: Plain, x: Tensor) -> Tensor:
    units = m.units("layer0.ffn", "relu", m.linear("layer0.ffn.up", x, [[0, 1, 0]], [0.5]))
    return m.show("layer0.ffn", x + m.linear("layer0.ffn.down", units, [[-0.7], [0], [0]]))


def position(m: Plain, x: Tensor) -> Tensor:
    tenths = torch.tensor([[0, 0, i / 10] for i in range(x.shape[1])], dtype=torch.float64)
    return m.show("position", x + tenths)


@model("repeat")
def repeat(m: Plain) -> Tensor:
    """The same weights, run again on the stream as it is then."""
    value = [-1 / 3, 0, 1]
    x = ffn(m, attention(m, position(m, m.start()), value))
    x = m.norm("norm", x, 0.5)
    gains = m.stored("scale.weight", [0.9, -1.1, 0.8])
    x = m.show("scale", x * gains)
    x = m.show("again.repeat", ffn(m, attention(m, x, value)))
    x = ffn(m, attention(m, position(m, x), value))
    x = m.show("scale", m.norm("norm", x, 0.5) * gains)
    return m.show("all.repeat", ffn(m, x))


@model("repeat-times")
def repeat_times(m: Plain) -> Tensor:
    """Three times, never, and twice what is itself repeated; then once for every two tokens."""
    value, time = [-1 / 3, 0, 1], m.tokens.shape[1]
    x = attention(m, m.start(), value)
    gains = m.stored("scale.weight", [0.9, -1.1, 0.8])

    def scaled(x: Tensor) -> Tensor:
        return m.show("scale", x * gains)

    def often(x: Tensor) -> Tensor:
        for _ in range(3):
            x = scaled(attention(m, x, value))
        return m.show("often.repeat", x)

    def rounds(x: Tensor) -> Tensor:
        for _ in range(time // 2):
            x = attention(m, scaled(x), value)
        return m.show("rounds.repeat", x)

    x = m.show("never.repeat", often(scaled(x)))
    x = m.show("inside.repeat", scaled(often(scaled(often(x)))))
    x = rounds(x)
    for _ in range(2 if time == 1 else 1):
        x = scaled(rounds(x))
    return m.show("both.repeat", x)


@model("mix")
def mix(m: Plain) -> Tensor:
    """Every number that multiplies or divides a stream is stored, also the -1 of a minus sign in front of one.

    `layer0.ffn` is the stream after that step, not after its repetition.
    """
    start = m.start()
    attended = attention(m, start, [0, 0, 1])
    first = ffn(m, attended)
    plain = m.show("plain.mix", first - start + attended)
    again = m.show("again.repeat", ffn(m, attention(m, plain, [0, 0, 1])))
    rho = m.number(0.3)
    weight = m.stored("mix.weight", [rho, 2 + rho, -1, rho])
    x = m.show("mix", weight[0] * first + (again - first) / weight[1] - weight[2] * start * weight[3])
    mixed = x
    units = m.units("last.ffn", "relu", m.linear("last.ffn.up", x, [[1, 0, 0]]))
    last = m.show("last.ffn", x + m.linear("last.ffn.down", units, [[0], [0], [0.5]]))
    weight = m.stored("final.mix.weight", [3, 2, -1])
    return m.show("final.mix", (mixed - last / 3) * 2 + plain)


@model("variant")
def variant(m: Plain) -> Tensor:
    """`repeat` with a step after each of its steps, one at the end, another row of values and another scale."""
    value = [0, 0, 1]
    x = m.norm("early.norm", m.start(), 0.25, layer=True)
    x = attention(m, position(m, x), value)
    mixed = one_head(m, "more.attention", x, ([0, 0, 1], [1, 0, 0], [0, 1, 0]))
    x = m.show("more.attention", x + m.linear("more.attention.output", mixed, [[0], [0], [0.5]]))
    x = ffn(m, x)
    units = m.units("more.ffn", "relu", m.linear("more.ffn.up", x, [[-1, 0, 1]]))
    x = m.show("more.ffn", x + m.linear("more.ffn.down", units, [[0], [1], [0]]))
    x = m.norm("norm", x, 0.5)
    between = m.show("between.repeat", m.norm("norm", x, 0.5))
    gains = m.stored("scale.weight", [1, 0.5, 0.25])
    x = m.show("scale", between * gains)
    again = m.show("again.repeat", ffn(m, attention(m, x, value)))
    x = m.show("mix", again - m.stored("mix.weight", [0.5]) * between)
    x = ffn(m, attention(m, position(m, x), value))
    x = m.show("scale", m.norm("norm", x, 0.5) * gains)
    x = m.show("all.repeat", ffn(m, x))
    return m.show("closing.scale", x * m.stored("closing.scale.weight", [0.5, 0.5, 0.5]))
