"""Texts made safe to show: a spec or the name of a file may hold characters that control a terminal."""

from __future__ import annotations

import json


def printable(text: str, kept: str = "") -> str:
    """The text with escapes, such as `\\x1b`, in place of characters that are not seen.

    Those are controls, marks of direction, line ends, blanks other than the space, and halves of characters. Characters
    in `kept` stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in kept else c.encode("unicode_escape").decode() for c in text)


def printable_json(text: str) -> str:
    """The same JSON with escapes in place of characters that are not seen; line ends stay."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
