"""Source text to document: YAML values that know where they stand.

YAML is read event by event, without recursion, with the scalars of the YAML 1.2 core schema (`1e-3` is a
number; `no`, `on` and `=` are strings) and without tags, merge keys or anything else that could surprise.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import yaml

from compiler.source.diagnostics import Diagnostic, Findings, Note, SpecError, fail, nearest
from compiler.source.examples import examples
from compiler.source.limits import MAX_FILE_BYTES, MAX_INTEGER_BITS, MAX_NESTING, MAX_NODES
from compiler.source.scalars import Plain, align, lacks_colon, resolve_plain
from compiler.source.showing import short_repr
from compiler.source.text import Source, Span
from compiler.source.yaml_faults import FLOW_HINT, empty_value_hint, syntax_error, without_colon

STANDARD_INPUT = Path("<stdin>")


@dataclass(frozen=True)
class Scalar:
    """A scalar: `text` as YAML reads it, `value` as the core schema resolves it."""

    text: str
    value: Plain
    span: Span

    __repr__ = short_repr

    @cached_property
    def _offsets(self) -> list[int] | None:
        """For each character of the text its offset in the source; None where they are the same."""
        raw = self.span.text
        return None if raw == self.text else align(self.text, raw)

    def at(self, start: int, end: int) -> Span:
        """Where the characters `start` to `end` of `text` stand in the source, whatever the quoting."""
        offsets = self._offsets
        if not self.text:
            return self.span
        if offsets is None:
            return Span(self.span.source, self.span.start + start, self.span.start + end)
        first = self.span.start + offsets[start]
        last = self.span.start + offsets[max(start, end - 1)] + 1
        return Span(self.span.source, first, max(first, last))


@dataclass(frozen=True)
class Sequence:
    items: tuple[Node, ...]
    span: Span

    __repr__ = short_repr


@dataclass(frozen=True)
class Mapping:
    """A mapping with string keys, in file order."""

    items: tuple[tuple[Scalar, Node], ...]
    span: Span

    __repr__ = short_repr

    @cached_property
    def _by_name(self) -> dict[str, tuple[Scalar, Node]]:
        return {key.text: (key, value) for key, value in self.items}

    def get(self, name: str) -> Node | None:
        return self._by_name[name][1] if name in self._by_name else None

    def key(self, name: str) -> Scalar | None:
        """The key itself, which knows its place."""
        return self._by_name[name][0] if name in self._by_name else None

    @property
    def names(self) -> tuple[str, ...]:
        """The keys as text."""
        return tuple(self._by_name)

    def text_of(self, name: str) -> str:
        """The text of the scalar under a key, or nothing."""
        value = self.get(name)
        return value.text if isinstance(value, Scalar) else ""

    def without(self, name: str) -> Mapping:
        """The mapping without a key."""
        return Mapping(tuple((key, value) for key, value in self.items if key.text != name), self.span)


@dataclass(frozen=True)
class Invalid:
    """What a value becomes that the schema refused: later stages stay silent about it."""

    span: Span


Node = Scalar | Sequence | Mapping | Invalid


_ENDINGS = (".yaml", ".yml", ".safetensors")
_NO_SPECS = (
    (
        (".pt", ".pth", ".bin", ".pkl", ".ckpt", ".pt2", ".npz", ".onnx"),
        "a model of another program is no spec: `diff SPEC FILE` compares its tensors, `eval --model FILE` asks it",
    ),
    (
        (".py", ".ipynb"),
        "a program is no spec: docs/from-script.md turns one into a spec; `new NAME` writes a spec to start from",
    ),
)


def read_source(path: Path, layer: int = 0) -> Source:
    """Read a UTF-8 file of at most 1 MiB. Raises `SpecError` where that is not what it is."""
    shown = str(path)
    whole = whole_file(path)
    with open_file(path) as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise fail("too-large", f"larger than {MAX_FILE_BYTES} bytes, which no spec needs", whole)
    try:
        return Source(shown, data.decode("utf-8-sig"), path, layer)
    except UnicodeDecodeError as error:
        raise fail("not-text", f"byte {error.start} is not UTF-8 text", whole, no_spec_hint(path)) from None


def no_spec_hint(path: Path) -> str | None:
    """What to do with a file that is no spec by its ending."""
    return next((hint for endings, hint in _NO_SPECS if path.suffix in endings), None)


def whole_file(path: Path) -> Span:
    """The place of a finding about a file as a whole."""
    return Span(Source(str(path), "", path), 0, 0)


@contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """A regular file, or `STANDARD_INPUT`, open for reading.

    Raises `SpecError` where there is none, or it cannot be read to the end.
    """
    whole = whole_file(path)
    try:
        if path == STANDARD_INPUT:
            yield sys.stdin.buffer
            return
        if path.is_dir():
            raise fail("cannot-read", "a directory, not a file", whole, "name a .yaml file")
        if not path.exists():
            raise fail("missing-file", "no such file", whole, _similar_file(path))
        if not path.is_file():
            raise fail("cannot-read", "not a regular file", whole)
        with path.open("rb") as file:
            yield file
    except (OSError, ValueError) as error:
        raise fail("cannot-read", getattr(error, "strerror", None) or str(error), whole) from None


def _similar_file(path: Path) -> str | None:
    """A file that may be meant: of this name with another ending, else one of a similar name; else an example."""
    try:
        names = sorted(entry.name for entry in path.parent.glob("*") if entry.suffix in {*_ENDINGS, path.suffix})
    except (OSError, ValueError):
        return None
    same = next((name for name in names if Path(name).stem == path.stem), None)
    match = same or nearest(path.name, (name for name in names if Path(name).suffix == (path.suffix or ".yaml")))
    if match is None and not path.suffix and path.name == str(path) and (example := nearest(path.name, examples())):
        return f"did you mean the example {example}?"
    return f"did you mean {path.parent / match}?" if match else None


def parse_document(source: Source, start: int = 0, first_line: str = "start with `weightspec: 1`") -> Node:
    """The single YAML document in a source, or in its text from `start` on.

    Raises `SpecError`; several findings are reported at once. `first_line` is the hint for a file that is empty.
    """
    composer = _Composer(source)
    try:
        for event in yaml.parse(" " * start + source.text[start:].replace(BYTE_ORDER_MARK, " "), Loader=_LOADER):
            composer.take(event)
    except yaml.YAMLError as error:
        finding = syntax_error(source, error)
        instead = None if source.path is None else no_spec_hint(source.path)
        raise SpecError([*composer.findings, replace(finding, hint=instead or finding.hint)]) from None
    except SpecError as error:
        raise SpecError([*composer.findings, *error.diagnostics]) from None
    except UnicodeEncodeError as error:
        raise fail("not-text", "not UTF-8 text", Span(source, error.start, error.start + 1)) from None
    if composer.findings:
        raise SpecError(composer.findings)
    if composer.root is None:
        what, hint = ("the file", first_line) if start == 0 else ("the value", "quote it if it has a #")
        raise fail("empty", f"{what} is empty", Span(source, start, start), hint)
    return composer.root


BYTE_ORDER_MARK = "\ufeff"  # libyaml would skip it without counting it
_ONCE = ("embedding", "head")  # steps that take no block name
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class _Open:
    """A collection whose end has not been read yet."""

    start: int
    is_mapping: bool
    flow: bool
    anchor: str | None
    nodes: list[Node] = field(default_factory=list)
    keys: dict[str, Scalar] = field(default_factory=dict)
    key: Scalar | None = None
    size: int = 1


class _Composer:
    """Builds nodes out of YAML events with a stack of its own, so that depth costs no recursion."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.root: Node | None = None
        self.findings = Findings()
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._count = 0
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        span = _span(self.source, event)
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise fail("yaml-tag", f"the tag '{tag}' is not part of the language", span)
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise fail("yaml-syntax", "a second YAML document; a spec is one", span)
            case yaml.ScalarEvent():
                self._scalar(event, span)
            case yaml.AliasEvent():
                self._alias(str(event.anchor), span)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                if len(self._stack) >= MAX_NESTING:
                    raise fail("too-deep", f"nested more than {MAX_NESTING} levels deep", span)
                is_mapping = isinstance(event, yaml.MappingStartEvent)
                self._stack.append(_Open(span.start, is_mapping, bool(event.flow_style), event.anchor))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close(span.end)

    def _scalar(self, event: yaml.ScalarEvent, span: Span) -> None:
        is_plain = event.implicit[0]
        node = Scalar(event.value, resolve_plain(event.value) if is_plain else event.value, span)
        if isinstance(node.value, int) and node.value.bit_length() > MAX_INTEGER_BITS:
            self.findings.report(Diagnostic("number", f"an integer of more than {MAX_INTEGER_BITS} bits", span))
        parent = self._stack[-1] if self._stack else None
        if parent is not None and parent.flow and parent.key is not None and is_plain and event.value == "":
            self._report_empty(parent, parent.key)
        self._count_nodes(1, span)
        self._add(node, event.anchor, 1)

    def _report_empty(self, parent: _Open, key: Scalar) -> None:
        """A key in { } without a value; once where a formula was cut at its commas."""
        before = [node.text for node in parent.nodes if isinstance(node, Scalar)]
        cut = any(text.count("(") > text.count(")") or text.count("[") > text.count("]") for text in before)
        if cut and "" in before:
            return
        hint = FLOW_HINT if cut else empty_value_hint(key.text)
        self.findings.report(Diagnostic("empty-value", f"'{key.text}' has no value", key.span, hint))

    def _alias(self, anchor: str, span: Span) -> None:
        if anchor not in self._anchors:
            hint = f"a text that starts with * is quoted; else it stands for what `&{anchor}` marks further up"
            raise fail("yaml-alias", f"'*{anchor}' stands for nothing that is complete here", span, hint)
        node, size = self._anchors[anchor]
        self._count_nodes(size, span)
        self._add(node, None, size)

    def _count_nodes(self, size: int, span: Span) -> None:
        self._count += size
        if self._count > MAX_NODES:
            raise fail("too-large", f"more than {MAX_NODES} YAML values, aliases written out", span)

    def _close(self, end: int) -> None:
        opened = self._stack.pop()
        span = Span(self.source, opened.start, end)
        node: Node
        if opened.is_mapping:
            node = Mapping(tuple(zip(opened.keys.values(), opened.nodes, strict=True)), span)
        else:
            node = Sequence(tuple(opened.nodes), span)
        self._count_nodes(1, span)
        self._add(node, opened.anchor, opened.size)

    def _add(self, node: Node, anchor: str | None, size: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (node, size)
        if not self._stack:
            self.root = node
            return
        parent = self._stack[-1]
        if parent.is_mapping and parent.key is None:
            parent.key = self._check_key(node, parent)
            return
        parent.size += size
        if parent.key is None:
            parent.nodes.append(node)
        elif parent.key.text not in parent.keys:
            parent.nodes.append(node)
            parent.keys[parent.key.text] = parent.key
        parent.key = None

    def _check_key(self, node: Node, parent: _Open) -> Scalar:
        if not isinstance(node, Scalar):
            raise fail("yaml-key", "a key must be a name, not a collection", node.span)
        if node.text == "<<" and node.span.text == "<<":
            hint = "write the keys out, or use `extends`"
            self.findings.report(Diagnostic("yaml-merge", "merge keys are not part of the language", node.span, hint))
        if lacks_colon(node.text) and node.span.text == node.text:
            line = node.span.source.line(node.span.line)
            raise fail("yaml-syntax", f"'{node.text}' is no key", node.span, without_colon(line))
        earlier = parent.keys.get(node.text)
        if earlier is not None:
            note = Note("first written here", earlier.span)
            message = f"the key '{node.text}' is written twice"
            advice = self._second_step(node.text)
            self.findings.report(Diagnostic("duplicate-key", message, node.span, advice, (note,)))
        return node

    def _second_step(self, key: str) -> str | None:
        """What to do about a step that is written like an earlier one."""
        if [opened.key.text for opened in self._stack[:-1] if opened.key is not None] != ["network"]:
            return None
        kind, *block = key.split()
        if kind in _ONCE:
            return f"there is one {kind}: keep one of them"
        return f"a second step of one kind needs a block name{' of its own' if block else ''}, as in `{kind} NAME`"


def node_at(node: Node | None, path: Iterable[str | int]) -> Node | None:
    """What stands at the end of a path of keys, and of indices as numbers or text; None where a key is not there."""
    for part in path:
        match node:
            case Mapping():
                node = node.get(str(part))
            case Sequence(items=items):
                node = items[int(part)]
            case _:
                return None
    return node


def _span(source: Source, event: yaml.Event) -> Span:
    start, end = event.start_mark, event.end_mark
    return Span(source, start.index if start else 0, end.index if end else 0)


def written_text(node: Node) -> str:
    """A scalar, or a list in brackets, on one line as it is written; nothing for a mapping."""
    match node:
        case Scalar(text=text):
            return " ".join(text.split())
        case Sequence(items=items):
            return f"[{', '.join(map(written_text, items))}]"
        case Mapping() | Invalid():
            return ""


def as_data(node: Node) -> object:
    """The node as nested dicts, lists and scalars, without places."""
    match node:
        case Scalar(value=value):
            return value
        case Sequence(items=items):
            return [as_data(item) for item in items]
        case Mapping(items=pairs):
            return {key.text: as_data(value) for key, value in pairs}
        case Invalid():
            return None
