"""The `expect` section of a spec with other claims in it: only its lines change, and comments and layout stay."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from compiler.source.diagnostics import fail
from compiler.source.document import Mapping as Section
from compiler.source.document import Node, Scalar, as_data
from compiler.source.text import Source, Span
from compiler.source.writing import WIDTH

Claimed = Mapping[str, "Claimed"] | str | int | None
"""What is to stand at a key: further keys, a figure, a word, or nothing of what the base claims there."""

ORDER = ("count", "claimed", "eval", "verdict", "note")  # of the keys, where a new one is put
_WHOLE = 2  # levels of keys below `expect` that a variant states one by one; what stands below is stated whole
_BARE = re.compile(r"[A-Za-z][\w ]*(?<! )", re.ASCII)
_KEYWORDS = ("null", "true", "false")  # words that YAML takes for values


@dataclass(frozen=True)
class _Edit:
    """The characters `start` to `end` of the text become `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class _Place:
    """A mapping of the text, the offset where the line of its key ends, and the column of what stands below it."""

    section: Section
    header_end: int
    column: int

    @property
    def is_flow(self) -> bool:
        return self.section.span.text.startswith("{")


def with_claims(document: Section, base: Node | None, claims: Mapping[str, Claimed]) -> str:
    """The text of a spec whose `expect`, merged over the `base` section of what it extends, has these claims.

    Other keys stay as they are. Raises `SpecError` where an anchor or an alias stands in the way.
    """
    source = document.span.source
    key, block = document.key("expect"), document.get("expect")
    if key is not None and block is not None:
        _check_spelled_out(document.span, key, block)
    edits = list(_edits(_Place(document, 0, _column(document)), "expect", base, claims, 0))
    pieces, position = [], 0
    for edit in sorted(edits, key=lambda edit: edit.start):  # those of one place stay in order
        pieces += [source.text[position : edit.start], edit.text]
        position = edit.end
    return "".join([*pieces, source.text[position:]])


def _edits(place: _Place, name: str, base: Node | None, wanted: Claimed, depth: int) -> Iterator[_Edit]:
    """What makes the value of a key in a mapping, merged over that of the base, the wanted one."""
    key, own = place.section.key(name), place.section.get(name)
    if key is None or own is None:
        missing = _unstated(base, wanted, depth)
        if missing != {}:
            yield _inserted(place, name, missing, depth)
    elif isinstance(own, Section) and isinstance(wanted, Mapping) and _can_stay(own, wanted, depth):
        inner = _Place(own, _line_end(own.span.source, key.span.end), _column(own, place.column + 2))
        for label, value in wanted.items():
            under = base.get(label) if isinstance(base, Section) else None
            yield from _edits(inner, label, under, value, depth + 1)
    elif as_data(own) != wanted:
        yield from _replaced(place, key, own, _without_the_rest(base, wanted), depth)


def _can_stay(own: Section, wanted: Mapping[str, Claimed], depth: int) -> bool:
    """Whether a mapping becomes the wanted one where its values are replaced, and new keys added."""
    return bool(own.items) and (depth <= _WHOLE or set(own.names) <= set(wanted))


def _unstated(base: Node | None, wanted: Claimed, depth: int) -> Claimed:
    """What the base does not say of what is wanted; an empty mapping where it says all."""
    if base is not None and as_data(base) == wanted:
        return {}
    if depth > 1 or not isinstance(base, Section) or not isinstance(wanted, Mapping):
        return wanted
    parts = {label: _unstated(base.get(label), value, depth + 1) for label, value in wanted.items()}
    return {label: part for label, part in parts.items() if part != {}}


def _without_the_rest(base: Node | None, wanted: Claimed) -> Claimed:
    """The wanted keys, and `null` for those of the base that would come back otherwise."""
    if not isinstance(base, Section) or not isinstance(wanted, Mapping):
        return wanted
    kept = {label: _without_the_rest(base.get(label), value) for label, value in wanted.items()}
    return {**kept, **{label: None for label in base.names if label not in wanted}}


def _inserted(place: _Place, name: str, wanted: Claimed, depth: int) -> _Edit:
    """A new key of a mapping, behind those that come before it, else in front."""
    source = place.section.span.source
    before = [item for item in place.section.items if depth != 1 or _rank(item[0].text) < _rank(name)]
    if place.is_flow:
        written = f"{_word(name)}: {_flow(wanted)}"
        if before:
            return _at(_end(*before[-1]), f", {written}")
        return _at(place.section.span.start + 1, f"{written}, ")
    lines = _block(name, wanted, " " * place.column)
    end = _below(source, _end(*before[-1]), place.column) if before else place.header_end
    return _at(end, "".join(f"{_line_break(source)}{line}" for line in lines))


def _replaced(place: _Place, key: Scalar, own: Node, wanted: Claimed, depth: int) -> Iterator[_Edit]:
    """Another value at a key."""
    source, end = key.span.source, _end(key, own)
    is_empty = not isinstance(own, Section) or not own.items
    if isinstance(wanted, Mapping) and not place.is_flow and is_empty and depth < _WHOLE:
        colon = source.text.index(":", key.span.end) + 1
        yield _Edit(colon, max(colon, end), "")
        lines = [line for label, value in wanted.items() for line in _block(label, value, " " * (place.column + 2))]
        yield _at(_line_end(source, end), "".join(f"{_line_break(source)}{line}" for line in lines))
    else:
        start = own.span.start
        yield _Edit(start, end, _flow(wanted) if start > key.span.end + 1 else f" {_flow(wanted)}")


def _block(name: str, wanted: Claimed, margin: str) -> list[str]:
    """The lines of a key and its value; a mapping without mappings in it stands on one line, if that is wide enough."""
    line = f"{margin}{_word(name)}: {_flow(wanted)}"
    if not isinstance(wanted, Mapping):
        return [line]
    is_nested = any(isinstance(value, Mapping) for value in wanted.values())
    if (margin and not is_nested) or (len(margin) > 2 and len(line) <= WIDTH):
        return [line]
    inner = [part for label, value in wanted.items() for part in _block(label, value, f"{margin}  ")]
    return [f"{margin}{_word(name)}:", *inner]


def _flow(wanted: Claimed) -> str:
    if isinstance(wanted, Mapping):
        return f"{{{', '.join(f'{_word(label)}: {_flow(value)}' for label, value in wanted.items())}}}"
    return "null" if wanted is None else str(wanted)


def _word(label: str) -> str:
    """A key, in quotes where YAML would read something else."""
    is_bare = _BARE.fullmatch(label) and label.lower() not in _KEYWORDS
    return label if is_bare else json.dumps(label, ensure_ascii=False)


def _rank(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


def _at(offset: int, text: str) -> _Edit:
    return _Edit(offset, offset, text)


def _end(key: Scalar, value: Node) -> int:
    """Where the text of an item ends, without the comments and line breaks that YAML counts to it."""
    if isinstance(value, Section) and not value.span.text.startswith("{"):
        return _end(*value.items[-1])
    return max(key.span.end + 1, value.span.start + len(value.span.text.rstrip()))


def _column(section: Section, default: int = 0) -> int:
    """In which column the keys of a mapping begin, from 0."""
    return section.items[0][0].span.column - 1 if section.items else default


def _line_end(source: Source, offset: int) -> int:
    """The end of the line that a character stands in, before its line break."""
    end = source.text.find("\n", offset)
    end = len(source.text) if end < 0 else end
    return end - 1 if source.text[:end].endswith("\r") else end


def _below(source: Source, offset: int, column: int) -> int:
    """The end of the line of a character, or of the comments below it that are indented by more than `column`."""
    end = _line_end(source, offset)
    comments = re.compile(rf"(?:\r?\n[ ]{{{column + 1},}}#[^\r\n]*)+").match(source.text, end)
    return end if comments is None else comments.end()


def _line_break(source: Source) -> str:
    return "\r\n" if "\r\n" in source.text else "\n"


def _check_spelled_out(around: Span, key: Scalar, value: Node) -> None:
    """Refuse an anchor or an alias: what is edited at its place would be read elsewhere too. Raises `SpecError`."""
    if key.span.start < around.start or value.span.start < key.span.end or value.span.text.startswith("&"):
        message = "an anchor or an alias in `expect` cannot be edited"
        raise fail("cannot-edit", message, key.span, "write the value out")
    for item in value.items if isinstance(value, Section) else ():
        _check_spelled_out(value.span, *item)
