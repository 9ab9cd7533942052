"""Earlier steps run again, and streams after earlier steps combined."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from compiler.backends.torch.linear import ParameterStore
from compiler.network import ir
from compiler.source.faults import no_rule


class Repeat(nn.Module):
    """x [batch, time, dim] to the stream after the steps named, run on x. Their modules live elsewhere in the model."""

    def __init__(self, step: ir.Repeat) -> None:
        super().__init__()
        self.steps = step.steps

    def forward(self, x: Tensor, run: Callable[[str, Tensor], Tensor]) -> Tensor:
        for name in self.steps:
            x = run(name, x)
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
