"""Expression text with canonical spaces: around binary operators, after commas, nowhere else; and its structure."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from compiler.expressions.parse import WORDS, parse, tokens
from compiler.expressions.syntax import ExpressionError

_KINDS = {
    **dict.fromkeys("([", "open"),
    **dict.fromkeys(")]", "close"),
    **dict.fromkeys(WORDS, "word"),
    ",": "comma",
    ".T": "transpose",
}
_OPERANDS = {"number", "name", "close", "transpose"}  # what an operand can end with


def spaced(text: str) -> str | None:
    """The tokens of an expression with canonical spaces; None where there is something that is no token.

    Only white space changes. Whether the tokens make an expression is not checked. A name with a dot is no token here.
    """
    try:
        *parts, _ = tokens(text)
    except ExpressionError:
        return None
    if not parts or any(token.kind == "name" and "." in token.text for token in parts):
        return None
    written: list[str] = []
    before, glued = "open", True  # glued: no space may follow what is written so far
    for token in parts:
        kind = _KINDS.get(token.text, "operator" if token.kind == "mark" else token.kind)
        if token.text in ("+", "-") and before not in _OPERANDS:
            kind = "sign"
        tight = glued or kind in ("close", "comma", "transpose") or (kind == "open" and before in _OPERANDS)
        written.append(token.text if tight else f" {token.text}")
        before, glued = kind, kind in ("open", "sign")
    return "".join(written)


def structure(text: str) -> list[object] | None:
    """What an expression consists of, without places; None where the text is no expression."""
    try:
        todo: list[object] = [parse(text)]
    except ExpressionError:
        return None
    parts: list[object] = []
    while todo:
        item = todo.pop()
        if isinstance(item, tuple):
            parts.append(len(item))
            todo += item
        elif is_dataclass(item):
            parts.append(type(item).__name__)
            todo += [getattr(item, part.name) for part in fields(item) if part.name != "at"]
        else:
            parts.append(repr(item))
    return parts
