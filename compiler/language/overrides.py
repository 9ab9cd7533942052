"""`--set name=value`: a document with values replaced, each keeping its place in the text of the argument."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as AnyMapping

from compiler.expressions.spacing import spaced
from compiler.language.keys import SECTION_OF
from compiler.source.diagnostics import Diagnostic, Findings, SpecError, did_you_mean, nearest, raise_errors
from compiler.source.document import Mapping, Node, Scalar, Sequence, node_at, parse_document
from compiler.source.extends import step_name
from compiler.source.text import Source, Span
from compiler.tasks.package import short_key, stated

KeyPath = tuple[str, ...]  # keys, and the index of a list element as text
_LONGEST_NAME = 1000  # of what is set, in characters
_ELEMENT = re.compile(r"(?P<array>.+?) *\[ *(?P<indices>[0-9]{1,6}( *, *[0-9]{1,6})*) *\]")


def override(document: Mapping, settings: Iterable[str], top_level: Iterable[str]) -> Mapping:
    """Apply settings of the form `name=value` in order. `top_level` are the keys a spec may have.

    A name is a definition, a task size, or a path such as `layer0.attention.softmax`; `null` removes.
    Raises `SpecError` with every setting that cannot be applied.
    """
    findings = Findings()
    known = tuple(top_level)
    for setting in settings:
        source = Source("--set", setting, layer=-1)
        place = _split(document, setting, known)
        if place is None:
            findings.report(_unknown(document, source, known))
            continue
        at, path = place
        key = Scalar(path[-1], path[-1], Span(source, 0, at))
        value = _value(source, at + 1)
        if isinstance(value, Scalar) and value.value is None and node_at(document, path) is None:
            message = f"there is no '{path[-1]}' to remove"
            known_here = _keys(node_at(document, path[:-1]))
            findings.report(Diagnostic("unknown-name", message + did_you_mean(path[-1], known_here), key.span))
            continue
        changed = _replaced(document, path, key, value)
        assert isinstance(changed, Mapping)
        document = changed
    raise_errors(findings)
    return document


def setting_place(document: Mapping, source: Source, top_level: Iterable[str]) -> tuple[int, KeyPath]:
    """Where in a setting `name=value` the value begins, and the path that the name means. Raises `SpecError`."""
    known = tuple(top_level)
    place = _split(document, source.text, known)
    if place is None:
        raise SpecError([_unknown(document, source, known)])
    return place[0] + 1, place[1]


def as_settings(overrides: AnyMapping[str, object]) -> list[str]:
    """Overrides from Python, as `name=value` texts; numbers keep every bit."""
    return [f"{name}={value if isinstance(value, str) else _yaml(value)}" for name, value in overrides.items()]


def _yaml(value: object) -> str:
    """A Python value as YAML; a float's digits read back to the same bits, an infinity is `.inf`."""
    return json.dumps(value).replace("Infinity", ".inf").replace("NaN", ".nan")


def _split(document: Mapping, setting: str, top_level: tuple[str, ...]) -> tuple[int, KeyPath] | None:
    """Where the name ends, and the path it means: the first `=` whose left side names something."""
    short = _short_names(document)
    roots = _roots(document, short)
    at = setting.find("=", 0, _LONGEST_NAME)
    while at >= 0:
        path = _find(document, setting[:at].strip(), top_level, short, roots)
        if path is not None:
            return at, path
        at = setting.find("=", at + 1, _LONGEST_NAME)
    return None


def _find(
    document: Mapping,
    name: str,
    top_level: tuple[str, ...],
    short: AnyMapping[str, KeyPath],
    roots: AnyMapping[str, KeyPath],
) -> KeyPath | None:
    if name in short:
        return short[name]
    if name in top_level and name != "extends":
        return (name,)
    if name in roots and name != "extends":
        return roots[name]
    element = _ELEMENT.fullmatch(name)
    if element is not None:
        array = _find(document, element["array"], top_level, short, roots)
        path = None if array is None else (*array, *_indices(element))
        if array is not None and path is not None and isinstance(node_at(document, array), Sequence):
            return path if _element_at(document, path) is not None else None
    for start, rest in _at_dots(name):
        for whole in (document, _in_full(document)) if start in roots else ():
            inner = _descend(node_at(whole, roots[start]), rest)
            if inner is not None:
                return (*roots[start], *inner)
    return None


def _indices(element: re.Match[str]) -> KeyPath:
    return tuple(str(int(index)) for index in element["indices"].split(","))


def _element_at(node: Node | None, path: KeyPath) -> Node | None:
    """What stands at a path whose indices may be out of range; None where nothing does."""
    for part in path:
        match node:
            case Mapping():
                node = node.get(part)
            case Sequence(items=items) if int(part) < len(items):
                node = items[int(part)]
            case _:
                return None
    return node


def _in_full(document: Mapping) -> Mapping:
    """The document with what the file says of a task of the package: a setting can change a part of it."""
    task = document.get("task")
    section = stated(task, Findings()) if isinstance(task, Mapping) else None
    if section is None or section is task:
        return document
    items = ((key, section if key.text == "task" else value) for key, value in document.items)
    return Mapping(tuple(items), document.span)


