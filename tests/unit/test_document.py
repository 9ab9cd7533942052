"""YAML reading: what scalars mean, where values stand, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from compiler.source.diagnostics import Diagnostic, SpecError
from compiler.source.document import Mapping, Node, Scalar, Sequence, as_data, parse_document, read_source
from compiler.source.limits import MAX_FILE_BYTES, MAX_NESTING
from compiler.source.scalars import Plain
from compiler.source.text import Source


def read(text: str) -> Node:
    return parse_document(Source("spec.yaml", text))


def scalar(text: str, key: str = "a") -> Scalar:
    """The scalar under `key` of the mapping in `text`."""
    document = read(text)
    assert isinstance(document, Mapping)
    value = document.get(key)
    assert isinstance(value, Scalar)
    return value


def errors(text: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as caught:
        read(text)
    return caught.value.diagnostics


def places(found: tuple[Diagnostic, ...]) -> list[tuple[str, int, int]]:
    assert all(diagnostic.span is not None for diagnostic in found)
    return [(d.code, d.span.line, d.span.column) for d in found if d.span is not None]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1e10", 1e10),
        ("-1.5E+2", -150.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("+7", 7),
        ("-12", -12),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("100", 100),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("off", "off"),
        ("y", "y"),
        ("=", "="),
        ("12:30", "12:30"),
        ("2026-02-25", "2026-02-25"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("1e", "1e"),
        (".", "."),
        ("tRUE", "tRUE"),
        ("inf", "inf"),
        ("nan", "nan"),
        ("'5'", "5"),
        ('"null"', "null"),
        ("base ** digits", "base ** digits"),
    ],
)
def test_plain_scalars_follow_the_core_schema(text: str, value: Plain) -> None:
    found = scalar(f"a: {text}").value
    assert (found, type(found)) == (value, type(value))


def test_nan_is_a_float() -> None:
    found = scalar("a: .nan").value
    assert isinstance(found, float)
    assert math.isnan(found)


def test_keys_are_text_in_file_order() -> None:
    document = read("=: 1\nno: 2\n1e3: 3\nnull: 4\n'+': 5\n")
    assert isinstance(document, Mapping)
    assert document.names == ("=", "no", "1e3", "null", "+")
    assert as_data(document) == {"=": 1, "no": 2, "1e3": 3, "null": 4, "+": 5}


def test_nested_values_as_plain_python() -> None:
    assert as_data(read("a: [1, {b: x}]\nc:\n- -2\n-\n")) == {"a": [1, {"b": "x"}], "c": [-2, None]}


@pytest.mark.parametrize(
    ("text", "key_at", "value_at", "written"),
    [
        ("a: x + 1", (1, 1), (1, 4), "x + 1"),
        ("b: 1\na:   'x y'", (2, 1), (2, 6), "'x y'"),
        ("n:\n  a: 1", (2, 3), (2, 6), "1"),
        ("n: {b: 2, a: 10}", (1, 11), (1, 14), "10"),
        ('"é𝒳": 1\n"a": "𝒳" # c', (2, 1), (2, 6), '"𝒳"'),
        ("é: 𝒳\r\na: ü + 1\r\n", (2, 1), (2, 4), "ü + 1"),
        ("# note\n\na: &k 1e3", (3, 1), (3, 4), "&k 1e3"),
    ],
    ids=["plain", "quoted", "nested", "flow", "unicode", "crlf", "anchor"],
)
def test_places_of_keys_and_values(text: str, key_at: tuple[int, int], value_at: tuple[int, int], written: str) -> None:
    document = read(text)
    assert isinstance(document, Mapping)
    inner = document.get("n") or document
    assert isinstance(inner, Mapping)
    key, value = inner.key("a"), inner.get("a")
    assert key is not None
    assert isinstance(value, Scalar)
    assert (key.span.line, key.span.column) == key_at
    assert (value.span.line, value.span.column) == value_at
    assert value.span.text == written


@pytest.mark.parametrize(
    ("text", "part", "at", "written"),
    [
        ("a: x + bad * 2", "bad", (1, 8), "bad"),
        ("a: 'x + bad'", "bad", (1, 9), "bad"),
        ('a: "x + bad"', "bad", (1, 9), "bad"),
        ("a: 'it''s bad'", "bad", (1, 11), "bad"),
        ('a: "\\u0041 + bad"', "bad", (1, 14), "bad"),
        ("a: 𝒳 + bad", "bad", (1, 8), "bad"),
        ("a: x +\n   bad", "bad", (2, 4), "bad"),
        ("a: x +\r\n   bad\r\n", "bad", (2, 4), "bad"),
        ("a: >-\n  x +\n  bad\n", "bad", (3, 3), "bad"),
        ("a: >-\r\n  x +\r\n  bad\r\n", "bad", (3, 3), "bad"),
        ("a: |\n  x\n  bad\n", "bad", (3, 3), "bad"),
        ("a: >-\n  x > 0\n", "> 0", (2, 5), "> 0"),
        ("a: >-\n  -x + 1\n", "-x", (2, 3), "-x"),
        ("a: >- # x\n  x - y\n", "x", (2, 3), "x"),
        ('a: "\\"b"', '"b', (1, 5), '\\"b'),
    ],
    ids=[
        "plain",
        "single",
        "double",
        "doubled-quote",
        "escape",
        "unicode",
        "two-lines",
        "two-lines-crlf",
        "folded",
        "folded-crlf",
        "literal",
        "folded-greater",
        "folded-minus",
        "folded-comment",
        "escaped-quote",
    ],
)
def test_place_of_a_part_of_a_scalar(text: str, part: str, at: tuple[int, int], written: str) -> None:
    value = scalar(text)
    start = value.text.index(part)
    span = value.at(start, start + len(part))
    assert (span.line, span.column, span.text) == (*at, written)


def test_a_byte_order_mark_takes_no_column(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\nb: 2\n")
    document = parse_document(read_source(path))
    assert isinstance(document, Mapping)
    assert [(key.span.column, key.span.text) for key, _ in document.items] == [(1, "a"), (1, "b")]


def test_a_byte_order_mark_in_a_source_shifts_no_place() -> None:
    assert scalar("\ufeffa: 12").span.text == "12"


def test_an_alias_is_the_same_value() -> None:
    assert as_data(read("a: &v [1, 2]\nb: *v\n")) == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", [("duplicate-key", 3, 1)]),
        ("n: {a: 1, 'a': 2}", [("duplicate-key", 1, 11)]),
        ("a: 1\na: 2\nc: {x: , y: 1}", [("duplicate-key", 2, 1), ("empty-value", 3, 5)]),
        ("b: &b {x: 1}\na:\n  <<: *b\n", [("yaml-merge", 3, 3)]),
        ("a: !!str 5", [("yaml-tag", 1, 4)]),
        ("a: !python/object:os.system x", [("yaml-tag", 1, 4)]),
        ("a: !x [1]", [("yaml-tag", 1, 4)]),
        ("a: {f: where(x, y), g: 1}", [("empty-value", 1, 17)]),
        ("a: {f, g: 1}", [("empty-value", 1, 5)]),
        ("a: {f: w[1, 2]}", [("yaml-syntax", 1, 9)]),
        ("a: {f: (1}\nb: ]", [("yaml-syntax", 2, 4)]),
        ("a: b: c", [("yaml-syntax", 1, 5)]),
        ("a:\n\tb: 1", [("yaml-syntax", 2, 1)]),
        ("é: \x01", [("yaml-syntax", 1, 4)]),
        ("a: *nope", [("yaml-alias", 1, 4)]),
        ("a: &a [*a]", [("yaml-alias", 1, 8)]),
        ("? [1]\n: 2", [("yaml-key", 1, 3)]),
        ("? {a: 1}\n: 2", [("yaml-key", 1, 3)]),
        ("a: 1\n---\nb: 2", [("yaml-syntax", 2, 1)]),
        ("", [("empty", 1, 1)]),
        ("# only a comment\n", [("empty", 1, 1)]),
        ("a: " + "9" * 1300, [("number", 1, 4)]),
        ("a: " + "9" * 100_000, [("number", 1, 4)]),
        ("a: 0x" + "f" * 4000, [("number", 1, 4)]),
    ],
    ids=lambda value: repr(value)[:30] if isinstance(value, str) else "",
)
def test_what_is_refused(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert places(errors(text)) == expected


def test_text_with_half_a_surrogate_is_refused() -> None:
    """What the shell makes of an argument that is not UTF-8."""
    assert [diagnostic.code for diagnostic in errors("a: \udc80")] == ["not-text"]


@pytest.mark.parametrize("text", ["a: {f: where(x, y), g: 1}", "a: {f: w[1, 2]}", "a: {f: [1, 2}"])
def test_commas_and_brackets_in_flow_get_the_hint(text: str) -> None:
    hint = errors(text)[0].hint
    assert hint is not None
    assert "quoted or stand on its own line" in hint


def test_a_tab_gets_its_own_hint() -> None:
    assert errors("a:\n\tb: 1")[0].hint == "YAML does not allow tabs for indentation; use spaces"


def test_a_duplicate_key_shows_the_first() -> None:
    (note,) = errors("b: 1\na: 2\na: 3")[0].notes
    assert (note.span.line, note.span.column) == (2, 1)


@pytest.mark.parametrize("text", ['a: ""', "a: {f: ''}", "a: {f: ~}", '"<<": 1', "a: [<<]", "---\na: 1\n..."])
def test_what_looks_alike_is_allowed(text: str) -> None:
    assert isinstance(read(text), Mapping)


def test_nesting_has_a_limit() -> None:
    deepest = read("[" * MAX_NESTING + "]" * MAX_NESTING)
    assert isinstance(deepest, Sequence)
    assert places(errors("[" * 100_000)) == [("too-deep", 1, MAX_NESTING + 1)]
    blocks = "".join(" " * i + "a:\n" for i in range(MAX_NESTING + 1))
    assert places(errors(blocks)) == [("too-deep", MAX_NESTING + 1, MAX_NESTING + 1)]


def test_an_alias_bomb_is_refused_where_it_grows_too_large() -> None:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]" for i in range(1, 40)]
    ((code, line, _),) = places(errors("\n".join(lines)))
    assert (code, line) == ("too-large", 5)


def test_too_many_values_are_refused() -> None:
    ((code, line, _),) = places(errors("[" + "1," * 200_000 + "]"))
    assert (code, line) == ("too-large", 1)


def file_code(path: Path) -> str:
    with pytest.raises(SpecError) as caught:
        read_source(path)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.code


def test_files_that_are_no_specs(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(b"#" * MAX_FILE_BYTES)
    assert len(read_source(path).text) == MAX_FILE_BYTES
    path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    assert file_code(path) == "too-large"
    path.write_bytes(b"a: \xff")
    assert file_code(path) == "not-text"
    assert file_code(tmp_path) == "cannot-read"


def test_a_missing_file_names_a_similar_one(tmp_path: Path) -> None:
    (tmp_path / "tiny95.yaml").write_text("a: 1")
    with pytest.raises(SpecError) as caught:
        read_source(tmp_path / "tiny59.yaml")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "missing-file"
    assert diagnostic.hint == f"did you mean {tmp_path / 'tiny95.yaml'}?"
