"""A task of fixed sizes: which inputs there are, what is right, and how people write both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

from compiler.expressions.syntax import ExpressionError
from compiler.source.showing import short_repr
from compiler.tasks import typed
from compiler.tasks.automaton import Automaton
from compiler.tasks.layout import Alphabet
from compiler.tasks.statement import InputFault, Statement, WordShape
from compiler.tasks.task import TRIED_IN_FULL, EvaluationProtocol, Inputs, Suite, Symbols, TaskError, Words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compiler.tasks.paths import Paths

    Rows = NDArray[np.integer]


@dataclass(frozen=True)
class AuthorSuite:
    """A suite of the author: `size` inputs that satisfy `only` too, which is part of the statement `narrowed`."""

    name: str
    size: int
    narrowed: Statement


@dataclass(frozen=True)
class Case:
    """A line of a table of cases: the symbols of its prompt and of its answer."""

    prompt: Symbols
    answer: Symbols


@dataclass(frozen=True, eq=False)
class Task:
    """What is asked of a model.

    An input is a tuple of integers: for each given word its number, where it is one of `numbers`, else its symbols.
    `shown` writes an input for people, with the names of given words in it. `sizes` are those of the task, by name.
    `cases`: the inputs there are, with what is right for each, where a table says so.
    """

    name: str
    sizes: Mapping[str, int]
    statement: Statement
    alphabets: Mapping[str, Alphabet]
    numbers: frozenset[str]
    shown: tuple[str, ...]
    suite_names: tuple[str, ...] = ()
    author_suites: tuple[AuthorSuite, ...] = ()
    cases: tuple[Case, ...] = ()

    __repr__ = short_repr

    @property
    def given(self) -> tuple[WordShape, ...]:
        return self.statement.given

    @property
    def answers(self) -> tuple[WordShape, ...]:
        return self.statement.answers

    @property
    def is_restricted(self) -> bool:
        """Whether some inputs are not allowed."""
        transducer = self.statement.transducer
        ends = transducer is not None and (transducer.only, transducer.only_at_end) != (None, None)
        return ends or self.statement.only is not None or bool(self.statement.also)

    @property
    def combinations(self) -> int:
        """How many inputs there are, with those that `only` excludes."""
        return len(self.cases) or prod(word.symbols**word.length for word in self.given)

    @cached_property
    def count(self) -> int | None:
        """How many inputs there are, where that is known: by columns, or as they are few enough to look at each."""
        from compiler.tasks import suites

        if not self.is_restricted:
            return self.combinations
        if self.is_by_columns and self.paths is not None:
            return self.paths.count
        return suites.count_allowed(self) if self.combinations <= TRIED_IN_FULL else None

    @property
    def is_by_columns(self) -> bool:
        """Whether columns say all that there is to say of which inputs there are."""
        return self.statement.transducer is not None and self.statement.only is None and not self.statement.also

    @cached_property
    def paths(self) -> Paths | None:
        """The inputs as paths, and what is excluded outside of the columns; None without columns that are small."""
        from compiler.tasks.paths import Paths

        try:
            steps = self.automaton() if self.statement.transducer is not None else None
        except TaskError:
            return None
        return None if steps is None else Paths(steps)

    def width(self, word: WordShape) -> int:
        """How many integers of an input a word takes."""
        return 1 if word.name in self.numbers else word.length

    def limit(self, word: WordShape) -> int:
        """The first number that is too large for a word."""
        return int(word.symbols**word.length)

    def largest(self, word: WordShape) -> str:
        """The largest number that a word can be, for people."""
        return str(self.limit(word) - 1) if word.length <= typed.SHOWN_DIGITS else f"{word.symbols}**{word.length} - 1"

    def solve(self, inputs: Inputs) -> dict[str, Symbols]:
        """The words of an input, and of what is right for it."""
        return {name: tuple(word[0].tolist()) for name, word in self.encode([inputs]).items()}

    def encode(self, inputs: Sequence[Inputs]) -> Words:
        """The words of many inputs: those that `solve` gives for each."""
        return self.with_answers(self.given_words(inputs))

    def given_words(self, inputs: Sequence[Inputs]) -> dict[str, NDArray[np.uint16]]:
        """The given words of many inputs."""
        import numpy as np

        from compiler.tasks import digits

        words: dict[str, NDArray[np.uint16]] = {}
        first = 0
        for word in self.given:
            last = first + self.width(word)
            if word.name in self.numbers:
                numbers = [row[first] for row in inputs]
                words[word.name] = digits.word_of_integers(numbers, word.symbols, word.length)
            else:
                symbols = [row[first:last] for row in inputs]
                words[word.name] = np.array(symbols, np.uint16).reshape(len(inputs), word.length)
            first = last
        return words

    def with_answers(self, given: Words) -> Words:
        """Given words, all of allowed inputs, with what is right for them. Raises `TaskError` where nothing is."""
        from compiler.tasks import solving

        if self.cases:
            return {**given, **self._looked_up(given)}
        with self.reporting(given):
            return {**given, **solving.solved(self.statement, given)}

    def allowed(self, given: Words) -> NDArray[np.bool_]:
        """Which rows of given words are inputs of the task, [inputs]. Raises `TaskError` where that is not certain."""
        import numpy as np

        from compiler.tasks import solving

        if self.cases:
            known = self._by_prompt
            (word,) = (given[word.name] for word in self.given)
            return np.array([tuple(row) in known for row in word.tolist()], bool)
        with self.reporting(given):
            return solving.allowed(self.statement, given)

    @contextmanager
    def reporting(self, given: Words) -> Iterator[None]:
        """Raise a `TaskError`, with the place of the formula, where one cannot be computed for these given words."""
        try:
            yield
        except InputFault as fault:
            message = f"for {self.describe(self.inputs(given, fault.row))}: {fault.message}"
            raise TaskError(
                message, fault.span, fault.code, "exclude such inputs by `only`, or mend the formula"
            ) from None
        except ExpressionError as error:
            raise TaskError(error.message, error.span, error.code, error.hint) from None

    @cached_property
    def _by_prompt(self) -> dict[Symbols, Symbols]:
        return {case.prompt: case.answer for case in self.cases}

    def _looked_up(self, given: Words) -> Words:
        import numpy as np

        (word,), (answer,) = self.given, self.answers
        rows = given[word.name].tolist()
        try:
            found = [self._by_prompt[tuple(row)] for row in rows]
        except KeyError:
            raise TaskError(f"{self.name} has no such case: it has {len(self.cases)}") from None
        return {answer.name: np.array(found, np.uint16).reshape(len(rows), answer.length)}

    def inputs(self, words: Words, row: int) -> Inputs:
        """The input that a row of words stands for."""
        parts: list[int] = []
        for word in self.given:
            symbols = words[word.name][row].tolist()
            parts += [number_of(symbols, word.symbols)] if word.name in self.numbers else symbols
        return tuple(parts)

    def by_word(self, inputs: Inputs) -> Iterator[tuple[WordShape, Inputs]]:
        """Each given word with its integers of an input."""
        first = 0
        for word in self.given:
            yield word, inputs[first : first + self.width(word)]
            first += self.width(word)

    def read(self, texts: Sequence[str]) -> Inputs:
        """The input that a person typed, word by word. Raises `TaskError`."""
        return typed.read_typed([self], texts)[1]

    def text(self, name: str, symbols: Sequence[int]) -> str:
        """A word for people, as in `describe`."""
        word = self.statement.word(name)
        assert word is not None
        return self._text(word, symbols)

    def show(self, words: Mapping[str, Symbols]) -> str:
        """Answer words for people."""
        return ", ".join(self._text(word, words[word.name]) for word in self.answers)

    def _text(self, word: WordShape, symbols: Sequence[int]) -> str:
        if word.name in self.numbers:
            return str(number_of(symbols, word.symbols))
        return " ".join(self.alphabets[word.alphabet].spelling[symbol] for symbol in symbols)

    def describe(self, inputs: Inputs) -> str:
        """An input for people, such as `12 + 34`."""
        texts = {
            word.name: str(part[0]) if word.name in self.numbers else self._text(word, part)
            for word, part in self.by_word(inputs)
        }
        return " ".join(texts.get(piece, piece) for piece in self.shown)

    def suites(self) -> Mapping[str, Suite]:
        """Every suite of inputs, in the order in which they are run and shown."""
        from compiler.tasks import suites

        return {suite.name: suite for suite in suites.of(self)}

    def protocols(self) -> Mapping[str, EvaluationProtocol]:
        """The tests that others have fixed for such a task, whatever its sizes; their suites may refuse these."""
        from compiler.tasks import adderboard

        return {name: adderboard.PROTOCOL for name in self.suite_names if name == adderboard.NAME}

    def automaton(self) -> Automaton | None:
        """The inputs as the paths of an automaton, one for each; None: there is none that is small.

        Raises `TaskError` where the sizes make it too large to follow.
        """
        from compiler.tasks import automata

        with self.reporting({}):
            return None if self.cases else automata.automaton(self.statement, self.numbers)


def number_of(symbols: Sequence[int], base: int) -> int:
    """The number that digits stand for, the most significant one first."""
    number = 0
    for symbol in symbols:
        number = number * base + symbol
    return number
