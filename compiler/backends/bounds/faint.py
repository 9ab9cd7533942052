"""Keys that no input can give a weight that matters, and terms that can add little: left out, and what they can add is
added to the bound.

The scores of a query and a key that depend on one token each are computed for all pairs of tokens. A key is faint where
its score is so far below that of some other key, whatever the tokens are, that its weight is below `FAINT` units of
rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compiler.backends.bounds.arithmetic import ENGINE_UNIT, SLACK, Arithmetic, Rounding
from compiler.backends.bounds.attention import Scored, score
from compiler.backends.bounds.bounded import ZERO, Bounded
from compiler.backends.bounds.demand import live_heads, pruned
from compiler.backends.bounds.tensors import TensorFunctions
from compiler.backends.elementary.program import Array, Attended, Lookup, Node, Program, Scaled
from compiler.network.meanings import divides

FAINT = 2.0**-12
ROUNDED = 1.25  # times that, a faint weight can be after all roundings, in the shortest dtype too
MAX_SCORES = 1 << 22  # of a head
FAINT_FACTOR = 2.0**-8  # what is multiplied by no more is a faint term


def without_faint_keys(program: Program) -> Program:
    """The same program, without such keys where the queries and keys of attention are tables."""
    nodes = tuple(_without_faint_keys(program, node) for node in program.nodes)
    return pruned(replace(program, nodes=nodes))


def without_faint_terms(program: Program) -> Program | None:
    """The same program, where each faint term is a zero that is off by as much as the term can be, which is less to
    compute and surer of less; None where there is no such term."""
    nodes = tuple(_without_faint_term(node) for node in program.nodes)
    return None if nodes == program.nodes else pruned(replace(program, nodes=nodes))


def _without_faint_term(node: Node) -> Node:
    operation = node.operation
    if not isinstance(operation, Scaled) or node.exact:
        return node
    factors = np.abs(operation.factors)[list(node.live)]
    if not ((1 / factors if divides(operation.operation) else factors) <= FAINT_FACTOR).all():
        return node
    limits = np.array(operation.limits)[None, None]
    return replace(node, operation=Lookup(np.zeros_like(limits), limits), inputs=())


def _without_faint_keys(program: Program, node: Node) -> Node:
    operation = node.operation
    if not isinstance(operation, Attended) or operation.ties is not None:
        return node
    tables = [program.nodes[source].operation if source >= 0 else None for source in node.inputs[:2]]
    size = len(node.positions) * program.length * program.vocabulary**2
    if size > MAX_SCORES or not all(table is None or isinstance(table, Lookup) for table in tables):
        return node
    shape = (operation.heads, *operation.visible.shape[1:])
    visible, omitted = np.broadcast_to(operation.visible, shape).copy(), np.zeros(shape[:2])
    most = int(operation.visible[:, list(node.positions)].sum(2).max())
    a = Arithmetic(TensorFunctions(), Rounding.of(program.dtype))
    weight = ROUNDED * FAINT * a.rounding.unit + a.rounding.tiny
    rows = list(node.positions)
    for head in live_heads(operation, node.live):
        faint = _faint(a, program, node, operation, head)
        visible[head, rows] &= ~faint
        omitted[head, rows] = faint.sum(1) * weight
    return replace(node, operation=replace(operation, visible=visible, omitted=omitted, most=most))


def _faint(a: Arithmetic, program: Program, node: Node, operation: Attended, head: int) -> NDArray[np.bool_]:
    """Which keys of the queries of a node are faint: [positions of the node, keys]."""
    rows, keys = list(node.positions), list(range(program.length))
    query = _coordinates(program, node.inputs[0], operation.query_channels(head), rows, (1, 3))
    key = _coordinates(program, node.inputs[1], operation.key_channels(head), keys, (0, 2))
    added = [torch.tensor(table[head % len(table)][rows])[:, :, None, None] for table in operation.additions]
    shape = (len(rows), len(keys), program.vocabulary, program.vocabulary)  # queries, keys, tokens of both
    s = score(a, Scored(operation, query, key, added))
    value, error = (torch.as_tensor(part, dtype=torch.float64).expand(shape) for part in (s.value, s.error))
    off = SLACK * error + 8 * ENGINE_UNIT * value.abs()
    seen = torch.tensor(operation.visible_to(head)[rows])[:, :, None]
    lowest = torch.where(seen, (value - off).amin(3), -math.inf).amax(1, keepdim=True)
    floor = lowest.clamp(min=0.0) if operation.plus_one else lowest
    below: Tensor = (value + off).amax(3) < floor + math.log(FAINT * a.rounding.unit)
    return (below & seen).all(2).numpy()


def _coordinates(
    program: Program, source: int, channels: range, positions: Sequence[int], axes: tuple[int, int]
) -> list[Bounded]:
    """Channels of a table at these positions, with axes of size 1 for what does not matter to them."""
    if source < 0:
        return [ZERO] * len(channels)
    node, read = program.nodes[source], list(positions)

    def column(table: Array, channel: int) -> Tensor:
        full = np.broadcast_to(table[:, :, channel], (program.length, program.vocabulary))
        return torch.tensor(np.expand_dims(full[read], axes))

    assert isinstance(node.operation, Lookup)
    value, error = node.operation.value, node.operation.error
    return [Bounded(column(value, c), column(error, c)) if c in node.live else ZERO for c in channels]
