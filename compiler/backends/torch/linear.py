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
        self._owners: dict[str, nn.Module] = {}

    def parameter(self, tensor: ir.Tensor) -> nn.Parameter:
        if tensor.name not in self._made:
            self._made[tensor.name] = nn.Parameter(materialize(tensor, self.dtype))
        return self._made[tensor.name]

    def matrix(self, tensor: ir.Tensor, module: nn.Module) -> nn.Parameter:
        """The parameter that a module has as its `weight`, whose transpose others may read."""
        self._owners.setdefault(tensor.name, module)
        return self.parameter(tensor)

    def owner(self, tensor: ir.Tensor) -> nn.Module:
        """The module that has the tensor as its `weight`."""
        return self._owners[tensor.name]


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
        self.inner = make_inner(map_, weights)
        self.weight = weights.matrix(map_.weight, self)
        self.register_parameter("bias", make_bias(map_, weights))

    def forward(self, x: Tensor) -> Tensor:
        return affine(x if self.inner is None else self.inner(x), self.weight, self.bias, self.outputs)

    def extra_repr(self) -> str:
        bias = None if self.bias is None else list(self.bias.shape)
        return f"weight={list(self.weight.shape)}, bias={bias}, outputs={self.outputs}"


class TransposedLinear(nn.Module):
    """A map whose weight is the transpose of another module's, `owner`. It stores none, and the state dict has none.

    The owner is asked in each pass, so that its parameter may be replaced.
    """

    bias: Tensor | None

    def __init__(self, map_: ir.Map, weights: ParameterStore) -> None:
        super().__init__()
        self.outputs = map_.outputs.size
        self.inner = make_inner(map_, weights)
        self._owner = (weights.owner(map_.weight),)  # in a tuple it is no submodule
        self.register_parameter("bias", make_bias(map_, weights))

    @property
    def owner(self) -> nn.Module:
        """The module that stores the weight."""
        return self._owner[0]

    @property
    def weight(self) -> Tensor:
        """[outputs, inputs]: the transpose of what the owner stores."""
        stored = self.owner.weight
        assert isinstance(stored, Tensor)
        return stored.T

    def forward(self, x: Tensor) -> Tensor:
        return affine(x if self.inner is None else self.inner(x), self.weight, self.bias, self.outputs)

    def extra_repr(self) -> str:
        bias = None if self.bias is None else list(self.bias.shape)
        return f"weight={list(self.weight.shape)} (a transpose), bias={bias}"


def make_map(map_: ir.Map, weights: ParameterStore) -> Linear | TransposedLinear:
    """The module of a map."""
    return TransposedLinear(map_, weights) if map_.weight.transposed else Linear(map_, weights)


def make_inner(map_: ir.Map, weights: ParameterStore) -> Linear | TransposedLinear | None:
    """The map that runs before one of low rank."""
    return None if map_.inner is None else make_map(map_.inner, weights)


def make_bias(map_: ir.Map, weights: ParameterStore) -> nn.Parameter | None:
    """The bias of a map, if it stores one."""
    return None if map_.bias is None else weights.parameter(map_.bias)


def affine(x: Tensor, weight: Tensor, bias: Tensor | None, outputs: int) -> Tensor:
    """`weight · x + bias`, x [..., inputs]; one row, or one bias number, stands for all `outputs`."""
    if bias is not None and bias.shape[0] != weight.shape[0]:
        if weight.shape[0] == 1:
            return functional.linear(x, weight) + bias
        bias = bias.expand(weight.shape[0])
    y = functional.linear(x, weight, bias)
    return y if y.shape[-1] == outputs else y.expand(*y.shape[:-1], outputs)
