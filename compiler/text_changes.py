"""What is written differently in two specs: names, options, equations, in the order of the document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from compiler.definitions import Definition
from compiler.document import Mapping, Node, Scalar, plain
from compiler.pipeline import Spec
from compiler.source import Span
from compiler.tasks import TASKS

Section = Literal["spec", "constant", "size", "parameter", "step", "equation", "option"]
MAPS = ("query", "key", "value", "output", "score", "gate", "up", "down", "logits", "bias")
BY_DIMENSION = ("embedding", "position", "scale")  # steps whose keys are tokens or dimensions


@dataclass(frozen=True)
class TextChange:
    """Something written that differs; None where it is missing on one side."""

    section: Section
    path: str
    before: str | None
    after: str | None
    span_before: Span | None = None
    span_after: Span | None = None


def text_changes(before: Spec, after: Spec) -> tuple[TextChange, ...]:
    """Everything that is written differently."""
    return (*_top(before, after), *_definitions(before, after), *_network(before, after))


def _top(before: Spec, after: Spec) -> Iterator[TextChange]:
    skipped = {"constants", "parameters", "network", "task"}
    first, second = before.resolved.document, after.resolved.document
    for key in dict.fromkeys([*first.names, *second.names]):
        if key not in skipped:
            yield from _lines("spec", key, first.get(key), second.get(key))
    tasks = [side if isinstance(side, Mapping) else None for side in (first.get("task"), second.get("task"))]
    kinds = [
        None if side is None else next((key for key, _ in side.items if key.text in TASKS), None) for side in tasks
    ]
    yield from _compare("spec", "task", *kinds)
    for key in dict.fromkeys(name for side in tasks if side is not None for name in side.names):
        if key not in TASKS:  # sizes are compared as definitions
            yield from _lines("spec", f"task.{key}", *(None if side is None else side.get(key) for side in tasks))


def _kind(task: Mapping | None) -> Scalar | None:
    return next((key for key, _ in task.items if key.text in TASKS), None) if task is not None else None


def _definitions(before: Spec, after: Spec) -> Iterator[TextChange]:
    first, second = before.resolved.definitions, after.resolved.definitions
    for name in dict.fromkeys([*first, *second]):
        old, new = first.get(name), second.get(name)
        known = new or old
        assert known is not None
        if old is None or new is None or old.text != new.text or old.kind != new.kind:
            yield TextChange(
                known.kind, name, _shown(old), _shown(new), old.span if old else None, new.span if new else None
            )


def _shown(definition: Definition | None) -> str | None:
    return definition.text if definition is not None else None


def _network(before: Spec, after: Spec) -> Iterator[TextChange]:
    first, second = before.resolved.document.get("network"), after.resolved.document.get("network")
    assert isinstance(first, Mapping)
    assert isinstance(second, Mapping)
    for key in dict.fromkeys([*first.names, *second.names]):
        old, new = first.get(key), second.get(key)
        if old is None or new is None:
            yield from _compare("step", key, _presence(old), _presence(new))
        yield from _lines("equation" if key.split(" ")[0] in BY_DIMENSION else "option", key, old, new)
    common = [key for key in first.names if second.get(key) is not None]
    order = [key for key in second.names if first.get(key) is not None]
    if common != order:
        yield TextChange("step", "order", " → ".join(common), " → ".join(order), first.span, second.span)


def _presence(node: Node | None) -> Node | None:
    return None if node is None else Scalar("present", "present", node.span)


def _lines(section: Section, path: str, old: Node | None, new: Node | None) -> Iterator[TextChange]:
    """What differs under a key; mappings on both sides, such as the rows of an embedding, are walked."""
    sides = [side for side in (old, new) if isinstance(side, Mapping)]
    if sides and all(side is None or isinstance(side, Mapping) for side in (old, new)):
        for key in dict.fromkeys(name for side in sides for name in side.names):
            inner: Section = "equation" if key.split(" ")[0] in MAPS and section == "option" else section
            below = (side.get(key) if isinstance(side, Mapping) else None for side in (old, new))
            yield from _lines(inner, f"{path} / {key}", *below)
    else:
        yield from _compare(section, path, old, new)


def _compare(section: Section, path: str, old: Node | None, new: Node | None) -> Iterator[TextChange]:
    if _text(old) != _text(new):
        yield TextChange(section, path, _text(old), _text(new), old.span if old else None, new.span if new else None)


def _text(node: Node | None) -> str | None:
    if node is None:
        return None
    return " ".join(node.text.split()) if isinstance(node, Scalar) else str(plain(node))
