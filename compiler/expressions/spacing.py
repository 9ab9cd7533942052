"""Expression text with canonical spaces: around binary operators, after commas, nowhere else."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<word>(?:and|or|not)\b)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<transpose>\.T\b)"
    r"|(?P<open>[(\[])|(?P<close>[)\]])|(?P<comma>,)"
    r"|(?P<operator>\*\*|//|<=|>=|==|!=|[-+*/%@<>]))"
)
_OPERANDS = {"number", "name", "close", "transpose"}  # what an operand can end with


def spaced(text: str) -> str | None:
    """The tokens of an expression with canonical spaces; None where there is something that is no token.

    Only white space changes. Whether the tokens make an expression is not checked.
    """
    found = _tokens(text)
    if found is None:
        return None
    written: list[str] = []
    before, glued = "open", True  # glued: no space may follow what is written so far
    for kind, token in found:
        if kind == "operator" and token in ("+", "-") and before not in _OPERANDS:
            kind = "sign"
        tight = glued or kind in ("close", "comma", "transpose") or (kind == "open" and before in _OPERANDS)
        written.append(token if tight else f" {token}")
        before, glued = kind, kind in ("open", "sign")
    return "".join(written)


def _tokens(text: str) -> list[tuple[str, str]] | None:
    found: list[tuple[str, str]] = []
    at = 0
    while match := _TOKEN.match(text, at):
        kind = match.lastgroup or ""
        found.append((kind, match[kind]))
        at = match.end()
    return found if found and not text[at:].strip() else None
