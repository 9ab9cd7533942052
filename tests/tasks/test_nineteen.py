"""Nineteen tasks on every input of small sizes, by equations and by columns, against a plain program for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from compiler.tasks.columns import by_columns
from compiler.tasks.equations import by_equations
from compiler.tasks.solving import allowed, solved
from tests.tasks.stated import NINETEEN, Row, arrays, every_input, rows_of, statement

Answer = Mapping[str, object] | None  # None: no input of the task


@dataclass(frozen=True)
class Case:
    """A task of these sizes: how many symbols its alphabets have, and what is right, written down once more."""

    task: str
    sizes: Mapping[str, int]
    symbols: Mapping[str, int]
    right: Callable[[Row], Answer]

    def __str__(self) -> str:
        return f"{self.task} {' '.join(f'{name}={size}' for name, size in self.sizes.items())}".strip()


def value(digits: tuple[int, ...], base: int) -> int:
    total = 0
    for digit in digits:
        total = total * base + digit
    return total


def digits(number: int, base: int, length: int) -> tuple[int, ...]:
    assert 0 <= number < base**length
    return tuple(number // base**k % base for k in reversed(range(length)))


def parity(length: int) -> Case:
    return Case("parity", {"length": length}, {"bit": 2}, lambda row: {"parity": row["word"].count(1) % 2})


def majority(length: int) -> Case:
    def right(row: Row) -> Answer:
        ones, zeros = row["word"].count(1), row["word"].count(0)
        return None if ones == zeros else {"majority": int(ones > zeros)}

    return Case("majority", {"length": length}, {"bit": 2}, right)


def histogram(symbols: int, length: int) -> Case:
    def right(row: Row) -> Answer:
        return {"counts": tuple(row["word"].count(symbol) for symbol in row["word"])}

    sizes = {"symbols": symbols, "length": length}
    return Case("histogram", sizes, {"symbol": symbols, "count": length + 1}, right)


def one_token_sum() -> Case:
    return Case("one_token_sum", {}, {"bit": 2, "digit": 10}, lambda row: {"total": row["a"][0] + row["b"][0]})


def modular(base: int) -> Case:
    def right(row: Row) -> Answer:
        return {"total": (row["a"][0] + row["b"][0]) % base}

    return Case("modular", {"base": base}, {"digit": base}, right)


def subtraction(base: int, length: int) -> Case:
    def right(row: Row) -> Answer:
        difference = value(row["a"], base) - value(row["b"], base)
        return None if difference < 0 else {"difference": digits(difference, base, length)}

    return Case("subtraction", {"base": base, "digits": length}, {"symbol": base}, right)


def addition(name: str, base: int, length: int) -> Case:
    def right(row: Row) -> Answer:
        return {"sum": digits(value(row["a"], base) + value(row["b"], base), base, length + 1)}

    return Case(name, {"base": base, "digits": length}, {"digit": base}, right)


def increment(base: int, length: int) -> Case:
    def right(row: Row) -> Answer:
        return {"successor": digits(value(row["a"], base) + 1, base, length + 1)}

    return Case("increment", {"base": base, "digits": length}, {"digit": base}, right)


def mod9(base: int, length: int) -> Case:
    def right(row: Row) -> Answer:
        return {"rest": value(row["a"], base) % 9}

    return Case("mod9", {"base": base, "digits": length}, {"digit": base, "rest": 9}, right)


def comparison(base: int, length: int) -> Case:
    def right(row: Row) -> Answer:
        a, b = row["a"], row["b"]  # tuples compare as numbers of one length do
        return {"is": 1 if a < b else 2 if a > b else 0}

    return Case("comparison", {"base": base, "digits": length}, {"digit": base, "relation": 3}, right)


def of_word(task: str, symbols: int, length: int, right: Callable[[tuple[int, ...]], Answer]) -> Case:
    return Case(task, {"symbols": symbols, "length": length}, {"symbol": symbols}, lambda row: right(row["word"]))


def following(word: tuple[int, ...]) -> Answer:
    before = [k for k in range(len(word) - 1) if word[k] == word[-1]]
    return {"following": word[max(before) + 1]} if before else None


def dyck(length: int, deepest: int) -> Case:
    def right(row: Row) -> Answer:
        stack: list[int] | None = []
        correct = []
        for bracket in row["word"]:
            if stack is not None and bracket < 2:
                if len(stack) == deepest:
                    return None
                stack.append(bracket)
            elif stack is not None and (not stack or stack.pop() != bracket - 2):
                stack = None
            correct.append(int(stack is not None))
        return {"open": tuple(correct)}

    return Case("dyck", {"length": length, "deepest": deepest}, {"bracket": 4, "verdict": 2}, right)


def aab() -> Case:
    def right(row: Row) -> Answer:
        whole = "".join("ab"[letter] for letter in row["word"])
        start = ("aab" * 9).find(whole)
        if start < 0:
            return None
        return {"rest": tuple("ab".index(letter) for letter in ("aab" * 9)[start + 5 : start + 12])}

    return Case("aab", {}, {"letter": 2}, right)


def rpn(base: int, length: int) -> Case:
    def right(row: Row) -> Answer:
        stack: list[int] = []
        for item in row["program"]:
            if item < base:
                if len(stack) == 3:
                    return None
                stack.append(item)
            elif len(stack) < 2:
                return None
            else:
                x, y = stack.pop(), stack.pop()
                stack.append((y + x, y - x, y * x)[item - base] % base)
        return {"value": stack[0]} if len(stack) == 1 else None

    return Case("rpn", {"base": base, "length": length}, {"digit": base, "item": base + 3}, right)


def memory(n: int, addresses: int, values: int) -> Case:
    def right(row: Row) -> Answer:
        stored = dict(zip(row["address"], row["value"], strict=True))
        return {"read": stored[row["query"][0]]} if row["query"][0] in stored else None

    return Case("memory", {"n": n, "addresses": addresses}, {"address": addresses, "value": values}, right)


CASES = [
    *map(parity, range(1, 7)),
    *map(majority, (1, 4, 5)),
    *(histogram(*sizes) for sizes in ((3, 4), (2, 1), (1, 3))),
    one_token_sum(),
    *map(modular, (2, 11)),
    *(subtraction(*sizes) for sizes in ((3, 3), (2, 4), (10, 1))),
    *(addition("addition", *sizes) for sizes in ((3, 3), (2, 4), (10, 1), (7, 2))),
    *(increment(*sizes) for sizes in ((3, 3), (2, 5))),
    *(mod9(*sizes) for sizes in ((4, 3), (10, 3))),
    *(comparison(*sizes) for sizes in ((3, 3), (5, 2))),
    *(of_word("reverse", *sizes, lambda word: {"reversed": word[::-1]}) for sizes in ((3, 4), (2, 7))),
    *(of_word("sort", *sizes, lambda word: {"sorted": tuple(sorted(word))}) for sizes in ((3, 4), (5, 3))),
    *(
        of_word("copy_distinct", *sizes, lambda word: {"copied": word} if len({*word}) == len(word) else None)
        for sizes in ((4, 3), (3, 1), (2, 3))
    ),
    *(of_word("induction", *sizes, following) for sizes in ((3, 5), (4, 2))),
    *(dyck(*sizes) for sizes in ((5, 2), (4, 1), (6, 2))),
    aab(),
    *(rpn(3, length) for length in range(1, 6)),
    *(memory(*sizes) for sizes in ((3, 2, 3), (2, 3, 2))),
    *(addition("pair", *sizes) for sizes in ((3, 2), (4, 2))),
]


def test_each_of_the_nineteen_is_tried() -> None:
    assert {case.task for case in CASES} == set(NINETEEN)
    assert len(NINETEEN) == 19


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_input(case: Case) -> None:
    stated = statement(NINETEEN[case.task], case.symbols, **case.sizes)
    inputs = list(every_input(stated))
    given = arrays(inputs)
    right = [case.right(row) for row in inputs]
    there = [answer is not None for answer in right]
    assert allowed(stated, given).tolist() == there
    expected = [
        {name: word if isinstance(word, tuple) else (word,) for name, word in answer.items()}
        for answer in right
        if answer is not None
    ]
    kept = np.flatnonzero(there)
    only_these = {name: word[kept] for name, word in given.items()}
    if stated.equations:
        assert rows_of(by_equations(stated, only_these)) == expected
    if stated.transducer is not None:
        assert rows_of(by_columns(stated, only_these)) == expected
    answers = solved(stated, given)  # also of what is no input, which is left at 0
    assert rows_of({name: word[kept] for name, word in answers.items()}) == expected
    assert not any(word[np.flatnonzero(~np.array(there))].any() for word in answers.values())
