"""What matters of a program: the nodes, positions and channels that can reach a decision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from compiler.backends.elementary.program import (
    Activated,
    Attended,
    Decision,
    Linear,
    Lookup,
    Mixed,
    Node,
    Normalized,
    Product,
    Program,
    Renewed,
    Resized,
    Rotated,
    Scaled,
    Subtraction,
    Sum,
)
from compiler.network.meanings import rope_pair, rope_pair_of
from compiler.source.faults import no_rule

NOTHING = -1
Need = tuple[set[int], set[int]]  # positions, channels


def marked(program: Program) -> Program:
    """The program with the positions and channels of each node that matter. Some nodes have none."""
    needs: list[Need] = [(set(), set()) for _ in program.nodes]
    needs[program.decision.node] = needed_by(program.decision)
    for number in reversed(range(len(program.nodes))):
        node = program.nodes[number]
        if all(needs[number]):
            for source, (positions, live) in zip(
                node.inputs, needed_inputs(program, node, *needs[number]), strict=True
            ):
                if positions and live:
                    needs[source] = (needs[source][0] | positions, needs[source][1] | live)
    nodes = tuple(
        replace(node, positions=tuple(sorted(positions)), live=tuple(sorted(live)))
        for node, (positions, live) in zip(program.nodes, needs, strict=True)
    )
    return replace(program, nodes=nodes)


def pruned(program: Program) -> Program:
    """The same program without the nodes that do not matter. As an input, such a node is `NOTHING`."""
    marked_nodes = marked(program).nodes
    kept = [number for number, node in enumerate(marked_nodes) if node.live or number == program.decision.node]
    renumbered = {number: i for i, number in enumerate(kept)}
    nodes = tuple(
        replace(node, inputs=tuple(renumbered[source] if read else NOTHING for source, read in _read(program, node)))
        for node in (marked_nodes[number] for number in kept)
    )
    return replace(program, nodes=nodes, decision=replace(program.decision, node=renumbered[program.decision.node]))


def _read(program: Program, node: Node) -> list[tuple[int, bool]]:
    """The inputs of a marked node, and whether anything is read of each."""
    needs = needed_inputs(program, node, set(node.positions), set(node.live))
    return [(source, bool(positions and live)) for source, (positions, live) in zip(node.inputs, needs, strict=True)]


def needed_by(decision: Decision) -> Need:
    """The positions and channels of its node."""
    linear = decision.linear
    return set(decision.reads), set(range(decision.classes)) if linear is None else _read_by(linear)


def needed_inputs(program: Program, node: Node, positions: set[int], live: set[int]) -> list[Need]:
    """The positions and channels of each input that the live channels are computed from."""
    operation = node.operation
    match operation:
        case Lookup():
            return []
        case Linear():
            return [(positions, _read_by(operation, live))]
        case Sum() | Subtraction() | Product():
            return [(positions, live)] * 2
        case Scaled() | Renewed() | Activated():
            return [(positions, live)]
        case Resized():
            source = node.inputs[0]  # where it was left out, all that is live is zeros
            size = 0 if source == NOTHING else program.nodes[source].channels
            return [(positions, {c for c in live if c < size})]
        case Normalized(groups=groups):
            size = node.channels // groups
            return [
                (positions, {c for group in {c // size for c in live} for c in range(group * size, (group + 1) * size)})
            ]
        case Rotated(groups=groups):
            size = node.channels // groups
            return [(positions, live | {_partner(c, size, operation) for c in live})]
        case Attended():
            return _attended_inputs(operation, positions, live)
        case Mixed():
            return [_values(operation, positions, live)]
        case _:
            raise no_rule("operation", operation)


def _attended_inputs(operation: Attended, positions: set[int], live: set[int]) -> list[Need]:
    queries, keys = set[int](), set[int]()
    for head in live_heads(operation, live):
        queries.update(operation.query_channels(head))
        keys.update(operation.key_channels(head))
    read, values = _values(operation, positions, live)
    return [(positions, queries), (read, keys), (read, values)]


def _values(operation: Attended | Mixed, positions: set[int], live: set[int]) -> Need:
    """What is mixed from."""
    seen = [operation.visible_to(head)[sorted(positions)].any(0) for head in live_heads(operation, live)]
    pairs = (divmod(channel, operation.value_dim) for channel in live)
    values = {operation.value_channels(head)[coordinate] for head, coordinate in pairs}
    read = set(np.flatnonzero(np.any(seen, axis=0)).tolist())
    return read, values if read else set()


def live_heads(operation: Attended | Mixed, live: Iterable[int]) -> list[int]:
    """The heads that any live channel belongs to."""
    return sorted({channel // operation.value_dim for channel in live})


def _read_by(linear: Linear, live: set[int] | None = None) -> set[int]:
    rows = linear.rows if live is None else [linear.rows[channel] for channel in live]
    return {channel for terms in rows for channel, _ in terms}


def _partner(channel: int, size: int, rotated: Rotated) -> int:
    """The other coordinate of a pair that turns."""
    group, place = divmod(channel, size)
    first, second = rope_pair(rotated.pairs, rope_pair_of(rotated.pairs, place, size), size)
    return group * size + (second if place == first else first)
