"""Any text, any bytes: a document or a `SpecError`, and every scalar stands where it says."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from compiler.language.overrides import override
from compiler.source.diagnostics import SpecError, render
from compiler.source.document import Mapping, Node, Scalar, Sequence, as_data, parse_document, read_source
from compiler.source.text import Source
from compiler.terminal.console import diagnostic_json

PIECES = ["a", "b: ", "1e-3", "- ", "\n", "\n  ", "{", "}", "[", "]", ", ", "'", '"', "&k ", "*k", "!!str ", "? ", ": "]
PIECES += [
    "# c\n",
    ">-\n  ",
    "|\n ",
    "é",
    "𝒳",
    "\\u00e9",
    "\t",
    "\r\n",
    "---",
    "...",
    "%",
    "<<",
    "null",
    "=",
    "\x85",
    "\u2028",
]
yaml_like = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
any_text = st.one_of(st.text(max_size=60), yaml_like, st.text(st.characters(), max_size=30))


def scalars(node: Node) -> Iterator[Scalar]:
    match node:
        case Scalar():
            yield node
        case Sequence(items=items):
            for item in items:
                yield from scalars(item)
        case Mapping(items=pairs):
            for key, value in pairs:
                yield key
                yield from scalars(value)


def outcome(source: Source) -> Node | SpecError:
    try:
        return parse_document(source)
    except SpecError as error:
        return error


def check(source: Source) -> None:
    """The source gives a document whose places lie in it, or errors that can be shown."""
    node = outcome(source)
    if isinstance(node, SpecError):
        assert node.diagnostics
        for diagnostic in node.diagnostics:
            assert diagnostic.code in render(diagnostic)
            assert diagnostic_json(diagnostic)["line"] is not None
        return
    as_data(node)
    for scalar in scalars(node):
        assert 0 <= scalar.span.start <= scalar.span.end <= len(source.text)
        written = scalar.span.text
        if scalar.text and scalar.text.isalnum() and len(written) == len(scalar.text):
            assert written == scalar.text
        for start in range(len(scalar.text)):
            part = scalar.at(start, start + 1)
            assert scalar.span.start <= part.start < part.end <= scalar.span.end


@settings(max_examples=200, deadline=None)
@given(any_text)
@example("a: \udc80")
@example("\ufeffab: 12")
@example("a: 1\x85b: 2")
@example("? \n")
@example("{a: }")
@example("&k *k")
@example("a: >-\n  -x\n")
def test_any_text_is_a_document_or_a_spec_error(text: str) -> None:
    check(Source("spec.yaml", text))


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=60), any_text.map(lambda text: text.encode("utf-8", "surrogatepass"))))
@example(b"\xff\xfea\x00")
@example(b"\xef\xbb\xbfa: 1")
@example(b"a: \x00")
def test_any_bytes_are_a_document_or_a_spec_error(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spec.yaml"
        path.write_bytes(data)
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            with pytest.raises(SpecError) as caught:
                read_source(path)
            assert [diagnostic.code for diagnostic in caught.value.diagnostics] == ["not-text"]
            return
        source = read_source(path)
        assert source.text == data.decode("utf-8").removeprefix("\ufeff")
        check(source)


@settings(max_examples=200, deadline=None)
@given(any_text)
@example("v=\udc80")
def test_any_setting_is_applied_or_a_spec_error(text: str) -> None:
    document = parse_document(Source("spec.yaml", "parameters: {v: 1, w: [2]}\nnetwork: {embedding: {=: {e: 1}}}"))
    assert isinstance(document, Mapping)
    for setting in (text, f"v={text}", f"embedding.=.e={text}"):
        with contextlib.suppress(SpecError):
            assert isinstance(override(document, [setting], ["parameters", "network"]), Mapping)


words = (
    st.text("abcxyzé𝒳 +*()", min_size=1, max_size=30)
    .map(lambda text: " ".join(text.split()))
    .filter(lambda text: bool(text) and text[0] not in "*" and text.isprintable())
)


@settings(max_examples=200, deadline=None)
@given(words, st.sampled_from(["plain", "'", '"', ">-", "|-"]), st.sampled_from(["\n", "\r\n"]), st.data())
def test_every_part_of_a_scalar_is_found_in_the_source(text: str, style: str, line: str, data: st.DataObject) -> None:
    match style:
        case "plain":
            written = f"k: 1{line}v: {text}"
        case ">-" | "|-":
            written = f"k: 1{line}v: {style}{line}  {text}{line}"
        case _:
            written = f"k: 1{line}v: {style}{text}{style}"
    document = parse_document(Source("spec.yaml", written))
    assert isinstance(document, Mapping)
    value = document.get("v")
    assert isinstance(value, Scalar)
    assert value.text == text
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    span = value.at(start, end)
    assert span.text == text[start:end]
    assert span.start == written.index(text, written.index("v:")) + start
