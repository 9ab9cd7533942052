"""What a task asks of a network: the tokens that can stand at each position, and the positions that are read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest

from compiler.network.ir import Network
from compiler.tasks.layout import Layout

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


def asked_by(layouts: Iterable[Layout]) -> Asked:
    """Inputs in any of these layouts, each with its answer as it is, or as the model says it: any token that has a
    logit."""
    tokens: list[frozenset[int]] = []
    read = 0
    for asked in map(_asked_by, layouts):
        shared = zip_longest(tokens, asked.tokens, fillvalue=frozenset[int]())
        tokens = [before | here for before, here in shared]
        read |= asked.read
    return Asked(tuple(tokens), read)


def _asked_by(layout: Layout) -> Asked:
    said = frozenset(range(layout.classes))
    prompt = [frozenset(slot.possible) for slot in layout.prompt]
    if layout.in_place:
        return Asked(tuple(prompt), sum(1 << p for p in layout.read_at))
    predicted = set(layout.predicted)
    answer = [frozenset(slot.possible) | (said if i in predicted else set()) for i, slot in enumerate(layout.answer)]
    if layout.slides:
        return _through_window(layout, [*prompt, *answer])
    reads = [len(prompt) - 1 + i for i in layout.predicted]
    return Asked((*prompt, *answer)[: max(reads, default=-1) + 1], sum(1 << p for p in reads))


def _through_window(layout: Layout, tokens: list[frozenset[int]]) -> Asked:
    """What can stand at each position of a window that slides along the tokens of prompt and answer."""
    shown: list[set[int]] = []
    read = 0
    for slot in layout.predicted:
        here = [tokens[position] for position in layout.seen(slot)]
        shown += [set() for _ in range(len(here) - len(shown))]
        for position, possible in enumerate(here):
            shown[position] |= possible
        read |= 1 << (len(here) - 1)
    return Asked(tuple(map(frozenset, shown)), read)


def positions_in(positions: Positions) -> list[int]:
    """The positions of a set, in order."""
    return [p for p in range(positions.bit_length()) if positions >> p & 1]