def _at_dots(name: str) -> Iterator[tuple[str, str]]:
    """What stands before and after each dot, the longest start first: names may contain dots themselves."""
    at = name.rfind(".")
    while at >= 0:
        yield name[:at], name[at + 1 :]
        at = name.rfind(".", 0, at)


def _short_names(document: Mapping) -> dict[str, KeyPath]:
    """Constants, parameters, derived values and task sizes, which a bare name means."""
    names: dict[str, KeyPath] = {}
    for section in SECTION_OF.values():
        names |= {key: (section, key) for key in _keys(document.get(section))}
    task = document.get("task")
    if isinstance(task, Mapping):
        short = short_key(task)
        sizes = short.text if short is not None else "sizes"
        names |= {key: ("task", sizes, key) for key in _keys(task.get(sizes))}
    return names


def _roots(document: Mapping, short: AnyMapping[str, KeyPath]) -> dict[str, KeyPath]:
    """Where a dotted path can start: a step by its module name (`layer0.attention`), a key, a short name."""
    steps = {}
    for key in _keys(document.get("network")):
        steps[step_name(key)] = ("network", key)
    return {**{key: (key,) for key in document.names}, **steps, **short}


def _descend(node: Node | None, rest: str) -> KeyPath | None:
    """The keys that the rest of a path means; the last one may be new."""
    if not isinstance(node, Mapping):
        return None
    known = _key(node, rest)
    if known is not None:
        return (known,)
    for start, after in _at_dots(rest):
        key = _key(node, start)
        inner = None if key is None else _descend(node.get(key), after)
        if key is not None and inner is not None:
            return (key, *inner)
    return None if "." in rest or not rest else (rest,)


def _key(node: Mapping, text: str) -> str | None:
    """The key that a text means: itself, or the one that differs from it in spaces alone."""
    if node.key(text) is not None:
        return text
    return next((name for name in node.names if _spaced(name) == _spaced(text)), None)


def _spaced(text: str) -> str:
    return spaced(text) or " ".join(text.split())


def _value(source: Source, start: int) -> Node:
    """The value, read as YAML; nothing at all is an empty text."""
    if not source.text[start:].strip():
        return Scalar("", "", Span(source, start, start))
    return parse_document(source, start)


def _replaced(node: Node, path: KeyPath, key: Scalar, value: Node) -> Node:
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(node, Sequence):
        items = [_replaced(item, rest, key, value) if i == int(head) else item for i, item in enumerate(node.items)]
        return Sequence(tuple(items), node.span)
    assert isinstance(node, Mapping)
    pairs = {name.text: (name, old) for name, old in node.items}
    if rest:
        name, inner = pairs.get(head) or (Scalar(head, head, key.span), Mapping((), key.span))
        pairs[head] = (name, _replaced(inner, rest, key, value))
    elif isinstance(value, Scalar) and value.value is None:
        pairs.pop(head, None)
    else:
        pairs[head] = (key, value)
    return Mapping(tuple(pairs.values()), node.span)


def _keys(node: Node | None) -> tuple[str, ...]:
    return node.names if isinstance(node, Mapping) else ()


def _unknown(document: Mapping, source: Source, top_level: tuple[str, ...]) -> Diagnostic:
    name, equals, _ = source.text.partition("=")
    span = Span(source, 0, max(1, len(name)))
    if not equals:
        return Diagnostic("syntax", "expected name=value", span, "for example --set digits=6")
    if name.strip() == "extends":
        return Diagnostic("bad-value", "`extends` cannot be set; write it in the spec", span)
    short = _short_names(document)
    element = _ELEMENT.fullmatch(name.strip())
    if element is not None:
        array = _find(document, element["array"], top_level, short, _roots(document, short))
        node = None if array is None else node_at(document, array)
        if node is not None:
            return _no_element(element["array"], _indices(element), node, span)
    known = [*short, *_roots(document, short), *top_level]
    suggestion = did_you_mean(name.strip(), known) or _nearest_key(document, name.strip(), short)
    message = f"nothing is named '{name.strip()[:100]}' in this spec{suggestion}"
    hint = f"constants, parameters and sizes here: {', '.join(short)}" if 0 < len(short) <= 20 else None
    return Diagnostic("unknown-name", message, span, hint)


def _no_element(array: str, indices: KeyPath, node: Node, span: Span) -> Diagnostic:
    """Why a list, or what is none, has no such element."""
    for index in indices:
        if not isinstance(node, Sequence):
            hint = f"set it as a whole: --set '{array}=…'"
            return Diagnostic("wrong-type", f"'{array}' is not written as a list with so many indices", span, hint)
        if int(index) >= len(node.items):
            message = f"index {index} is out of range: '{array}' has 0 to {len(node.items) - 1} there"
            return Diagnostic("index-range", message, span)
        node = node.items[int(index)]
    raise AssertionError(f"{array} has the element")


def _nearest_key(document: Mapping, name: str, short: AnyMapping[str, KeyPath]) -> str:
    """What a path may have meant that starts with something known and goes on with something that is not."""
    roots, whole = _roots(document, short), _in_full(document)
    for start, rest in _at_dots(name):
        if start in roots:
            first, dot, after = rest.partition(".")
            match = nearest(first, _keys(node_at(whole, roots[start])))
            return f"; did you mean '{start}.{match}{dot}{after}'?"[:200] if match else ""
    return ""
