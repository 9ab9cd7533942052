"""Inputs as people type them into `run`: which spellings are taken, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import cli
import compiler
from compiler.pipeline import Spec

SPEC = """\
weightspec: 1
name: typed
dtype: float32
ignore: no-claims unlisted-logit unseen-token
vocabulary: {vocabulary}
task:
{task}
stream: here
network:
  embedding:
    {token}: {{here: 1}}
  head:
    logits {token}: here
decode: argmax
"""
ADDED = """\
  alphabets: {bit: "digit[d < 2]"}
  given: {a: bit, b: bit}
  answers: {total: digit}
  equations: {total: a + b}
  prompt: a + b =
  answer: total
"""
SHOWN = f"{ADDED}  shown: b + a"
WORD = """\
  sizes: {length: LENGTHS}
  given: {word: digit*length}
  answers: {first: digit}
  equations: {first: "word[0]"}
  prompt: word =
  answer: first
"""
TEN = WORD.replace("LENGTHS", "10")
LENGTHS = WORD.replace("LENGTHS", "{from: 1, to: 20}")
MEMORY = """\
  given: {address: addr*2, value: digit*2, query: addr}
  answers: {read: digit}
  equations: {read: "value[last(address[k] == query, k, 2)]"}
  only: any(address[k] == query, k, 2)
  prompt: [{each: "address[i] value[i]"}, +, query]
  answer: read
"""
NUMBERS = """\
  given: {a: digit*2, b: digit*2, way: digit}
  answers: {larger: digit}
  equations: {larger: "where(number(a) < number(b), 1, 0)"}
  numbers: a b
  prompt: a b way
  answer: larger
"""
COLUMNS = """\
  given: {word: digit*3}
  answers: {last: digit}
  columns:
    from: first
    only: word != 2
    state: {kept: 3}
    next kept: word
    end: {last: kept}
  prompt: word
  answer: last
