"""How a program is computed, node by node, in any kind of quantities: tensors, intervals, lines of C."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from compiler.backends.bounds.arithmetic import EXACT, Arithmetic
from compiler.backends.bounds.attention import Head, Keys, Mixing, mix_values
from compiler.backends.bounds.bounded import ZERO, Bounded, Channels, is_zero_value
from compiler.backends.bounds.elementwise import elementwise
from compiler.backends.bounds.hard_attention import attend_hard
from compiler.backends.bounds.mixing import KeyLoop, WeightedKeys, by_head, mix_all
from compiler.backends.bounds.quantities import Functions, Quantity, plus
from compiler.backends.elementary.program import Array, Attended, Lookup, Mixed, Node


@dataclass(frozen=True, eq=False)
class Seen:
    """The keys that the queries of one head see: what gives `channels` of a node at a key, zeros where nothing of it
    matters, and `numbers` of tables [queries, keys] of all positions. Both are read within a pass only."""

    loop: KeyLoop
    channels: Callable[[int, Sequence[int]], Channels]
    numbers: Callable[[Array], Quantity]


class ProgramRun(Protocol):
    """A program on its way: what there is of the nodes that are computed already."""

    @property
    def arithmetic(self) -> Arithmetic: ...

    @property
    def mixing(self) -> Mixing: ...

    def at(self, number: int, positions: Sequence[int]) -> Channels:
        """All channels of a node at these of its positions; none where nothing of it matters."""
        ...

    def by_position(self, node: Node, numbers: Array) -> Quantity:
        """Of numbers for all positions those of the node."""
        ...

    def looked_up(self, node: Node, table: Array, channel: int) -> Quantity:
        """A channel of a table [positions | 1, tokens | 1, channels] at the node's positions."""
        ...

    def seen(self, node: Node, operation: Attended | Mixed, head: int) -> Seen: ...

    def before_keys(self, x: Quantity) -> Quantity:
        """What a query has, as it is in a pass over keys."""
        ...

    def after_keys(self, x: Quantity) -> Quantity:
        """What passes over keys gave, as a query has it."""
        ...


def computed(run: ProgramRun, node: Node) -> list[Bounded]:
    """The live channels of a node, in order."""
    operation = node.operation
    match operation:
        case Lookup(value=value, error=error):
            off = [0.0 if run.arithmetic.rounding == EXACT else run.looked_up(node, error, c) for c in node.live]
            return [Bounded(run.looked_up(node, value, c), e) for c, e in zip(node.live, off, strict=True)]
        case Attended():
            return _attended(run, node, operation)
        case Mixed():
            return _each(run.after_keys, _mixed(run, node, operation))
        case _:
            inputs = [run.at(number, node.positions) for number in node.inputs]
            return elementwise(run.arithmetic, node, inputs, lambda numbers: run.by_position(node, numbers))


def _attended(run: ProgramRun, node: Node, operation: Attended) -> list[Bounded]:
    (queries, keys, values), positions = node.inputs, np.arange(operation.visible.shape[2], dtype=np.float64)
    a, off, omitted = run.arithmetic, operation.off, operation.omitted
    query = _each(run.before_keys, map(a.alone, run.at(queries, node.positions)))

    def keys_of(head: int) -> Keys:
        seen = run.seen(node, operation, head)
        return Keys(
            seen.loop,
            seen.channels(keys, operation.key_channels(head)),
            seen.channels(values, operation.value_channels(head)),
            [seen.numbers(table[head % len(table)]) for table in operation.additions],
            seen.numbers(np.broadcast_to(positions, operation.visible.shape[1:])),
            0.0 if omitted is None else run.before_keys(run.by_position(node, omitted[head])),
        )

    query = query or [ZERO] * (operation.heads * operation.head_dim)
    if off is None:
        return _each(run.after_keys, attend_all(a, node, operation, query, keys_of, run.mixing))
    mixed = _each(run.after_keys, attend_all(a.unrounded, node, operation, query, keys_of, mix_values))
    return [Bounded(x.value, run.looked_up(node, off, c)) for x, c in zip(mixed, node.live, strict=True)]


def attend_all(
    a: Arithmetic,
    node: Node,
    operation: Attended,
    query: Sequence[Bounded],
    keys: Callable[[int], Keys],
    mixing: Mixing,
) -> list[Bounded]:
    """The live channels, in order; `keys` gives those of a head."""

    def attend(number: int, wanted: Sequence[int]) -> list[Bounded]:
        coordinates = [query[c] for c in operation.query_channels(number)]
        head = Head(operation, number, coordinates, keys(number), wanted)
        if head.keys.loop.most == 0 or all(map(is_zero_value, head.values)):
            return [ZERO for _ in wanted]
        return mixing(a, head) if operation.ties is None else attend_hard(a, node, head, operation.ties)

    mixed = by_head(operation, node.live, attend)
    return [_limited(a.f, x, operation.limits[channel]) for channel, x in zip(node.live, mixed, strict=True)]


def _limited(f: Functions, x: Bounded, limit: float) -> Bounded:
    """The error is too large, or NaN, where the weights of too many keys are unknown."""
    most = plus(f.absolute(x.value), limit)
    return Bounded(x.value, f.name(f.if_less(x.error, most, x.error, most)))


def _mixed(run: ProgramRun, node: Node, operation: Mixed) -> list[Bounded]:
    (values,) = node.inputs

    def keys_of(head: int) -> WeightedKeys:
        seen = run.seen(node, operation, head)
        weight, error, inexact = map(
            seen.numbers, (operation.weights[head], operation.error[head], operation.inexact(head))
        )
        channels = seen.channels(values, operation.value_channels(head))
        return WeightedKeys(seen.loop, channels, Bounded(weight, error), inexact)

    return mix_all(run.arithmetic, node, operation, keys_of)


def _each(change: Callable[[Quantity], Quantity], values: Iterable[Bounded]) -> list[Bounded]:
    return [Bounded(change(x.value), change(x.error)) for x in values]
