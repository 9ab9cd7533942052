"""Any document, written, reads back to an equal one; and an equal document gives the same text."""

from __future__ import annotations

import math

from hypothesis import example, given, settings
from hypothesis import strategies as st

from compiler.source.diagnostics import SpecError
from compiler.source.document import Mapping, Node, Scalar, Sequence, parse_document
from compiler.source.scalars import resolve_plain
from compiler.source.text import Source, Span
from compiler.source.writing import write_document
from tests.property.test_document_property import any_text

NOWHERE = Span(Source("made", ""), 0, 0)
PLAIN = ["", "~", "null", "true", "1", "-1.50", "1e4", "0x1F", "0o17", ".inf", "-.inf", ".nan", "010", "+.5"]
PIECES = ["a", "b ", ": ", " #", "#", "- ", "-", "?", "? ", ":", ",", "[", "]", "{", "}", "&", "*", "!", "|", ">", "'"]
PIECES += [
    '"',
    "%",
    "@",
    "`",
    "\\",
    "\n",
    "\n\n",
    "  ",
    " ",
    "\t",
    "\r",
    "\x85",
    "\u2028",
    "\ufeff",
    "\0",
    "é",
    "𝒳",
    "=",
]
PIECES += [
    "<<",
    "---",
    "...",
    "1",
    "null",
    "word " * 10,
    "x" * 60,
    "where(i < 1, 2, 3)",
    "candidate[i]",
    "\xad",
    "\u0301",
]


def text_scalar(text: str) -> Scalar:
    return Scalar(text, text, NOWHERE)


texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(PLAIN),  # a quoted number is a text
).map(text_scalar)
numbers = st.sampled_from(PLAIN).map(lambda text: Scalar(text, resolve_plain(text), NOWHERE))
scalars = st.one_of(texts, numbers)
keys = st.one_of(texts, numbers.filter(lambda scalar: scalar.text != ""))


def mapping(items: list[tuple[Scalar, Node]]) -> Mapping:
    return Mapping(tuple({key.text: (key, value) for key, value in items}.values()), NOWHERE)


def collections(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.one_of(
        st.lists(inner, max_size=6).map(lambda items: Sequence(tuple(items), NOWHERE)),
        st.lists(st.tuples(keys, inner), max_size=6).map(mapping),
    )


nodes: st.SearchStrategy[Node] = st.recursive(scalars, collections, max_leaves=25)
documents = st.lists(st.tuples(st.one_of(keys, st.just(text_scalar("network"))), nodes), max_size=6).map(mapping)


def content(node: Node) -> object:
    """A node without its places; 1, 1.0, True and '1' are four different values."""
    match node:
        case Scalar(text=text, value=value):
            is_nan = isinstance(value, float) and math.isnan(value)
            return text, type(value), "nan" if is_nan else value
        case Sequence(items=items):
            return [content(item) for item in items]
        case Mapping(items=pairs):
            return tuple((content(key), content(value)) for key, value in pairs)
        case _:
            raise AssertionError(node)


def check(document: Mapping) -> None:
    text = write_document(document)
    again = parse_document(Source("again.yaml", text))
    assert isinstance(again, Mapping)
    assert content(again) == content(document)
    assert write_document(again) == text


@settings(max_examples=80, deadline=None)
@given(documents)
@example(mapping([(text_scalar("b {"), text_scalar("c {"))]))
def test_a_written_document_reads_back_to_an_equal_one(document: Mapping) -> None:
    check(document)


@settings(max_examples=200, deadline=None)
@given(any_text)
@example("a: |+\n  x\n\n")
@example("a: &k [1, {b: c}]\nd: *k")
@example("a: >\n\n  x\n   y\n")
def test_a_document_that_somebody_wrote_reads_back_too(text: str) -> None:
    try:
        document = parse_document(Source("spec.yaml", text))
    except SpecError:
        return
    if isinstance(document, Mapping) and all(key.text for key in _keys(document)):
        check(document)


def _keys(node: Node) -> list[Scalar]:
    match node:
        case Mapping(items=pairs):
            return [key for key, _ in pairs] + [key for _, value in pairs for key in _keys(value)]
        case Sequence(items=items):
            return [key for item in items for key in _keys(item)]
        case _:
            return []
