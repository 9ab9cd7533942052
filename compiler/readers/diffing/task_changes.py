"""What two task sections say, part by part: words, what is right, layouts, suites; those of the package in full."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from compiler.expressions.naming import words
from compiler.expressions.spacing import spaced
from compiler.pipeline import Spec
from compiler.source.diagnostics import Findings
from compiler.source.document import Mapping, Node, Scalar, Sequence, as_data
from compiler.source.text import Span
from compiler.tasks.package import short_key, stated

LAYOUT = ("prompt", "answer", "window", "cases")  # what the files of the package leave to a spec


@dataclass(frozen=True)
class TaskPart:
    """Something that a task section says: `text` as it is written; None where it goes without saying.

    Two of them mean the same where their `meaning` is equal, or they are the same expression.
    """

    text: str | None
    span: Span | None = None
    meaning: object = None


@dataclass(frozen=True)
class TaskText:
    """A task section in parts, each under what says it: `columns / next carry`.

    `name` is what the task is called, and `named` whether that is written. `of_package`: it is a task of the package.
    """

    name: str
    span: Span | None
    named: bool
    of_package: bool
    parts: dict[str, TaskPart]


def task_text(spec: Spec) -> TaskText | None:
    """What a spec says about its task, apart from sizes and the order of symbols; None without a task."""
    document = spec.resolved.document
    written = document.get("task")
    section = stated(written, Findings()) if isinstance(written, Mapping) else None
    if section is None or not isinstance(written, Mapping):
        return None
    short = short_key(written)
    place = short or written.key("name") or document.key("task")
    span = None if place is None else place.span
    named = short is not None or "name" in written.names
    parts = {**dict(_unwritten(spec)), **dict(_parts(spec, section))}
    return TaskText(spec.resolved.task.name, span, named, short is not None, parts)


def _unwritten(spec: Spec) -> Iterator[tuple[str, TaskPart]]:
    """What a section need not say: the families of the vocabulary that are alphabets, and how inputs are shown."""
    for name in spec.resolved.task.alphabets:
        yield f"alphabets / {name}", TaskPart(None, meaning=_tokens(spec, name))
    yield "shown", TaskPart(None, meaning=[word.name for word in spec.resolved.task.given])


def _parts(spec: Spec, section: Mapping) -> Iterator[tuple[str, TaskPart]]:
    for key, node in section.items:
        match key.text:
            case "sizes" | "name" | "order":
                continue
            case "alphabets" if isinstance(node, Mapping):
                for name, value in node.items:
                    yield f"alphabets / {name.text}", TaskPart(_text(value), value.span, _tokens(spec, name.text))
            case "columns" if isinstance(node, Mapping):
                yield from _columns(node)
            case "answer" if isinstance(node, Mapping):
                places = {"from": "1", **{name.text: _spaced(_text(value)) for name, value in node.items}}
                yield "answer", TaskPart(_text(node), node.span, places)
            case "numbers" | "suites" if not isinstance(node, Mapping):
                yield key.text, TaskPart(_text(node), node.span, sorted(_items(node)))
            case "shown" | "prompt" | "answer":
                yield key.text, TaskPart(_text(node), node.span, _items(node))
            case name:
                yield from _each(name, node)


def _columns(node: Mapping) -> Iterator[tuple[str, TaskPart]]:
    """A state that starts at 0 is the same as one that does not say where it starts."""
    states = node.get("state")
    yield from _each("columns", node.without("state"))
    for key, value in states.items if isinstance(states, Mapping) else ():
        size, start = (value.get("size"), value.get("start")) if isinstance(value, Mapping) else (value, None)
        path = f"columns / state / {key.text}"
        if size is not None:
            yield path, TaskPart(_text(size), size.span)
        if start is not None and _text(start) != "0":
            yield f"{path} / start", TaskPart(_text(start), start.span)


def _each(path: str, node: Node) -> Iterator[tuple[str, TaskPart]]:
    if isinstance(node, Mapping):
        for key, value in node.items:
            yield from _each(f"{path} / {_spaced(key.text)}", value)
    else:
        yield path, TaskPart(_text(node), node.span)


def _tokens(spec: Spec, alphabet: str) -> tuple[str, ...] | None:
    known = spec.resolved.task.alphabets.get(alphabet)
    return None if known is None else tuple(spec.resolved.vocabulary.labels[token] for token in known.tokens)


def _items(node: Node) -> list[str]:
    """The items of a list, also of one that is written as a text."""
    parts = node.items if isinstance(node, Sequence) else (node,)
    return [
        _spaced(item) if "[" in item else item
        for part in parts
        for item in ([str(as_data(part))] if isinstance(part, Mapping) else [word.text for word in words(part)])
    ]


def _spaced(text: str) -> str:
    """`next  carry` and `x[i<3]` with canonical spaces."""
    return spaced(text) or " ".join(text.split())


def _text(node: Node) -> str:
    match node:
        case Scalar(text=text):
            return " ".join(text.split())
        case Sequence(items=items):
            return " ".join(map(_text, items))
        case Mapping(items=pairs):
            return f"{{{', '.join(f'{key.text}: {_text(value)}' for key, value in pairs)}}}"
        case _:
            return ""
