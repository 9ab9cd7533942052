"""Tables of queries, keys and values before any attention: the plain module's own numbers, in place of bounded ones.

A row of a matrix product depends on its own inputs and on the shape of the product, not on what other rows hold. So
sequences of one token show what the plain module computes from that token at each position. One sequence of each length
is enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from compiler.backends.elementary.program import Array, Attended, Lookup, Program
from compiler.backends.torch.first_values import first_values
from compiler.backends.torch.model import build_model
from compiler.backends.torch.reference import alone
from compiler.network import ir

MAX_PASSES = 500  # of the plain module
INPUTS = ("queries", "keys", "values")  # of a node of attention, in order, and the submodules that show them


def with_measured_tables(program: Program, network: ir.Network) -> Program:
    """The `folded` program, whose tables before the first attention are the plain module's, if that is not too much."""
    wanted = dict(_tables(program))
    lengths = sorted(set(program.prefixes))
    if not wanted or len(lengths) * program.vocabulary > MAX_PASSES:
        return program
    nodes = list(program.nodes)
    for number, table in _measured(program, network, wanted, lengths).items():
        if np.isfinite(table.value).all() and np.isfinite(table.error).all():
            nodes[number] = replace(nodes[number], operation=table)
    return replace(program, nodes=tuple(nodes))


def _tables(program: Program) -> Iterator[tuple[int, str]]:
    """The nodes that are tables and that a first run of attention alone reads, with the submodule that shows them."""
    for node in program.nodes:
        if isinstance(node.operation, Attended) and node.operation.run == 0:
            for number, name in zip(node.inputs, INPUTS, strict=True):
                readers = sum(other.inputs.count(number) for other in program.nodes)
                if number >= 0 and readers == 1 and isinstance(program.nodes[number].operation, Lookup):
                    yield number, f"{node.operation.step}.{name}"


def _measured(program: Program, network: ir.Network, wanted: dict[int, str], lengths: list[int]) -> dict[int, Lookup]:
    run = first_values(build_model(network).eval(), dict.fromkeys(wanted.values(), 1))
    shapes = {n: (program.length, program.vocabulary, program.nodes[n].channels) for n in wanted}
    lowest = {number: np.full(shape, np.inf) for number, shape in shapes.items()}
    highest = {number: np.full(shape, -np.inf) for number, shape in shapes.items()}
    with alone():
        for length in lengths:
            for token, sequence in enumerate(program.every_token(length)):
                shown = run(torch.from_numpy(sequence)[None])
                for number, name in wanted.items():
                    rows = shown[name][0].swapaxes(0, 1).reshape(length, -1)  # [time, heads · coordinates]
                    ends = lowest[number][:length, token], highest[number][:length, token]
                    np.minimum(ends[0], rows, out=ends[0])
                    np.maximum(ends[1], rows, out=ends[1])
    return {number: _table(lowest[number], highest[number]) for number in wanted}


def _table(lowest: Array, highest: Array) -> Lookup:
    value = (lowest + highest) / 2
    return Lookup(value, np.maximum(highest - value, value - lowest))
