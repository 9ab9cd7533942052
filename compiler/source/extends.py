"""A document with everything that it extends: `extends: other.yaml` names a spec that this one is a variant of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as SequenceOf
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from compiler.source.diagnostics import Diagnostic, Findings, SpecError, did_you_mean, fail, raise_errors
from compiler.source.document import (
    Mapping,
    Node,
    Scalar,
    Sequence,
    no_spec_hint,
    parse_document,
    read_source,
    whole_file,
)
from compiler.source.limits import MAX_FILE_BYTES, MAX_STEPS
from compiler.source.merging import extends_scalar, merge, named_file
from compiler.source.printable import printable
from compiler.source.schema import newer_format
from compiler.source.task_files import with_task_files
from compiler.source.text import Source, Span

EXAMPLE = "tiny95.yaml"  # of a spec that another one extends


@dataclass(frozen=True)
class Chain:
    """The mapping of a spec, that of the spec it extends, and so on. `sources` are all texts that were read for them,
    in the order of reading: those of specs, and those of files that a `task` section names."""

    documents: tuple[Mapping, ...]
    sources: tuple[Source, ...]


def parsed_chain(sources: Iterable[Source]) -> Chain:
    """What `read_chain` gave, from the texts that it read. Raises `SpecError`."""
    texts = tuple(sources)
    return _chain(texts[0].path or Path(texts[0].name), _Texts(iter(texts)))


def merged_chain(documents: SequenceOf[Mapping]) -> Mapping:
    """The first mapping, merged over the second one, which it extends, and so on. Raises `SpecError`."""
    merged = documents[-1]
    for variant in reversed(documents[:-1]):
        findings = Findings()
        merged = _placed(merge(merged, variant, findings), merged, variant, findings)
        raise_errors(findings)
    return merged.without("extends")


def read_chain(path: Path) -> Chain:
    """The mapping in a file, that of the spec it extends, and so on. Raises `SpecError`."""
    return _chain(path, _Texts(None))


def files_read(path: Path) -> tuple[Path, ...]:
    """The files that `read_chain` reads, or tries to read, for the spec in a file."""
    texts = _Texts(None)
    with suppress(SpecError):
        _chain(path, texts)
    return tuple(texts.paths)


@dataclass
class _Texts:
    """The texts that are read, one after the other: from their files, or again from what was `read_before`."""

    read_before: Iterator[Source] | None
    sources: list[Source] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    length: int = 0

    def read(self, path: Path, named: Scalar | None, purpose: str = "extend") -> Source:
        """The text of a file, which `named` names for a purpose. Raises `SpecError`."""
        layer = len(self.sources)
        self.paths.append(path)
        source = next(self.read_before) if self.read_before is not None else _read(path, named, purpose, layer)
        self.sources.append(source)
        self.length += len(source.text)
        if self.length > MAX_FILE_BYTES:
            first = self.sources[0]
            message = f"with all that it extends, larger than {MAX_FILE_BYTES} bytes"
            raise fail("too-large", message, whole_file(first.path or Path(first.name)))
        return source


def _chain(path: Path, texts: _Texts) -> Chain:
    root = path.parent
    chain: list[tuple[Path, Mapping]] = []
    here: Path | None = path
    named: Scalar | None = None
    while here is not None:
        document = _mapping(parse_document(texts.read(here, named)))
        chain.append((here, with_task_files(document, here, root, texts.read)))
        named = extends_scalar(document, EXAMPLE)
        here = None if named is None else named_file(named, here, root, [known for known, _ in chain])
    return Chain(tuple(document for _, document in chain), tuple(texts.sources))


def single_document(source: Source) -> Mapping:
    """The mapping in a text that extends nothing. Raises `SpecError`."""
    document = _mapping(parse_document(source))
    extends = document.key("extends")
    if extends is not None:
        raise fail("bad-extends", "a spec that is not a file of its own cannot extend another one", extends.span)
    return with_task_files(document, Path(source.name), Path(), _refused)


def _refused(path: Path, named: Scalar, purpose: str) -> Source:
    raise fail("bad-extends", f"a spec that is not a file of its own cannot {purpose} another file", named.span)


def _placed(merged: Mapping, base: Mapping, variant: Mapping, findings: Findings) -> Mapping:
    """The merged spec with the steps of its variant where `after` puts them, else last, but before the head."""
    steps, changed, known = merged.get("network"), variant.get("network"), base.get("network")
    if not isinstance(steps, Mapping) or not isinstance(changed, Mapping) or not isinstance(known, Mapping):
        return merged
    items = {key.text: (key, value) for key, value in steps.items}
    if len(items) > MAX_STEPS:
        return merged  # refused later; placing them would take long
    for key, value in changed.items:
        place = value.get("after") if isinstance(value, Mapping) else None
        if key.text not in items or (place is None and (key.text in known.names or key.text == "head")):
            continue
        moved_key, moved = items.pop(key.text)
        if place is None:
            position = list(items).index("head") if "head" in items else len(items)
        else:
            position = _place_after(list(items), place, findings)
            moved = moved.without("after") if isinstance(moved, Mapping) else moved
        ordered = list(items.items())
        ordered.insert(position, (key.text, (moved_key, moved)))
        items = dict(ordered)
    network = Mapping(tuple(items.values()), steps.span)
    replaced = ((key, network if key.text == "network" else value) for key, value in merged.items)
    return Mapping(tuple(replaced), merged.span)


def _place_after(keys: list[str], place: Node, findings: Findings) -> int:
    """The place of a step among the `keys` of others, after the one that is named; last where none is."""
    if not isinstance(place, Scalar):
        findings.report(Diagnostic("wrong-type", "`after` names one step", place.span))
        return len(keys)
    positions = {key: i for i, key in enumerate(keys)} | {step_name(key): i for i, key in enumerate(keys)}
    named = " ".join(place.text.split())
    if named == "head":
        findings.report(Diagnostic("bad-order", "no step comes after the head", place.span))
    elif named not in positions:
        message = f"no step '{named}' to place this one after{did_you_mean(named, positions)}"
        findings.report(Diagnostic("unknown-name", message, place.span))
    return positions.get(named, len(keys) - 1) + 1


def step_name(key: str) -> str:
    """The key `attention layer0` names the step `layer0.attention`."""
    kind, _, block = key.partition(" ")
    return f"{block.strip()}.{kind}" if block else kind


def _read(path: Path, named: Scalar | None, purpose: str, layer: int) -> Source:
    if named is None:
        return read_source(path)
    try:
        return read_source(path, layer)
    except SpecError as error:
        reason = error.diagnostics[0]
        message = f"cannot {purpose} '{named.text}': {reason.message}"
        hint = reason.hint if purpose == "extend" or reason.code == "missing-file" else "name a file of text"
        raise fail(reason.code, message, named.span, hint) from None


def _mapping(node: Node) -> Mapping:
    if isinstance(node, Mapping):
        newer = newer_format(node)
        if newer is not None:
            raise SpecError([newer])
        return node
    raise not_a_spec(node)


def not_a_spec(node: Node) -> SpecError:
    """What to say of a document that is no mapping."""
    certified = _certified(node)
    if certified is not None:
        hint = f"`verify {printable(certified)} -o FILE.json` makes it anew"
        return fail("wrong-type", "this is a certificate of `verify`, and no spec", node.span.first, hint)
    path = node.span.source.path
    hint = (None if path is None else no_spec_hint(path)) or "start with `weightspec: 1`"
    return fail("wrong-type", "a spec is a mapping of keys at the top", node.span.first, hint)


def _certified(node: Node) -> str | None:
    """The spec that a certificate of `verify` is about; None where the document is something else."""
    first = node.items[0] if isinstance(node, Sequence) and node.items else None
    if not isinstance(first, Mapping) or not {"spec", "spec_sha256", "verdict"} <= set(first.names):
        return None
    spec = first.get("spec")
    return str(spec.value) if isinstance(spec, Scalar) else None


def without(document: Mapping, keys: Iterable[Span]) -> Mapping:
    """The document without the items whose keys stand at these places, however deep."""
    spans = set(keys)
    return _pruned(document, spans) if spans else document


def _pruned(document: Mapping, spans: set[Span]) -> Mapping:
    kept = (
        (key, _pruned(value, spans) if isinstance(value, Mapping) else value)
        for key, value in document.items
        if key.span not in spans
    )
    return Mapping(tuple(kept), document.span)
