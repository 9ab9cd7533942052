"""The residual stream to logits."""

from __future__ import annotations

from torch import Tensor, nn

from compiler.backends.torch.linear import ParameterStore, make_map
from compiler.backends.torch.norm import make_norm
from compiler.network import ir


class Head(nn.Module):
    """x [batch, time, dim] to logits [batch, time, classes]."""

    def __init__(self, step: ir.Head, weights: ParameterStore) -> None:
        super().__init__()
        self.norm = make_norm(step.norm, weights)
        self.logits = make_map(step.logits, weights)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.logits(self.norm(x))
        return logits
