"""What formulas of tasks refuse: for every input, or for one; and what they may cost."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import numpy as np
import pytest

from compiler.expressions.syntax import ExpressionError
from compiler.source.diagnostics import Diagnostic, Findings
from compiler.tasks import columns, interpreter
from compiler.tasks.checking import check_formulas
from compiler.tasks.columns import admitted, by_columns
from compiler.tasks.equations import by_equations
from compiler.tasks.solving import allowed, solved
from compiler.tasks.statement import InputFault, Statement
from tests.tasks.stated import NINETEEN, Row, arrays, rows_of, statement

GIVEN = {"word": "symbol*length", "a": "symbol"}
SIZES = {"length": 3, "base": 5}
ALPHABETS = {"symbol": 4, "bit": 2}
ELSEWHERE = {"slope": "is a parameter: tasks do not depend on what is trained"}


def by_formula(text: str, target: str = "out", answer: str = "symbol", **task: object) -> Statement:
    """A task with one equation."""
    stated = {"sizes": SIZES, "given": GIVEN, "answers": {"out": answer}, "equations": {target: text}, **task}
    return statement(stated, ALPHABETS)


def by_step(**written: object) -> Statement:
    """A task with columns; what is not written is plain."""
    plain = {"from": "first", "state": {"s": 2}, "out": "word", "next s": "s"}
    task: dict[str, Any] = {"sizes": SIZES, "given": GIVEN, "answers": {"out": "symbol*length"}}
    return statement({**task, "columns": plain | written}, ALPHABETS)


def mistakes(stated: Statement) -> list[tuple[str, str, str]]:
    """Code, what the formula has there, and message."""
    findings = Findings()
    check_formulas(stated, ELSEWHERE, findings)
    return [(found.code, marked(found), found.message) for found in findings]


def marked(found: Diagnostic) -> str:
    assert found.span is not None
    return found.span.text


FOR_EVERY_INPUT = [
    ("wrod[0]", "unknown-name", "wrod", "no name 'wrod' here; did you mean 'word'?"),
    ("slope + 1", "unknown-name", "slope", "'slope' is a parameter: tasks do not depend on what is trained"),
    ("out + 1", "unknown-name", "out", "'out' is an answer: what is right is said of given words"),
    ("sum", "syntax", "sum", "'sum' is a function; write sum(…)"),
    ("pi", "unknown-name", "pi", "no name 'pi' here; known: length, base, word, a"),
    ("word", "wrong-type", "word", "expected a number, found a word of 3 symbols"),
    ("1 + word", "wrong-type", "word", "expected a number, found a word of 3 symbols"),
    ("a == 1", "wrong-type", "a == 1", "expected a number, found a condition"),
    ("where(a, 1, 0)", "wrong-type", "a", "expected a condition, found a number"),
    ("where(a == 1, word, 0)", "wrong-type", "0", "expected a word of 3 symbols, found a number"),
    ("where(a == 1, 2)", "syntax", "where(a == 1, 2)", "where needs a value for each condition and one otherwise"),
    ("not a", "wrong-type", "a", "expected a condition, found a number"),
    ("where(a or a == 1, 1, 0)", "wrong-type", "a", "expected a condition, found a number"),
    ("-(a == 1)", "wrong-type", "a == 1", "expected a number, found a condition"),
    ("a[0]", "wrong-type", "a[0]", "'a' is a number and takes no index"),
    ("base[0]", "wrong-type", "base[0]", "'base' is a number and takes no index"),
    ("word[0, 1]", "index-range", "word[0, 1]", "'word' takes one index, found 2"),
    ("word[a == 1]", "wrong-type", "a == 1", "expected a number, found a condition"),
    ("word[word]", "wrong-type", "word", "expected a number, found a word of 3 symbols"),
    ("a / 2", "wrong-type", "a / 2", "integers are divided by //"),
    ("a @ a", "wrong-type", "a @ a", "formulas of a task have no matrices"),
    ("word.T", "wrong-type", "word.T", "formulas of a task have no matrices"),
    ("[1, 2]", "wrong-type", "[1, 2]", "formulas of a task have no lists"),
    ("a + 1.5", "wrong-type", "1.5", "expected an integer, found 1.5"),
    ("summ(1, k, 3)", "unknown-name", "summ", "no function 'summ'; did you mean 'sum'?"),
    ("sqrt(4)", "unknown-name", "sqrt", "no function 'sqrt'"),
    ("sum(word[k], k)", "syntax", "sum(word[k], k)", "sum takes an expression, an index name and how many there are"),
    ("count(word[k], k, 3)", "wrong-type", "word[k]", "expected a condition, found a number"),
    (
        "count(a == 1, 1, 3)",
        "syntax",
        "count(a == 1, 1, 3)",
        "count takes a condition, an index name and how many there are",
    ),
    ("sum(k == 1, k, 3)", "wrong-type", "k == 1", "expected a number, found a condition"),
    ("sum(k, a, 3)", "name-clash", "a", "'a' already has a meaning; name the index otherwise"),
    ("sum(sum(k, k, 2), k, 3)", "name-clash", "k", "'k' already has a meaning; name the index otherwise"),
    ("sum(k, k, word)", "wrong-type", "word", "expected a number, found a word of 3 symbols"),
    ("sum(k, k, k)", "unknown-name", "k", "no name 'k' here; known: length, base, word, a"),
    ("number(a)", "wrong-type", "a", "expected a word, found a number"),
    ("number(word, 2)", "syntax", "number(word, 2)", "number takes one word, found 2 arguments"),
    ("number(1 == 1)", "wrong-type", "1 == 1", "expected a word, found a condition"),
    ("min()", "syntax", "min()", "min takes some numbers, found no arguments"),
    ("abs(1, 2)", "syntax", "abs(1, 2)", "abs takes one number, found 2 arguments"),
    ("max(word, 1)", "wrong-type", "word", "expected a number, found a word of 3 symbols"),
    ("distinct(word)", "wrong-type", "distinct(word)", "expected a number, found a condition"),
]


@pytest.mark.parametrize(("text", "code", "part", "message"), FOR_EVERY_INPUT, ids=[row[0] for row in FOR_EVERY_INPUT])
def test_mistakes_for_every_input(text: str, code: str, part: str, message: str) -> None:
    (found,) = mistakes(by_formula(text))
    assert (found[0], found[1]) == (code, part)
    assert found[2].partition("; known: where")[0] == message


OTHER_PLACES: list[tuple[Statement, list[tuple[str, str]]]] = [
    (by_formula("a", only="a"), [("wrong-type", "a")]),
    (by_formula("word", answer="symbol*2"), [("wrong-type", "word")]),  # three symbols for two
    (by_formula("a", answer="symbol*3"), [("wrong-type", "a")]),
    (by_formula("word", "number(out)", "symbol*3"), [("wrong-type", "word")]),
    (by_formula("word[i] + j", "out[i]", "symbol*3"), [("unknown-name", "j")]),
    (by_step(out="word[0]"), [("wrong-type", "word[0]")]),  # in columns a word is its symbol there
    (by_step(out="s == 0"), [("wrong-type", "s == 0")]),
    (by_step(only="s"), [("wrong-type", "s")]),
    (by_step(**{"next s": "t"}), [("unknown-name", "t")]),
    (by_step(let={"x": "y", "y": "1"}), [("unknown-name", "y")]),  # what stands above can be read
    (by_step(let={"x": "s == 1"}, out="x"), [("wrong-type", "x")]),
    (by_step(end={"only": "word == 0"}), [("unknown-name", "word")]),
    (by_step(let={"x": "1"}, end={"only": "x == 0"}), [("unknown-name", "x")]),
    (by_step(only="s", out="1 == 1"), [("wrong-type", "s"), ("wrong-type", "1 == 1")]),
]


@pytest.mark.parametrize(("stated", "found"), OTHER_PLACES)
def test_mistakes_in_other_places(stated: Statement, found: list[tuple[str, str]]) -> None:
    assert [(code, part) for code, part, _ in mistakes(stated)] == found


@pytest.mark.parametrize("name", NINETEEN)
def test_the_nineteen_have_no_mistakes(name: str) -> None:
    alphabets = {
        **dict.fromkeys(("digit", "symbol", "bracket", "address", "value", "rest", "item"), 4),
        **dict.fromkeys(("bit", "verdict", "letter"), 2),
        **{"relation": 3, "count": 5},
    }
    sizes = {"length": 4} if isinstance(NINETEEN[name]["sizes"].get("length"), dict) else {}
    assert mistakes(statement(NINETEEN[name], alphabets, **sizes)) == []


ROWS: list[Row] = [
    {"word": (1, 1, 1), "a": (1,)},
    {"word": (3, 2, 1), "a": (2,)},
    {"word": (0, 0, 0), "a": (0,)},
    {"word": (2, 3, 3), "a": (3,)},
]
NONE_FITS = "finds nothing: its condition holds for no index"
POWER, RESULT = (f"the {what} has more than 65,536 bits" for what in ("power", "result"))
OF_AN_INPUT = [
    ("first(word[k] == 0, k, 3)", 0, "no-match", "first(word[k] == 0, k, 3)", f"first {NONE_FITS}"),
    ("last(word[k] > 2, k, a)", 0, "no-match", "last(word[k] > 2, k, a)", f"last {NONE_FITS}"),
    ("word[a]", 3, "index-range", "a", "index 3 is out of range: 'word' has 0 to 2"),
    ("word[a - 1]", 2, "index-range", "a - 1", "index -1 is out of range: 'word' has 0 to 2"),
    ("word[length]", 0, "index-range", "length", "index 3 is out of range: 'word' has 0 to 2"),
    ("6 // a % 4", 2, "number", "6 // a", "division by zero"),
    ("6 % a", 2, "number", "6 % a", "division by zero"),
    ("a // 0", 0, "number", "a // 0", "division by zero"),
    ("2 ** (a - 1) % 4", 2, "number", "a - 1", "the exponent -1 is negative"),
    ("a + 1", 3, "out-of-range", "a + 1", "symbol 4 is out of range: 'out' has 0 to 3"),
    ("a - 1", 2, "out-of-range", "a - 1", "symbol -1 is out of range: 'out' has 0 to 3"),
    ("7", 0, "out-of-range", "7", "symbol 7 is out of range: 'out' has 0 to 3"),
    ("2 ** (a * 30000) % 4", 3, "number", "2 ** (a * 30000)", POWER),
    ("(2 ** 60000) ** a * 0", 1, "number", "(2 ** 60000) ** a", POWER),
    ("2 ** 40000 * 2 ** (a * 20000) % 4", 1, "number", "2 ** 40000 * 2 ** (a * 20000)", RESULT),
    ("where(a == 1, 0, a == 0, word[3], 1 // 0)", 1, "number", "1 // 0", "division by zero"),
    ("10 ** 10 + a", 0, "out-of-range", "10 ** 10 + a", "symbol 10000000001 is out of range: 'out' has 0 to 3"),
]


@pytest.mark.parametrize(("text", "row", "code", "part", "message"), OF_AN_INPUT, ids=[row[0] for row in OF_AN_INPUT])
def test_faults_of_an_input(text: str, row: int, code: str, part: str, message: str) -> None:
    stated = by_formula(text)
    assert mistakes(stated) == []
    with pytest.raises(InputFault) as found:
        by_equations(stated, arrays(ROWS))
    fault = found.value
    assert (fault.row, fault.code, fault.span.text, fault.message) == (row, code, part, message)
    with pytest.raises(InputFault) as found:
        by_equations(stated, arrays([ROWS[row]] * 2))
    assert found.value.row == 0


def test_the_fault_of_the_first_input_is_raised_whatever_was_computed_first() -> None:
    task = {
        "sizes": SIZES,
        "given": GIVEN,
        "answers": {"one": "symbol", "two": "symbol"},
        "equations": {"one": "3 // (3 - a)", "two": "3 // (2 - a)"},
    }
    with pytest.raises(InputFault) as found:
        by_equations(statement(task, ALPHABETS), arrays(ROWS))
    assert (found.value.row, found.value.span.text) == (1, "3 // (2 - a)")
    many = arrays([ROWS[0]] * 40_000 + ROWS)
    with pytest.raises(InputFault) as found:
        by_equations(statement(task, ALPHABETS), many)
    assert found.value.row == 40_001


def test_numbers_that_do_not_fit_their_word() -> None:
    stated = by_formula("number(word) - 20", "number(out)", "symbol*2")
    rows: list[Row] = [{"word": (1, 1, 1), "a": (0,)}, {"word": (3, 2, 1), "a": (0,)}, {"word": (0, 0, 0), "a": (0,)}]
    for row, shown in ((1, 37), (2, -20)):
        with pytest.raises(InputFault) as found:
            by_equations(stated, arrays([rows[0], rows[row]]))
        assert found.value.message == f"{shown} is out of range: 'out' holds 0 to 15"
        assert (found.value.row, found.value.code) == (1, "out-of-range")


LAZY = [
    "where(a == 0, 0, 6 // a % 4)",
    "where(a != 0 and 6 // a >= 0, 1, 0)",
    "where(a == 0 or 6 // a >= 0, 1, 0)",
    "where(a == 3, 0, word[a])",
    "sum(1, k, where(any(word[k] == 0, k, 3), 0, first(word[k] != 0, k, 3)))",
    "where(any(word[k] == 0 or word[k + 1] == 0, k, 3 - 1), 1, 0)",
    "where(any(k == 0 or word[k + 3] == 0, k, 3), 1, 0)",
    "where(all(k == 2 and word[k + 3] == 0, k, 3), 1, 0)",
    "first(k == 2 or word[k + 1] == 7, k, 3)",
    "last(k == 0 or word[k - 1] == 7, k, 3)",
    "where(0 == 1, 1 // 0, 1 == 1, 2, 1 // 0)",
    "sum(1 // 0, k, 0)",
    "sum(1 // 0, k, 0 - 3)",
    "where(2 < 1 and 1 // 0 == 0, 1, 0)",
]


@pytest.mark.parametrize("text", LAZY)
def test_what_is_not_taken_is_not_computed(text: str) -> None:
    by_equations(by_formula(text), arrays(ROWS))


TOO_MUCH = [
    "sum(1, k, 10 ** 12)",
    "sum(sum(sum(1, k, 100), j, 100), i, 100)",
    f"{'sum(' * 20}1{''.join(f', k{n}, 2)' for n in range(20))}",
    "where(a == 1, sum(1, k, 10 ** 6), count(k == 1, k, 10 ** 6))",
]


@pytest.mark.parametrize("text", TOO_MUCH)
def test_formulas_that_cost_too_much_for_every_input(text: str) -> None:
    found = [("too-much-work", text, "more than 1,000,000 steps to compute one input")]
    assert mistakes(by_formula(text)) == found
    assert mistakes(by_step(let={"x": text}))[:1] == found


def test_an_equation_costs_as_much_as_all_its_symbols() -> None:
    text = f"sum(sum({'k + ' * 100}k, k, 100), j, 5) + i"
    assert mistakes(by_formula(text, "out[i]", "symbol*3")) == []
    assert [code for code, _, _ in mistakes(by_formula(text, "out[i]", "symbol*100"))] == ["too-much-work"]


@pytest.mark.parametrize(
    "text",
    ["sum(1, k, 10 ** 12)", "count(k == 1, k, 2 ** 60000)", "first(k == 10 ** 9, k, 10 ** 12)", "sum(k, k, a * 9999)"],
)
def test_too_much_work_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "MAX_TASK_WORK", 10_000)  # less, so that it takes no time
    with pytest.raises(ExpressionError) as found:
        by_equations(by_formula(f"({text}) % 4"), arrays(ROWS))
    assert found.value.code == "too-much-work"
    assert found.value.span is not None


def test_large_powers_are_refused_before_they_are_computed() -> None:
    for text in ("2 ** 2 ** 40", "2 ** 65536", "(10 ** 10000) ** 10000", "(2 ** 65535) * 2"):
        with pytest.raises(InputFault, match=r"has more than 65,536 bits"):
            by_equations(by_formula(f"({text}) % 4"), arrays(ROWS))
    assert rows_of(by_equations(by_formula("2 ** 65535 % 3"), arrays(ROWS[:1]))) == [{"out": (2,)}]
    assert rows_of(by_equations(by_formula("1 ** 10 ** 1000 + (-1) ** 10 ** 1000"), arrays(ROWS[:1]))) == [
        {"out": (2,)}
    ]


def test_lets_that_read_one_another_cost_what_they_are_computed_for(monkeypatch: pytest.MonkeyPatch) -> None:
    doubled = by_step(let={"x0": "s", **{f"x{k}": f"x{k - 1} + x{k - 1}" for k in range(1, 30)}}, out="x29 % 2")
    assert mistakes(doubled)[0] == ("too-much-work", "x17 + x17", "more than 1,000,000 steps to compute one input")
    monkeypatch.setattr(interpreter, "MAX_TASK_WORK", 10_000)  # less, so that it takes no time
    with pytest.raises(ExpressionError) as found:
        by_columns(doubled, arrays(ROWS))
    assert found.value.code == "too-much-work"
    assert found.value.span is not None
    assert found.value.span.text.startswith(("x", "s"))
    nested = by_step(let={"x0": "s", **{f"x{k}": f"x{k - 1}" for k in range(1, 3000)}}, out="x2999")
    with pytest.raises(ExpressionError, match="nested too deeply"):
        by_columns(nested, arrays(ROWS))


def test_long_chains_of_operators_are_no_recursion() -> None:
    stated = by_formula("(" + " + ".join(["a"] * 4000) + ") % 4")
    assert mistakes(stated) == []
    assert rows_of(by_equations(stated, arrays(ROWS[:2]))) == [{"out": (0,)}, {"out": (0,)}]
    stated = by_formula("where(" + " or ".join(["a == 9"] * 1500) + " or a == 1, 1, 0)")
    assert rows_of(by_equations(stated, arrays(ROWS[:2]))) == [{"out": (1,)}, {"out": (0,)}]


@pytest.mark.parametrize("base", [2, 10, 1024])
@pytest.mark.parametrize("length", [1, 6, 7, 18, 19, 40, 1024])
def test_numbers_of_many_digits(base: int, length: int) -> None:
    """Sum, difference, product and quotient of numbers against Python's integers."""
    task = {
        "given": {"a": "digit*length", "b": "digit*length"},
        "answers": {
            "sum": "digit*(length + 1)",
            "far": "digit*length",
            "product": "digit*(2 * length)",
            "rest": "digit",
        },
        "equations": {
            "number(sum)": "number(a) + number(b)",
            "number(far)": "abs(number(a) - number(b))",
            "number(product)": "number(a) * number(b)",
            "rest": "where(number(b) == 0, 0, number(a) % number(b)) % base",
        },
    }
    stated = statement({**task, "sizes": {"base": base, "length": length}}, {"digit": base})
    random = Random(0)
    rows = [{name: tuple(random.randrange(base) for _ in range(length)) for name in ("a", "b")} for _ in range(4)] + [
        dict.fromkeys(("a", "b"), (digit,) * length) for digit in (0, base - 1)
    ]

    def written(number: int, digits: int) -> tuple[int, ...]:
        found = []
        for _ in range(digits):
            number, digit = divmod(number, base)
            found.append(digit)
        assert number == 0
        return tuple(reversed(found))

    for row, answer in zip(rows, rows_of(by_equations(stated, arrays(rows))), strict=True):
        a, b = (value_of(row[name], base) for name in ("a", "b"))
        assert answer == {
            "sum": written(a + b, length + 1),
            "far": written(abs(a - b), length),
            "product": written(a * b, 2 * length),
            "rest": written((a % b if b else 0) % base, 1),
        }


