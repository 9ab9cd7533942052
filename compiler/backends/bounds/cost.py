"""How much arithmetic a program is, and a program that is little enough of it; counted before anything is computed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce
from operator import or_

from compiler.backends.bounds.demand import live_heads
from compiler.backends.elementary.program import (
    Activated,
    Attended,
    Decision,
    Linear,
    Lookup,
    Mixed,
    Node,
    Normalized,
    NotFollowed,
    Product,
    Program,
    Renewed,
    Resized,
    Rotated,
    Scaled,
    Subtraction,
    Sum,
    Terms,
)
from compiler.source.faults import no_rule

# At each position: about as many calls of torch, and a fifth as many lines of C, which take gcc 20 seconds.
MOST_OPERATIONS = 40_000
RESULT = 12  # operations for one sum, product or the like, with its bound
SHARED = 4  # more of them for each error that it shares with others
FUNCTION = 40  # of an activation, a norm's factor, a softmax

SymbolSet = int  # a set of the numbers of errors that are followed, as bits
_Cost = tuple[int, SymbolSet, int]  # of a channel: its number, the errors that are followed, the operations


def followed_within_cost(program: Program) -> Program:
    """The program, `marked`, with fewer errors that are followed by themselves where these cost too much.

    Raises `NotFollowed` where it costs too much without them: the plain module multiplies matrices faster.
    """
    if operations(program, MOST_OPERATIONS) <= MOST_OPERATIONS:
        return program
    program = without_followed_errors(program)
    if operations(program, MOST_OPERATIONS) > MOST_OPERATIONS:
        raise NotFollowed(f"it takes more than {MOST_OPERATIONS:,} operations at each position")
    return program


def without_followed_errors(program: Program) -> Program:
    """The same, where less is known to cancel, and is found in less time."""
    nodes = program.nodes
    unfollowed = (
        replace(node, operation=Renewed(None)) if isinstance(node.operation, Renewed) else node for node in nodes
    )
    return replace(program, nodes=tuple(unfollowed))


def numbers_kept(program: Program) -> int:
    """At most about so many numbers of one sequence are kept while all nodes are computed."""
    return program.length * (1 + operations(program, sys.maxsize) // (RESULT // 2))


def operations(program: Program, enough: int) -> int:
    """About how many operations the live channels take at one position; any number above `enough` if it is more."""
    total = 0
    shared: list[dict[int, SymbolSet]] = []  # of each node, by live channel
    for node in program.nodes:
        inputs = [shared[source] if source >= 0 else {} for source in node.inputs]
        by_channel: dict[int, SymbolSet] = {}
        for channel, symbols, count in _channels(node, inputs):
            by_channel[channel] = symbols
            total += count
            if total > enough:
                return total
        shared.append(by_channel)
    return total + _decided(program.decision, shared[program.decision.node])


def _channels(node: Node, inputs: Sequence[dict[int, SymbolSet]]) -> Iterable[_Cost]:
    """Of each live channel the errors that are followed, and the operations; those of a group come with its first."""
    operation = node.operation
    match operation:
        case Lookup() | Resized():
            symbols_of = inputs[0] if inputs else {}
            yield from ((channel, symbols_of.get(channel, 0), 1) for channel in node.live)
        case Linear(rows=rows):
            yield from ((channel, *_summed(rows[channel], inputs[0])) for channel in node.live)
        case Sum() | Subtraction() | Product() | Scaled() | Activated():
            function = FUNCTION if isinstance(operation, Activated) else 0
            for channel in node.live:
                symbols = [source.get(channel, 0) for source in inputs]
                yield channel, reduce(or_, symbols), function + _result(*symbols)
        case Renewed(first_symbol=first):
            for channel in node.live:
                yield channel, 0 if first is None else 1 << (first + channel), _result(inputs[0].get(channel, 0))
        case Normalized():
            yield from _normalized(node, operation, inputs[0])
        case Rotated():
            yield from ((channel, 0, 6 * RESULT) for channel in node.live)
        case Attended():
            yield from _attended(node, operation)
        case Mixed():
            yield from ((channel, 0, 2 * RESULT) for channel in node.live)
        case _:
            raise no_rule("operation", operation)


def _result(*symbols: SymbolSet) -> int:
    """The operations of a sum or a product of things that share these errors."""
    return RESULT + SHARED * sum(map(int.bit_count, symbols))


def _summed(terms: Terms, inputs: dict[int, SymbolSet]) -> tuple[SymbolSet, int]:
    symbols, operations = 0, RESULT
    for channel, _ in terms:
        shared = inputs.get(channel, 0)
        symbols |= shared
        operations += _result(shared)
    return symbols, operations


def _normalized(node: Node, operation: Normalized, inputs: dict[int, SymbolSet]) -> Iterable[_Cost]:
    """All channels of a group share what any of them did, and the error of their factor."""
    size = node.channels // operation.groups
    for group in sorted({channel // size for channel in node.live}):
        channels = range(group * size, (group + 1) * size)
        common, operations = _summed(tuple((channel, 1.0) for channel in channels), inputs)
        common |= 1 << (operation.first_symbol + group)
        for channel in (channel for channel in node.live if channel in channels):
            yield channel, common, FUNCTION + 2 * _result(common) + operations
            operations = 0


def _attended(node: Node, operation: Attended) -> Iterable[_Cost]:
    """Nothing is followed through the weights of keys."""
    heads = live_heads(operation, node.live)
    scores = len(heads) * (2 * FUNCTION + RESULT * (operation.head_dim + len(operation.additions)))
    operations = scores + 3 * RESULT * len(node.live)
    for channel in node.live:
        yield channel, 0, operations
        operations = RESULT


def _decided(decision: Decision, inputs: dict[int, SymbolSet]) -> int:
    """Every class is compared with the one that is ahead, channel by channel."""
    if decision.linear is None:
        return 3 * RESULT * decision.classes
    logits = sum(2 * _summed(terms, inputs)[1] for terms in decision.linear.rows)
    channels = {channel for terms in decision.linear.rows for channel, _ in terms}
    return logits + decision.classes * sum(_result(inputs.get(channel, 0)) for channel in channels)
