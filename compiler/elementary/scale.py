"""Each dimension of the stream times a stored number."""

from __future__ import annotations

from compiler import ir
from compiler.elementary.builder import Builder
from compiler.elementary.linear import vector
from compiler.elementary.program import Scaled


def scale(builder: Builder, step: ir.StreamScale, stream: int) -> int:
    """Raises `NotFollowed`."""
    return builder.add(Scaled("multiply", vector(step.weight)), (stream,), step.stream.size)
