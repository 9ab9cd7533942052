"""What is asked: which tasks are the same question, whatever they are called, and what a person calls them."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.pipeline import load
from compiler.tasks.question import Question, grouped
from tests.helpers import SPECS, load_text

SPEC = """\
weightspec: 1
name: asked
dtype: float32
{definitions}
vocabulary: digit[10] symbol[4] = < > p q
task:
  {task}
stream: x
network:
  embedding:
    =: {{x: 1}}
decode: argmax
ignore: no-claims unlisted-logit silent-symbol unseen-token
"""
ADDITION = """\
sizes: {base: 10, digits: 3}
given: {a: digit*digits, b: digit*digits}
answers: {sum: digit*(digits + 1)}
equations: {number(sum): number(a) + number(b)}
columns:
  from: last
  state: {carry: 2}
  sum: (a + b + carry) % base
  next carry: (a + b + carry) // base
numbers: a b sum
prompt: a = b
answer: sum
"""
BY_COLUMNS = ADDITION.replace("equations: {number(sum): number(a) + number(b)}\n", "")
RENAMED = """\
name: plus
sizes: {radix: 10, places: 3}
alphabets: {figure: "digit[d < radix]"}
given: {left: figure*places, right: figure*places}
answers: {total: figure*(places + 1)}
columns:
  from: last
  state: {over: 2}
  total: (left + right + over) % radix
  next over: (left + right + over) // radix
shown: left and right
prompt: left right
answer: total =
"""
SHORT = "addition: {base: 10, digits: 3}\nprompt: a b\nanswer: sum\n"
COPY = """\
sizes: {length: 5}
given: {word: symbol*length}
answers: {copied: symbol*length}
equations: {copied: word}
prompt: word
answer: copied
"""
COUNTED = """\
given: {word: symbol*5}
answers: {many: digit}
equations: {many: "count(any(word[i] == word[k] + 1, i, 5), k, 5)"}
prompt: word
answer: many
"""
STATES = """\
given: {word: symbol*5}
answers: {odd: symbol}
columns:
  from: first
  state: {parity: 2, seen: {size: 3, start: 1}}
  let: {one: "where(word == 1, 1, 0)"}
  only: word < 3
  next parity: (parity + one) % 2
  next seen: where(one == 1, 2, seen)
  end: {only: seen > 0, odd: parity}
