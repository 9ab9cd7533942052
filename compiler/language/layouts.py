"""The layouts of a task section (`<bos> a + b =`) to slots."""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Literal

from compiler.expressions.arithmetic import exact_figure
from compiler.expressions.axes import Axis
from compiler.expressions.evaluate import integer_value
from compiler.expressions.formulas import Word, attempt, read_text
from compiler.expressions.naming import words
from compiler.expressions.scope import Scope
from compiler.source.diagnostics import Diagnostic, Findings, did_you_mean
from compiler.source.document import Mapping, Node, Scalar
from compiler.source.limits import MAX_CONTEXT
from compiler.tasks import Task
from compiler.tasks.layout import Layout, Slot, symbol_of

_Part = Literal["prompt", "answer"]
_QUOTED = re.compile(r"""(?P<quote>['"])(?P<token>.+)(?P=quote)""")
_MOST_STARS = 16  # of ITEM*TIMES; a token may hold some


def read_layout(task_node: Mapping, task: Task, vocabulary: Axis, scope: Scope, findings: Findings) -> Layout | None:
    """Prompt and answer of a task; every token counts as one that can be predicted until the network is known."""
    symbols = _symbols(task_node, task, vocabulary, findings)
    if symbols is None:
        return None
    before = len(findings)
    words_of = partial(_Words, symbols=symbols, vocabulary=vocabulary, scope=scope)
    prompt = _slots(task_node, "prompt", words_of(task.operands), findings)
    in_place = task_node.get("answer")
    if isinstance(in_place, Mapping):
        if len(findings) > before:
            return None
        return _read_in_place(in_place, prompt, task, symbols, vocabulary, findings)
    answer = _slots(task_node, "answer", words_of(task.answers), findings)
    return Layout(prompt, answer, symbols, vocabulary.size) if len(findings) == before else None


def _slots(task_node: Mapping, part: _Part, words_of_part: _Words, findings: Findings) -> tuple[Slot, ...]:
    key, node = task_node.key(part), task_node.get(part)
    if key is None or node is None:
        return ()  # the schema has reported it
    before = len(findings)
    reverse = _order(task_node, part) == "least_significant_first"
    slots = replace(words_of_part, reverse=reverse).slots(node, findings)
    if len(findings) == before:
        missing = [word for word in words_of_part.lengths if all(slot.word != word for slot in slots)]
        findings.report(*(Diagnostic("task", f"the {part} lacks '{word}'", key.span) for word in missing))
    return slots


def _order(task_node: Mapping, part: _Part) -> str:
    order = task_node.get("order")
    if isinstance(order, Mapping):
        order = order.get("operands" if part == "prompt" else part)
    return order.text if isinstance(order, Scalar) else ""


def _read_in_place(
    node: Mapping,
    prompt: tuple[Slot, ...],
    task: Task,
    symbols: tuple[int, ...],
    vocabulary: Axis,
    findings: Findings,
) -> Layout | None:
    """`answer: {in_place: word}`: symbol i of the answer is what the model says where symbol i of the word stands."""
    word = node.get("in_place")
    if not isinstance(word, Scalar):
        return None
    position_of = {slot.index: position for position, slot in enumerate(prompt) if slot.word == word.text}
    if word.text not in task.operands:
        message = f"no word '{word.text}' in the prompt{did_you_mean(word.text, task.operands)}"
        findings.report(Diagnostic("unknown-name", message, word.span))
        return None
    (answer, length), *others = task.answers.items()
    if others or length != task.operands[word.text]:
        message = f"'{answer}' has {length} symbols and '{word.text}' {task.operands[word.text]}: no place for each"
        findings.report(Diagnostic("task", message, word.span, "write the answer after the prompt"))
        return None
    slots = tuple(Slot(None, answer, index) for index in range(length))
    return Layout(prompt, slots, symbols, vocabulary.size, tuple(position_of[index] for index in range(length)))


def with_classes(layout: Layout, classes: int) -> Layout:
    """The layout for a network whose logits cover the first `classes` tokens."""
    return replace(layout, classes=classes)


