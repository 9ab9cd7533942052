"""The whole model: the steps of a network as modules, named as in the spec."""

from __future__ import annotations

from typing import assert_never

from torch import Tensor, nn

from compiler import ir
from compiler.torch_backend.attention import Attention
from compiler.torch_backend.embedding import Embedding
from compiler.torch_backend.ffn import FeedForward
from compiler.torch_backend.head import Head
from compiler.torch_backend.linear import DTYPES, Weights


class Model(nn.Module):
    """`forward(tokens [batch, time]) -> logits [batch, time, classes]`, all in the spec's dtype.

    The step `attention layer0` of a spec is the submodule `layer0.attention`; tied maps share one parameter.
    """

    def __init__(self, network: ir.Network) -> None:
        super().__init__()
        self.context = network.context
        weights = Weights(DTYPES[network.dtype.name])
        self._step_names = tuple(step.name for step in network.steps)
        for step in network.steps:
            block, _, kind = step.name.rpartition(".")
            if block and block not in self._modules:
                self.add_module(block, nn.Module())
            (self.get_submodule(block) if block else self).add_module(kind, _module(step, weights, network.context))

    def forward(self, tokens: Tensor) -> Tensor:
        if tokens.shape[-1] > self.context:
            raise ValueError(f"a sequence of {tokens.shape[-1]} tokens; this model is built for {self.context}")
        x = tokens
        for name in self._step_names:
            x = self.get_submodule(name)(x)
        return x


def build_model(network: ir.Network) -> Model:
    """The torch module of a network, on the CPU."""
    return Model(network)


def _module(step: ir.Step, weights: Weights, context: int) -> nn.Module:
    match step:
        case ir.Embedding():
            return Embedding(step, weights)
        case ir.Attention():
            return Attention(step, weights, context)
        case ir.FeedForward():
            return FeedForward(step, weights)
        case ir.Head():
            return Head(step, weights)
        case _:
            assert_never(step)