prompt: word =
answer: odd
"""
CASES = "cases: {p p q: p, p q p: p q, q p: q}\n"


def asked(folder: Path, task: str, definitions: str = "") -> Question:
    text = SPEC.format(task=task.strip().replace("\n", "\n  "), definitions=definitions)
    return load_text(folder, text).resolved.question


def changed(text: str, before: str, after: str) -> str:
    assert before in text
    return text.replace(before, after)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SHORT, ADDITION),
        (SHORT, RENAMED),
        (SHORT, SHORT + "suites: {hard: {only: number(a) > 500, size: 20}}\norder: least_significant_first\n"),
        (ADDITION, BY_COLUMNS),
        (ADDITION, ADDITION.replace("base", "10").replace("sizes: {10: 10, ", "sizes: {")),
        (COPY, "copy: {symbols: 4, length: 5}\nprompt: word\nanswer: copied\n"),
        (COPY, changed(COPY, "copied: word", '"copied[i]": "word[i]"')),
        (COPY, changed(COPY, "copied: word", '"copied[k]": "word[k]"')),
        (COPY, changed(COPY, "length: 5", "length: {from: 5, to: 5}")),
        (COPY, changed(COPY, "answer: copied", "answer: {in_place: word}")),
        (COPY, changed(COPY, "sizes", "alphabets: {symbol: q p > =}\nsizes")),
        (
            COUNTED,
            changed(COUNTED, "any(word[i] == word[k] + 1, i, 5), k, 5", "any(word[n] == word[m] + 1, n, 5), m, 5"),
        ),
        (STATES, STATES.replace("parity", "p").replace("seen", "once").replace("one", "is_one").replace("word", "w")),
        (CASES, "cases: {q p: q, p q p: p q, p p q: p}\n"),
    ],
)
def test_the_same_is_asked(one: str, other: str, tmp_path: Path) -> None:
    digests = {asked(tmp_path, text).digest for text in (one, other)}
    assert len(digests) == 1
    assert None not in digests


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        (SHORT, "base: 10", "base: 9"),
        (SHORT, "digits: 3", "digits: 4"),
        (BY_COLUMNS, "sum: (a + b + carry) % base", "sum: (a + b - carry) % base"),
        (BY_COLUMNS, "carry: 2", "carry: {size: 2, start: 1}"),
        (BY_COLUMNS, "carry: 2", "carry: 3"),
        (BY_COLUMNS, "from: last", "from: first"),
        (ADDITION, "numbers", "only: number(a) > number(b)\nnumbers"),
        (COPY, "copied: word", "copied: ascending(word)"),
        (COPY, "copied: word", '"copied[i]": "word[4 - i]"'),
        (COPY, "length: 5", "length: {from: 4, to: 5}"),
        (COPY, "symbol*length", "digit*length"),
        (COUNTED, "k, 5)", "k, 4)"),
        (COUNTED, "word[i] == word[k] + 1", "word[k] == word[i] + 1"),
        (COUNTED, "any", "all"),
        (STATES, "start: 1", "start: 0"),
        (STATES, "word == 1", "word == 2"),
        (STATES, "only: word < 3", "only: word < 2"),
        (STATES, "only: seen > 0", "only: seen > 1"),
        (STATES, "odd: parity", "odd: seen"),
        (CASES, "q p: q", "q p: p"),
        (CASES, ", q p: q", ""),
    ],
)
def test_something_else_is_asked(text: str, before: str, after: str, tmp_path: Path) -> None:
    assert asked(tmp_path, text).digest != asked(tmp_path, changed(text, before, after)).digest


def test_constants_of_the_spec_are_part_of_it_where_they_are_read(tmp_path: Path) -> None:
    task = changed(COPY, "copied: word", '"copied[i]": "where(word[i] > least, word[i], 0)"')
    written = changed(task, "least", "1")
    by_constant = {least: asked(tmp_path, task, f"constants: {{least: {least}}}").digest for least in (1, 2)}
    assert by_constant[1] == asked(tmp_path, written).digest == asked(tmp_path, written, "constants: {other: 3}").digest
    assert by_constant[2] != by_constant[1]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (SHORT, "addition, base 10, digits 3"),
        (ADDITION, "sum, base 10, digits 3"),
        (RENAMED, "plus, radix 10, places 3"),
        (
            changed(COPY, "length: 5", "length: {from: 2, to: 5}, twice: 2 * length"),
            "copied, length 2 to 5, twice 4 to 10",
        ),
        (COUNTED, "many"),
        (CASES, "cases, 3 cases"),
        ("name: next\ncases: {p: q}", "next, 1 case"),
    ],
)
def test_what_it_is_called(text: str, title: str, tmp_path: Path) -> None:
    assert asked(tmp_path, text).title == title


def test_the_same_is_asked_by_all_adders_of_the_gallery() -> None:
    questions = [load(path).resolved.question for path in (SPECS / "gallery").glob("*.yaml")]
    assert {one.title for one in questions} == {"addition, base 10, digits 10"}
    assert len({one.digest for one in questions}) == 1


def test_questions_are_grouped_under_titles_of_their_own(tmp_path: Path) -> None:
    none = Question("no task", {}, 0, None)
    reverse = asked(tmp_path, changed(COPY, "copied: word", '"copied[i]": "word[4 - i]"'))
    short, plus, copied = (asked(tmp_path, text) for text in (SHORT, RENAMED, COPY))
    found = grouped([copied, short, none, reverse, plus, none, copied])
    assert found == {
        "copied, length 5": [0, 6],
        "addition, base 10, digits 3 / plus, radix 10, places 3": [1, 4],
        "no task": [2, 5],
        f"copied, length 5 ({(reverse.digest or '')[:8]})": [3],
    }
