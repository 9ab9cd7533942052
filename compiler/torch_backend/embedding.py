"""Token ids to the residual stream."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from compiler import ir
from compiler.torch_backend.linear import Weights


class Embedding(nn.Module):
    """`tokens [batch, time]` to `[batch, time, dim]`."""

    weight: Tensor  # [vocabulary, dim]

    def __init__(self, step: ir.Embedding, weights: Weights) -> None:
        super().__init__()
        self.weight = weights.parameter(step.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        return functional.embedding(tokens, self.weight)

    def extra_repr(self) -> str:
        return f"weight={list(self.weight.shape)}"
