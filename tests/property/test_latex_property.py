"""Whatever the parser accepts is printed, and what is printed is well formed: groups, delimiters, environments."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.expressions.parse import parse
from compiler.expressions.syntax import ExpressionError
from compiler.readers.latex.document import spec_latex
from compiler.readers.latex.expressions import latex, latex_lines
from compiler.readers.latex.words import escape
from compiler.source.diagnostics import SpecError
from tests.helpers import ROOT, load_text, loaded, small

FILES = sorted(path for folder in ("specs", "tests") for path in (ROOT / folder).rglob("*.yaml"))
_TOKEN = re.compile(r"\\(?:[A-Za-z]+|.)|[{}]", re.DOTALL)
_ENVIRONMENT = re.compile(r"\\(begin|end)\{([a-z*]+)\}")
_TWICE = re.compile(r"\^\{[^{}]*\}\^|(?<!\\)_\{[^{}]*\}_")  # a second superscript is an error of TeX


def check(text: str) -> None:
    """Braces, `\\left … \\right` and environments are closed in the order in which they are opened."""
    marks = _ENVIRONMENT.sub(lambda match: rf"\{match[1]}x ", text)
    names = [match[2] for match in _ENVIRONMENT.finditer(text)]
    opened: list[str] = []
    following = iter(names)
    for match in _TOKEN.finditer(marks):
        match match[0]:
            case "{" | r"\left":
                opened.append(match[0])
            case r"\beginx":
                opened.append(next(following))
            case "}":
                assert opened.pop() == "{", text
            case r"\right":
                assert opened.pop() == r"\left", text
            case r"\endx":
                assert opened.pop() == next(following), text
    assert not opened, text
    assert not _TWICE.search(text), text


names = st.sampled_from(["a", "b", "v_scale", "pi", "inf", "query_pos", "candidate", "x.y", "_"])
literals = st.one_of(st.integers(0, 10**30).map(str), st.floats(0, allow_infinity=False).map(repr))
atoms = st.one_of(names, literals)


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "@", "<", "<=", "==", "!=", "and", "or"])
    calls = st.sampled_from(["log", "exp", "sqrt", "abs", "floor", "min", "where", "dot", "unknown"])
    items = st.lists(inner, max_size=5).map(", ".join)
    return st.one_of(
        st.tuples(inner, operators, inner).map(" ".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"-({text})"),
        inner.map(lambda text: f"not ({text})"),
        inner.map(lambda text: f"({text}).T"),
        st.tuples(calls, items).map(lambda call: f"{call[0]}({call[1]})"),
        st.tuples(inner, inner).map(lambda parts: f"sum({parts[0]}, k, {parts[1]})"),
        st.tuples(st.sampled_from(["w", "pair"]), inner, inner).map(lambda w: f"{w[0]}[{w[1]}, {w[2]}]"),
        items.map(lambda text: f"[{text}]"),
    )


@settings(max_examples=200, deadline=None)
@given(st.recursive(atoms, larger, max_leaves=20))
def test_every_expression_is_printed(text: str) -> None:
    try:
        tree = parse(text)
    except ExpressionError:
        return
    printed = latex(tree, {"query_pos": "i"})
    check(printed)
    for line in latex_lines(tree, {"query_pos": "i"}):
        check(line)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_every_text_is_escaped(text: str) -> None:
    printed = escape(text)
    check(printed)
    assert all(sign.isprintable() for sign in printed)
    bare = re.sub(r"\\(?:[{}$&#_%]|text[a-z]+\{\}|ascii[a-z]+\{\})|-\{\}|\{['`]\}", "", printed)
    assert not set(bare) & set("\\{}$&#^_~%<>|`'")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_valid_spec_is_printed(path: Path) -> None:
    try:
        spec = loaded(path)
    except SpecError:
        return
    printed = spec_latex(spec)
    check(printed)
    for block in re.findall(r"\\begin\{align\*\}\n(.*?)\n\\end\{align\*\}", printed, re.DOTALL):
        assert "\n\n" not in block
        assert all(line.endswith(r" \\") for line in block.split("\n")[:-1])
        assert not block.endswith("\\\\")
    assert all(line.isprintable() for line in printed.split("\n"))


def test_the_shipped_specs_are_among_the_files() -> None:
    assert {"tiny95", "tiny95-exact", "qwen20", "base"} <= {path.stem for path in FILES}


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=12), st.text(max_size=40))
def test_tokens_and_summaries_can_hold_anything(token: str, summary: str) -> None:
    """In a spec, a token stands in the vocabulary, in a layout and as a row of the embedding."""
    quoted = '"' + "".join(f"\\U{ord(sign):08x}" for sign in token) + '"'
    told = '"' + "".join(f"\\U{ord(sign):08x}" for sign in f"s{summary}") + '"'
    text = small(f"embedding:\n  {quoted}: {{x: 1}}", definitions=f"summary: {told}")
    text = text.replace("vocabulary: digit[4] = +", f'vocabulary: ["digit[4]", "=", "+", {quoted}]')
    with tempfile.TemporaryDirectory() as folder:
        try:
            spec = load_text(Path(folder), text)
        except SpecError:
            return  # a token such as `digit[d]`, or one that is written twice
        printed = spec_latex(spec)
    check("\n".join(line for line in printed.split("\n") if not line.startswith("%")))
