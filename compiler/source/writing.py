"""Document to canonical YAML text that reads back to an equal document."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compiler.source.document import Mapping, Node, Scalar, Sequence
from compiler.source.scalars import lacks_colon, resolve_plain

WIDTH = 100  # columns, where the text can be broken at all
MAX_SIMPLE_KEY = 1000  # YAML wants longer keys behind a `?`
_RESERVED = ",[]{}#&*!|>'\"%@`"  # no plain scalar starts with one of these
_FLOW_SIGNS = re.compile(r"[,\[\]{}:?]")  # what means something inside { } or [ ]
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}
_BREAK = re.compile(r"(?<=[^ ]) (?=[^ ])")  # where a folded text may go on in the next line


def write_document(document: Mapping) -> str:
    """The document as YAML in one standard layout: two documents that are equal give the same text.

    Keys, their order, nesting, the text and the value of every scalar are kept; comments, anchors and the author's
    layout are not. The top level and the steps of the network are written in block style. Below them a collection
    that needs no quotes for it and fits in `WIDTH` columns stands on one line. The document holds no `Invalid`.
    """
    lines = _entries(document, (), "") if document.items else iter(["{}"])
    return "\n".join(lines) + "\n"


_Path = tuple[str, ...]  # the keys that lead to a node


def _entries(mapping: Mapping, path: _Path, margin: str) -> Iterator[str]:
    for key, value in mapping.items:
        written = _key(key)
        head = f"{margin}{written}:" if len(written) <= MAX_SIMPLE_KEY else f"{margin}? {written}\n{margin}:"
        yield from _value(head, value, (*path, key.text), margin)


def _value(head: str, node: Node, path: _Path, margin: str) -> Iterator[str]:
    """The lines of a node behind `head`, which is `key:` or `-` at `margin`."""
    inner = margin + "  "
    if isinstance(node, Scalar):
        yield from _scalar(head, node, inner)
        return
    flow = None if _stays_block(node, path) else _flow(node)
    if flow is not None and (flow in ("{}", "[]") or _fits(f"{head} {flow}")):
        yield f"{head} {flow}"
    elif isinstance(node, Mapping):
        yield head
        yield from _entries(node, path, inner)
    elif isinstance(node, Sequence):
        parts = [_flow(item) if isinstance(item, Scalar) else None for item in node.items]
        if any(part is None for part in parts):
            yield head
            for item in node.items:
                yield from _value(f"{inner}-", item, (*path, "-"), inner)
        else:
            yield from _filled(f"{head} [", [f"{part}," for part in parts[:-1]] + [f"{parts[-1]}]"], inner)


def _stays_block(node: Node, path: _Path) -> bool:
    is_section = len(path) == 1 or (len(path) == 2 and path[0] == "network")
    return is_section and isinstance(node, Mapping) and bool(node.items)


def _fits(line: str) -> bool:
    return len(line.rpartition("\n")[2]) <= WIDTH


def _flow(node: Node) -> str | None:
    """The node on one line; None where that would take quotes, or would put a mapping inside another collection."""
    match node:
        case Scalar():
            written = _written(node)
            is_quoted = written.startswith('"')
            return None if not written or (not is_quoted and _FLOW_SIGNS.search(written)) else written
        case Sequence(items=items):
            parts = [None if isinstance(item, Mapping) else _flow(item) for item in items]
            return None if None in parts else f"[{', '.join(map(str, parts))}]"
        case Mapping(items=pairs):
            pieces = []
            for key, value in pairs:
                key_part, value_part = _flow(key), None if isinstance(value, Mapping) else _flow(value)
                if key_part is None or value_part is None:
                    return None
                pieces.append(f"{key_part}: {value_part}")
            return f"{{{', '.join(pieces)}}}"
        case _:
            return None


def _filled(first: str, parts: list[str], margin: str) -> Iterator[str]:
    """Parts one after the other, on as many lines as they need; the first one stands behind `first`."""
    line = first + parts[0]
    for part in parts[1:]:
        if _fits(f"{line} {part}"):
            line = f"{line} {part}"
        else:
            yield line
            line = margin + part
    yield line


def _scalar(head: str, scalar: Scalar, margin: str) -> Iterator[str]:
    written = _written(scalar)
    line = f"{head} {written}" if written else head
    if not isinstance(scalar.value, str):
        yield line
    elif _is_literal(scalar.text):
        yield f"{head} {'|' if scalar.text.endswith(chr(10)) else '|-'}"
        for row in scalar.text.removesuffix("\n").split("\n"):
            yield margin + row if row else ""
    elif not _fits(line) and scalar.text.isprintable() and scalar.text.strip(" ") == scalar.text:
        words = _BREAK.split(scalar.text)
        if len(words) == 1:
            yield line
        else:
            yield f"{head} >-"
            yield from _filled(margin, words, margin)
    else:
        yield line


def _is_literal(text: str) -> bool:
    """Whether a text of several lines reads back from a block without quotes or indentation marks."""
    body = text.removesuffix("\n")
    lines = body.split("\n")
    is_clear = all(line.isprintable() and (not line or line.strip(" ")) for line in lines)
    return "\n" in text and is_clear and bool(lines[0]) and lines[0][0] != " " and bool(lines[-1])


def _key(key: Scalar) -> str:
    """A key; it is quoted where it is empty, or would be refused without quotes."""
    return _quoted(key.text) if not key.text or lacks_colon(key.text) else _written(key)


def _written(scalar: Scalar) -> str:
    """A scalar on one line: as it is where it reads back as the same value, else in double quotes."""
    if not isinstance(scalar.value, str) or _is_plain(scalar.text):
        return scalar.text
    return _quoted(scalar.text)


def _quoted(text: str) -> str:
    return f'"{"".join(map(_escaped, text))}"'


def _is_plain(text: str) -> bool:
    if not text or not text.isprintable() or text.strip(" ") != text or not isinstance(resolve_plain(text), str):
        return False
    if text[0] in _RESERVED or text == "<<" or text.startswith(("---", "...")):
        return False
    if text[0] in "-?:" and text[1:2] in ("", " "):
        return False
    return ": " not in text and " #" not in text and not text.endswith(":")


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
