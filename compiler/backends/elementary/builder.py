"""A program on its way: what the steps of a network append to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from compiler.backends.elementary.program import Node, NotFollowed, Operation, Sum
from compiler.expressions.floats import FloatFormat
from compiler.network import ir

# Limits on all programs of a model together. A step that is run again counts again.
MAX_PATTERN = 1 << 23  # numbers in the patterns of attention
MAX_TERMS = 100_000  # weights
MAX_CHANNELS = 1 << 20  # channels of nodes, including those that are zero


@dataclass
class Totals:
    """What the programs need together. Too much of it is refused at once."""

    patterns: int = 0
    terms: int = 0
    channels: int = 0

    def add(self, *, patterns: int = 0, terms: int = 0, channels: int = 0) -> None:
        """Raises `NotFollowed`."""
        self.patterns += patterns
        self.terms += terms
        self.channels += channels
        for what, number, most in (
            ("numbers in patterns of attention", self.patterns, MAX_PATTERN),
            ("multiplications at a position", self.terms, MAX_TERMS),
            ("intermediate values at a position", self.channels, MAX_CHANNELS),
        ):
            if number > most:
                raise NotFollowed(f"it has more than {most:,} {what}")


@dataclass
class Builder:
    """The nodes so far, for sequences of `length` tokens; a stream is the number of a node.

    `last_attention`: how many attentions are run, where the last sees no later key; else -1. `runs`: how often each was
    run so far. `streams`: after each step of the network, by its name. `step`: the one that nodes are added for.
    """

    network: ir.Network
    totals: Totals
    length: int
    last_attention: int
    nodes: list[Node] = field(default_factory=list)
    runs: Counter[str] = field(default_factory=Counter)
    symbols: int = 0
    step: str = ""
    streams: dict[str, int] = field(default_factory=dict)

    @property
    def dtype(self) -> FloatFormat:
        return self.network.dtype

    def add(self, operation: Operation, inputs: tuple[int, ...], channels: int) -> int:
        """The number of a new node. Raises `NotFollowed` where there are too many channels."""
        self.totals.add(channels=channels)
        self.nodes.append(Node(operation, inputs, channels, step=self.step))
        return len(self.nodes) - 1

    def add_sum(self, first: int, second: int) -> int:
        return self.add(Sum(), (first, second), self.channels(first))

    def channels(self, stream: int) -> int:
        return self.nodes[stream].channels

    def new_symbols(self, count: int) -> int:
        """The first of so many new numbers of errors."""
        self.symbols += count
        return self.symbols - count
