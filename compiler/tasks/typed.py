"""Inputs as people type them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

from compiler.source.diagnostics import Diagnostic
from compiler.tasks.statement import WordShape
from compiler.tasks.task import Inputs, TaskError
from compiler.tasks.tokens import split, unquoted

if TYPE_CHECKING:
    from compiler.tasks.stated import Task

LONGEST_NUMBER = 4000  # decimal digits that a person may type for one
SHOWN_DIGITS = 40  # of a largest number that is written out
SHOWN_SYMBOLS = 20


def read_typed(tasks: Sequence[Task], texts: Sequence[str]) -> tuple[int, Inputs]:
    """The input that a person typed, and the first of the tasks that it is one of.

    Symbols stand in the order of the given words, or as `shown` writes them. `tasks` is one task for each choice of its
    sizes. Raises `TaskError`.
    """
    pieces = list(chain.from_iterable(map(split, texts)))
    reasons: list[Diagnostic] = []
    for position, task in enumerate(tasks):
        typed = _in_order(task, pieces)
        if typed is None:
            continue
        try:
            return position, _inputs(task, typed)
        except TaskError as error:
            reasons += error.diagnostics
    if not reasons:
        raise TaskError(f"{asked_of(tasks)}, found {len(pieces)}", hint="symbols are split at spaces")
    largest = reasons[-1]
    many = f"none of the {len(reasons)} sizes fits; of the largest: " if len(reasons) > 1 else ""
    raise TaskError(f"{many}{largest.message}", largest.span, largest.code, largest.hint)


def asked_of(tasks: Sequence[Task], *, with_symbols: bool = False) -> str:
    """What an input is, for each choice of sizes: `odd is asked of word (10 symbols)`."""
    task = tasks[0]
    lengths = [_counted([one.given[k].length for one in tasks]) for k in range(len(task.given))]
    if task.cases:
        return f"{task.name} have prompts of {lengths[0]} {'token' if lengths[0] == '1' else 'tokens'}"
    words = [
        f"{word.name} ({_kind(task, word, length)}{_which(task, word) if with_symbols else ''})"
        for word, length in zip(task.given, lengths, strict=True)
    ]
    return f"{task.name} is asked of {_listed(words)}"


def symbols_of(task: Task, word: WordShape) -> str:
    """The symbols of a word for people."""
    spelled = task.alphabets[word.alphabet].spelling
    if spelled == tuple(map(str, range(len(spelled)))) and len(spelled) > 1:
        return f"the numbers 0 to {len(spelled) - 1}"
    return " ".join([*spelled[:SHOWN_SYMBOLS], *(["…"] if len(spelled) > SHOWN_SYMBOLS else [])])


def _kind(task: Task, word: WordShape, length: str) -> str:
    if word.name in task.numbers:
        return "a number"
    return f"{length} symbol{'' if length == '1' else 's'}"


def _which(task: Task, word: WordShape) -> str:
    return f", at most {task.largest(word)}" if word.name in task.numbers else f": {symbols_of(task, word)}"


def _counted(lengths: Sequence[int]) -> str:
    counts = sorted(set(lengths))
    if len(counts) > 2 and counts == list(range(counts[0], counts[-1] + 1)):
        return f"{counts[0]} to {counts[-1]}"
    return " or ".join(map(str, counts)) if len(counts) <= 4 else f"from {counts[0]} to {counts[-1]}"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _in_order(task: Task, pieces: list[str]) -> list[str] | None:
    """What was typed for the given words in their order; None where it is too much, or too little."""
    widths = {word.name: task.width(word) for word in task.given}
    if len(pieces) == sum(widths.values()):
        return pieces
    typed: dict[str, list[str]] = {}
    first = 0
    for piece in task.shown:
        last = first + widths.get(piece, 1)
        if piece in widths:
            part = pieces[first:last]
            if typed.setdefault(piece, part) != part:
                return None
        elif pieces[first:last] != [piece]:
            return None
        first = last
    return [text for name in widths for text in typed[name]] if len(pieces) == first else None


def _inputs(task: Task, pieces: list[str]) -> Inputs:
    typed: list[int] = []
    for word in task.given:
        count = task.width(word)
        read = _number if word.name in task.numbers else _symbol
        typed += [read(task, piece, word) for piece in pieces[:count]]
        pieces = pieces[count:]
    inputs = tuple(typed)
    if not task.allowed(task.given_words([inputs]))[0]:
        if task.cases:
            hint = f"there are {len(task.cases)} of this length, such as `{task.describe(task.cases[0].prompt)}`"
            raise TaskError(f"no such case: {task.describe(inputs)}", hint=hint)
        by = "`only`" if task.statement.only is not None else "`only` of the columns"
        raise TaskError(f"{task.describe(inputs)} is no input of {task.name}: {by} excludes it")
    return inputs


def _symbol(task: Task, text: str, word: WordShape) -> int:
    alphabet = task.alphabets[word.alphabet]
    for name in (text, unquoted(text)):
        symbol = alphabet.symbols.get(name, alphabet.aliases.get(name))
        if symbol is not None:
            return symbol
    of = "" if len(task.given) == 1 else f" of {word.name}"
    raise TaskError(f"'{text[:40]}' is no symbol{of}: they are {symbols_of(task, word)}")


def _number(task: Task, text: str, word: WordShape) -> int:
    limit, largest = task.limit(word), task.largest(word)
    if not (text.isascii() and text.isdigit()):
        raise TaskError(f"'{text[:40]}' is no decimal number from 0 to {largest}")
    if len(text) > LONGEST_NUMBER or int(text) >= limit:
        shown = text if len(text) <= SHOWN_DIGITS else f"a number of {len(text)} digits"
        raise TaskError(f"{shown} is too large: an operand is at most {largest}")
    return int(text)
