"""Rewriting a sequence of symbols of fixed length: copying, reversing, sorting it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import TYPE_CHECKING

from compiler.source.limits import MAX_EXHAUSTIVE
from compiler.tasks.automaton import Automaton, Column
from compiler.tasks.layout import symbol_of
from compiler.tasks.task import (
    TRIED_IN_FULL,
    EvaluationProtocol,
    Inputs,
    Part,
    Suite,
    Symbols,
    TaskError,
    Words,
    check_sizes,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rewrite = Callable[[NDArray[np.uint16]], NDArray[np.uint16]]

MAX_SYMBOLS = 1024
MAX_LENGTH = 1024
EXAMPLE = {"symbols": 4, "length": 5}


@dataclass(frozen=True)
class Rewriting:
    """`word` to the word called `answer`, of the same `length`, over symbols 0 … `symbols` - 1.

    `rewrite` is given words [inputs, length], and gives the right answers [inputs, length]. `by_place`: which symbol
    goes where depends on the places alone, not on what the symbols are.
    """

    kind: str
    answer: str
    rewrite: Rewrite
    symbols: int
    length: int
    by_place: bool

    @property
    def family(self) -> str:
        return "symbol"

    @property
    def operands(self) -> Mapping[str, int]:
        return {"word": self.length}

    @property
    def answers(self) -> Mapping[str, int]:
        return {self.answer: self.length}

    def solve(self, inputs: Inputs) -> dict[str, Symbols]:
        return {name: tuple(word[0].tolist()) for name, word in self.encode([inputs]).items()}

    def encode(self, inputs: Sequence[Inputs]) -> Words:
        import numpy as np

        return self._words(np.array(inputs, np.uint16).reshape(len(inputs), self.length))

    def _words(self, word: NDArray[np.uint16]) -> Words:
        return {"word": word, self.answer: self.rewrite(word)}

    def inputs(self, words: Words, row: int) -> Inputs:
        return tuple(words["word"][row].tolist())

    def read(self, texts: Sequence[str]) -> Inputs:
        words = [word for text in texts for word in text.split()]
        if len(words) != self.length:
            raise TaskError(f"{self.kind} takes {self.length} symbols, found {len(words)}")
        for word in words:
            if symbol_of(word, self.symbols) is None:
                raise TaskError(f"'{word[:40]}' is no symbol: they are the numbers 0 to {self.symbols - 1}")
        return tuple(map(int, words))

    def show(self, words: Mapping[str, Symbols]) -> str:
        return " ".join(map(str, words[self.answer]))

    def describe(self, inputs: Inputs) -> str:
        return f"{self.kind} {' '.join(map(str, inputs))}"

    def suites(self) -> Mapping[str, Suite]:
        every = self.symbols**self.length
        small = every <= TRIED_IN_FULL
        suites = [
            Suite("uniform", "random sequences", min(10_000, every), self._uniform),
            Suite(
                "edges",
                "constant, rising, falling and alternating sequences",
                len(self._edges()),
                self._edge_parts,
                False,
            ),
            Suite(
                "exhaustive", "every input; run by default where they are few", every, self._exhaustive, False, small
            ),
        ]
        return {suite.name: suite for suite in suites}

    def protocols(self) -> Mapping[str, EvaluationProtocol]:
        return {}

    def automaton(self) -> Automaton | None:
        import numpy as np

        if not self.by_place:
            return None
        come_from = self.rewrite(np.arange(self.length, dtype=np.uint16)[None])[0].tolist()
        symbol = np.arange(self.symbols, dtype=np.int64)
        state = np.zeros_like(symbol)

        def column(place: int) -> Column:
            answers = [(self.answer, i) for i, one in enumerate(come_from) if one == place]
            return Column(f"word[{place}]", state, state, dict.fromkeys([("word", place), *answers], symbol))

        return Automaton(1, tuple(column(place) for place in range(self.length)))

    def _uniform(self, size: int, seed: int) -> tuple[Part, ...]:
        def generate() -> Iterator[Inputs]:
            random = Random(f"uniform:{self.length}:{seed}")
            for _ in range(size):
                yield tuple(random.randrange(self.symbols) for _ in range(self.length))

        def direct(block: int, start: int) -> Iterator[Words]:
            from compiler.tasks import draws

            random = Random(f"uniform:{self.length}:{seed}")
            for drawn in draws.drawn(random, self.symbols, self.length, range(start, size), block):
                yield self._words(drawn.astype("uint16"))

        return (Part("", size, generate, self.encode, direct),)

    def _edges(self) -> list[Inputs]:
        last = self.symbols - 1
        rising = tuple(i % self.symbols for i in range(self.length))
        alternating = tuple(last * (i % 2) for i in range(self.length))
        single = [tuple(last * (i == k) for i in range(self.length)) for k in range(min(self.length, 16))]
        constant = [(symbol,) * self.length for symbol in {0, last, last // 2}]
        return list(dict.fromkeys([*constant, rising, rising[::-1], alternating, alternating[::-1], *single]))

    def _edge_parts(self, size: int, seed: int) -> tuple[Part, ...]:
        edges = self._edges()
        return (Part("", len(edges), lambda: iter(edges), self.encode),)

    def _exhaustive(self, size: int, seed: int) -> tuple[Part, ...]:
        every = self.symbols**self.length
        if every > MAX_EXHAUSTIVE:
            message = f"exhaustive would be {self.symbols}**{self.length} inputs; at most {MAX_EXHAUSTIVE:,} are run"
            raise TaskError(f"{message}. Set a smaller length")

        def direct(block: int, start: int) -> Iterator[Words]:
            from compiler.tasks import digits

            for numbers in digits.counted(range(start, every), block):
                yield self._words(digits.word([numbers], self.symbols, self.length))

        return (Part("", every, lambda: product(range(self.symbols), repeat=self.length), self.encode, direct),)


def rewriting(kind: str, answer: str, rewrite: Rewrite, *, by_place: bool) -> Callable[[Mapping[str, int]], Rewriting]:
    """How to make such a task of its sizes `symbols` and `length`; what is made raises `TaskError`."""

    def make(sizes: Mapping[str, int]) -> Rewriting:
        check_sizes(kind, EXAMPLE, sizes)
        symbols, length = sizes["symbols"], sizes["length"]
        if not 1 <= symbols <= MAX_SYMBOLS:
            raise TaskError(f"the number of symbols has to be from 1 to {MAX_SYMBOLS}, not {symbols}")
        if not 1 <= length <= MAX_LENGTH:
            raise TaskError(f"the length has to be from 1 to {MAX_LENGTH}, not {length}")
        return Rewriting(kind, answer, rewrite, symbols, length, by_place)

    return make


def copied(word: NDArray[np.uint16]) -> NDArray[np.uint16]:
    return word


def backwards(word: NDArray[np.uint16]) -> NDArray[np.uint16]:
    return word[:, ::-1]


def in_order(word: NDArray[np.uint16]) -> NDArray[np.uint16]:
    ordered = word.copy()
    ordered.sort(axis=1)
    return ordered
