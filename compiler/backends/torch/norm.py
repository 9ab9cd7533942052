"""RMSNorm (Zhang and Sennrich, 2019) and LayerNorm (Ba et al., 2016), with or without a weight and a bias."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compiler.backends.torch.linear import ParameterStore
from compiler.network import ir
from compiler.source.faults import no_rule


class Norm(nn.Module):
    """x · rsqrt(mean(x²) + epsilon) · weight + bias over the last axis; `layer` subtracts the mean first."""

    weight: Tensor | None  # [dim]
    bias: Tensor | None  # [dim]

    def __init__(self, norm: ir.Norm, weights: ParameterStore) -> None:
        super().__init__()
        self.kind = norm.kind
        self.epsilon = norm.epsilon
        if norm.weight is None:
            self.register_parameter("weight", None)
        else:
            self.weight = weights.parameter(norm.weight)
        if norm.bias is None:
            self.register_parameter("bias", None)
        else:
            self.bias = weights.parameter(norm.bias)

    def forward(self, x: Tensor) -> Tensor:
        match self.kind:
            case "rms":
                pass
            case "layer":
                x = x - x.mean(-1, keepdim=True)
            case _:
                raise no_rule("norm", self.kind)
        y = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.epsilon)
        y = y if self.weight is None else y * self.weight
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        return f"{self.kind}, epsilon={self.epsilon}"


def make_norm(norm: ir.Norm | None, weights: ParameterStore) -> nn.Module:
    """The norm of a branch, or of queries or keys; the identity where there is none."""
    return nn.Identity() if norm is None else Norm(norm, weights)
