"""What depends on one token and its position only: computed once for every token.

That is all before the first attention, and what is mixed by fixed weights from values that are the same for all tokens.
The latter stays a sum for the verifier, which has no `possible` tokens: it settles what errors of tables leave open.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from compiler.backends.bounds.arithmetic import Arithmetic, Rounding
from compiler.backends.bounds.bounded import Channels
from compiler.backends.bounds.cost import operations
from compiler.backends.bounds.demand import pruned
from compiler.backends.bounds.fixed import dependent_channels
from compiler.backends.bounds.tensors import TensorFunctions, run_nodes
from compiler.backends.elementary.program import Lookup, Mixed, Node, Program, reads_keys

MAX_FOLDED = 1 << 21  # in the tables of one program
MAX_FOLDING = 1 << 28  # numbers that are computed for them


def folded(program: Program) -> Program:
    """The same program with tables in place of the nodes that see one token, if they are not too large."""
    local = of_one_token(program)
    later = [node for number, node in enumerate(program.nodes) if number not in local]
    read = [number for number in local if any(number in node.inputs for node in later)]
    read += [program.decision.node] if program.decision.node in local else []
    made = {number for number in read if not isinstance(program.nodes[number].operation, Lookup)}
    size = program.length * program.vocabulary
    numbers = sum(size * len(program.nodes[number].live) for number in made)
    if numbers > MAX_FOLDED or size * operations(program, MAX_FOLDING // size) > MAX_FOLDING:
        return program
    every_token = program.every_token(program.length)
    values = run_nodes(program, torch.from_numpy(every_token), local).values
    nodes = tuple(
        _table(program, node, values[number]) if number in made else node for number, node in enumerate(program.nodes)
    )
    return pruned(replace(program, nodes=nodes))


def of_one_token(program: Program) -> set[int]:
    """The nodes that depend on the token at their own position only."""
    depends, local = dependent_channels(program), set[int]()
    for number, node in enumerate(program.nodes):
        is_constant = isinstance(node.operation, Mixed) and not depends[number] & set(node.live)
        alone = not reads_keys(node.operation) or (is_constant and bool(program.possible))
        if alone and all(source in local for source in node.inputs if source >= 0):
            local.add(number)
    return local


def _table(program: Program, node: Node, value: Channels) -> Node:
    """A node as a table: its values are [positions of the node, tokens]."""
    shape = (program.length, program.vocabulary, node.channels)
    values, errors = np.zeros(shape), np.zeros(shape)
    positions = list(node.positions)
    arithmetic = Arithmetic(TensorFunctions(), Rounding.of(program.dtype))
    for channel in node.live:
        alone = arithmetic.alone(value[channel])
        values[positions, :, channel] = torch.as_tensor(alone.value, dtype=torch.float64).cpu().numpy()
        errors[positions, :, channel] = torch.as_tensor(alone.error, dtype=torch.float64).cpu().numpy()
    return replace(node, operation=Lookup(values, errors), inputs=())