"""
CASES = '  cases: {"digit[1] + digit[1] =": 2, "digit[0] + addr[1] =": 2}\n'
CASES_OF_LENGTHS = '  cases: {"2 =": 2, "2 + 2 =": 2}\n'
ADDED_TO_TEN = "digit[3] + = addr[2]"


def written(folder: Path, task: str, vocabulary: str) -> Path:
    path = folder / "typed.yaml"
    text = SPEC.format(vocabulary=vocabulary, task=task.rstrip("\n"), token="digit[d]")
    path.write_text(text, encoding="utf-8")
    return path


def load(folder: Path, task: str, vocabulary: str) -> Spec:
    return compiler.load(written(folder, task, vocabulary))


def run(folder: Path, task: str, *words: str, vocabulary: str = ADDED_TO_TEN) -> Result:
    return CliRunner().invoke(cli.main, ["run", str(written(folder, task, vocabulary)), *words])


@pytest.mark.parametrize(
    ("task", "typed", "shown"),
    [
        (ADDED, ["1", "0"], "1 0 = "),
        (ADDED, ["digit[1]", "'digit[0]'"], "1 0 = "),
        (ADDED, ["digit[1] 0"], "1 0 = "),
        (SHOWN, ["1", "0"], "0 + 1 = "),  # in the order of `given`
        (SHOWN, ["0", "+", "1"], "0 + 1 = "),
        (SHOWN, ["0 + digit[1]"], "0 + 1 = "),
        (CASES, ["digit[1]", "+", "digit[1]", "="], "digit[1] + digit[1] = "),
        (CASES, ["digit[0]", "+ addr[1] ="], "digit[0] + addr[1] = "),
        (CASES_OF_LENGTHS, ["digit[2] ="], "digit[2] = "),
        (NUMBERS, ["12", "7", "0"], "12 7 0 = "),
    ],
)
def test_what_is_taken(tmp_path: Path, task: str, typed: list[str], shown: str) -> None:
    result = run(tmp_path, task, *typed, vocabulary="digit[10] + = addr[2]" if task == NUMBERS else ADDED_TO_TEN)
    assert result.stderr == ""
    assert result.stdout.startswith(shown)
    assert " = = " not in result.stdout


def test_a_number_is_a_token_of_cases_where_one_family_alone_has_it(tmp_path: Path) -> None:
    task = '  cases: {"2 + 2 =": 2, "digit[1] +": 2}\n'
    assert run(tmp_path, task, "2 + 2 =").stdout.startswith("digit[2] + digit[2] = digit[")
    assert "'1' is no symbol" in run(tmp_path, task, "1 +").stderr  # `addr` has it too


@pytest.mark.parametrize(
    ("task", "typed", "message"),
    [
        (TEN, ["1101000000"], "error: first is asked of word (10 symbols), found 1  [task]"),
        (LENGTHS, ["1 " * 21], "error: first is asked of word (1 to 20 symbols), found 21  [task]"),
        (LENGTHS, ["1", "7"], "error: '7' is no symbol: they are the numbers 0 to 2  [task]"),
        (
            MEMORY,
            ["0"],
            "error: read is asked of address (2 symbols), value (2 symbols) and query (1 symbol), found 1  [task]",
        ),
        (MEMORY, ["0 0 1 2 1"], "error: 0 0 1 2 1 is no input of read: `only` excludes it  [task]"),
        (MEMORY, ["0 0 5 2 1"], "error: '5' is no symbol of value: they are the numbers 0 to 2  [task]"),
        (COLUMNS, ["0 2 1"], "error: 0 2 1 is no input of last: `only` of the columns excludes it  [task]"),
        (NUMBERS, ["1"], "error: larger is asked of a (a number), b (a number) and way (1 symbol), found 1  [task]"),
        (SHOWN, ["0", "=", "1"], "error: total is asked of a (1 symbol) and b (1 symbol), found 3  [task]"),
        (CASES, ["digit[0] + digit[1] ="], "error: no such case: digit[0] + digit[1] =  [task]"),
        (CASES, ["+"], "error: cases have prompts of 4 tokens, found 1  [task]"),
        (CASES_OF_LENGTHS, ["+"], "error: cases have prompts of 2 or 4 tokens, found 1  [task]"),
    ],
)
def test_what_is_no_input(tmp_path: Path, task: str, typed: list[str], message: str) -> None:
    vocabulary = "digit[3] + =" if "digit" in task and "addr" not in task and "cases" not in task else ADDED_TO_TEN
    result = run(tmp_path, task, *typed, vocabulary=vocabulary)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[0] == message
    assert ("hint: symbols are split at spaces" in result.stderr) == ("found" in message)
    assert ("such as `digit[1] + digit[1] =`" in result.stderr) == ("no such case" in message)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (LENGTHS, "first is asked of word (1 to 20 symbols: the numbers 0 to 2)"),
        (NUMBERS, "a (a number, at most 8), b (a number, at most 8) and way (1 symbol: the numbers 0 to 2)"),
        (CASES_OF_LENGTHS, "cases have prompts of 2 or 4 tokens"),
    ],
)
def test_a_call_without_an_input_says_what_one_is(tmp_path: Path, task: str, message: str) -> None:
    result = run(tmp_path, task)
    assert result.exit_code == 2
    assert f"Missing argument 'INPUTS...': {message}" in " ".join(result.stderr.split()) or message in result.stderr


def test_tokens_are_told_apart(tmp_path: Path) -> None:
    """A symbol that several tokens could be is printed as the token."""
    lines = run(tmp_path, MEMORY, "0", "1", "2", "0", "1", "-v").stdout.splitlines()
    assert lines[0].startswith("0 1 2 0 1 = ")
    assert lines[1] == "prompt  addr[0] 2 addr[1] digit[0] + addr[1]"
    named = run(tmp_path, TEN, *"1101000000", "-v", vocabulary="digit[3] 1 =").stdout.splitlines()
    assert named[1] == "prompt  digit[1] digit[1] 0 digit[1] 0 0 0 0 0 0 ="
