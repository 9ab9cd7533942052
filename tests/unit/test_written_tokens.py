"""Tokens in a text: names, quotes, symbols of families; how a token is spelled so that it reads back."""

from __future__ import annotations

import pytest

from compiler.expressions.axes import Axis, Family
from compiler.source.diagnostics import SpecError
from compiler.source.text import Source
from compiler.tasks.tokens import read_tokens, spelled

VOCABULARY = Axis(
    (
        Family("digit", (4,)),
        Family("7"),
        Family("at", (2, 3)),
        Family("a b"),
        Family("+"),
        Family("'"),
        Family('"x"'),
        Family("don't"),
        Family("'x"),
        Family("y'"),
        Family('say "it"'),
        Family("f[0] g"),
        Family("bit", (2,)),
    )
)


def read(text: str) -> list[str]:
    return [VOCABULARY.labels[token] for token in read_tokens(Source("text", text), VOCABULARY)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("digit[0] digit[3] +", ["digit[0]", "digit[3]", "+"]),
        ("  +\n\t+  ", ["+", "+"]),
        ("at[1, 2] +", ["at[1, 2]", "+"]),
        ("7 2 3", ["7", "digit[2]", "digit[3]"]),  # the only family of one index that has them; a name comes first
        ("'a b' \"a b\" '+'", ["a b", "a b", "+"]),
        ("' don't + '", ["'", "don't", "+", "'"]),
        ("'\"x\"'", ['"x"']),
        ("", []),
    ],
)
def test_read(text: str, names: list[str]) -> None:
    assert read(text) == names


@pytest.mark.parametrize(
    ("text", "code", "column", "hint"),
    [
        ("+ 1", "name-clash", 3, "write `digit[1]`"),
        ("3 0", "name-clash", 3, "write `digit[0]`"),
        (
            "6",
            "unknown-name",
            1,
            "the vocabulary: digit[4] 7 at[2, 3] a b + ' \"x\" don't 'x y' say \"it\" f[0] g bit[2]",
        ),
        ("+ 45", "unknown-name", 3, "symbols are written apart, as in `4 5`"),
        ("at[1,2]", "unknown-name", 1, None),
        ("'a  b'", "unknown-name", 1, None),
        ("'7", "unknown-name", 1, None),
    ],
)
def test_what_is_no_token(text: str, code: str, column: int, hint: str | None) -> None:
    with pytest.raises(SpecError) as caught:
        read(text)
    (found,) = caught.value.diagnostics
    assert found.span is not None
    assert (found.code, found.span.column, found.hint) == (code, column, hint)


def test_what_is_spelled_reads_back() -> None:
    tokens = [*range(VOCABULARY.size), *range(VOCABULARY.size)]
    text = " ".join(spelled(token, VOCABULARY) for token in tokens)
    assert list(read_tokens(Source("text", text), VOCABULARY)) == tokens
    assert spelled(VOCABULARY.positions["a b"], VOCABULARY) == '"a b"'
    assert spelled(VOCABULARY.positions["at[1, 2]"], VOCABULARY) == "at[1, 2]"
