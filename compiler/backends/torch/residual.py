"""The stream after a step of attention or a feed-forward step (He et al., 2015)."""

from __future__ import annotations

from torch import Tensor

from compiler.network import ir
from compiler.source.faults import no_rule


def onto_stream(residual: ir.Residual, stream: Tensor, change: Tensor) -> Tensor:
    """What the step puts out, [batch, time, dim | 1], added to the old stream [batch, time, dim] or in its place."""
    match residual:
        case "add":
            return stream + change
        case "none":
            return change.expand_as(stream)
        case _:
            raise no_rule("residual", residual)
