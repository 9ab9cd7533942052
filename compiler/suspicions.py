"""What is legal in a spec as a whole, but hardly meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compiler.diagnostics import Diagnostic, nearest
from compiler.document import Mapping, Node, Scalar, Sequence
from compiler.resolve import Resolved

SECTIONS = ("constants", "parameters", "vocabulary", "task", "stream", "defaults", "network")  # where names are read
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def unused_definitions(resolved: Resolved) -> list[Diagnostic]:
    """Constants and parameters that no text of the spec mentions, such as a misspelt one of a variant."""
    mentioned: set[str] = set()
    for section in SECTIONS:
        node = resolved.document.get(section)
        defines = section in ("constants", "parameters")
        for key, value in node.items if defines and isinstance(node, Mapping) else ():
            mentioned |= {name for name in _names(value) if name != key.text}
        if not defines and node is not None:
            mentioned.update(_names(node))
    unused = [
        definition
        for name, definition in resolved.definitions.items()
        if definition.kind != "size" and name not in mentioned
    ]
    found = []
    for definition in unused:
        match = nearest(definition.name, (name for name in resolved.definitions if name != definition.name))
        hint = None if match is None else f"did you mean '{match}'?"
        message = f"the {definition.kind} '{definition.name}' is read by nothing"
        found.append(Diagnostic("unused-name", message, definition.span, hint, severity="warning"))
    return found


def _names(node: Node) -> Iterator[str]:
    match node:
        case Scalar(text=text):
            yield from _NAME.findall(text)
        case Sequence(items=items):
            for item in items:
                yield from _names(item)
        case Mapping(items=pairs):
            for key, value in pairs:
                yield from _names(key)
                yield from _names(value)
