"""A task as its author states it, for one choice of its sizes: words of symbols, and what is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from compiler.expressions.formulas import Formula
from compiler.source.showing import short_repr
from compiler.source.text import Span

if TYPE_CHECKING:
    from compiler.tasks.columns import StepTable
    from compiler.tasks.equations import MovedFrom


class InputFault(Exception):
    """A formula cannot be computed for an input, such as for want of a match.

    `row` is the number of the input among those that were asked for, `span` the part of the formula.
    """

    def __init__(self, row: int, code: str, message: str, span: Span) -> None:
        super().__init__(message)
        self.row = row
        self.code = code
        self.message = message
        self.span = span

    def of(self, row: int) -> InputFault:
        """The same fault of an input that has another number elsewhere."""
        return InputFault(row, self.code, self.message, self.span)


@dataclass(frozen=True)
class WordShape:
    """A word of `length` symbols 0 … `symbols` - 1 of an alphabet. A word of a `single` symbol is read as a number."""

    name: str
    alphabet: str
    symbols: int
    length: int
    single: bool = False


@dataclass(frozen=True)
class Aimed:
    """Symbol `place` of an answer word, and what the index names of the target stand for there."""

    place: int
    indices: Mapping[str, int]


@dataclass(frozen=True)
class AnswerEquation:
    """What is right for an answer word.

    `symbols`: the formula gives each of the symbols `aimed` at. `word`: it gives the word as a whole, as
    `ascending(word)` does. `number`: it gives `number(word)`, whose digits are the symbols, the most significant first.
    """

    word: str
    form: Literal["symbols", "word", "number"]
    aimed: tuple[Aimed, ...]
    formula: Formula

    __repr__ = short_repr


@dataclass(frozen=True)
class StateVariable:
    """A variable of a transducer: 0 … `size` - 1, and `start` before the first column."""

    name: str
    size: int
    start: int = 0


@dataclass(frozen=True)
class Transducer:
    """The columns of a task: a finite transducer that reads one symbol of each given word at a time.

    Words align at the end that is read first (`from_last`: their last symbols); a shorter word reads 0 beyond its other
    end. There are as many columns as the longest word has symbols; single symbols that are given are read in every
    column. `lets` and all of `answers` and `following` read the state before the step; `at_end` reads the last state,
    and gives answers of one symbol. `only` says which steps there are, `only_at_end` which last states.
    """

    from_last: bool
    states: tuple[StateVariable, ...]
    lets: tuple[tuple[str, Formula], ...]
    only: Formula | None
    answers: tuple[tuple[str, Formula], ...]
    following: tuple[tuple[str, Formula], ...]
    only_at_end: Formula | None
    at_end: tuple[tuple[str, Formula], ...]

    __repr__ = short_repr


@dataclass(frozen=True)
class Statement:
    """What is given, what is right, and which inputs there are.

    `constants` are all names of integers that formulas can read: the sizes, and the spec's constants. With a transducer
    the columns define what is right, and `equations` are a cross-check. `also` are further conditions, such as those of
    a suite.
    """

    constants: Mapping[str, int]
    given: tuple[WordShape, ...]
    answers: tuple[WordShape, ...]
    only: Formula | None = None
    equations: tuple[AnswerEquation, ...] = ()
    transducer: Transducer | None = None
    also: tuple[Formula, ...] = ()

    __repr__ = short_repr

    @cached_property
    def step_table(self) -> StepTable:
        """Every step of the transducer, made once: for those who know that they are few."""
        from compiler.tasks import columns

        return columns.step_table(self)

    @cached_property
    def sources(self) -> tuple[MovedFrom | None, ...]:
        """For each equation where its symbols come from, if it moves symbols of a given word and does no more."""
        from compiler.tasks import equations

        return equations.sources_of(self)

    def word(self, name: str) -> WordShape | None:
        return next((word for word in (*self.given, *self.answers) if word.name == name), None)
