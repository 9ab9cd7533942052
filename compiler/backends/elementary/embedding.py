"""Token ids to the residual stream."""

from __future__ import annotations

import numpy as np

from compiler.backends.elementary.builder import Builder
from compiler.backends.elementary.linear import dense, factor
from compiler.backends.elementary.program import Lookup
from compiler.network import ir


def embedding(builder: Builder, step: ir.Embedding) -> int:
    """The row of each token, multiplied by each factor in turn. Raises `NotFollowed`."""
    table = dense(step.weight)[None]
    stream = builder.add(Lookup(table, np.zeros_like(table)), (), table.shape[2])
    for part in step.factors:
        stream = builder.add(factor(builder, part.weight), (stream,), part.outputs.size)
    return stream
