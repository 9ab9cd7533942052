"""What is added to the stream by position alone."""

from __future__ import annotations

import numpy as np

from compiler.backends.elementary.builder import Builder
from compiler.backends.elementary.linear import dense
from compiler.backends.elementary.program import Lookup
from compiler.expressions.floats import round_to
from compiler.network import ir


def position(builder: Builder, step: ir.Position, stream: int) -> int:
    """The stream plus the rows of a table, which is stored or computed from formulas. Raises `NotFollowed`."""
    table = np.zeros((builder.length, step.stream.size))
    if step.table is not None:
        table[:] = dense(step.table)[: builder.length]
    for term in step.terms:
        column = term.formula.column(builder.length)
        table[:, term.dimension] = [round_to(value, builder.dtype) for value in column]
    rows = table[:, None]  # the same for every token
    return builder.add_sum(stream, builder.add(Lookup(rows, np.zeros_like(rows)), (), step.stream.size))
