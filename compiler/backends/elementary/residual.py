"""The stream after a step of attention or a feed-forward step."""

from __future__ import annotations

from compiler.backends.elementary.builder import Builder
from compiler.backends.elementary.program import Resized
from compiler.network import ir
from compiler.network.meanings import keeps_stream


def residual(builder: Builder, kind: ir.Residual, stream: int, change: int) -> int:
    """What the step puts out, added to the old stream, which is padded or cut by position, or in its place."""
    if not keeps_stream(kind):
        return change
    size = builder.channels(change)
    old = stream if size == builder.channels(stream) else builder.add(Resized(), (stream,), size)
    return builder.add_sum(old, change)