def _symbols(task_node: Mapping, task: Task, vocabulary: Axis, findings: Findings) -> tuple[int, ...] | None:
    """The tokens that stand for the task's symbols: the family that it names, or the only family there is."""
    families = [family for family in vocabulary.families if family.sizes]
    family = vocabulary.family(task.family) or (families[0] if len(families) == 1 else None)
    key = task_node.key(task.kind)
    if family is None or family.size < task.symbols:
        has = f"'{family}'" if family else "none"
        message = f"{task.kind} needs a family of {task.symbols} tokens for its symbols; the vocabulary has {has}"
        span = key.span if key is not None else task_node.span
        findings.report(Diagnostic("task", message, span, f"write {task.family}[{task.symbols}] in `vocabulary`"))
        return None
    start = vocabulary.starts[family.name]
    return tuple(range(start, start + task.symbols))


@dataclass(frozen=True)
class _Words:
    """What the items of a layout can mean: words of the task by their lengths, symbols, tokens."""

    lengths: AnyMapping[str, int]
    symbols: tuple[int, ...]
    vocabulary: Axis
    scope: Scope
    reverse: bool = False

    def slots(self, node: Node, findings: Findings) -> tuple[Slot, ...]:
        slots: list[Slot] = []
        for word in words(node):
            slots += self._repeated(word, findings)
            if len(slots) > MAX_CONTEXT:
                findings.report(Diagnostic("too-large", f"more than {MAX_CONTEXT} tokens", word.span))
                return ()
        return tuple(slots)

    def _repeated(self, word: Word, findings: Findings) -> list[Slot]:
        """The slots of an item, or of `ITEM*TIMES`."""
        if word.text in self.lengths and self.vocabulary.family(word.text) is not None:
            message = f"'{word.text}' is a token and a word of the task"
            findings.report(Diagnostic("name-clash", message, word.span, "rename the token"))
            return []
        whole = self._item(word.text)
        if whole is not None:
            return whole
        stars = (match.start() for match in islice(re.finditer(r"\*", word.text), _MOST_STARS))
        items = ((at, self._item(word.text[:at])) for at in stars)
        star, item = next(((at, item) for at, item in items if item is not None), (0, None))
        if item is None:
            known = [*self.lengths, *(family.name for family in self.vocabulary.families)]
            message = f"no token or word '{word.text}' here{did_you_mean(word.text, known)}"
            findings.report(Diagnostic("unknown-name", message, word.span, self._apart(word.text.partition("*")[0])))
            return []
        formula = read_text(Word(word.text[star + 1 :], word.scalar, word.offset + star + 1), findings)
        times = attempt(formula, self.scope, integer_value, findings) if formula is not None else None
        if times is None:
            return []
        if not 0 <= times * len(item) <= MAX_CONTEXT:
            findings.report(Diagnostic("index-range", f"cannot repeat {exact_figure(times)} times", word.span))
            return []
        return item * times

    def _apart(self, text: str) -> str | None:
        """A hint for symbols that are written as one number, such as `00`."""
        if len(text) > 1 and all(symbol_of(character, len(self.symbols)) is not None for character in text):
            return f"symbols are written apart, as in `{text[0]} {text[1]}`"
        return None

    def _item(self, text: str) -> list[Slot] | None:
        """A word of the task, a token, also in quotes, or a symbol written as an integer."""
        quoted = _QUOTED.fullmatch(text)
        if quoted is not None:
            return self._token(quoted["token"])
        if text in self.lengths:
            order = range(self.lengths[text])
            return [Slot(None, text, index) for index in (reversed(order) if self.reverse else order)]
        token = self._token(text)
        if token is not None:
            return token
        symbol = symbol_of(text, len(self.symbols))
        return None if symbol is None else [Slot(self.symbols[symbol])]

    def _token(self, text: str) -> list[Slot] | None:
        family = self.vocabulary.family(text)
        if family is not None and not family.sizes:
            return [Slot(self.vocabulary.starts[text])]
        position = self.vocabulary.positions.get(text)
        return None if position is None else [Slot(position)]
