"""How fast answers are made from what a task states, next to a program that is written for the task alone.

python -m benchmarks.task_speed [INPUTS]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from compiler.expressions.formulas import Formula
from compiler.expressions.parse import parse
from compiler.source.document import Scalar
from compiler.source.text import Source, Span
from compiler.tasks import digits
from compiler.tasks.columns import by_columns
from compiler.tasks.equations import by_equations
from compiler.tasks.statement import Aimed, Equation, State, Statement, Transducer, WordShape
from compiler.tasks.task import Words

INPUTS = 1 << 16
ROUNDS = 15  # of which the fastest counts
BASE, DIGITS = 10, 10
SYMBOLS, LENGTH = 4, 5


@dataclass(frozen=True)
class Race:
    """A way to make the answers of these words, and a program that makes the same ones."""

    name: str
    given: Words
    stated: Callable[[Words], Words]
    written: Callable[[Words], Words]


def formula(text: str) -> Formula:
    return Formula(parse(text), Scalar(text, text, Span(Source("task", text), 0, len(text))))


def addition() -> Statement:
    given = tuple(WordShape(name, "digit", BASE, DIGITS) for name in ("a", "b"))
    columns = Transducer(
        from_last=True,
        states=(State("carry", 2),),
        lets=(),
        only=None,
        answers=(("sum", formula("(a + b + carry) % base")),),
        following=(("carry", formula("(a + b + carry) // base")),),
        only_at_end=None,
        at_end=(),
    )
    equations = (Equation("sum", "number", (), formula("number(a) + number(b)")),)
    answers = (WordShape("sum", "digit", BASE, DIGITS + 1),)
    return Statement({"base": BASE}, given, answers, equations=equations, transducer=columns)


def of_a_word(text: str, by_symbol: bool) -> Statement:
    shapes = [WordShape(name, "symbol", SYMBOLS, LENGTH) for name in ("word", "answer")]
    aimed = tuple(Aimed(place, {"i": place} if by_symbol else {}) for place in range(LENGTH))
    equation = Equation("answer", "symbols" if by_symbol else "word", aimed, formula(text))
    return Statement({"length": LENGTH}, (shapes[0],), (shapes[1],), equations=(equation,))


def added(words: Words) -> Words:
    """The sum in limbs of machine integers, of digits that are put together and taken apart again."""
    powers = BASE ** np.arange(DIGITS - 1, -1, -1, dtype=np.uint64)
    numbers = [(words[name] * powers).sum(axis=1) for name in ("a", "b")]
    a, b = (digits.limbs_of_array(number, BASE, DIGITS) for number in numbers)
    return {"sum": digits.word(digits.added(a, b, BASE), BASE, DIGITS + 1)}


def in_order(words: Words) -> Words:
    ordered = words["word"].copy()
    ordered.sort(axis=1)
    return {"answer": ordered}


def races(inputs: int) -> list[Race]:
    random = np.random.default_rng(0)
    operands = random.integers(0, BASE**DIGITS, (2, inputs), dtype=np.uint64)
    pair = {name: digits.word([row], BASE, DIGITS) for name, row in zip(("a", "b"), operands, strict=True)}
    word = {"word": random.integers(0, SYMBOLS, (inputs, LENGTH)).astype(np.uint16)}
    sums = addition()
    copy, backwards = of_a_word("word[i]", True), of_a_word("word[length - 1 - i]", True)
    order = of_a_word("ascending(word)", False)
    return [
        Race("addition, by columns", pair, lambda words: by_columns(sums, words), added),
        Race("addition, by equations", pair, lambda words: by_equations(sums, words), added),
        Race("copy", word, lambda words: by_equations(copy, words), lambda words: {"answer": words["word"].copy()}),
        Race(
            "reverse",
            word,
            lambda words: by_equations(backwards, words),
            lambda words: {"answer": words["word"][:, ::-1].copy()},
        ),
        Race("sort", word, lambda words: by_equations(order, words), in_order),
    ]


def seconds(make: Callable[[Words], Words], given: Words) -> float:
    def once() -> float:
        start = time.perf_counter()
        make(given)
        return time.perf_counter() - start

    return min(once() for _ in range(ROUNDS))


def same(one: Words, other: Words) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(word, other[name]) for name, word in one.items())


def main(inputs: int) -> None:
    """Print the rates of both, in millions of inputs a second, and their ratio; fail where answers differ."""
    print(f"{'task':<24} {'stated':>10} {'by hand':>10} {'ratio':>7}   (million inputs a second, one thread)")
    for race in races(inputs):
        if not same(race.stated(race.given), race.written(race.given)):
            raise SystemExit(f"{race.name}: the answers differ")
        stated, written = (seconds(make, race.given) for make in (race.stated, race.written))
        print(
            f"{race.name:<24} {inputs / stated / 1e6:>10.1f} {inputs / written / 1e6:>10.1f} {written / stated:>7.2f}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else INPUTS)
