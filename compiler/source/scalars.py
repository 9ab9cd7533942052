"""Scalars of the YAML 1.2 core schema: what a plain one means, and where the characters of any stand in the text."""

from __future__ import annotations

import re

from compiler.source.limits import MAX_INTEGER_BITS

Plain = None | bool | int | float | str
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Plain] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], None),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], float("inf")),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], float("-inf")),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], float("nan")),
}


def resolve_plain(text: str) -> Plain:
    """What an unquoted scalar means (YAML 1.2, core schema)."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > MAX_INTEGER_BITS:
            return 1 << MAX_INTEGER_BITS  # too large either way, and reported as such
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    return float(text) if _FLOAT.fullmatch(text) else text


def lacks_colon(key: str) -> bool:
    """Whether an unquoted key is most likely one and its mapping in braces, with no colon and space between them."""
    return " {" in key


def align(text: str, raw: str) -> list[int]:
    """For each character of a scalar's text, and for its end, the offset in the raw YAML.

    Quotes, escapes, folds, indentation and the header of a block scalar are stepped over.
    """
    starts = {"|": raw.find("\n") + 1, ">": raw.find("\n") + 1, "'": 1, '"': 1}
    at = starts.get(raw[:1], 0)
    offsets: list[int] = []
    for character in text:
        at = _find(character, raw, at)
        offsets.append(min(at, max(0, len(raw) - 1)))
        at = min(at + _width(raw, at), len(raw))
    return [*offsets, at]


_ESCAPE_WIDTHS = {"x": 4, "u": 6, "U": 10}
_WINDOW = 200  # a fold or an indentation is not longer than this


def _find(character: str, raw: str, at: int) -> int:
    """Where a character of the text is written, at `at` or soon after it; `at` if it is not found."""
    i = at
    while i < min(len(raw), at + _WINDOW):
        if _is_escape(raw, i):
            if raw[i + 1 : i + 2] not in ("\n", "\r"):
                return i
            i += 1  # a line that is continued
        elif raw[i] == character or (character == " " and raw[i].isspace()):
            return i
        i += 1
    return at


def _width(raw: str, at: int) -> int:
    if _is_escape(raw, at):
        return _ESCAPE_WIDTHS.get(raw[at + 1 : at + 2], 2)
    return 2 if raw[:1] == "'" and raw[at : at + 2] == "''" else 1


def _is_escape(raw: str, at: int) -> bool:
    return raw[:1] == '"' and raw[at : at + 1] == "\\"
