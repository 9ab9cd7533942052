"""Earlier steps run again, and streams after earlier steps combined."""

from __future__ import annotations

from collections.abc import Callable

from compiler.backends.elementary.builder import Builder
from compiler.backends.elementary.linear import vector
from compiler.backends.elementary.program import Scaled, Subtraction, Sum
from compiler.network import ir
from compiler.source.faults import no_rule


def repeat(builder: Builder, step: ir.Repeat, stream: int, run: Callable[[ir.Step, int], int]) -> int:
    """The stream after the steps named; `run` appends one of them, to a stream."""
    for _ in range(step.rounds(builder.length)):
        for name in step.steps:
            stream = run(builder.network.step(name), stream)
    return stream


def mix(builder: Builder, step: ir.Mix) -> int:
    """The combination, computed in the order written. Raises `NotFollowed`."""
    return _combined(builder, step.mixture, None if step.weight is None else vector(step.weight))


def _combined(builder: Builder, mixture: ir.Mixture, coefficients: tuple[float, ...] | None) -> int:
    match mixture:
        case ir.StreamAfter(step=name):
            return builder.streams[name]
        case ir.Scaled(operation=operation, coefficient=coefficient, stream=stream):
            assert coefficients is not None
            inner = _combined(builder, stream, coefficients)
            size = builder.channels(inner)
            return builder.add(Scaled(operation, (coefficients[coefficient],) * size), (inner,), size)
        case ir.Combined(operation=operation, left=left, right=right):
            first, second = _combined(builder, left, coefficients), _combined(builder, right, coefficients)
            return builder.add(_operation(operation), (first, second), builder.channels(first))
        case _:
            raise no_rule("mix", mixture)


def _operation(operation: ir.MixOperation) -> Sum | Subtraction:
    match operation:
        case "add":
            return Sum()
        case "subtract":
            return Subtraction()
        case _:
            raise no_rule("operation", operation)
