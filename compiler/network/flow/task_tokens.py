"""What a task asks of a network: the tokens that can stand at each position, and the positions that are read."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.network.ir import Network
from compiler.tasks.layout import Layout, Slot

Positions = int
"""A set of positions, as bits: the bit of weight 2 ** p stands for position p."""


@dataclass(frozen=True)
class Asked:
    """`tokens`: those that can stand at each position, up to the last one that is read; `read`: where logits are read.

    In sequences as long as `tokens` or shorter, a token is predicted at the last position of a shorter one.
    """

    tokens: tuple[frozenset[int], ...]
    read: Positions

    def at(self, positions: Positions) -> frozenset[int]:
        """The tokens that can stand at some of these positions."""
        return frozenset().union(*(tokens for p, tokens in enumerate(self.tokens) if positions >> p & 1))


def everything(network: Network) -> Asked:
    """Any token at each position, and the logits of all of them."""
    tokens = frozenset(range(network.vocabulary.size))
    return Asked((tokens,) * network.context, (1 << network.context) - 1)


def asked_by(layout: Layout) -> Asked:
    """Inputs in a layout, each with its answer as it is, or as the model says it: any token that has a logit."""
    symbols, said = frozenset(layout.symbols), frozenset(range(layout.classes))
    prompt = [_tokens(slot, symbols) for slot in layout.prompt]
    if layout.in_place:
        return Asked(tuple(prompt), sum(1 << p for p in layout.read_at))
    predicted = set(layout.predicted)
    answer = [_tokens(slot, symbols) | (said if i in predicted else set()) for i, slot in enumerate(layout.answer)]
    reads = [len(prompt) - 1 + i for i in layout.predicted]
    return Asked((*prompt, *answer)[: max(reads, default=-1) + 1], sum(1 << p for p in reads))


def _tokens(slot: Slot, symbols: frozenset[int]) -> frozenset[int]:
    return symbols if slot.token is None else frozenset([slot.token])


def positions_in(positions: Positions) -> list[int]:
    """The positions of a set, in order."""
    return [p for p in range(positions.bit_length()) if positions >> p & 1]
