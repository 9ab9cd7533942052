"""Pieces of Markdown: whatever a spec says is shown as it is written, and does nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from compiler.report.markdown.text import (
    Anchors,
    Title,
    code,
    figure,
    inline,
    link,
    listing,
    markdown_table,
    one_line,
    several,
)

MARKDOWN = MarkdownIt("commonmark", {"linkify": False}).enable(["table", "strikethrough"])
NASTY = [
    "a | b",
    "`code` ``",
    "a\\|b",
    "\\",
    "ends with \\",
    "<script>alert(1)</script>",
    "<!-- comment",
    "--> end",
    "[label](javascript:alert)",
    "![image](x.png)",
    "*bold* __bold__ _x_ snake_case ~~struck~~",
    "&lt; &amp; &#124; a & b",
    "# heading",
    "closed #",
    "closed ##",
    "- item",
    "+ item",
    "> quote",
    "1. item",
    "12) item",
    "2026. year",
    "= setext",
    "--- rule",
    "$math$ and $$more$$",
    "two\nlines\r\n\r\nand more",
    "a\u2028b\x85c\x0bd",
    "nul \x00, bell \x07, \u202e turned, \ufeff, lone \udcff",
    "größe ☃ 🙂",
    "| --- | --- |",
    "https://example.org/a_b_c",
    "<https://example.org>",
    ": definition",
    "[x]: reference",
    "",
    " ",
]
TEXTS = st.one_of(
    st.sampled_from(NASTY),
    st.text(max_size=40),
    st.text(alphabet="\\`*_[]()<>#+-.!|~&$=:;x1 \n", max_size=12),
)


def cells(lines: list[str]) -> list[list[Token]]:
    """The cells of a text that is one table, row by row; each is an inline token."""
    tokens = MARKDOWN.parse("\n".join(lines))
    assert [token.type for token in tokens if token.level == 0] == ["table_open", "table_close"]
    rows: list[list[Token]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(token)
    return rows


def text_of(token: Token) -> str:
    """What an inline token shows; it may be text and nothing else."""
    children = token.children or []
    assert {child.type for child in children} <= {"text", "text_special"}, children
    return "".join(child.content for child in children)


def code_of(token: Token) -> str:
    """What an inline token shows that is nothing but code."""
    children = token.children or []
    if [child.type for child in children] == ["code_inline"]:
        return children[0].content
    assert [child.content for child in (children[0], children[-1])] == ["<code>", "</code>"]
    inner = children[1:-1]
    assert {child.type for child in inner} <= {"text", "text_special"}, inner
    return "".join(child.content for child in inner)


@given(TEXTS, TEXTS)
def test_text_in_a_table_is_what_it_says(first: str, second: str) -> None:
    titles = [Title("one"), Title("two", right=True), Title("three")]
    header, row = cells(markdown_table(titles, [[inline(first), "x", inline(second)]]))
    assert [text_of(cell) for cell in header] == ["one", "two", "three"]
    assert [text_of(cell) for cell in row] == [one_line(first), "x", one_line(second)]


@given(TEXTS)
def test_text_in_a_paragraph_is_what_it_says(text: str) -> None:
    tokens = MARKDOWN.parse(inline(text))
    assert [token.type for token in tokens if token.level == 0] == ["paragraph_open", "paragraph_close"] * bool(
        one_line(text)
    )
    assert "".join(text_of(token) for token in tokens if token.type == "inline") == one_line(text)


@given(TEXTS)
def test_text_in_a_heading_is_what_it_says(text: str) -> None:
    tokens = MARKDOWN.parse(f"### {inline(text)}")
    assert [token.type for token in tokens if token.level == 0] == ["heading_open", "heading_close"]
    assert "".join(text_of(token) for token in tokens if token.type == "inline") == one_line(text)


@given(TEXTS.filter(lambda text: bool(text.strip())), TEXTS)
def test_code_in_a_table_is_what_it_says(first: str, second: str) -> None:
    _, row = cells(
        markdown_table([Title("one"), Title("two")], [[code(first), f"{code(first)}, not {inline(second)}"]])
    )
    assert code_of(row[0]) == one_line(first, 100)
    assert len(row) == 2


@given(st.text(min_size=1, max_size=20))
def test_a_link_leads_to_the_file(name: str) -> None:
    if "/" in name or "\0" in name or name in (".", "..") or any("\ud800" <= c <= "\udfff" for c in name):
        return
    (token,) = (
        token for token in MARKDOWN.parse(link(inline(f"x{name}"), Path("a", name), Path("b"))) if token.children
    )
    children = token.children or []
    assert (children[0].type, children[-1].type) == ("link_open", "link_close")
    assert unquote(str(children[0].attrs["href"])) == f"../a/{name}"


def test_a_link_inside_the_folder_of_the_page() -> None:
    assert link("x", Path("specs/a b.yaml"), Path("specs")) == "[x](a%20b.yaml)"
    assert link("x", Path("a(1).yaml"), Path()) == "[x](a%281%29.yaml)"


def test_long_texts_are_cut_in_the_middle() -> None:
    assert one_line("x" * 50, 50) == "x" * 50
    cut = one_line(f"begin{'x' * 100}end", 50)
    assert (cut[:5], cut[-3:], len(cut)) == ("begin", "end", 50)
    assert "…" in cut


@pytest.mark.parametrize(
    ("items", "shown"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_listing(items: list[str], shown: str) -> None:
    assert listing(items) == shown
    assert listing(items, "or") == shown.replace("and", "or")


def test_a_long_listing_says_how_much_is_left_out() -> None:
    assert listing([str(i) for i in range(24)]).endswith("22 and 23")
    assert listing([str(i) for i in range(26)]).endswith("22, 23 and 2 more")


def test_numbers_of_things() -> None:
    assert [several(number, "model") for number in (0, 1, 1376)] == ["0 models", "1 model", "1,376 models"]
    assert [figure(number) for number in (None, 0, 1376)] == ["–", "0", "1,376"]


def headings(texts: list[str]) -> Iterator[str]:
    anchors = Anchors()
    return (anchors.of(text) for text in texts)


def test_anchors_are_those_of_github() -> None:
    assert list(headings(["Counts", "tiny95", "Counts", "a_b c-d", "A (1.5)!", "Größe", "Counts"])) == [
        "#counts",
        "#tiny95",
        "#counts-1",
        "#a_b-c-d",
        "#a-15",
        "#größe",
        "#counts-2",
    ]
    assert list(headings(["a-1", "a", "a", "a"])) == ["#a-1", "#a", "#a-2", "#a-3"]
