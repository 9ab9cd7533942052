"""The standard layout of a document as text."""

from __future__ import annotations

from pathlib import Path

import pytest

import compiler
from compiler.pipeline import load_source
from compiler.source.document import Mapping, Scalar, as_data, parse_document
from compiler.source.text import Source
from compiler.source.writing import WIDTH, write_document
from tests.helpers import SPECS, load_text, small

FILES = sorted(SPECS.glob("*.yaml"))


def document(text: str) -> Mapping:
    node = parse_document(Source("spec.yaml", text))
    assert isinstance(node, Mapping)
    return node


def rewritten(text: str) -> str:
    return write_document(document(text))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a: 1e4", "a: 1e4"),
        ("a:   base ** digits   # why", "a: base ** digits"),
        ("a: 0x1F", "a: 0x1F"),
        ("a: 1.50", "a: 1.50"),
        ("a: '1e4'", 'a: "1e4"'),
        ("a: 'base'", "a: base"),
        ("a: 'null'", 'a: "null"'),
        ("a: ''", 'a: ""'),
        ("a:", "a:"),
        ("a: ~", "a: ~"),
        ("a: no", "a: no"),
        ("a: 'true'", 'a: "true"'),
        ("a: 'x: y'", 'a: "x: y"'),
        ("a: x:y", "a: x:y"),
        ("a: 'x #y'", 'a: "x #y"'),
        ("a: x#y", "a: x#y"),
        ("a: -x", "a: -x"),
        ("a: '- x'", 'a: "- x"'),
        ("a: '-'", 'a: "-"'),
        ("a: '[i]'", 'a: "[i]"'),
        ("a: '*x'", 'a: "*x"'),
        ("a: 'it''s'", "a: it's"),
        ('a: "say \\"x\\""', 'a: say "x"'),
        ('a: "\\u2028\\ufeff\\t"', 'a: "\\u2028\\ufeff\\t"'),
        ("a: ' x'", 'a: " x"'),
        ("a: 'x:'", 'a: "x:"'),
        ("'1': x", '"1": x'),
        ("1: x", "1: x"),
        ("=: 1\n+: 2\n<bos>: 3", "=: 1\n+: 2\n<bos>: 3"),
        ("'<<': x", '"<<": x'),
        ("a: é𝒳", "a: é𝒳"),
    ],
)
def test_scalars_keep_their_spelling_and_are_quoted_where_they_must(text: str, written: str) -> None:
    assert rewritten(text) == written + "\n"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("{}", "{}"),
        ("a: {}\nb: []", "a: {}\nb: []"),
        ("parameters: {v: 1}", "parameters:\n  v: 1"),
        ("task:\n  addition:\n    base: 10\n    digits: 2", "task:\n  addition: {base: 10, digits: 2}"),
        ("network: {head: {norm: rms}}", "network:\n  head:\n    norm: rms"),
        (
            "network: {embedding: {=: {a: 1, b: 'c'}}}",
            "network:\n  embedding:\n    =: {a: 1, b: c}",
        ),
        ("m: {r: {x: 'w[0]', y: 1}}", "m:\n  r:\n    x: w[0]\n    y: 1"),
        ("m: {r: {x: '1', y: 1}}", 'm:\n  r: {x: "1", y: 1}'),
        ("m: {r: {x: {y: 1}}}", "m:\n  r:\n    x: {y: 1}"),
        ("m: {n: {rms: 1e-6, weight: [1, 2]}}", "m:\n  n: {rms: 1e-6, weight: [1, 2]}"),
        ("v:\n- 1\n- b / 2", "v: [1, b / 2]"),
        ("v: ['max(1, 2)', 3]", "v:\n  - max(1, 2)\n  - 3"),
        ("v: [[1, 2], [3, 4]]", "v: [[1, 2], [3, 4]]"),
        ("v:\n- a: 1\n- - 'x,'\n  - 2", "v:\n  - {a: 1}\n  -\n    - x,\n    - 2"),
        ("v:\n-\n- 1", "v:\n  -\n  - 1"),
        ("a: |\n  one\n  two\n", "a: |\n  one\n  two"),
        ("a: |-\n  one\n\n    two", "a: |-\n  one\n\n    two"),
        ('a: "one\\n\\n"', 'a: "one\\n\\n"'),
        ("a: &k {x: 1}\nb: *k", "a:\n  x: 1\nb:\n  x: 1"),
    ],
)
def test_layout(text: str, written: str) -> None:
    assert rewritten(text) == written + "\n"


def test_long_texts_vectors_and_rows_are_broken_at_the_width() -> None:
    words = "a word " * 40
    row = ", ".join(f"{'x' * 9}{i}: {i}" for i in range(10))
    text = f"summary: {words}\nparameters:\n  v: [{', '.join(map(str, range(100)))}]\nm:\n  r: {{{row}}}\n"
    written = rewritten(text)
    assert max(map(len, written.splitlines())) <= WIDTH
    assert "summary: >-\n  a word a word" in written
    assert "  v: [0, 1, 2," in written
    assert "  r:\n    xxxxxxxxx0: 0\n" in written
    assert as_data(document(written)) == as_data(document(text))


@pytest.mark.parametrize("key", ["k" * 2000, "k: " * 700], ids=["plain", "quoted"])
@pytest.mark.parametrize("value", ["1", "{a: 1}", "[]", "text " * 50], ids=["number", "mapping", "empty", "long"])
def test_keys_that_are_longer_than_yaml_allows_without_a_mark(key: str, value: str) -> None:
    text = f"m:\n  ? '{key}'\n  : {value}\n  b: 2\n"
    assert as_data(document(rewritten(text))) == as_data(document(text))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_specs_read_back_to_the_same_network(path: Path) -> None:
    spec = compiler.load(path)
    text = write_document(spec.resolved.document)
    again = load_source(Source("again.yaml", text))
    assert compiler.diff(spec, again).empty
    assert again.resolved.document.key("extends") is None
    assert write_document(again.resolved.document) == text


def test_a_place_in_the_text_is_the_place_of_the_finding(tmp_path: Path) -> None:
    long = " + ".join(["0 * x"] * 30)
    spec = load_text(tmp_path, small(f"embedding: {{=: {{x: 1}}}}\nffn:\n  hidden: u\n  up u: {long} + x\n"))
    text = write_document(spec.resolved.document).replace("+ x", "+ q")
    assert "up u: >-" in text
    with pytest.raises(compiler.SpecError) as caught:
        load_source(Source("again.yaml", text))
    (found,) = caught.value.diagnostics
    assert found.span is not None
    assert found.span.text == "q"


def test_a_scalar_in_a_setting_is_written_as_it_was_given() -> None:
    spec = compiler.load(SPECS / "tiny95.yaml", ["v_scale=1e8", "layer1.ffn.up=2 * final_scale"])
    text = write_document(spec.resolved.document)
    assert "\n  v_scale: 1e8\n" in text
    assert "\n    up: 2 * final_scale\n" in text
    assert isinstance(spec.resolved.document.get("name"), Scalar)
