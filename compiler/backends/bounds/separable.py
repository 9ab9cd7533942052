"""Attention whose queries do not depend on tokens, over keys and values that depend on one token each: sums of tables.

What a key adds to Σ w v and Σ w, and to their errors, depends on its token and position alone. So a query is a sum of
one table entry for each key. All weights of a query are relative to one fixed score, which no score is above.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from compiler.backends.bounds.arithmetic import ENGINE_UNIT, ZERO, Arithmetic, Bounded, Rounding
from compiler.backends.bounds.attention import NEGLIGIBLE, Scored, score
from compiler.backends.bounds.demand import live_heads, pruned
from compiler.backends.bounds.tensors import TensorFunctions
from compiler.backends.elementary.program import (
    FUNCTION_UNITS,
    Array,
    Attended,
    Lookup,
    Node,
    Program,
    Separable,
    SeparableHead,
)

MAX_SUMMED = 1 << 20  # in the tables of one node: more leave the cache


def separated(program: Program) -> Program:
    """The same program, with sums of tables in place of such attention."""
    nodes = tuple(_separated(program, node) for node in program.nodes)
    return pruned(replace(program, nodes=nodes))


def _separated(program: Program, node: Node) -> Node:
    operation = node.operation
    if not isinstance(operation, Attended) or operation.ties is not None:
        return node
    inputs = [program.nodes[number] if number >= 0 else None for number in node.inputs]
    lookups = [source.operation if source is not None else None for source in inputs]
    if not all(source is None or isinstance(source, Lookup) for source in lookups):
        return node
    query = inputs[0]
    if query is not None and not all(
        _is_fixed(part[..., list(query.live)])
        for part in (query.operation.value, query.operation.error)  # type: ignore[union-attr]
    ):
        return node
    return _Tables(program, node, operation).separable() or node


def _is_fixed(table: Array) -> bool:
    """Whether [positions, tokens, channels] do not depend on the token."""
    return bool((table == table[:, :1]).all())


@dataclass(frozen=True, eq=False)
class _Tables:
    """Quantities are [queries, keys, tokens], an axis of size 1 being broadcast."""

    program: Program
    node: Node
    operation: Attended

    @property
    def arithmetic(self) -> Arithmetic:
        return Arithmetic(TensorFunctions(), Rounding.of(self.program.dtype))

    def separable(self) -> Node | None:
        """The node as sums of tables; None where these are too large, or no key is seen."""
        node, operation, program = self.node, self.operation, self.program
        heads = live_heads(operation, set(node.live))
        seen = np.zeros(program.length, dtype=bool)
        for number in heads:
            seen |= operation.visible_to(number)[list(node.positions)].any(0)
        keys = tuple(np.flatnonzero(seen).tolist())
        size = len(keys) * program.vocabulary * len(node.positions)
        if not keys or size * (2 * len(heads) + 3 * len(node.live)) > MAX_SUMMED:
            return None
        columns: list[Array] = []

        def kept(table: Tensor) -> Array | int:
            """The number of a table, or its sum over the keys where that is the same for all inputs."""
            full = table.expand(len(node.positions), len(keys), program.vocabulary).numpy()
            if (full == full[..., :1]).all():
                return np.asarray(full[..., 0].sum(1))
            columns.append(full)
            return len(columns) - 1

        made = tuple(self._head(number, keys, kept) for number in heads)
        empty = np.zeros((len(node.positions), len(keys), program.vocabulary, 0))
        tables = np.stack(columns, axis=-1) if columns else empty
        return replace(
            node,
            operation=Separable(tables.transpose(1, 2, 0, 3), keys, made),
            inputs=(),
        )

    def _head(self, head: int, keys: tuple[int, ...], kept: Callable[[Tensor], Array | int]) -> SeparableHead:
        node, operation = self.node, self.operation
        places = list(node.positions)
        visible = torch.tensor(operation.visible_to(head)[np.ix_(places, keys)])[:, :, None]
        query = [self._read(0, c, places, 1) for c in operation.query_channels(head)]
        key = [self._read(1, c, keys, 0) for c in operation.key_channels(head)]
        tables = (table[head % len(table)][np.ix_(places, keys)] for table in operation.additions)
        additions = [torch.tensor(table)[:, :, None] for table in tables]
        shape = (len(places), len(keys), self.program.vocabulary)
        wanted = [c for c in node.live if c // operation.value_dim == head]
        channels = operation.value_channels(head)
        values = [self._read(2, channels[c % operation.value_dim], keys, 0) for c in wanted]
        scores = score(self.arithmetic, Scored(operation, query, key, additions))
        tables_of_head = head_tables(self.arithmetic, operation, scores, values, visible, shape)
        return SeparableHead(
            tuple(wanted),
            kept(tables_of_head.weight),
            kept(tables_of_head.more),
            tuple(map(kept, tables_of_head.mixed)),
            tuple(map(kept, tables_of_head.off)),
            tuple(map(kept, tables_of_head.size)),
            tables_of_head.nothing.numpy(),
            tables_of_head.most,
        )

    def _read(self, number: int, channel: int, positions: Sequence[int], axis: int) -> Bounded:
        """A channel of an input: [positions, 1, tokens] (axis 1, queries) or [1, positions, tokens] (axis 0, keys)."""
        source = self.node.inputs[number]
        if source < 0 or channel not in self.program.nodes[source].live:
            return ZERO
        operation = self.program.nodes[source].operation
        assert isinstance(operation, Lookup)
        value, error = (
            torch.tensor(table[list(positions) if len(table) > 1 else [0], :, channel]).unsqueeze(axis)
            for table in (operation.value, operation.error)
        )
        return Bounded(value[..., :1], error[..., :1]) if axis == 1 else Bounded(value, error)


@dataclass(frozen=True, eq=False)
class KeyWeights:
    """The `weight` of each key and by how much `more` or less it may be, [queries, keys, tokens], and that of `nothing`
    [queries]. So many keys at `most` have one. `one`: whether for each query some key's weight is exactly 1, and no
    larger one is possible, whatever the tokens are."""

    weight: Tensor
    more: Tensor
    nothing: Tensor
    most: int
    one: bool

    def with_values(self, values: Sequence[Bounded]) -> HeadTables:
        """With the sums of products with values [1, keys, tokens] or less."""
        weight, more = self.weight, self.more
        return HeadTables(
            weight,
            more,
            tuple((weight * v.value).expand(weight.shape) for v in values),
            tuple((more * abs(v.value) + (weight + more) * v.error).expand(weight.shape) for v in values),
            tuple(((weight + more) * (abs(v.value) + v.error)).expand(weight.shape) for v in values),
            self.nothing,
            self.most,
            self.one,
        )


@dataclass(frozen=True, eq=False)
class HeadTables:
    """What each key adds to the sums of `SeparableHead`, [queries, keys, tokens]; else as in `KeyWeights`."""

    weight: Tensor
    more: Tensor
    mixed: tuple[Tensor, ...]
    off: tuple[Tensor, ...]
    size: tuple[Tensor, ...]
    nothing: Tensor
    most: int
    one: bool


def head_tables(
    a: Arithmetic,
    operation: Attended,
    scores: Bounded,
    values: Sequence[Bounded],
    visible: Tensor,
    shape: tuple[int, int, int],
) -> HeadTables:
    """The tables of one head: quantities are [queries, keys, tokens], an axis of size 1 being broadcast."""
    return key_weights(a, operation, scores, visible, shape).with_values(values)


def key_weights(
    a: Arithmetic, operation: Attended, scores: Bounded, visible: Tensor, shape: tuple[int, int, int], beside: int = 0
) -> KeyWeights:
    """Relative to the largest score, of one head. So many keys `beside` these have a weight too, below theirs.

    With the standard softmax the module takes the largest score from all, which rounds them once more.
    """
    f, unit, tiny, most = a.f, a.rounding.unit, a.rounding.tiny, beside + int(visible.sum(1).max())
    value, error = (torch.as_tensor(part, dtype=torch.float64).expand(shape) for part in (scores.value, scores.error))
    top = torch.where(visible, value, -math.inf).amax((1, 2), keepdim=True)
    top = top.clamp(min=0.0) if operation.plus_one else top
    most_off = torch.where(visible, error, 0.0).amax((1, 2), keepdim=True)
    t = value - top
    both = a.rounding.plain_unit + ENGINE_UNIT
    if operation.plus_one:
        d = error + torch.where(top == 0, 0.0, ENGINE_UNIT * t.abs())
    else:
        d = error + 4 * unit * most_off + both * t.abs()
        rounded = _rounded(a, t)
        if rounded is not None:  # of known scores, and of the largest where it is so for all inputs, all is known
            surely = torch.where(visible, value, -math.inf).amin(2, keepdim=True).amax(1, keepdim=True)
            known = (most_off == 0) & (surely == top)
            t, d = torch.where(known, rounded, t), torch.where(known, 0.0, d)
    exponential = FUNCTION_UNITS * both * (1.0 + 2.0 * d)  # e^d ≤ 1 + 2 d where d ≤ 1
    weight = torch.exp(t)
    lost = f.if_less(t + d, NEGLIGIBLE, tiny, math.inf)
    more = f.if_less(d, 1.0, weight * (d * (1.0 + d) + exponential) + a.rounding.lost_weight(most), lost)
    # exp(0) is 1; with a weight for no key, the module takes the exponential of the score itself
    more = torch.where((t == 0) & (d == 0) & ((top == 0) | (not operation.plus_one)), 0.0, more)
    weight, more = (torch.where(visible, part, 0.0) for part in (weight, more))
    nothing = torch.zeros(shape[0], dtype=torch.float64)
    if operation.plus_one:  # 1 where it is exactly that
        nothing = torch.where(top == 0, 1.0, torch.exp(-top).clamp(max=1 - ENGINE_UNIT)).flatten()
    weight, more = weight.expand(shape), more.expand(shape)
    one = ((weight == 1) & (more == 0)).all(2).any(1).all()
    return KeyWeights(weight, more, nothing, most, bool(one) and (not operation.plus_one or bool((top >= 0).all())))


def _rounded(a: Arithmetic, x: Tensor) -> Tensor | None:
    """As the plain module rounds it; None where that is not known here."""
    if a.rounding.plain_unit == 2.0**-53:
        return x
    return x.float().double() if a.rounding.plain_unit == 2.0**-24 else None
