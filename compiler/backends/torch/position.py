"""What is added to the stream by position alone, and by the length of the sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compiler.backends.torch.linear import ParameterStore
from compiler.network import ir
from compiler.network.length import timed_shape, timed_terms


class Position(nn.Module):
    """x [batch, time, dim] to x + rows of a table, from `start` on, which is stored or computed from formulas.

    The columns of the dimensions `timed` are others for each length; then a pass reads a whole sequence.
    """

    weight: Tensor | None  # [positions, dim], a stored table
    computed: Tensor | None  # [context, dim]
    by_length: Tensor | None  # [context, context, timed], by length and position; or [context, 1, timed]
    timed: Tensor | None  # [timed]

    def __init__(self, step: ir.Position, weights: ParameterStore, context: int) -> None:
        super().__init__()
        if step.table is None:
            self.register_parameter("weight", None)
            self.register_buffer("computed", _computed(step, weights.dtype, context), persistent=False)
        else:
            self.weight = weights.parameter(step.table)
            self.register_buffer("computed", None)
        terms = timed_terms(step)
        self.register_buffer("by_length", _by_length(terms, weights.dtype, context), persistent=False)
        dimensions = torch.tensor([term.dimension for term in terms]) if terms else None
        self.register_buffer("timed", dimensions, persistent=False)

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        table = self.computed if self.weight is None else self.weight
        assert table is not None
        rows = table[start : start + x.shape[-2]]
        if self.by_length is not None and self.timed is not None:
            rows = rows.index_copy(1, self.timed, of_length(self.by_length, x.shape[-2], 0).expand(x.shape[-2], -1))
        return x + rows


def of_length(tables: Tensor, time: int, *dims: int) -> Tensor:
    """Of tables for each length [context, …] the one for sequences of `time` tokens, cut to them in these dimensions.
    One of size 1 is left as it is."""
    positions = torch.arange(time, device=tables.device)
    length = torch.arange(time + 1, device=tables.device)[-1:]  # no number of Python: torch.export would fix it
    table = tables.index_select(0, (length - 1).clamp(min=0))[0]
    for dim in dims:
        if table.shape[dim] > 1:
            table = table.index_select(dim, positions)
    return table


def _computed(step: ir.Position, dtype: torch.dtype, context: int) -> Tensor:
    table = torch.zeros(context, step.stream.size, dtype=torch.float64)
    for term in step.terms:
        if not term.formula.reads_time:
            table[:, term.dimension] = torch.tensor(term.formula.column(context), dtype=torch.float64)
    return table.to(dtype)


def _by_length(terms: tuple[ir.PositionTerm, ...], dtype: torch.dtype, context: int) -> Tensor | None:
    """The terms that read `time`: what they add in sequences of each length."""
    if not terms:
        return None
    table = torch.zeros(timed_shape(terms, context), dtype=torch.float64)
    for i, term in enumerate(terms):
        for time in range(1, context + 1):
            column = term.formula.column(time)[: table.shape[1]]
            table[time - 1, : len(column), i] = torch.tensor(column, dtype=torch.float64)
    return table.to(dtype)
