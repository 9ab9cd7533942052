"""The positions of the keys that queries attend to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from compiler.expressions.values import Number
from compiler.network.flow.task_tokens import Positions, positions_in
from compiler.network.flow.unknown_parameters import Free
from compiler.network.ir import Attention, HeadScore
from compiler.network.meanings import unmasked_keys


class Sight:
    """The keys that a step sees, in sequences of up to `length` tokens; a score that is `free` hides no key."""

    def __init__(self, step: Attention, length: int, free: Free) -> None:
        self._shown = unmasked_keys(step.mask, length)
        self._length = length
        self._free = free
        self._scores = {score.head: score for score in step.scores}
        self._hidden: dict[int, Callable[[int], Positions]] = {}
        self._read: dict[tuple[frozenset[int], Positions], Positions] = {}

    def keys(self, head: int, query: int) -> Positions:
        """What one query of a head sees."""
        shown = self._shown(query)
        every = (1 << shown.stop) - (1 << shown.start)
        if head not in self._scores:
            return every
        if head not in self._hidden:
            self._hidden[head] = self._hidden_by(self._scores[head])
        return every & ~self._hidden[head](query)

    def read(self, heads: Iterable[int], queries: Positions) -> Positions:
        """What any of these heads sees from any of these positions."""
        key = frozenset(heads), queries
        if key not in self._read:
            seen, last = 0, queries.bit_length() - 1
            alike = [head for head in key[0] if head not in self._scores]  # they all see the same
            for head in (*(key[0] & self._scores.keys()), *alike[:1]):
                if head not in self._scores and queries and not self._shown(last).start:
                    seen |= self.keys(head, last)  # which sees all that others see
                    continue
                for query in positions_in(queries):
                    seen |= self.keys(head, query)
            self._read[key] = seen
        return self._read[key]

    def _hidden_by(self, score: HeadScore) -> Callable[[int], Positions]:
        """What a score hides from a query; there may be more bits than positions."""
        last = self._length - 1
        if not score.formula.by_distance or score.formula.reads_time:
            return [self._hides(score, query) for query in range(self._length)].__getitem__
        by_distance = self._hides(score, last) | self._hides(score, 0) << last
        return lambda query: by_distance >> (last - query)

    def _hides(self, score: HeadScore, query: int) -> Positions:
        """The keys that no length of the sequence shows to the query."""
        numbers = ((key, score.formula.numbers(query, key, self._length)) for key in self._shown(query))
        return sum(1 << key for key, every in numbers if all(map(self._is_hidden, every)))

    def _is_hidden(self, number: Number) -> bool:
        return number.value == -math.inf and not self._free(number.provenance)
