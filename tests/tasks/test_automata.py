"""Automata of stated tasks: their paths are the inputs, and their letters the words."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest

from compiler.tasks.automata import automaton
from compiler.tasks.automaton import Automaton, Column, paths, words_of
from compiler.tasks.solving import allowed, solved
from compiler.tasks.statement import Statement
from compiler.tasks.task import TaskError
from tests.tasks.stated import NINETEEN, Row, arrays, every_input, rows_of, statement
from tests.tasks.test_nineteen import CASES, Case

SUM = ("a", "b", "sum")


def same(one: Automaton, other: Automaton) -> bool:
    """Equal in all that they hold, the order of letters too."""

    def content(automaton: Automaton) -> list[object]:
        return [
            (
                column.label,
                column.before.tolist(),
                column.after.tolist(),
                [(place, symbols.tolist(), str(symbols.dtype)) for place, symbols in column.letters.items()],
                str(column.before.dtype),
                str(column.after.dtype),
            )
            for column in automaton.columns
        ]

    return one.states == other.states and content(one) == content(other)


def addition(base: int, digits: int) -> Statement:
    return statement(NINETEEN["addition"], {"digit": base}, base=base, digits=digits)


def adding(base: int, digits: int) -> Automaton:
    """Of a + b, written down by hand: a column for each place, and one for the last carry alone."""

    def column(k: int) -> Column:
        a, b, carry = np.indices((base, base, 2 if k else 1)).reshape(3, -1)
        after, digit = np.divmod(a + b + carry, base)
        place = digits - 1 - k
        return Column(f"{base}^{k}", carry, after, {("a", place): a, ("b", place): b, ("sum", place + 1): digit})

    carry = np.arange(2)
    last = Column(f"{base}^{digits}", carry, np.zeros_like(carry), {("sum", 0): carry})
    return Automaton(2, (*map(column, range(digits)), last))


@pytest.mark.parametrize(("base", "digits"), [(2, 1), (2, 5), (3, 3), (10, 1), (10, 10), (100, 2)])
def test_columns_of_addition(base: int, digits: int) -> None:
    found = automaton(addition(base, digits), SUM)
    assert found is not None
    assert same(found, adding(base, digits))
    assert len({id(column.after) for column in found.columns[1:-1]}) <= 1  # inner columns share their arrays


@pytest.mark.parametrize(("base", "cases"), [(101, "20,402"), (1024, "2,097,152")])
def test_a_base_that_is_too_large_is_refused(base: int, cases: str) -> None:
    with pytest.raises(TaskError) as found:
        automaton(addition(base, 2), SUM)
    expected = f"a column of two digits in base {base} has {cases} cases; at most 20,000 are followed"
    assert found.value.message == f"{expected}. Set a smaller base"
    with pytest.raises(TaskError) as found:
        automaton(addition(base, 2))
    expected = f"a column of two symbols and 2 states has {cases} cases; at most 20,000 are followed"
    assert found.value.message == f"{expected}. Set fewer symbols or states"


@pytest.mark.parametrize(
    "equations", [{"other": "word"}, {"other[i]": "word[i]"}, {"other[i]": "word[length - 1 - i]"}]
)
@pytest.mark.parametrize(("symbols", "length"), [(4, 5), (1, 1), (7, 2)])
def test_columns_of_copy_and_reverse(equations: dict[str, str], symbols: int, length: int) -> None:
    task = {"given": {"word": "symbol*length"}, "answers": {"other": "symbol*length"}, "equations": equations}
    found = automaton(stated(task, {"symbol": symbols}, {"symbols": symbols, "length": length}))
    symbol = np.arange(symbols)
    places = range(length) if "length" not in "".join(equations.values()) else range(length - 1, -1, -1)
    columns = [
        Column(f"word[{place}]", 0 * symbol, 0 * symbol, {("word", place): symbol, ("other", other): symbol})
        for place, other in enumerate(places)
    ]
    assert found is not None
    assert same(found, Automaton(1, tuple(columns)))


def stated(task: Mapping[str, Any], alphabets: Mapping[str, int], sizes: Mapping[str, int]) -> Statement:
    return statement({**task, "sizes": sizes}, alphabets)


def every_path(automaton: Automaton) -> list[list[int]]:
    found: list[tuple[list[int], int]] = [([], 0)]
    for column in automaton.columns:
        steps = list(zip(column.before.tolist(), column.after.tolist(), strict=True))
        found = [
            ([*path, s], after) for path, state in found for s, (before, after) in enumerate(steps) if before == state
        ]
    return [path for path, _ in found]


def check_paths(stated: Statement, automaton: Automaton) -> None:
    """Each input is one path, and each path an input that `only` may exclude; the answers are right."""
    walked = every_path(automaton)
    assert paths(automaton) == len(walked)
    letters = [place for column in automaton.columns for place in column.letters]
    words = (*stated.given, *stated.answers)
    assert sorted(letters) == sorted((word.name, place) for word in words for place in range(word.length))
    found = rows_of(words_of(automaton, np.array(walked, np.int64).reshape(len(walked), len(automaton.columns))))

    inputs = list(every_input(stated))
    there = allowed(stated, arrays(inputs))
    answers = rows_of(solved(stated, arrays(inputs)))
    expected = [row | answer for row, answer, one in zip(inputs, answers, there, strict=True) if one]

    def ordered(rows: list[Row]) -> list[list[tuple[str, tuple[int, ...]]]]:
        return sorted(sorted(row.items()) for row in rows)

    if stated.only is None or len(expected) == len(found):
        assert ordered(found) == ordered(expected)
    else:
        assert {tuple(row) for row in ordered(expected)} <= {tuple(row) for row in ordered(found)}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_path_of_the_nineteen(case: Case) -> None:
    one = statement(NINETEEN[case.task], case.symbols, **case.sizes)
    found = automaton(one)
    by_symbols = case.task in ("reverse", "copy_distinct", "aab") or case.sizes in ({"length": 1}, {"symbols": 1})
    if one.transducer is None and not by_symbols and sum(word.length for word in one.given) > 1:
        assert found is None or all(word.symbols == 1 for word in one.given)
    else:
        assert found is not None
    if found is not None:
        check_paths(one, found)


WORD = {"given": {"word": "symbol*length"}, "answers": {"other": "symbol*length"}}
EQUATIONS: list[tuple[dict[str, str], bool]] = [
    ({"other[i]": "(word[i] + 1) % symbols"}, True),
    ({"other[i]": "where(i % 2 == 0, word[i], word[length - 1 - i])"}, True),
    ({"other[i]": "where(i == 0, 0, word[i - 1])"}, True),
    ({"other[i]": "symbols - 1"}, True),
    ({"other[i]": "sum(word[k], k, 1)"}, True),
    ({"other[i]": "max(word[i], word[i], 1)"}, True),
    ({"other[i]": "where(word[i] == 2, 0, word[i])"}, True),
    ({"other": "where(length > 2, word, ascending(word))"}, True),
    ({"other": "where(length > 3, word, ascending(word))"}, False),
    ({"other": "ascending(word)"}, False),
    ({"other[i]": "word[word[i]]"}, False),
    ({"other[i]": "word[i] * word[0] % symbols"}, False),
    ({"other[i]": "sum(word[k], k, length) % symbols"}, False),
    ({"other[i]": "sum(1, k, word[i])"}, False),  # the size hangs on the word
    ({"other[i]": "3 // word[i]"}, False),  # there is no quotient by 0
    ({"number(other)": "number(word)"}, False),
]


@pytest.mark.parametrize(("equations", "by_symbols"), EQUATIONS, ids=lambda value: str(value))
def test_automata_are_read_off_equations(equations: dict[str, str], by_symbols: bool) -> None:
    one = stated({**WORD, "equations": equations}, {"symbol": 3}, {"symbols": 3, "length": 3})
    found = automaton(one)
    assert (found is not None) == by_symbols
    if found is not None:
        assert [column.label for column in found.columns] == ["word[0]", "word[1]", "word[2]"]
        check_paths(one, found)


def columns(
    task: Mapping[str, Any], alphabets: Mapping[str, int], sizes: Mapping[str, int]
) -> tuple[Statement, Automaton]:
    one = stated(task, alphabets, sizes)
    found = automaton(one)
    assert found is not None
    return one, found


def test_words_of_several_lengths_and_a_single_symbol_that_all_columns_read() -> None:
    """`where` matches of `wanted` are counted, mod 3, from the first symbol on; the shorter word reads 0 at the end."""
    task = {
        "given": {"word": "symbol*3", "wanted": "symbol", "mask": "bit*2"},
        "answers": {"seen": "bit*3", "matches": "symbol"},
        "columns": {
            "from": "first",
            "state": {"met": {"size": 3, "start": 2}},
            "seen": "where(word == wanted and mask == 1, 1, 0)",
            "next met": "(met + where(word == wanted, 1, 0)) % 3",
            "end": {"matches": "(met + 1) % 3", "only": "met != 1"},
        },
    }
    one, found = columns(task, {"symbol": 3, "bit": 2}, {})
    assert [column.label for column in found.columns] == ["word[0] wanted mask[0]", "word[1] mask[1]", "word[2]", "end"]
    check_paths(one, found)
    for word, wanted, mask in product(product(range(3), repeat=3), range(3), product(range(2), repeat=2)):
        row: Row = {"word": word, "wanted": (wanted,), "mask": mask}
        there = word.count(wanted) % 3 != 2
        assert allowed(one, arrays([row])).tolist() == [there]
        if there:
            seen = tuple(int(symbol == wanted and one) for symbol, one in zip(word, (*mask, 0), strict=True))
            assert rows_of(solved(one, arrays([row]))) == [{"seen": seen, "matches": (word.count(wanted) % 3,)}]


def test_the_start_is_state_0_and_states_that_nothing_leads_to_have_no_steps() -> None:
    one = statement(NINETEEN["increment"], {"digit": 10}, base=10, digits=3)
    found = automaton(one, ("a", "successor"))
    assert found is not None
    assert [column.label for column in found.columns] == ["10^0", "10^1", "10^2", "10^3"]
    assert found.columns[0].before.tolist() == [0] * 10
    assert found.columns[0].after.tolist() == [1] * 9 + [0]  # the carry, which starts as 1
    one = statement(NINETEEN["rpn"], {"item": 13, "digit": 10}, base=10, length=5)
    found = automaton(one)
    assert found is not None
    assert found.columns[0].before.tolist() == [0] * 10  # no operator comes first


def test_a_step_that_cannot_be_computed_is_an_error_that_says_which() -> None:
    task = {
        "given": {"word": "symbol*3"},
        "answers": {"other": "symbol*3"},
        "columns": {"from": "first", "state": {"depth": 2}, "other": "word", "next depth": "depth + word"},
    }
    with pytest.raises(TaskError) as found:
        automaton(stated(task, {"symbol": 3}, {}))
    assert found.value.message == (
        "a step of the columns cannot be computed, with word = 2, depth = 0: state 2 is out of range: "
        "'depth' has 0 to 1"
    )
    (diagnostic,) = found.value.diagnostics
    assert (diagnostic.code, diagnostic.hint) == ("out-of-range", "exclude it by `only` under `columns`")
    assert diagnostic.span is not None
    assert diagnostic.span.text == "depth + word"