def value_of(digits: tuple[int, ...], base: int) -> int:
    number = 0
    for digit in digits:
        number = number * base + digit
    return number


COLUMN_FAULTS: list[tuple[Mapping[str, object], int | None, str]] = [
    ({"out": "word + 1"}, 1, "symbol 4 is out of range: 'out' has 0 to 3"),
    ({"next s": "s + where(word == 3, 1, 0)"}, 3, "state 2 is out of range: 's' has 0 to 1"),
    ({"next s": "s - word"}, 0, "state -1 is out of range: 's' has 0 to 1"),
    ({"out": "where(s == 0, word, 1 // 0)", "next s": "where(word == 3, 1, 0)"}, 1, "division by zero"),
    ({"only": "4 // word > 0"}, 2, "division by zero"),
    ({"only": "word < 3", "out": "word + 1"}, None, ""),  # the row is excluded where it would fail
    ({"out": "word + 1", "next s": "where(word == 3, 1, s)", "end": {"only": "s == 0"}}, None, ""),  # … or later
    ({"end": {"only": "1 // s == 1"}}, 0, "division by zero"),
    ({"let": {"x": "1 // (3 - word)"}}, None, ""),  # nothing reads it
    ({"let": {"x": "1 // (3 - word)"}, "out": "where(word == 3, 0, x)"}, None, ""),
    ({"let": {"x": "1 // (3 - word)"}, "out": "x"}, 1, "division by zero"),
]


