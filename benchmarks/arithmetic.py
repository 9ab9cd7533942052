"""What the fast engine computes for an answer."""

from __future__ import annotations

from compiler import Spec
from compiler.backends.bounds.demand import live_heads
from compiler.backends.elementary.program import Attended, Node, NotFollowed
from compiler.backends.native.fast_engine import programs


def exponentials(spec: Spec) -> int | None:
    """How many the softmax of one input takes: one for each query and visible key of each head whose weights depend on
    tokens in a way that no table holds. None where the engine cannot follow the spec."""
    try:
        return sum(_exponentials(node) for program in programs(spec) for node in program.nodes)
    except NotFollowed:
        return None


def _exponentials(node: Node) -> int:
    if not isinstance(node.operation, Attended):
        return 0
    queries = list(node.positions)
    return sum(int(node.operation.visible_to(head)[queries].sum()) for head in live_heads(node.operation, node.live))
