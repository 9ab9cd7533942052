"""Facts about numbers, as bits, and what single parts of a step do with them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from functools import reduce
from operator import or_

from compiler.expressions.positions import lengths
from compiler.network.flow.unknown_parameters import Free
from compiler.network.ir import Attention, HeadScore, Mask, Rope, Tensor
from compiler.network.meanings import rope_pair, unmasked_keys

NONZERO, TOKEN, POSITION, OTHERS = 1, 2, 4, 8
"""Facts about a number: that it can be nonzero, and depends on the token at its position, on the position itself, on
tokens at other positions. A number without facts is zero for every input."""
INFORMATION = TOKEN | POSITION | OTHERS
Facts = bytes
"""The facts about each dimension of an axis."""


def union(facts: Iterable[int]) -> int:
    """The facts that any of the numbers has."""
    return reduce(or_, facts, 0)


def turned(facts: Facts, rope: Rope | None) -> Facts:
    """A head's coordinates after rotary positions, which mix them in pairs."""
    if rope is None:
        return facts
    mixed = bytearray(facts)
    for i, frequency in enumerate(rope.frequencies):
        a, b = rope_pair(rope.pairs, i, len(facts))
        if frequency and (mixed[a] or mixed[b]):
            mixed[a] = mixed[b] = mixed[a] | mixed[b] | POSITION
    return bytes(mixed)


def fact_or_zero(facts: Facts, fact: int) -> Facts:
    """This fact in the place of each that is not zero."""
    return facts.translate(bytes([0, *[fact] * 255]))


def present(facts: Facts) -> bytes:
    """1 for each number with a fact, else 0."""
    return fact_or_zero(facts, 1)


def by_column(tensor: Tensor, information: int) -> Facts:
    """The columns of a table, a row of which is looked up: what they are if not all zero, or not all the same."""
    rows, size = tensor.shape
    facts = bytearray(size)
    for column, values in columns(tensor).items():
        facts[column] = NONZERO if is_level(values, rows) else NONZERO | information
    return bytes(facts)


def columns(tensor: Tensor) -> dict[int, list[float]]:
    """The numbers of each column that are not zero; a vector is the column 0."""
    numbers: dict[int, list[float]] = defaultdict(list)
    for entry in tensor.entries:
        if entry.value:
            numbers[entry.index[1] if len(entry.index) > 1 else 0].append(entry.value)
    return numbers


def is_level(nonzero: list[float], size: int) -> bool:
    """Whether all of `size` numbers are the same and not zero, given those that are not zero."""
    return len(nonzero) == size and len(set(nonzero)) == 1


def either(first: bytes | bytearray, second: bytes | bytearray) -> bytes:
    """What holds by either of them, dimension by dimension; both have the same size."""
    return (int.from_bytes(first) | int.from_bytes(second)).to_bytes(len(first))


def both(first: bytes | bytearray, second: bytes | bytearray) -> bytes:
    """What holds by both of them, dimension by dimension; both have the same size."""
    return (int.from_bytes(first) & int.from_bytes(second)).to_bytes(len(first))


def product(first: Facts, second: Facts) -> Facts:
    """The facts about products of numbers: what holds for either factor, where both can be nonzero."""
    nonzero = fact_or_zero(both(present(first), present(second)), 255)
    return both(either(first, second), nonzero)


def seen_by(step: Attention, length: int, free: Free) -> list[tuple[bool, bool]]:
    """By head: whether it sees another position than its own, and whether its formula differs between those it sees."""
    scores = {score.head: score for score in step.scores}
    keys = unmasked_keys(step.mask, length)
    others = any(len(keys(query)) > 1 for query in range(length))
    return [
        _seen(scores[head], length, step.mask)
        if head in scores and not free(scores[head].provenance)
        else (others, head in scores)
        for head in range(step.heads.size)
    ]


def _seen(score: HeadScore, length: int, mask: Mask) -> tuple[bool, bool]:
    looks = varies = False
    for time in lengths(length, varies=score.formula.reads_time):
        values: set[int | float] = set()
        for query, row in score.formula.telling_rows(time, unmasked_keys(mask, time)):
            looks = looks or any(value > -math.inf for key, value in row.items() if key != query)
            values = {*values, *row.values()} if score.formula.by_distance else set(row.values())
            varies = varies or len(values) > 1
            if looks and varies:
                return looks, varies
    return looks, varies
