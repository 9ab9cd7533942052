"""The numbers of the spec that another number was computed from: definitions and literals, each with its line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from compiler.expressions.scope import NAMED_NUMBERS
from compiler.expressions.values import Leaf, Matrix, Number, Provenance, Vector
from compiler.language.definitions import Definition
from compiler.language.keys import SECTION_OF
from compiler.pipeline import Spec
from compiler.source.document import Mapping, Node, Scalar, Sequence
from compiler.source.text import Span

DocumentPath = tuple[tuple[Scalar, Node], ...]  # keys of the document with their values, from the outside
_Owners = dict[Provenance, tuple[Definition, tuple[int, ...], Number]]


@dataclass(frozen=True)
class SourceNumber:
    """A number of the spec that another was computed from: an element of a definition, or a literal without a name.

    `parts` are the numbers that it was computed from, as positions in the list that has it. `rounded`: it is a number
    of the dtype.
    """

    name: str
    kind: str
    value: int | float
    written: str
    span: Span
    parts: tuple[int, ...] = ()
    rounded: bool = False


def source_numbers(spec: Spec, root: Provenance) -> tuple[tuple[SourceNumber, ...], tuple[int, ...]]:
    """Every number that `root` was computed from, each once, and the positions of those that it reads directly."""
    owners: _Owners = {
        item.provenance: (definition, index, item)
        for definition in spec.resolved.definitions.values()
        for index, item in _elements(definition)
    }
    first = _visible((root,), owners)
    read: dict[Provenance, list[Provenance]] = {}
    todo = first[::-1]
    while todo:
        origin = todo.pop()
        if origin not in read:
            read[origin] = _read_by(origin, owners)
            todo += read[origin][::-1]
    at = {origin: position for position, origin in enumerate(read)}
    nodes = _nodes(spec.resolved.document)
    numbers = (
        replace(_number(origin, owners, nodes), parts=tuple(map(at.__getitem__, read[origin]))) for origin in read
    )
    return tuple(numbers), tuple(map(at.__getitem__, first))


def _visible(starts: tuple[Provenance, ...], owners: _Owners) -> list[Provenance]:
    """The nearest definitions and literals, from left to right. A literal that stands twice in a line comes once."""
    nearest: dict[tuple[object, ...], Provenance] = {}
    seen: set[Provenance] = set()
    todo = list(starts[::-1])
    while todo:
        origin = todo.pop()
        if origin in seen:
            continue
        seen.add(origin)
        if origin in owners:
            nearest[origin,] = origin
        elif origin.leaf is not None and origin.leaf.kind in ("literal", "parameter"):  # an index is told by the target
            span = origin.leaf.span
            nearest.setdefault(
                (origin.leaf.kind, origin.leaf.name, origin.leaf.value, span.source.name, span.line), origin
            )
        else:
            todo += origin.parts[::-1]
    return list(nearest.values())


def _read_by(origin: Provenance, owners: _Owners) -> list[Provenance]:
    """What a number was computed from; nothing where it is a literal, or was written as one."""
    if origin not in owners:
        return []
    inner = origin.sources or origin.parts
    leaf = inner[0].leaf if len(inner) == 1 and inner[0] not in owners else None
    return [] if leaf is not None and _is_unnamed(leaf) else _visible(inner, owners)


def _is_unnamed(leaf: Leaf) -> bool:
    return leaf.kind == "literal" and leaf.name not in NAMED_NUMBERS


def _number(origin: Provenance, owners: _Owners, nodes: dict[str, Node]) -> SourceNumber:
    if origin in owners:
        definition, index, item = owners[origin]
        label = f"[{', '.join(map(str, index))}]" if index else ""
        written, span = _written(definition, index, nodes.get(definition.name))
        return SourceNumber(definition.name + label, definition.kind, item.value, written, span, rounded=item.rounded)
    assert origin.leaf is not None
    name = "" if _is_unnamed(origin.leaf) else origin.leaf.name
    return SourceNumber(name, origin.leaf.kind, origin.leaf.value, origin.leaf.span.text, origin.leaf.span)


def _elements(definition: Definition) -> Iterator[tuple[tuple[int, ...], Number]]:
    match definition.value:
        case Number() as item:
            yield (), item
        case Vector(items=items):
            yield from (((i,), item) for i, item in enumerate(items))
        case Matrix(rows=rows):
            yield from (((i, j), item) for i, row in enumerate(rows) for j, item in enumerate(row))


def _nodes(document: Mapping) -> dict[str, Node]:
    """What is written for each definition, by its name."""
    task = document.get("task")
    sizes = [value for _, value in task.items] if isinstance(task, Mapping) else []
    sections = (*sizes, *map(document.get, SECTION_OF.values()))
    return {key.text: value for part in sections if isinstance(part, Mapping) for key, value in part.items}


def _written(definition: Definition, index: tuple[int, ...], node: Node | None) -> tuple[str, Span]:
    """The text of one element of a definition, where the elements are written one by one; else all of it."""
    for i in index:
        if isinstance(node, Sequence):
            node = node.items[i]
    if isinstance(node, Scalar):
        return " ".join(node.text.split()), node.span
    return definition.text, definition.span


def path_to(root: Node | None, span: Span) -> DocumentPath:
    """The keys below `root` that lead to the one at a place, or to the value there; none where it is elsewhere."""
    todo: list[tuple[Node, DocumentPath]] = [] if root is None else [(root, ())]
    while todo:
        node, path = todo.pop()
        for key, value in node.items if isinstance(node, Mapping) else ():
            inner = (*path, (key, value))
            if span in (key.span, value.span):
                return inner
            todo.append((value, inner))
        if isinstance(node, Sequence):
            if any(item.span == span for item in node.items):
                return path
            todo += [(item, path) for item in node.items]
    return ()
