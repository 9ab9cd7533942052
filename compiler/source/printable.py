"""What can be shown of a text: those out of a spec or the name of a file may hold signs that steer what shows them."""

from __future__ import annotations

import json


def printable(text: str, kept: str = "") -> str:
    """The text with escapes, such as `\\x1b`, for all that is not seen: controls, marks of direction, ends of lines,
    blanks other than the space, halves of characters. The signs in `kept` stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in kept else c.encode("unicode_escape").decode() for c in text)


def printable_json(text: str) -> str:
    """JSON that says the same with escapes for all that is not seen but ends of lines."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
