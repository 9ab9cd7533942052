"""What is added to the stream by position alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compiler.backends.torch.linear import ParameterStore
from compiler.network import ir


class Position(nn.Module):
    """x [batch, time, dim] to x + rows of a table, from `start` on, which is stored or computed from formulas."""

    weight: Tensor | None  # [positions, dim], a stored table
    computed: Tensor | None  # [context, dim]

    def __init__(self, step: ir.Position, weights: ParameterStore, context: int) -> None:
        super().__init__()
        if step.table is None:
            self.register_parameter("weight", None)
            self.register_buffer("computed", _computed(step, weights.dtype, context), persistent=False)
        else:
            self.weight = weights.parameter(step.table)
            self.register_buffer("computed", None)

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        table = self.computed if self.weight is None else self.weight
        assert table is not None
        return x + table[start : start + x.shape[-2]]


def _computed(step: ir.Position, dtype: torch.dtype, context: int) -> Tensor:
    table = torch.zeros(context, step.stream.size, dtype=torch.float64)
    for term in step.terms:
        table[:, term.dimension] = torch.tensor(term.formula.column(context), dtype=torch.float64)
    return table.to(dtype)
