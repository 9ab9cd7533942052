"""The whole model: the steps of a network as modules, named as in the spec."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from compiler.backends.torch.attention import Attention
from compiler.backends.torch.embedding import Embedding
from compiler.backends.torch.ffn import FeedForward
from compiler.backends.torch.head import Head
from compiler.backends.torch.linear import ParameterStore, torch_dtype
from compiler.backends.torch.norm import Norm
from compiler.backends.torch.past import Past
from compiler.backends.torch.position import Position
from compiler.backends.torch.repeat import Mix, Repeat
from compiler.backends.torch.scale import Scale
from compiler.network import ir
from compiler.network.pieces import pieces_of
from compiler.source.faults import no_rule


class Model(nn.Module):
    """`forward(tokens [batch, time]) -> logits [batch, time, classes]`, all in the spec's dtype.

    The step `attention layer0` of a spec is the submodule `layer0.attention`, whose output is the stream after it;
    tied maps share one parameter. Every intermediate value is the output of a submodule, to be seen by a hook or by
    `compiler.trace`. Where the context is so long that a sequence is run in `pieces`, a hook sees one after the other.
    """

    def __init__(self, network: ir.Network) -> None:
        super().__init__()
        self.context = network.context
        self.pieces = pieces_of(network)
        weights = ParameterStore(torch_dtype(network.dtype))
        self._paths = {step.name: tuple(step.name.split(".")) for step in network.steps}
        self._mixed = frozenset(
            name for step in network.steps if isinstance(step, ir.Mix) for name in _streams(step.mixture)
        )
        for step in network.steps:
            block, _, kind = step.name.rpartition(".")
            if block and block not in self._modules:
                self.add_module(block, nn.Module())
            (self.get_submodule(block) if block else self).add_module(kind, _module(step, weights, network.context))

    def forward(self, tokens: Tensor, *, in_one_piece: bool = False) -> Tensor:
        """A graph that torch compiles or exports is in one piece."""
        length = tokens.shape[-1]
        if length > self.context:
            raise ValueError(f"a sequence of {length} tokens; this model is built for {self.context}")
        if self.pieces is None or in_one_piece or torch.compiler.is_compiling():
            return self._pass(tokens, None, None)
        if not self.pieces.one_by_one:
            return self._pass(tokens, None, self.pieces.queries)
        past = Past(self.context)
        starts = range(0, max(1, length), self.pieces.queries)
        return torch.cat([self.read_on(tokens[:, at : at + self.pieces.queries], past, at) for at in starts], dim=1)

    def read_on(self, tokens: Tensor, past: Past, start: int) -> Tensor:
        """The logits [batch, new, classes] of tokens [batch, new] at the positions from `start` on, of a causal model
        that has read those before them."""
        past.read_from(start)
        return self._pass(tokens, past, None)

    def _pass(self, tokens: Tensor, past: Past | None, queries: int | None) -> Tensor:
        x = tokens
        streams: dict[str, Tensor] = {}

        def run(name: str, x: Tensor) -> Tensor:
            module: nn.Module = self
            for part in self._paths[name]:  # a look-up of the whole name takes ten times as long
                module = module._modules[part]  # type: ignore[assignment]
            result: Tensor
            match module:
                case Mix():
                    result = module(streams)
                case Repeat():
                    result = module(x, run)
                case Attention():
                    result = module(x, past, queries)
                case Position():
                    result = module(x, 0 if past is None else past.start)
                case _:
                    result = module(x)
            return result

        for name in self._paths:
            x = run(name, x)
            if name in self._mixed:
                streams[name] = x
        return x


def build_model(network: ir.Network) -> Model:
    """The torch module of a network, on the CPU."""
    return Model(network)


def _streams(mixture: ir.Mixture) -> Iterator[str]:
    match mixture:
        case ir.StreamAfter(step=step):
            yield step
        case ir.Scaled(stream=stream):
            yield from _streams(stream)
        case ir.Combined(left=left, right=right):
            yield from _streams(left)
            yield from _streams(right)
        case _:
            raise no_rule("mix", mixture)


def _module(step: ir.Step, weights: ParameterStore, context: int) -> nn.Module:
    match step:
        case ir.Embedding():
            return Embedding(step, weights)
        case ir.Position():
            return Position(step, weights, context)
        case ir.StreamNorm():
            return Norm(step.norm, weights)
        case ir.StreamScale():
            return Scale(step, weights)
        case ir.Attention():
            return Attention(step, weights, context)
        case ir.FeedForward():
            return FeedForward(step, weights)
        case ir.Repeat():
            return Repeat(step)
        case ir.Mix():
            return Mix(step, weights)
        case ir.Head():
            return Head(step, weights)
        case _:
            raise no_rule("step", step)
