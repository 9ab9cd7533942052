"""Attention patterns that do not depend on tokens: taken from the plain module, which computes the same for any input.

Such a pattern may depend on scores that are equal up to the last bit, and no bound decides which is larger. It is made
of the same numbers for all tokens. So the plain module shows its exact weights for one sequence of each length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from compiler.backends.bounds.demand import needed_inputs
from compiler.backends.elementary.program import Array, Attended, Lookup, Mixed, Node, Program
from compiler.backends.torch.first_values import first_values
from compiler.backends.torch.model import build_model
from compiler.backends.torch.reference import alone
from compiler.network import ir

Pattern = tuple[str, int]  # a step and its run


def with_fixed_patterns(program: Program, network: ir.Network) -> Program:
    """The program, `marked`, with the plain module's weights in place of queries and keys that do not depend on tokens.

    The steps of `program` are those of `network`.
    """
    fixed = fixed_attentions(program)
    if not fixed:
        return program
    last = max(number for number, node in enumerate(program.nodes) if isinstance(node.operation, Attended))
    lengths = sorted(set(program.prefixes))
    read = read_patterns(
        network, {(x.step, x.run) for x in fixed.values()}, [program.every_token(n)[0] for n in lengths]
    )
    nodes = list(program.nodes)
    for number, operation in fixed.items():
        patterns_here = [patterns[operation.step, operation.run] for patterns in read]
        weights, error = _joined(patterns_here, program.length, ends_only=number == last)
        if operation.ties is not None and error.any():
            continue  # in longer sequences other keys win, and half of a key is none
        if np.isfinite(weights).all() and np.isfinite(error).all():
            mixed = Mixed(operation.heads, operation.kv_heads, operation.value_dim, weights, error)
            nodes[number] = replace(nodes[number], operation=mixed, inputs=nodes[number].inputs[2:])
    return replace(program, nodes=tuple(nodes))


def fixed_attentions(program: Program) -> dict[int, Attended]:
    """The nodes of attention, by number, that something is read of and whose queries and keys depend on no token."""
    depends, fixed = dependent_channels(program), dict[int, Attended]()
    for number, node in enumerate(program.nodes):
        if isinstance(node.operation, Attended) and node.live and not any(depends[i] for i in node.inputs[:2]):
            fixed[number] = node.operation
    return fixed


def dependent_channels(program: Program) -> list[set[int]]:
    """Of each node, the channels that depend on tokens; what is multiplied by a weight of zero does not matter."""
    depends, everywhere = list[set[int]](), set(range(program.length))

    def is_dependent(node: Node, channel: int) -> bool:
        needs = needed_inputs(program, node, everywhere, {channel})
        return any(source >= 0 and depends[source] & live for source, (_, live) in zip(node.inputs, needs, strict=True))

    for node in program.nodes:
        if isinstance(node.operation, Lookup):
            value, error = node.operation.value, node.operation.error
            varies = (value != value[:, :1]).any((0, 1)) | (error != error[:, :1]).any((0, 1))
            depends.append(set(np.flatnonzero(np.broadcast_to(varies, (node.channels,))).tolist()))
        else:
            depends.append({channel for channel in range(node.channels) if is_dependent(node, channel)})
    return depends


def read_patterns(
    network: ir.Network, wanted: set[Pattern], sequences: Sequence[np.ndarray]
) -> list[dict[Pattern, Array]]:
    """Of each sequence of tokens [length], read alone, the plain module's wanted patterns [heads, queries, keys]."""
    runs = {step: 1 + max(run for name, run in wanted if name == step) for step, _ in wanted}
    shown = first_values(build_model(network).eval(), {f"{step}.pattern": count for step, count in runs.items()})
    patterns = []
    with alone():
        for sequence in sequences:
            found = shown(torch.tensor(sequence, dtype=torch.int64)[None])
            patterns.append({(step, run): found[f"{step}.pattern"][run] for step, run in wanted})
    return patterns


def _joined(patterns: Sequence[Array], length: int, *, ends_only: bool) -> tuple[Array, Array]:
    """One pattern [heads, length, length] for sequences of rising length, and by how much any of them differs from it.

    `ends_only`: of each sequence only the last query matters, and no other sequence is read there.
    """
    heads = len(patterns[-1])
    lowest = np.full((heads, length, length), np.inf)
    highest = np.full((heads, length, length), -np.inf)
    for pattern in patterns:
        size = pattern.shape[-1]
        rows = slice(size - 1 if ends_only and len(patterns) > 1 else 0, size)
        whole = np.zeros((heads, size, length))
        whole[:, :, :size] = pattern
        lowest[:, rows] = np.minimum(lowest[:, rows], whole[:, rows])
        highest[:, rows] = np.maximum(highest[:, rows], whole[:, rows])
    unread = lowest > highest
    lowest[unread] = highest[unread] = 0.0
    weights = (lowest + highest) / 2
    return weights, np.maximum(highest - weights, weights - lowest)
