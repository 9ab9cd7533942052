"""Tables that know which tokens can stand where: what no input of the task has is taken to be a token that it can have.

So a token of the layout is a number, and so is all that is made of such tokens alone, in a pattern of attention too.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from compiler.backends.elementary.program import Array, Lookup, Node, Program

MAX_NARROWED = 1 << 20  # numbers in a table that is made for each position


def narrowed(program: Program) -> Program:
    """The same program for the tokens that are possible, with a table for each position in place of one for all."""
    tokens = program.every_token(program.length)
    return replace(program, nodes=tuple(_narrowed(node, tokens) for node in program.nodes))


def _narrowed(node: Node, tokens: NDArray[np.int64]) -> Node:
    match node.operation:
        case Lookup(value=value, error=error) if tokens.size * node.channels <= MAX_NARROWED:
            return replace(node, operation=Lookup(_by_position(value, tokens), _by_position(error, tokens)))
        case _:
            return node


def _by_position(table: Array, tokens: NDArray[np.int64]) -> Array:
    """[positions | 1, tokens | 1, channels] as [positions, tokens, channels]."""
    vocabulary, length = tokens.shape
    full = np.broadcast_to(table, (length, vocabulary, table.shape[2]))
    return np.take_along_axis(full, tokens.T[:, :, None], axis=1)
