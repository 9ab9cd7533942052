"""A spec's own text, line by line: what each piece of it is, and which stored numbers each line makes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from compiler.expressions.parse import WORDS, parse, tokens
from compiler.expressions.syntax import ExpressionError
from compiler.expressions.values import Provenance, names_read
from compiler.network.storage import tensors
from compiler.pipeline import Spec
from compiler.source.diagnostics import SpecError
from compiler.source.document import Invalid, Mapping, Node, Scalar, Sequence, parse_document
from compiler.source.faults import no_rule
from compiler.source.printable import printable
from compiler.source.text import Source, Span

PieceKind = Literal["plain", "comment", "key", "string", "text", "number", "word", "name"]
LinePlace = tuple[str, int]  # the name of a file, and a line of it, from 1
_KINDS: dict[str, PieceKind] = {"number": "number", "name": "name"}  # of the tokens of a formula
_COMMENT = re.compile("(#[^\\n]*)")


@dataclass(frozen=True)
class Piece:
    """A part of a line that is shown in one colour; what would not be seen stands in it as an escape."""

    kind: PieceKind
    text: str


@dataclass(frozen=True)
class Made:
    """How many stored numbers of a tensor come from a line."""

    tensor: str
    entries: int


@dataclass(frozen=True)
class SpecLine:
    """A line, from 1, with its place in the page. `makes` are the numbers of its equations, and `feeds` those that
    were computed from what it defines."""

    number: int
    anchor: str
    pieces: tuple[Piece, ...]
    makes: tuple[Made, ...] = ()
    feeds: tuple[Made, ...] = ()

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True)
class SpecText:
    """A file that was read for a spec."""

    name: str
    lines: tuple[SpecLine, ...]


def spec_texts(spec: Spec, prefix: str = "") -> tuple[SpecText, ...]:
    """The text of a spec, then that of what it extends, and of each other file that it names.

    `prefix` sets the anchors of one spec apart from those of others on the same page.
    """
    makes, feeds = _makes(spec), _feeds(spec)

    def line(place: LinePlace, anchor: str, pieces: tuple[Piece, ...]) -> SpecLine:
        return SpecLine(place[1], anchor, pieces, makes.get(place, ()), feeds.get(place, ()))

    anchors = line_anchors(spec, prefix)
    pieces = {name: line_pieces(source) for name, source in _files(spec).items()}
    return tuple(
        SpecText(name, tuple(line((name, i), anchors[name, i], parts) for i, parts in enumerate(lines, 1)))
        for name, lines in pieces.items()
    )


def line_anchors(spec: Spec, prefix: str = "") -> dict[LinePlace, str]:
    """The `id` of each line in a page, by its file and number: `L12`, and `F1-L12` in the next file."""
    return {
        (name, number): f"{prefix}{f'F{i}-' if i else ''}L{number}"
        for i, (name, source) in enumerate(_files(spec).items())
        for number in range(1, source.text.removesuffix("\n").count("\n") + 2)
    }


def _files(spec: Spec) -> dict[str, Source]:
    """Each file once, also where two of the others name it."""
    return {source.name: source for source in spec.sources}


# What comes from a line


def _makes(spec: Spec) -> dict[LinePlace, tuple[Made, ...]]:
    """The numbers that the equations of each line give."""
    return _made(
        (entry.equation.span, tensor.name) for tensor in tensors(spec.network).values() for entry in tensor.entries
    )


def _feeds(spec: Spec) -> dict[LinePlace, tuple[Made, ...]]:
    """The numbers that depend on what each line defines."""
    definitions = spec.resolved.definitions
    known: dict[Provenance, frozenset[str]] = {}
    return _made(
        (definitions[name].span, tensor.name)
        for tensor in tensors(spec.network).values()
        for entry in tensor.entries
        for name in names_read(entry.provenance, definitions.keys(), known)
    )


def _made(numbers: Iterable[tuple[Span, str]]) -> dict[LinePlace, tuple[Made, ...]]:
    by_span: dict[Span, Counter[str]] = {}
    for span, tensor in numbers:
        by_span.setdefault(span, Counter())[tensor] += 1
    by_place: dict[LinePlace, Counter[str]] = {}
    for span, counted in by_span.items():
        by_place.setdefault((span.source.name, span.line), Counter()).update(counted)
    return {place: tuple(Made(*pair) for pair in counted.items()) for place, counted in by_place.items()}


# What each piece is


def line_pieces(source: Source) -> list[tuple[Piece, ...]]:
    """The pieces of each line. A file that is no YAML, such as a table of cases, is shown as it is."""
    lines: list[list[Piece]] = [[]]
    for kind, text in _whole(source):
        for i, part in enumerate(text.split("\n")):
            if i:
                lines.append([])
            if part.rstrip("\r"):
                lines[-1].append(Piece(kind, printable(part.rstrip("\r"), kept="\t")))
    return [tuple(line) for line in (lines[:-1] if source.text.endswith("\n") else lines)]


def _whole(source: Source) -> Iterator[tuple[PieceKind, str]]:
    """All of a text in its order."""
    at = 0
    for kind, span in sorted(set(_scalars(source)), key=lambda part: part[1].start):
        yield from _between(source.text[at : span.start])
        yield kind, span.text
        at = span.end
    yield from _between(source.text[at:])


def _between(text: str) -> Iterator[tuple[PieceKind, str]]:
    """What stands between scalars: signs of YAML, blanks and comments."""
    for i, part in enumerate(_COMMENT.split(text)):
        yield "comment" if i % 2 else "plain", part


def _scalars(source: Source) -> Iterator[tuple[PieceKind, Span]]:
    """What a YAML file says: its keys, and its values, formulas in parts."""
    try:
        root = parse_document(source)
    except SpecError:
        return
    todo: list[Node] = [root] if isinstance(root, Mapping) else []
    while todo:
        node = todo.pop()
        match node:
            case Mapping(items=items):
                yield from (("key", key.span) for key, _ in items)
                todo += [value for _, value in items]
            case Sequence(items=items):
                todo += items
            case Scalar():
                yield from _value(node)
            case Invalid():
                pass
            case _:
                raise no_rule("node", node)


def _value(scalar: Scalar) -> Iterator[tuple[PieceKind, Span]]:
    match scalar.value:
        case bool() | None:
            yield "word", scalar.span
        case int() | float():
            yield "number", scalar.span
        case str() if scalar.span.text.startswith(("'", '"')):
            yield "string", scalar.span
        case _:
            yield from _formula(scalar)


def _formula(scalar: Scalar) -> Iterator[tuple[PieceKind, Span]]:
    """The numbers and names of a formula; a text that is none as a whole."""
    try:
        parse(scalar.text)
    except ExpressionError:
        yield "text", scalar.span
        return
    for token in tokens(scalar.text)[:-1]:
        if token.kind in _KINDS:
            yield "word" if token.text in WORDS else _KINDS[token.kind], scalar.at(*token.at)