@pytest.mark.parametrize("tables", [True, False], ids=["tables", "rows"])
@pytest.mark.parametrize(("written", "row", "message"), COLUMN_FAULTS, ids=[str(row[0]) for row in COLUMN_FAULTS])
def test_faults_of_columns(
    written: Mapping[str, object], row: int | None, message: str, tables: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not tables:
        monkeypatch.setattr(columns, "SMALL_TABLE", 0)
        monkeypatch.setattr(columns, "LARGE_TABLE", 0)
    stated = by_step(**written)
    assert mistakes(stated) == []
    if row is None:
        by_columns(stated, arrays(ROWS))
        return
    before = [ROWS[row - 1]] * 20_000 if row else []  # of which none fails
    with pytest.raises(InputFault) as found:
        by_columns(stated, arrays([*before, *ROWS]))
    assert (found.value.row, found.value.message) == (len(before) + row, message)


@pytest.mark.parametrize("name", ["dyck", "subtraction", "rpn", "comparison", "increment"])
def test_columns_by_tables_and_by_rows_agree(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On inputs that columns exclude too, and in several blocks."""
    alphabets = {"bracket": 4, "verdict": 2, "symbol": 3, "item": 6, "digit": 3, "relation": 3}
    sizes = {"length": 5} if name == "rpn" else {}
    stated = statement(NINETEEN[name], alphabets, **sizes)
    random = np.random.default_rng(0)
    given = {
        word.name: random.integers(0, word.symbols, (40_000, word.length)).astype(np.uint16) for word in stated.given
    }
    by_table, there = by_columns(stated, given), admitted(stated, given)
    monkeypatch.setattr(columns, "SMALL_TABLE", 0)
    monkeypatch.setattr(columns, "LARGE_TABLE", 0)
    assert np.array_equal(admitted(stated, given), there)
    by_rows = by_columns(stated, given)
    assert all(np.array_equal(by_rows[name], word) for name, word in by_table.items())


def test_what_is_no_input_is_not_computed() -> None:
    stated = by_formula("6 // a % 4", only="a > 0")
    assert allowed(stated, arrays(ROWS)).tolist() == [True, True, False, True]
    assert rows_of(solved(stated, arrays(ROWS))) == [{"out": (2,)}, {"out": (3,)}, {"out": (0,)}, {"out": (2,)}]
    stated = by_formula("6 // (3 - a) % 4", only="a > 0")
    with pytest.raises(InputFault) as found:
        solved(stated, arrays(ROWS))
    assert found.value.row == 3  # among all, though one before is no input
    assert rows_of(solved(stated, arrays(ROWS[2:3]))) == [{"out": (0,)}]
