"""Each dimension of the stream times a stored number."""

from __future__ import annotations

from torch import Tensor, nn

from compiler.backends.torch.linear import ParameterStore
from compiler.network import ir


class Scale(nn.Module):
    """x [batch, time, dim] to x · weight, the weight [dim]."""

    weight: Tensor

    def __init__(self, step: ir.StreamScale, weights: ParameterStore) -> None:
        super().__init__()
        self.weight = weights.parameter(step.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight
