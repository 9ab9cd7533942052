"""Stored tensors and the affine maps made of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from compiler.expressions.floats import FloatFormat
from compiler.network import ir
from compiler.source.faults import no_rule


def torch_dtype(dtype: FloatFormat) -> torch.dtype:
    """The dtype that torch computes in for a format of the spec."""
    match dtype.name:
        case "float64":
            return torch.float64
        case "float32":
            return torch.float32
        case "bfloat16":
            return torch.bfloat16
        case "float16":
            return torch.float16
        case _:
            raise no_rule("dtype", dtype.name)


def materialize(tensor: ir.Tensor, dtype: torch.dtype) -> Tensor:
    """The dense tensor, `tensor.shape`; the entries are exact in the dtype."""
    dense = torch.zeros(tensor.shape, dtype=torch.float64)
    if tensor.entries:
        indices = torch.tensor([entry.index for entry in tensor.entries])
        values = torch.tensor([entry.value for entry in tensor.entries], dtype=torch.float64)
        dense[tuple(indices.T)] = values
    return dense.to(dtype)


class ParameterStore:
    """Turns each stored tensor into one `nn.Parameter`, however many maps are tied to it."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._made: dict[str, nn.Parameter] = {}

    def parameter(self, tensor: ir.Tensor) -> nn.Parameter:
        if tensor.name not in self._made:
            self._made[tensor.name] = nn.Parameter(materialize(tensor, self.dtype))
        return self._made[tensor.name]


class Linear(nn.Module):
    """`x [..., inputs]` to `[..., outputs]`: weight `[outputs | 1, inputs]`, bias `[outputs | 1]` or none.

    A single row or a single bias number is stored once and broadcast to all outputs. A map of low rank runs its
    `inner` map first.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(self, map_: ir.Map, weights: ParameterStore) -> None:
        super().__init__()
        self.outputs = map_.outputs.size
        sizes = {tensor.shape[0] for tensor in (map_.weight, map_.bias) if tensor is not None}
        self.broadcasts = sizes != {self.outputs}
        self.inner = None if map_.inner is None else Linear(map_.inner, weights)
        self.weight = weights.parameter(map_.weight)
        if map_.bias is None:
            self.register_parameter("bias", None)
        else:
            self.bias = weights.parameter(map_.bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.inner is not None:
            x = self.inner(x)
        weight, bias = self.weight, self.bias
        if not self.broadcasts:
            return functional.linear(x, weight, bias)
        if bias is not None and bias.shape[0] != weight.shape[0]:
            if weight.shape[0] == 1:
                return functional.linear(x, weight) + bias
            bias = bias.expand(weight.shape[0])
        y = functional.linear(x, weight, bias)
        return y if y.shape[-1] == self.outputs else y.expand(*y.shape[:-1], self.outputs)

    def extra_repr(self) -> str:
        bias = None if self.bias is None else list(self.bias.shape)
        return f"weight={list(self.weight.shape)}, bias={bias}, outputs={self.outputs}"
