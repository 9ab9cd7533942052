"""The residual stream to logits, and to what is decided by them."""

from __future__ import annotations

from compiler.backends.elementary.builder import Builder
from compiler.backends.elementary.linear import add_map, linear
from compiler.backends.elementary.norm import norm
from compiler.backends.elementary.program import Decision
from compiler.network import ir


def head(builder: Builder, step: ir.Head, stream: int, reads: tuple[int, ...]) -> Decision:
    """The decision reads the last map itself. Raises `NotFollowed`."""
    branch = norm(builder, stream, step.norm)
    if step.logits.inner is not None:
        branch = add_map(builder, branch, step.logits.inner)
    logits = linear(builder, step.logits)
    return Decision(branch, logits, len(logits.rows), reads, builder.network.decode)
