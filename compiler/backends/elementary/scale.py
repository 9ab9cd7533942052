"""Each dimension of the stream times a stored number."""

from __future__ import annotations

from compiler.backends.elementary.builder import Builder
from compiler.backends.elementary.linear import vector
from compiler.backends.elementary.program import Scaled
from compiler.network import ir


def scale(builder: Builder, step: ir.StreamScale, stream: int) -> int:
    """Raises `NotFollowed`."""
    return builder.add(Scaled("multiply", vector(step.weight)), (stream,), step.stream.size)
