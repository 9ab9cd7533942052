"""Random formulas of tasks, for several inputs at once: what Python computes for each, and failures where it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from compiler.tasks.equations import batch_of
from compiler.tasks.interpreter import FormulaScope, integers_of
from compiler.tasks.kinds import Readable, WordKind, expect
from compiler.tasks.statement import Statement, WordShape
from tests.tasks.stated import formula

SYMBOLS, LENGTH, BASE = 3, 4, 5
INPUTS: list[tuple[tuple[int, ...], int]] = [
    ((0, 0, 0, 0), 0),
    ((2, 1, 0, 2), 3),
    ((1, 1, 2, 0), 1),
    ((2, 2, 2, 2), 6),
    ((0, 1, 2, 1), 2),
]
STATED = Statement(
    {"base": BASE}, (WordShape("word", "s", SYMBOLS, LENGTH), WordShape("a", "t", 7, 1, single=True)), ()
)
NAMES = Readable({"base": "number", "word": WordKind(SYMBOLS, LENGTH), "a": "number"})
Pair = tuple[str, str]  # a formula, and the same in Python

ORDERS: list[Pair] = [
    ("word", "word"),
    ("ascending(word)", "sorted(word)"),
    ("descending(word)", "sorted(word, reverse=True)"),
]


def power(base: int, exponent: int) -> int:
    if exponent < 0:
        raise ZeroDivisionError
    return int(base**exponent)


def at(word: tuple[int, ...], index: int) -> int:
    if index < 0:
        raise IndexError
    return word[index]


def number(word: tuple[int, ...]) -> int:
    return int("".join(map(str, word)), SYMBOLS)


def distinct(word: tuple[int, ...]) -> bool:
    return len(set(word)) == len(word)


PYTHON: dict[str, Any] = {
    **{function.__name__: function for function in (power, at, number, distinct)},
    "base": BASE,
}


def of(ours: str, python: str | None = None) -> Callable[..., Pair]:
    """How to fill `{0}`, `{1}`, … of a formula, and of the same in Python where that is written otherwise."""

    def filled(parts: tuple[Pair, ...]) -> Pair:
        return ours.format(*(part[0] for part in parts)), (python or ours).format(*(part[1] for part in parts))

    return filled


def numbers(depth: int, bound: tuple[str, ...]) -> st.SearchStrategy[Pair]:
    plain = [*map(str, (0, 1, 2, 3, 10**20)), "a", "base", "number(word)", *bound]
    leaves = st.sampled_from(plain).map(lambda text: (text, text))
    if depth == 0:
        return leaves
    index = "ijkl"[len(bound)]
    inner, truth = numbers(depth - 1, bound), truths(depth - 1, bound)
    within, true_within = numbers(depth - 1, (*bound, index)), truths(depth - 1, (*bound, index))
    size = st.one_of(st.sampled_from([("3", "3"), ("4", "4"), ("a", "a")]))
    loop = f"for {index} in range({{1}})"
    return st.one_of(
        leaves,
        *(st.tuples(inner, inner).map(of(f"({{0}} {symbol} {{1}})")) for symbol in ("+", "-", "*", "//", "%")),
        st.tuples(inner, numbers(0, bound)).map(of("({0} ** ({1} % 3 - 1))", "power({0}, {1} % 3 - 1)")),
        st.tuples(inner).map(of("(-{0})")),
        st.tuples(inner).map(of("word[{0}]", "at(word, {0})")),
        st.tuples(inner, inner).map(of("max({0}, {1})")),
        st.tuples(inner).map(of("abs({0})")),
        st.tuples(truth, inner, inner).map(of("where({0}, {1}, {2})", "({1} if {0} else {2})")),
        st.tuples(truth, inner, truth, inner, inner).map(
            of("where({0}, {1}, {2}, {3}, {4})", "({1} if {0} else {3} if {2} else {4})")
        ),
        st.tuples(truth, st.sampled_from(ORDERS), st.sampled_from(ORDERS)).map(
            of("number(where({0}, {1}, {2}))", "number({1} if {0} else {2})")
        ),
        st.tuples(within, size).map(of(f"sum({{0}}, {index}, {{1}})", f"sum({{0}} {loop})")),
        st.tuples(true_within, size).map(of(f"count({{0}}, {index}, {{1}})", f"sum({{0}} {loop})")),
        st.tuples(true_within, size).map(of(f"first({{0}}, {index}, {{1}})", f"next({index} {loop} if {{0}})")),
        st.tuples(true_within, size).map(
            of(f"last({{0}}, {index}, {{1}})", f"next({index} for {index} in reversed(range({{1}})) if {{0}})")
        ),
    )


def truths(depth: int, bound: tuple[str, ...]) -> st.SearchStrategy[Pair]:
    inner = numbers(max(depth - 1, 0), bound)
    symbols = ("<", "<=", ">", ">=", "==", "!=")
    leaves = st.one_of(
        st.just(("distinct(word)", "distinct(word)")),
        *(st.tuples(inner, inner).map(of(f"({{0}} {symbol} {{1}})")) for symbol in symbols),
    )
    if depth == 0:
        return leaves
    index = "ijkl"[len(bound)]
    both, within = truths(depth - 1, bound), truths(depth - 1, (*bound, index))
    size = st.sampled_from([("3", "3"), ("a", "a")])
    loops = [
        st.tuples(within, size).map(of(f"{name}({{0}}, {index}, {{1}})", f"{name}({{0}} for {index} in range({{1}}))"))
        for name in ("any", "all")
    ]
    return st.one_of(
        leaves,
        st.tuples(both).map(of("(not {0})")),
        *(st.tuples(both, both).map(of(f"({{0}} {symbol} {{1}})")) for symbol in ("and", "or")),
        *loops,
    )


@given(numbers(3, ()))
@example(("10 // a", "10 // a"))
@example(("where(a != 0, 10 // a, 0)", "(10 // a if a != 0 else 0)"))
@example(
    ("where(a == 0, 1, a == 3, word[1] + a, word[0])", "(1 if a == 0 else word[1] + a if a == 3 else word[0])"),
)
@settings(max_examples=200, deadline=None)
def test_every_input_has_what_python_computes_for_it(pair: Pair) -> None:
    text, python = pair
    expected = [outcome(python, word, a) for word, a in INPUTS]
    stated = formula(text)
    expect("number", stated.tree, NAMES)  # every random formula is well-formed
    words = np.array([word for word, _ in INPUTS], np.uint16), np.array([[a] for _, a in INPUTS], np.uint16)
    batch = batch_of(STATED, dict(zip(("word", "a"), words, strict=True)))
    found = integers_of(FormulaScope(batch, stated))
    values = np.broadcast_to(np.array(found.values, object), len(INPUTS))
    assert [
        None if failed else int(value) for value, failed in zip(values, batch.faults.failed, strict=True)
    ] == expected
    assert all(found.low <= value <= found.high for value in values)
    fault = batch.faults.first()
    assert (fault and fault.row) == next((row for row, value in enumerate(expected) if value is None), None)


def outcome(python: str, word: tuple[int, ...], a: int) -> int | None:
    try:
        return int(eval(python, {**PYTHON, "word": word, "a": a}))
    except (ZeroDivisionError, IndexError, StopIteration, RuntimeError):
        return None
