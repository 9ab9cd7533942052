"""Tokens as people write them: by name, in quotes, or a symbol of a family as its number."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from compiler.expressions.axes import Axis
from compiler.source.diagnostics import Diagnostic, Findings, did_you_mean, raise_errors
from compiler.source.text import Source, Span

_QUOTED = re.compile(r"""(?P<quote>['"])(?P<token>.+)(?P=quote)""")
_WORD = re.compile(r"""(?P<quote>['"])(?!\s).+?(?<!\s)(?P=quote)(?!\S)|[A-Za-z_]\w*\[[^\[\]]*\](?!\S)|\S+""")


def named_token(text: str, vocabulary: Axis) -> int | None:
    """The token of a name, which may stand in quotes; None where there is none."""
    return vocabulary.positions.get(unquoted(text))


def split(text: str) -> list[str]:
    """The words of a text, split at spaces; those in quotes or in brackets hold some."""
    return [word[0] for word in _WORD.finditer(text)]


def numbers_of(vocabulary: Axis) -> dict[str, int]:
    """The tokens that `read_token` reads of numbers."""
    families = [family for family in vocabulary.families if len(family.sizes) == 1]
    sizes = sorted((family.size for family in families), reverse=True)
    alone = range(sizes[1] if len(sizes) > 1 else 0, sizes[0] if sizes else 0)
    largest = max(families, key=lambda family: family.size, default=None)
    if largest is None:
        return {}
    start = vocabulary.starts[largest.name]
    return {str(symbol): start + symbol for symbol in alone if str(symbol) not in vocabulary.positions}


def symbol_of(text: str, symbols: int) -> int | None:
    """The symbol that a text is, of so many: its number as it is printed, so not `00` or `01`."""
    is_number = text.isascii() and text.isdigit() and len(text) < 9 and text == str(int(text))
    return int(text) if is_number and int(text) < symbols else None


def apart(text: str, symbols: Collection[str]) -> str | None:
    """A hint for symbols that are written as one word, such as `00`."""
    if len(text) > 1 and all(one in symbols for one in text):
        return f"symbols are written apart, as in `{text[0]} {text[1]}`"
    return None


def read_tokens(source: Source, vocabulary: Axis) -> tuple[int, ...]:
    """The ids of the tokens in a text, split at spaces.

    A number is a symbol of the only family that has so many, where no token has this name. A name with a space stands
    in quotes. Raises `SpecError` with each word that is no token.
    """
    findings = Findings()
    tokens = [
        read_token(word[0], Span(source, *word.span()), vocabulary, findings) for word in _WORD.finditer(source.text)
    ]
    raise_errors(findings)
    return tuple(token for token in tokens if token is not None)


def token_ids(tokens: str | Sequence[int | str], vocabulary: Axis) -> tuple[int, ...]:
    """The ids of tokens that are given by name, in one text or one by one, or as ids. Raises `SpecError`."""
    if isinstance(tokens, str):
        return read_tokens(Source("tokens", tokens), vocabulary)
    findings = Findings()
    ids: list[int | None] = []
    for token in tokens:
        if isinstance(token, str):
            span = Span(Source("tokens", token), 0, len(token))
            ids.append(read_token(token, span, vocabulary, findings))
        else:
            ids.append(token)
    raise_errors(findings)
    return tuple(token for token in ids if token is not None)


def spelled(token: int, vocabulary: Axis) -> str:
    """The name of a token, in quotes where it has to be, so that `read_tokens` reads it back."""
    label = vocabulary.labels[token]
    quoted = (f'"{label}"', f"'{label}'")
    for text in quoted if label[0] in "'\"" else (label, *quoted):
        if _WORD.fullmatch(text) is not None and named_token(text, vocabulary) == token:
            return text
    return label


def read_token(text: str, span: Span, vocabulary: Axis, findings: Findings) -> int | None:
    """The token that a word of a text is; None, with the reason in `findings`, where it is none."""
    token = named_token(text, vocabulary)
    if token is not None:
        return token
    families = [one for one in vocabulary.families if len(one.sizes) == 1 and symbol_of(text, one.size) is not None]
    if not families:
        findings.report(_unknown(text, span, vocabulary))
        return None
    symbol = vocabulary.starts[families[0].name] + int(text)
    if len(families) > 1:
        message = f"'{text}' can be a symbol of {' or '.join(map(str, families))}"
        findings.report(Diagnostic("name-clash", message, span, f"write `{vocabulary.labels[symbol]}`"))
    return symbol


def _unknown(text: str, span: Span, vocabulary: Axis) -> Diagnostic:
    name = unquoted(text)
    suggestion = did_you_mean(name, vocabulary.labels)
    symbols = max((family.size for family in vocabulary.families if family.sizes), default=0)
    hint = apart(text, list(map(str, range(min(symbols, 10))))) or (
        None if suggestion else f"the vocabulary: {vocabulary}"
    )
    return Diagnostic("unknown-name", f"no token '{name}' here{suggestion}", span, hint)


def unquoted(text: str) -> str:
    """A name without its quotes."""
    quoted = _QUOTED.fullmatch(text)
    return text if quoted is None else quoted["token"]
