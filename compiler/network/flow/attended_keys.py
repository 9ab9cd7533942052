"""The positions of the keys that queries attend to."""

from __future__ import annotations

import math
from collections.abc import Iterable

from compiler.expressions.positions import lengths
from compiler.expressions.values import Number
from compiler.network.flow.task_tokens import Positions, positions_in
from compiler.network.flow.unknown_parameters import Free
from compiler.network.ir import Attention, HeadScore
from compiler.network.meanings import is_causal_mask


class Sight:
    """The keys that a step sees, in sequences of up to `length` tokens; a score that is `free` hides no key."""

    def __init__(self, step: Attention, length: int, free: Free) -> None:
        self._causal = is_causal_mask(step.mask)
        self._length = length
        self._free = free
        self._scores = {score.head: score for score in step.scores}
        self._hidden: dict[int, tuple[Positions, ...]] = {}
        self._read: dict[tuple[frozenset[int], Positions], Positions] = {}

    def keys(self, head: int, query: int) -> Positions:
        """What one query of a head sees."""
        every = (1 << (query + 1 if self._causal else self._length)) - 1
        if head not in self._scores:
            return every
        if head not in self._hidden:
            self._hidden[head] = self._hidden_by(self._scores[head])
        return every & ~self._hidden[head][query]

    def read(self, heads: Iterable[int], queries: Positions) -> Positions:
        """What any of these heads sees from any of these positions."""
        key = frozenset(heads), queries
        if key not in self._read:
            seen = 0
            for head in key[0]:
                if head in self._scores:
                    for query in positions_in(queries):
                        seen |= self.keys(head, query)
                elif queries:
                    seen |= self.keys(head, queries.bit_length() - 1)  # the last one sees all that others see
            self._read[key] = seen
        return self._read[key]

    def _hidden_by(self, score: HeadScore) -> tuple[Positions, ...]:
        formula, length = score.formula, self._length
        if formula.by_distance and all(
            -math.inf not in row
            for time in lengths(length, varies=formula.reads_time)
            for _, row in formula.telling_rows(time, causal=self._causal)
        ):
            return (0,) * length
        return tuple(self._hides(score, query) for query in range(length))

    def _hides(self, score: HeadScore, query: int) -> Positions:
        """The keys that no length of the sequence shows to the query."""
        keys = range(query + 1 if self._causal else self._length)
        numbers = ((key, score.formula.numbers(query, key, self._length)) for key in keys)
        return sum(1 << key for key, every in numbers if all(map(self._is_hidden, every)))

    def _is_hidden(self, number: Number) -> bool:
        return number.value == -math.inf and not self._free(number.provenance)
