"""RMSNorm and LayerNorm, with or without a weight and a bias."""

from __future__ import annotations

import math

import numpy as np

from compiler.backends.elementary.builder import Builder
from compiler.backends.elementary.linear import dense, vector
from compiler.backends.elementary.program import Lookup, Normalized, NotFollowed
from compiler.expressions.floats import round_to
from compiler.network import ir


def norm(builder: Builder, stream: int, made: ir.Norm | None, groups: int = 1) -> int:
    """The norm of each group of channels; the stream itself where there is none. Raises `NotFollowed`."""
    if made is None:
        return stream
    epsilon = round_to(made.epsilon, builder.dtype)
    if epsilon < 2.0**builder.dtype.min_exponent:
        raise NotFollowed(
            f"{made.name} adds {made.epsilon:g}, which is zero in {builder.dtype.name}: 0 / 0 is possible"
        )
    if epsilon == math.inf:
        raise NotFollowed(f"{made.name} adds {made.epsilon:g}, which is infinite in {builder.dtype.name}")
    weight = None if made.weight is None else vector(made.weight)
    operation = Normalized(made.kind, made.epsilon, groups, weight, builder.new_symbols(groups))
    normed = builder.add(operation, (stream,), builder.channels(stream))
    if made.bias is None:
        return normed
    bias = np.tile(dense(made.bias), groups)[None, None]  # the same at each position, for every token
    return builder.add_sum(normed, builder.add(Lookup(bias, np.zeros_like(bias)), (), builder.channels(stream)))
