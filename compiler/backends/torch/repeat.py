"""Earlier steps run again, and streams after earlier steps combined."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from compiler.backends.torch.linear import ParameterStore
from compiler.backends.torch.position import of_length
from compiler.network import ir
from compiler.source.faults import no_rule


class Repeat(nn.Module):
    """x [batch, time, dim] to the stream after the steps named, run on x as often as the step says. Their modules live
    elsewhere in the model."""

    rounds: Tensor | None  # [context], where they differ by length

    def __init__(self, step: ir.Repeat) -> None:
        super().__init__()
        self.steps = step.steps
        self.times = step.times
        rounds = torch.tensor(step.times) if len(step.times) > 1 else None
        self.register_buffer("rounds", rounds, persistent=False)

    def forward(self, x: Tensor, run: Callable[[str, Tensor], Tensor]) -> Tensor:
        def again(x: Tensor) -> Tensor:
            for name in self.steps:
                x = run(name, x)
            return x

        if self.rounds is not None and torch.compiler.is_compiling():  # one graph for all lengths
            rounds = of_length(self.rounds, x.shape[-2])
            for done in range(max(self.times)):
                x = torch.where(done < rounds, again(x), x)
            return x
        for _ in range(self.times[0] if self.rounds is None else self.times[x.shape[-2] - 1]):
            x = again(x)
        return x

    def extra_repr(self) -> str:
        return " ".join(self.steps)


class Mix(nn.Module):
    """The streams after steps, each [batch, time, dim], to their combination, computed in the order written."""

    weight: Tensor | None  # [coefficients]

    def __init__(self, step: ir.Mix, weights: ParameterStore) -> None:
        super().__init__()
        self.mixture = step.mixture
        self.text = step.equation.right
        if step.weight is None:
            self.register_parameter("weight", None)
        else:
            self.weight = weights.parameter(step.weight)

    def forward(self, streams: Mapping[str, Tensor]) -> Tensor:
        return self._combined(self.mixture, streams)

    def _combined(self, mixture: ir.Mixture, streams: Mapping[str, Tensor]) -> Tensor:
        match mixture:
            case ir.StreamAfter(step=step):
                return streams[step]
            case ir.Scaled(operation=operation, coefficient=coefficient, stream=stream):
                assert self.weight is not None
                inner, factor = self._combined(stream, streams), self.weight[coefficient]
                return _scaled(operation, inner, factor)
            case ir.Combined(operation=operation, left=left, right=right):
                first, second = self._combined(left, streams), self._combined(right, streams)
                return _combined(operation, first, second)
            case _:
                raise no_rule("mix", mixture)

    def extra_repr(self) -> str:
        return self.text


def _scaled(operation: ir.ScaleOperation, stream: Tensor, factor: Tensor) -> Tensor:
    match operation:
        case "multiply":
            return stream * factor
        case "divide":
            return stream / factor
        case _:
            raise no_rule("operation", operation)


def _combined(operation: ir.MixOperation, first: Tensor, second: Tensor) -> Tensor:
    match operation:
        case "add":
            return first + second
        case "subtract":
            return first - second
        case _:
            raise no_rule("operation", operation)
