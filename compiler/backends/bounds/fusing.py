"""Linear maps of what attention mixes, where several coordinates of a head come together, as part of the attention.

A weight of the pattern that is off by some share moves all coordinates of a head at once. The output map may multiply
each by much, and cancel most of it in their sum. Bounds that follow them one by one are then much too wide.
"""

from __future__ import annotations

from dataclasses import replace

from compiler.backends.bounds.demand import pruned
from compiler.backends.elementary.program import Attended, Linear, Node, Program

MOST_TERMS = 4  # for each coordinate that is read: what a key costs grows with both


def fused(program: Program) -> Program:
    """The same program, with such maps in the nodes of attention that nothing else reads."""
    return pruned(replace(program, nodes=tuple(_fused(program, node) for node in program.nodes)))


def _fused(program: Program, node: Node) -> Node:
    if not isinstance(node.operation, Linear) or node.inputs[0] < 0:
        return node
    source = program.nodes[node.inputs[0]]
    readers = sum(other.inputs.count(node.inputs[0]) for other in program.nodes)
    if not isinstance(source.operation, Attended) or source.operation.output is not None or readers != 1:
        return node
    if source.operation.ties is not None:  # no share of its weights is off
        return node
    size = source.operation.value_dim
    rows = [[channel for channel, _ in node.operation.rows[row]] for row in node.live]
    come_together = any(len(row) > len({channel // size for channel in row}) for row in rows)
    if not come_together or sum(map(len, rows)) > MOST_TERMS * len({c for row in rows for c in row}):
        return node
    return replace(node, operation=replace(source.operation, output=node.operation), inputs=source.inputs)
