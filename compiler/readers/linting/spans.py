"""Where something is written in a spec, if the network does not know it."""

from __future__ import annotations

from compiler.expressions.naming import words
from compiler.pipeline import Spec
from compiler.source.document import Mapping, Node, Scalar
from compiler.source.extends import step_name
from compiler.source.text import Span


def top_level(spec: Spec, *path: str) -> Span | None:
    """The value under a key of the spec, or under keys within it; where it is a mapping, the key."""
    node: Node | None = spec.resolved.document
    key: Scalar | None = None
    for name in path:
        if not isinstance(node, Mapping) or node.key(name) is None:
            return None
        key, node = node.key(name), node.get(name)
    return key.span if key is not None and isinstance(node, Mapping) else None if node is None else node.span


def step_key(spec: Spec, name: str) -> Scalar | None:
    """The key of a step in `network`."""
    network = spec.resolved.document.get("network")
    keys = (key for key, _ in network.items) if isinstance(network, Mapping) else ()
    return next((key for key in keys if step_name(key.text) == name), None)


def step_body(spec: Spec, name: str) -> Node | None:
    """What is written under that key."""
    key, network = step_key(spec, name), spec.resolved.document.get("network")
    return None if key is None or not isinstance(network, Mapping) else network.get(key.text)


def option(spec: Spec, step: str, name: str) -> Span | None:
    """The value of an option of a step, its own or the default; the step's key where neither is written."""
    for holder in (step_body(spec, step), spec.resolved.document.get("defaults")):
        node = holder.get(name) if isinstance(holder, Mapping) else None
        if node is not None:
            return node.span
    key = step_key(spec, step)
    return None if key is None else key.span


def in_layout(spec: Spec, part: str, item: str, *, last: bool = False) -> Span | None:
    """The first place of a word or a token in `prompt` or `answer` of the task, or the last one; all of the layout
    where it is not seen.
    """
    task = spec.resolved.document.get("task")
    node = task.get(part) if isinstance(task, Mapping) else None
    if node is None:
        return None
    places = [word.span for word in words(node) if word.text.partition("*")[0].strip("'\"") == item]
    return places[-1 if last else 0] if places else node.span
