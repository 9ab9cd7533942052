"""Feed-forward layers, plain or gated, which may change the stream's dimensions."""

from __future__ import annotations

from compiler.backends.elementary.builder import Builder
from compiler.backends.elementary.linear import add_map
from compiler.backends.elementary.norm import norm
from compiler.backends.elementary.program import Activated, Product, Renewed
from compiler.backends.elementary.residual import residual
from compiler.network import ir


def feed_forward(builder: Builder, step: ir.FeedForward, stream: int) -> int:
    """The errors of the stream are followed from here on, by dimension. Raises `NotFollowed`."""
    stream = builder.add(Renewed(builder.new_symbols(step.stream.size)), (stream,), step.stream.size)
    branch = norm(builder, stream, step.norm)
    activated = add_map(builder, branch, step.up if step.gate is None else step.gate)
    hidden = builder.add(Activated(step.activation), (activated,), step.hidden.size)
    if step.gate is not None:
        hidden = builder.add(Product(), (hidden, add_map(builder, branch, step.up)), step.hidden.size)
    change = add_map(builder, hidden, step.down)
    return norm(builder, residual(builder, step.residual, stream, change), step.post_norm)
