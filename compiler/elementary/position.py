"""What is added to the stream by position alone."""

from __future__ import annotations

import numpy as np

from compiler import ir
from compiler.elementary.builder import Builder
from compiler.elementary.linear import dense
from compiler.elementary.program import Lookup
from compiler.floats import round_to


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
