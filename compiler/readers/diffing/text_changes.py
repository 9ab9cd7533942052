"""What is written differently in two specs: names, options, equations, in the order of the document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Literal

from compiler.expressions.spacing import spaced, structure
from compiler.language.definitions import Definition
from compiler.language.keys import BY_DIMENSION, MAPS, SECTION_OF
from compiler.pipeline import Spec
from compiler.readers.diffing.matching import NameMatch
from compiler.readers.diffing.task_changes import LAYOUT, TaskPart, task_text
from compiler.source.document import Mapping as Document
from compiler.source.document import Node, Scalar, as_data
from compiler.source.showing import short_repr
from compiler.source.text import Span

Section = Literal["spec", "constant", "size", "parameter", "derived", "step", "equation", "option"]
EQUATIONS = (*MAPS, "score", "bias")  # what a key of equations starts with
WORD = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)")
MAX_RENAMINGS = 64  # of one key that are looked for


@dataclass(frozen=True)
class TextChange:
    """Something written that differs; None where it is missing on one side.

    `section_before` is there where it is a number with a name that was in another section: a constant is a parameter.
    """

    section: Section
    path: str
    before: str | None
    after: str | None
    span_before: Span | None = None
    span_after: Span | None = None
    section_before: Section | None = None

    __repr__ = short_repr


class Renaming:
    """Which words of two texts stand for the same thing."""

    def __init__(self, names: Iterable[NameMatch] = ()) -> None:
        self._images: dict[str, dict[str, None]] = {}
        for match in names:
            old, new = _words(match.before), _words(match.after)
            for old_word, new_word in zip(old, new, strict=False) if len(old) == len(new) else ():
                are_names = old_word.isidentifier() and new_word.isidentifier()  # never one sign for another
                if are_names and old_word != new_word:
                    self._images.setdefault(old_word, {})[new_word] = None

    def same(self, before: str | None, after: str | None) -> bool:
        """Whether two texts differ in such words alone."""
        if before == after or before is None or after is None:
            return before == after
        old, new = _words(before), _words(after)
        return len(old) == len(new) and all(
            new_word in self._of(old_word) for old_word, new_word in zip(old, new, strict=True)
        )

    def keys(self, before: Sequence[str], after: Sequence[str]) -> dict[str, str]:
        """The keys of the first text, each with the key of the second that it stands for."""
        names = {key: key for key in before if key in after}
        left = dict.fromkeys(key for key in after if key not in names)
        for key in before:
            if key not in names and left:
                other = next((candidate for candidate in self._renamings(key) if candidate in left), None)
                if other is not None:
                    del left[other]
                    names[key] = other
        return names

    def _of(self, word: str) -> tuple[str, ...]:
        return (*self._images.get(word, ()), word)

    def _renamings(self, key: str) -> Iterator[str]:
        """What a key may be called in the second text; nothing where there are too many choices."""
        words = re.split(WORD, key)
        choices = [self._of(word) for word in words]
        if prod(map(len, choices)) <= MAX_RENAMINGS:
            yield from map("".join, product(*choices))


def _words(text: str) -> list[str]:
    return [word for word in re.split(WORD, text) if word.strip()]


def text_changes(before: Spec, after: Spec, renaming: Renaming, defined: Mapping[str, str]) -> tuple[TextChange, ...]:
    """Everything that is written differently, apart from names that stand for the same thing.

    `defined` maps the old names of numbers to the new ones. What was renamed goes by its new name.
    """
    walk = _Walk(renaming)
    return (*walk.top(before, after), *walk.definitions(before, after, defined), *walk.network(before, after))


@dataclass(frozen=True)
class _Walk:
    renaming: Renaming

    def top(self, before: Spec, after: Spec) -> Iterator[TextChange]:
        skipped = {*SECTION_OF.values(), "network", "task"}
        first, second = before.resolved.document, after.resolved.document
        for key in dict.fromkeys([*first.names, *second.names]):
            if key not in skipped:
                yield from self.lines("spec", key, first.get(key), second.get(key))
        yield from self.task(before, after)

    def task(self, before: Spec, after: Spec) -> Iterator[TextChange]:
        """What is said differently about the task; its sizes are compared as definitions."""
        old, new = task_text(before), task_text(after)
        if old is None or new is None:
            if old is not new:
                was, now = (None if side is None else TaskPart(side.name, side.span) for side in (old, new))
                yield from self.task_part("", was, now)
            return
        others = old.of_package and new.of_package and old.name != new.name
        changes = [
            change
            for path in dict.fromkeys([*old.parts, *new.parts])
            if not others or path.split(" ")[0] in LAYOUT
            for change in self.task_part(path, old.parts.get(path), new.parts.get(path))
        ]
        if (old.named and new.named) or (changes and (old.named or new.named)):
            yield from self.task_part("", TaskPart(old.name, old.span), TaskPart(new.name, new.span))
        yield from changes
        sections = [spec.resolved.document.get("task") for spec in (before, after)]
        orders = [section.get("order") if isinstance(section, Document) else None for section in sections]
        yield from self.lines("spec", "task.order", *orders)

    def task_part(self, path: str, old: TaskPart | None, new: TaskPart | None) -> Iterator[TextChange]:
        if old is not None and new is not None and old.meaning is not None and old.meaning == new.meaning:
            return
        was, now = (None if part is None else part.text for part in (old, new))
        if not self.alike(was, now):
            spans = [None if part is None else part.span for part in (old, new)]
            yield TextChange("spec", f"task.{path}".strip("."), was, now, spans[0], spans[1])

    def alike(self, before: str | None, after: str | None) -> bool:
        """Whether two texts are one expression, or differ in names that stand for the same thing alone."""
        if self.renaming.same(before, after):
            return True
        return before is not None and after is not None and structure(before) == structure(after) is not None

    def definitions(self, before: Spec, after: Spec, defined: Mapping[str, str]) -> Iterator[TextChange]:
        first, second = before.resolved.definitions, after.resolved.definitions
        pairs: list[tuple[Definition | None, Definition | None]] = []
        pairs += [(definition, second.get(defined.get(name, ""))) for name, definition in first.items()]
        pairs += [(None, definition) for name, definition in second.items() if name not in defined.values()]
        for old, new in pairs:
            known = new or old
            assert known is not None
            was, now = (None if definition is None else definition.text for definition in (old, new))
            moved = old.kind if old is not None and new is not None and old.kind != new.kind else None
            if moved or not self.alike(was, now):
                spans = [None if definition is None else definition.span for definition in (old, new)]
                yield TextChange(known.kind, known.name, was, now, spans[0], spans[1], moved)

    def network(self, before: Spec, after: Spec) -> Iterator[TextChange]:
        first, second = before.resolved.document.get("network"), after.resolved.document.get("network")
        assert isinstance(first, Document)
        assert isinstance(second, Document)
        keys = self.renaming.keys(first.names, second.names)
        for path, old, new in self.pairs(first, second, keys):
            if old is None or new is None:
                yield from self.compare("step", path, _presence(old), _presence(new))
            yield from self.lines("equation" if path.split(" ")[0] in BY_DIMENSION else "option", path, old, new)
        common = [keys[key] for key in first.names if key in keys]
        order = [key for key in second.names if key in set(common)]
        if common != order:
            yield TextChange("step", "order", " → ".join(common), " → ".join(order), first.span, second.span)

    def pairs(
        self, first: Document | None, second: Document | None, keys: Mapping[str, str] | None = None
    ) -> Iterator[tuple[str, Node | None, Node | None]]:
        """What stands under each key in both, the old keys first, with the new key where there is one."""
        old, new = _by_key(first), _by_key(second)
        if keys is None:
            keys = self.renaming.keys(tuple(old), tuple(new))
        for name, node in old.items():
            yield keys.get(name, name), node, new.get(keys.get(name, name))
        matched = set(keys.values())
        for name, node in new.items():
            if name not in matched:
                yield name, None, node

    def lines(self, section: Section, path: str, old: Node | None, new: Node | None) -> Iterator[TextChange]:
        """What differs under a key; mappings on both sides, such as the rows of an embedding, are walked."""
        first = old if isinstance(old, Document) else None
        second = new if isinstance(new, Document) else None
        if (first or second) and all(side is None or isinstance(side, Document) for side in (old, new)):
            for key, below, other in self.pairs(first, second):
                inner: Section = "equation" if key.split(" ")[0] in EQUATIONS and section == "option" else section
                yield from self.lines(inner, f"{path} / {key}", below, other)
        else:
            yield from self.compare(section, path, old, new)

    def compare(self, section: Section, path: str, old: Node | None, new: Node | None) -> Iterator[TextChange]:
        same = self.renaming.same if section == "spec" else self.alike
        if not same(_text(old), _text(new)):
            spans = [node.span if node else None for node in (old, new)]
            yield TextChange(section, path, _text(old), _text(new), spans[0], spans[1])


def _by_key(node: Document | None) -> dict[str, Node]:
    """What stands under each key; keys have canonical spaces where that leaves them apart."""
    items = () if node is None else node.items
    written = {key.text: value for key, value in items}
    respelled = {_key(key.text): value for key, value in items}
    return respelled if len(respelled) == len(written) else written


def _key(text: str) -> str:
    """`up  c[ i ]` as `up c[i]`."""
    single = re.sub(r"(?<=\S) +", " ", text, count=1)
    return (spaced(single) or single) if "[" in text else single


def _presence(node: Node | None) -> Node | None:
    return None if node is None else Scalar("present", "present", node.span)


def _text(node: Node | None) -> str | None:
    if node is None:
        return None
    return " ".join(node.text.split()) if isinstance(node, Scalar) else str(as_data(node))
