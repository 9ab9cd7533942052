"""A document with everything that it extends: `extends: other.yaml` names a spec that this one is a variant of."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as SequenceOf
from pathlib import Path

from compiler.source.diagnostics import Diagnostic, Findings, SpecError, did_you_mean, fail, raise_errors
from compiler.source.document import Mapping, Node, Scalar, Sequence, parse_document, read_source, whole_file
from compiler.source.limits import MAX_EXTENDS, MAX_FILE_BYTES, MAX_STEPS
from compiler.source.printable import printable
from compiler.source.schema import newer_format
from compiler.source.text import Source, Span


def parsed_chain(sources: Iterable[Source]) -> tuple[Mapping, ...]:
    """What `read_chain` gave, from the texts that it read. Raises `SpecError`."""
    return tuple(_mapping(parse_document(source)) for source in sources)


def merged_chain(chain: SequenceOf[Mapping]) -> Mapping:
    """The first mapping, merged over the second one, which it extends, and so on. Raises `SpecError`."""
    merged = chain[-1]
    for variant in reversed(chain[:-1]):
        findings = Findings()
        merged = _placed(merge(merged, variant, findings), merged, variant, findings)
        raise_errors(findings)
    return merged.without("extends")


def read_chain(path: Path) -> tuple[Mapping, ...]:
    """The mapping in a file, that of the spec it extends, and so on. Raises `SpecError`."""
    root = path.parent
    chain: list[tuple[Path, Mapping]] = []
    here: Path | None = path
    length = 0
    while here is not None:
        source = _read(here, chain)
        length += len(source.text)
        if length > MAX_FILE_BYTES:
            raise fail("too-large", f"with all that it extends, larger than {MAX_FILE_BYTES} bytes", whole_file(path))
        document = _mapping(parse_document(source))
        chain.append((here, document))
        here = _base(document, here, root, [known for known, _ in chain])
    return tuple(document for _, document in chain)


def single_document(source: Source) -> Mapping:
    """The mapping in a text that extends nothing. Raises `SpecError`."""
    document = _mapping(parse_document(source))
    extends = document.key("extends")
    if extends is not None:
        raise fail("bad-extends", "a spec that is not a file of its own cannot extend another one", extends.span)
    return document


def merge(base: Mapping, variant: Mapping, findings: Findings) -> Mapping:
    """Maps merge key by key, `null` removes, anything else replaces; new keys go last."""
    items: dict[str, tuple[Scalar, Node]] = {key.text: (key, value) for key, value in base.items}
    for key, value in variant.items:
        old = items.get(key.text)
        if isinstance(value, Scalar) and value.value is None:
            if old is None:
                message = f"there is no '{key.text}' to remove{did_you_mean(key.text, items)}"
                findings.report(Diagnostic("unknown-key", message, key.span))
            items.pop(key.text, None)
        elif old is not None and isinstance(old[1], Mapping) and isinstance(value, Mapping):
            items[key.text] = (key, merge(old[1], value, findings))
        else:
            items[key.text] = (key, value)
    return Mapping(tuple(items.values()), variant.span)


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


def _read(path: Path, chain: list[tuple[Path, Mapping]]) -> Source:
    if not chain:
        return read_source(path)
    named = _extends_scalar(chain[-1][1])
    try:
        return read_source(path, layer=len(chain))
    except SpecError as error:
        reason = error.diagnostics[0]
        raise fail(reason.code, f"cannot extend '{named.text}': {reason.message}", named.span, reason.hint) from None


def _base(document: Mapping, path: Path, root: Path, known: list[Path]) -> Path | None:
    if document.get("extends") is None:
        return None
    named = _extends_scalar(document)
    target = path.parent / named.text
    try:
        resolved = target.resolve()
        inside = resolved.is_relative_to(root.resolve()) and not Path(named.text).is_absolute()
        repeated = any(resolved == other.resolve() for other in known)
    except (OSError, ValueError, RuntimeError):
        raise fail("cannot-read", f"'{named.text}' is no usable path", named.span) from None
    if not inside:
        hint = "name a file in the spec's own folder or below it"
        raise fail("bad-extends", f"'{named.text}' lies outside the folder of the spec", named.span, hint)
    if repeated:
        raise fail("cycle", f"'{named.text}' extends itself, directly or through others", named.span)
    if len(known) >= MAX_EXTENDS:
        raise fail("bad-extends", f"more than {MAX_EXTENDS} specs in a chain of `extends`", named.span)
    return target


def _extends_scalar(document: Mapping) -> Scalar:
    value = document.get("extends")
    if not isinstance(value, Scalar) or not isinstance(value.value, str):
        span = value.span if value is not None else document.span
        raise fail("wrong-type", "`extends` names one file, such as `extends: tiny95.yaml`", span)
    return value


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
    return fail("wrong-type", "a spec is a mapping of keys at the top", node.span.first, "start with `weightspec: 1`")


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
