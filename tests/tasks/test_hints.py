"""Hints of faults in a task: each says what to write, and what it says is YAML, also between braces."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import compiler
from compiler.source.diagnostics import Diagnostic, SpecError
from compiler.source.document import parse_document
from compiler.source.text import Source
from tests.helpers import ROOT
from tests.tasks.test_typed import ADDED, SPEC, TEN, load

FILES = [*sorted((ROOT / "compiler/tasks").glob("*.py")), ROOT / "compiler/language/layouts.py"]
DIGITS = "digit[3] + ="


def texts(path: Path) -> Iterator[str]:
    """Every text of a module that is no docstring; what is filled in is `x`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (parts | docstrings):
            yield node.value


def written() -> list[str]:
    """What stands in backticks in a text, and is a key with its value."""
    pieces = [piece for path in FILES for text in texts(path) for piece in re.findall(r"`([^`]+)`", text)]
    return sorted({piece for piece in pieces if re.match(r"\{|[\w \[\]']+: ", piece)})


def test_what_is_to_be_pasted_is_yaml() -> None:
    pieces = written()
    assert len(pieces) > 8
    for piece in pieces:
        for text in (piece, f"task: {piece if piece.startswith('{') else '{' + piece + '}'}"):
            assert parse_document(Source(piece, text + "\n")) is not None


def faults(folder: Path, task: str, vocabulary: str = DIGITS) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as caught:
        load(folder, task, vocabulary)
    return caught.value.diagnostics


def pasted(hint: str | None) -> str:
    found = re.search(r"`([^`]+: [^`]+)`", hint or "")
    assert found is not None
    return found[1]


def test_hints_can_be_pasted(tmp_path: Path) -> None:
    without = ADDED.replace('  alphabets: {bit: "digit[d < 2]"}\n', "")
    hint = pasted(faults(tmp_path, without)[0].hint)
    load(tmp_path, f"  {hint}\n{without}", DIGITS)
    numbers = ADDED.replace('"digit[d < 2]"', "0 1")
    hint = pasted(faults(tmp_path, numbers)[0].hint)
    load(tmp_path, numbers.replace("bit: 0 1", hint), DIGITS)
    word = TEN.replace("{first: digit}", "{first: digit*2}")
    silent = re.sub("  equations.*\n", "", word)
    hint = pasted(faults(tmp_path, silent)[0].hint)
    load(tmp_path, f"  {hint.replace('…', '0')}\n{silent}", DIGITS)


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ('"word[0]"', "sort(word)", "no function 'sort'; did you mean 'ascending'?", "functions of a task: where, sum"),
        ('"word[0]"', "foo(word)", "no function 'foo'", "functions of a task: where, sum, count, first, last, any"),
        (
            '"word[0]"',
            "len(word)",
            "no function 'len'",
            "the length of a word is a size, such as",
        ),
        ("digit*length", "digit*many", "no name 'many' here", "sizes: length"),
        (
            "  sizes: {length: 10}\n",
            "",
            "no name 'length' here",
            "state it under `sizes`, such as",
        ),
        ("  given: {word: digit*length}\n", "", "`task` lacks 'given'", "such as `given: {word: symbol*length}`"),
        ("{word: digit*length}", "word", "found the text 'word'", "such as `{word: digit*length}`"),
    ],
)
def test_what_to_write_instead(tmp_path: Path, old: str, new: str, message: str, hint: str) -> None:
    assert old in TEN
    first = faults(tmp_path, TEN.replace(old, new))[0]
    assert message in first.message
    assert (first.hint or "").startswith(hint)


def test_a_table_in_a_file_is_named_as_such(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, "  cases: cases.tsv\n")
    assert fault.hint == "such as `{file: cases.tsv}`"


def test_a_task_that_states_nothing_says_how_to_state_one(tmp_path: Path) -> None:
    fault = faults(tmp_path, "  prompt: =\n  answer: =\n")[0]
    assert "found none" in fault.message
    assert "`given: {word: digit*4}`" in (fault.hint or "")


def test_a_constant_that_reads_a_range_is_told_how_to_get_a_number(tmp_path: Path) -> None:
    text = SPEC.format(vocabulary=DIGITS, task=TEN.replace("10", "{from: 1, to: 10}").rstrip("\n"), token="digit[d]")
    for constants in ("{n: length + 1}", "{longest: 10, n: longest + 1}"):
        given = text.replace("stream:", f"constants: {constants}\nstream:")
        path = tmp_path / "range.yaml"
        path.write_text(given.replace("to: 10", "to: longest") if "longest" in given else given, encoding="utf-8")
        if "longest" in given:
            compiler.load(path)
            continue
        with pytest.raises(SpecError) as caught:
            compiler.load(path)
        assert "write `to: CONSTANT` in the range" in caught.value.diagnostics[0].message


def test_a_context_that_is_too_short_hints_at_the_window_and_hides_no_other_fault(tmp_path: Path) -> None:
    task = '  cases: {"digit[0] digit[1]": +}\n'
    text = SPEC.format(vocabulary=DIGITS, task=task.rstrip("\n"), token="digit[d]")
    path = tmp_path / "short.yaml"
    path.write_text(f"{text}context: 2\n".replace("logits digit[d]", "logits digit[7]"), encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        compiler.load(path)
    hints = [fault.hint for fault in caught.value.diagnostics]
    assert "write `window: 2` in the task for a model that sees the last 2 tokens only" in hints
    assert any("index 7 is out of range" in fault.message for fault in caught.value.diagnostics)
    path.write_text(f"{text}context: 2\n".replace(task, f"{task}  window: 2\n"), encoding="utf-8")
    compiler.load(path)


def test_a_task_without_given_and_without_sizes_lacks_it_too(tmp_path: Path) -> None:
    fault = faults(tmp_path, ADDED.replace("  given: {a: bit, b: bit}\n", ""))[0]
    assert (fault.message, fault.hint) == ("`task` lacks 'given'", "such as `given: {word: symbol*length}`")


def test_a_table_of_positions_that_is_too_short_hints_at_the_window(tmp_path: Path) -> None:
    text = SPEC.format(vocabulary=DIGITS, task='  cases: {"digit[0] digit[1]": +}', token="digit[d]")
    path = tmp_path / "table.yaml"
    path.write_text(text.replace("  head:", '  position: {table: "[[0], [1]]"}\n  head:'), encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        compiler.load(path)
    hints = [fault.hint for fault in caught.value.diagnostics if fault.severity == "error"]
    assert hints == ["write `window: 2` in the task for a model that sees the last 2 tokens only"]
