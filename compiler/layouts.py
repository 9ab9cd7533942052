"""The layouts of a task section (`<bos> a + b =`) to slots."""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from dataclasses import replace

from compiler.axes import Axis, Family
from compiler.diagnostics import Diagnostic, did_you_mean
from compiler.document import Mapping, Node
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
    reverse = getattr(order, "text", "") == "least_significant_first"
    prompt = _slots(task_node.get("prompt"), task.operands, symbols, vocabulary, reverse, scope, found)
    answer = _slots(task_node.get("answer"), task.answers, symbols, vocabulary, reverse, scope, found)
    if len(found) > before:
        return None
    for part, slots, needed in (("prompt", prompt, task.operands), ("answer", answer, task.answers)):
        key = task_node.key(part)
        span = key.span if key is not None else task_node.span
        missing = [word for word in needed if all(slot.word != word for slot in slots)]
        found += [Diagnostic("task", f"the {part} lacks '{word}'", span) for word in missing]
    if len(found) > before:
        return None
    return Layout(prompt, answer, symbols, vocabulary.size)


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


def _slots(
    node: Node | None,
    operands: AnyMapping[str, int],
    symbols: tuple[int, ...],
    vocabulary: Axis,
    reverse: bool,
    scope: Scope,
    found: list[Diagnostic],
) -> tuple[Slot, ...]:
    slots: list[Slot] = []
    for word in words(node) if node is not None else ():
        if word.text in operands and vocabulary.family(word.text) is not None:
            found.append(Diagnostic("name-clash", f"'{word.text}' is a token and a word of the task", word.span))
            continue
        one = _item(word, word.text, operands, symbols, vocabulary, reverse)
        match = _REPEATED.fullmatch(word.text) if one is None else None
        if match:
            one = _item(word, match["item"], operands, symbols, vocabulary, reverse)
            formula = read_text(Word(match["times"], word.scalar, word.offset + match.start("times")), found)
            times = attempt(formula, scope, integer, found) if formula else None
            if times is None:
                continue
            if not 0 <= times * len(one or ()) <= MAX_CONTEXT:
                found.append(Diagnostic("index-range", f"cannot repeat {show(times)} times", word.span))
                continue
            one = one * times if one is not None else None
        if one is None:
            known = [*operands, *(family.name for family in vocabulary.families)]
            message = f"no token or word '{word.text}' here{did_you_mean(word.text, known)}"
            found.append(Diagnostic("unknown-name", message, word.span))
            continue
        slots += one
        if len(slots) > MAX_CONTEXT:
            found.append(Diagnostic("too-large", f"more than {MAX_CONTEXT} tokens", word.span))
            return ()
    return tuple(slots)


def _item(
    word: Word, text: str, operands: AnyMapping[str, int], symbols: tuple[int, ...], vocabulary: Axis, reverse: bool
) -> list[Slot] | None:
    """The slots of one item: a token, a symbol written as an integer, or all symbols of a word."""
    family: Family | None = vocabulary.family(text)
    if text in operands:
        order = range(operands[text])
        return [Slot(None, text, index) for index in (reversed(order) if reverse else order)]
    if family is not None and not family.sizes:
        return [Slot(vocabulary.starts[text])]
    if text in vocabulary.labels:
        return [Slot(vocabulary.labels.index(text))]
    if text.isascii() and text.isdigit() and len(text) < 9 and int(text) < len(symbols):
        return [Slot(symbols[int(text)])]
    return None
