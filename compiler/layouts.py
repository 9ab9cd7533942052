"""The layouts of a task section (`<bos> a + b =`) to slots."""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace

from compiler.axes import Axis
from compiler.diagnostics import Diagnostic, did_you_mean
from compiler.document import Mapping, Node, Scalar
from compiler.expressions.arithmetic import show
from compiler.expressions.evaluate import integer
from compiler.expressions.scope import Scope
from compiler.formulas import Word, attempt, read_text
from compiler.limits import MAX_CONTEXT
from compiler.naming import words
from compiler.tasks import Task
from compiler.tasks.layout import Layout, Slot

_REPEATED = re.compile(r"(?P<item>.+)\*(?P<times>[^*]+)")


def read_layout(
    task_node: Mapping, task: Task, vocabulary: Axis, scope: Scope, found: list[Diagnostic]
) -> Layout | None:
    """Prompt and answer of a task; every token counts as one that can be predicted until the network is known."""
    symbols = _symbols(task_node, task, vocabulary, found)
    if symbols is None:
        return None
    before = len(found)
    order = task_node.get("order")
    reverse = isinstance(order, Scalar) and order.text == "least_significant_first"
    slots = {}
    for part, needed in (("prompt", task.operands), ("answer", task.answers)):
        key, node = task_node.key(part), task_node.get(part)
        if key is None or node is None:
            return None  # the schema has reported it
        errors = len(found)
        slots[part] = _Words(needed, symbols, vocabulary, reverse, scope).slots(node, found)
        if len(found) == errors:
            missing = [word for word in needed if all(slot.word != word for slot in slots[part])]
            found += [Diagnostic("task", f"the {part} lacks '{word}'", key.span) for word in missing]
    return Layout(slots["prompt"], slots["answer"], symbols, vocabulary.size) if len(found) == before else None


def with_classes(layout: Layout, classes: int) -> Layout:
    """The layout for a network whose logits cover the first `classes` tokens."""
    return replace(layout, classes=classes)


def _symbols(task_node: Mapping, task: Task, vocabulary: Axis, found: list[Diagnostic]) -> tuple[int, ...] | None:
    """The tokens that stand for the task's symbols: the family `digit`, or the only family there is."""
    families = [family for family in vocabulary.families if family.sizes]
    family = vocabulary.family("digit") or (families[0] if len(families) == 1 else None)
    key = task_node.key(task.kind)
    if family is None or family.size < task.symbols:
        has = f"'{family}'" if family else "none"
        message = f"{task.kind} needs a family of {task.symbols} tokens for its symbols; the vocabulary has {has}"
        span = key.span if key is not None else task_node.span
        found.append(Diagnostic("task", message, span, f"write digit[{task.symbols}] in `vocabulary`"))
        return None
    start = vocabulary.starts[family.name]
    return tuple(range(start, start + task.symbols))


@dataclass(frozen=True)
class _Words:
    """What the items of a layout can mean: words of the task by their lengths, symbols, tokens."""

    lengths: AnyMapping[str, int]
    symbols: tuple[int, ...]
    vocabulary: Axis
    reverse: bool
    scope: Scope

    def slots(self, node: Node, found: list[Diagnostic]) -> tuple[Slot, ...]:
        slots: list[Slot] = []
        for word in words(node):
            slots += self._repeated(word, found)
            if len(slots) > MAX_CONTEXT:
                found.append(Diagnostic("too-large", f"more than {MAX_CONTEXT} tokens", word.span))
                return ()
        return tuple(slots)

    def _repeated(self, word: Word, found: list[Diagnostic]) -> list[Slot]:
        """The slots of an item, or of `ITEM*TIMES`."""
        if word.text in self.lengths and self.vocabulary.family(word.text) is not None:
            found.append(Diagnostic("name-clash", f"'{word.text}' is a token and a word of the task", word.span))
            return []
        whole = self._item(word.text)
        if whole is not None:
            return whole
        match = _REPEATED.fullmatch(word.text)
        item = self._item(match["item"]) if match else None
        if match is None or item is None:
            known = [*self.lengths, *(family.name for family in self.vocabulary.families)]
            message = f"no token or word '{word.text}' here{did_you_mean(word.text, known)}"
            found.append(Diagnostic("unknown-name", message, word.span))
            return []
        formula = read_text(Word(match["times"], word.scalar, word.offset + match.start("times")), found)
        times = attempt(formula, self.scope, integer, found) if formula is not None else None
        if times is None:
            return []
        if not 0 <= times * len(item) <= MAX_CONTEXT:
            found.append(Diagnostic("index-range", f"cannot repeat {show(times)} times", word.span))
            return []
        return item * times

    def _item(self, text: str) -> list[Slot] | None:
        """A word of the task, a token, or a symbol written as an integer."""
        if text in self.lengths:
            order = range(self.lengths[text])
            return [Slot(None, text, index) for index in (reversed(order) if self.reverse else order)]
        family = self.vocabulary.family(text)
        if family is not None and not family.sizes:
            return [Slot(self.vocabulary.starts[text])]
        if text in self.vocabulary.labels:
            return [Slot(self.vocabulary.labels.index(text))]
        if text.isascii() and text.isdigit() and len(text) < 9 and int(text) < len(self.symbols):
            return [Slot(self.symbols[int(text)])]
        return None
