"""Tables that are computed in place of being looked up: what is computed is as near as it says."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from compiler.backends.bounds.linear_tables import as_linear, with_errors_of_linear_tables
from compiler.backends.elementary.program import Lookup, Node, Program
from compiler.backends.native.fast_engine import programs
from compiler.pipeline import load
from tests.helpers import SPECS

TOKENS = 12
POSSIBLE = (tuple(range(10)), (4, 5, 6), (11,))  # at each position


def _program() -> Program:
    (program,) = programs(load(SPECS / "reverse.yaml"))
    return replace(program, vocabulary=TOKENS, length=len(POSSIBLE), possible=POSSIBLE)


def _node(value: np.ndarray) -> Node:
    return Node(Lookup(value, np.zeros_like(value)), (), value.shape[2], (0, 1, 2), (0,))


def test_what_is_computed_is_as_near_as_it_says() -> None:
    """With a product that is rounded, and with one that is not."""
    chance, program, off = np.random.default_rng(1), _program(), 0
    for _ in range(300):
        slope, offset = chance.normal(size=2) * 10.0 ** chance.integers(-3, 12, 2)
        value = np.broadcast_to(offset + slope * np.arange(TOKENS), (3, TOKENS)) * chance.normal(size=(3, 1))
        value = np.nextafter(value, chance.choice([-np.inf, 0, np.inf], value.shape))[:, :, None]
        found = as_linear(program, _node(value), value, 0)
        assert found is not None
        assert found.slope[2] == found.off[2] == 0  # there is one token: a number
        for row, tokens in enumerate(POSSIBLE):
            for token in tokens:
                once = float(Fraction(found.offset[row]) + Fraction(found.slope[row]) * token)
                twice = found.offset[row] + found.slope[row] * token
                assert max(abs(x - value[row, token, 0]) for x in (once, twice)) <= found.off[row]
                off += twice != value[row, token, 0]
    assert off > 1000


def test_tables_that_are_not_linear() -> None:
    program, even = _program(), np.broadcast_to(np.arange(TOKENS) * 3.0, (3, TOKENS))
    for row, token, is_linear in ((0, 5, False), (1, 5, False), (0, 10, True), (1, 9, True)):  # possible, or not
        value = even.copy()
        value[row, token] += 1e-12
        assert (as_linear(program, _node(value[:, :, None]), value[:, :, None], 0) is not None) is is_linear


def test_the_errors_of_a_program_have_those_of_its_linear_tables() -> None:
    program, value = _program(), np.broadcast_to(np.arange(TOKENS) * 0.1, (3, TOKENS))[:, :, None]
    program = replace(program, nodes=(_node(value),))
    found = as_linear(program, program.nodes[0], value, 0)
    (node,) = with_errors_of_linear_tables(program).nodes
    assert found is not None
    assert isinstance(node.operation, Lookup)
    assert (node.operation.error[:, :, 0] == found.off[:, None]).all()
    assert found.off[0] > 0
