"""The layouts of a task section (`<bos> a + b =`) to slots."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Literal

from compiler.expressions.arithmetic import exact_figure
from compiler.expressions.axes import Axis, Family
from compiler.expressions.evaluate import integer_value
from compiler.expressions.formulas import Formula, Word, attempt, read_formula, read_text
from compiler.expressions.naming import words
from compiler.expressions.scope import Scope
from compiler.expressions.syntax import ExpressionNode, Indexed, Name, free_names
from compiler.expressions.values import index_number
from compiler.source.diagnostics import Diagnostic, Findings, did_you_mean
from compiler.source.document import Mapping, Node, Scalar, Sequence
from compiler.source.limits import MAX_CONTEXT
from compiler.source.text import Span
from compiler.tasks import Task
from compiler.tasks.layout import Alphabet, Layout, Slot, SymbolPlace
from compiler.tasks.reading import ANSWER, PROMPT
from compiler.tasks.statement import WordShape
from compiler.tasks.tokens import apart, named_token

_MOST_STARS = 16  # of ITEM*TIMES; a token may hold some
Part = Literal["prompt", "answer"]


def read_layout(node: Mapping, task: Task, vocabulary: Axis, scope: Scope, findings: Findings) -> Layout | None:
    """Prompt and answer of a task; every token counts as one that can be predicted until the network is known."""
    reading = _Reading(node, task, vocabulary, scope, findings)
    before = len(findings)
    layout = reading.of_cases() if task.cases else reading.layout()
    return layout if len(findings) == before else None


def with_classes(layout: Layout, classes: int) -> Layout:
    """The layout for a network whose logits cover the first `classes` tokens."""
    return replace(layout, classes=classes)


@dataclass(frozen=True)
class _Reading:
    """What the items of a layout can mean: words of the task, symbols, tokens."""

    node: Mapping
    task: Task
    vocabulary: Axis
    scope: Scope
    findings: Findings

    def report(self, code: str, message: str, span: Span, hint: str | None = None) -> None:
        self.findings.report(Diagnostic(code, message, span, hint))

    def layout(self) -> Layout | None:
        before = len(self.findings)
        if self.node.get("prompt") is None or self.node.get("answer") is None:
            return None  # the schema has reported it
        prompt = self.part("prompt", self.task.given)
        node = self.node.get("answer")
        if not isinstance(node, Mapping):
            answer = self.part("answer", self.task.answers)
            read_at: tuple[int, ...] = ()
        elif len(self.findings) > before:
            return None
        else:
            answer, read_at = self.read_in_prompt(node, prompt)
        window = self.window()
        if window is not None and read_at and window < len(prompt):
            place = self.node.key("window") or self.node.key("prompt")
            message = f"the answer is read in the prompt of {len(prompt)} tokens, and the window shows {window}"
            self.report("task", message, place.span if place is not None else self.node.span)
        return Layout(prompt, answer, self.vocabulary.size, self.spelling(), read_at, window)

    def of_cases(self) -> Layout:
        (given,), (answer,) = self.task.given, self.task.answers
        alphabet = self.task.alphabets[given.alphabet]
        slots = [tuple(_single(word, index, alphabet) for index in range(word.length)) for word in (given, answer)]
        for name in (PROMPT, ANSWER):
            key = self.node.key(name)
            if key is not None:
                self.report("task", f"cases have no `{name}`: each is laid out as it is written", key.span, "remove it")
        return Layout(slots[0], slots[1], self.vocabulary.size, self.spelling(), (), self.window())

    def spelling(self) -> dict[int, str]:
        """What people call the tokens of symbols; a token of several alphabets is called as in the first of them.

        What could be two tokens is called by its label.
        """
        found: dict[int, str] = {}
        for alphabet in self.task.alphabets.values():
            for token, text in zip(alphabet.tokens, alphabet.spelling, strict=True):
                found.setdefault(token, text)
        counts = Counter(found.get(token, label) for token, label in enumerate(self.vocabulary.labels))
        return {token: text for token, text in found.items() if counts[text] == 1}

    def window(self) -> int | None:
        node = self.node.get("window")
        formula = None if node is None else read_formula(node, self.findings)
        value = None if formula is None else attempt(formula, self.scope, integer_value, self.findings)
        if value is None or formula is None:
            return None
        if not 1 <= value <= MAX_CONTEXT:
            self.report(
                "index-range", f"a window of {exact_figure(value)} tokens; it has from 1 to {MAX_CONTEXT}", formula.span
            )
            return None
        return value

    def part(self, part: Part, needed: tuple[WordShape, ...]) -> tuple[Slot, ...]:
        key, node = self.node.key(part), self.node.get(part)
        if key is None or node is None:
            return ()
        before = len(self.findings)
        items = _Items(self, {word.name: word for word in needed}, self.order(part) == "least_significant_first")
        slots = items.slots(node)
        if len(self.findings) == before:
            self.check_written(part, needed, slots, key.span)
        return slots

    def order(self, part: Part) -> str:
        order = self.node.get("order")
        if isinstance(order, Mapping):
            order = order.get("operands" if part == "prompt" else part)
        return order.text if isinstance(order, Scalar) else ""

    def check_written(self, part: Part, needed: tuple[WordShape, ...], slots: tuple[Slot, ...], span: Span) -> None:
        """Each symbol of each word stands in its layout."""
        written = {(place.word, place.index) for slot in slots for place in slot.places}
        for word in needed:
            missing = [index for index in range(word.length) if (word.name, index) not in written]
            if len(missing) == word.length:
                self.report("task", f"the {part} lacks '{word.name}'", span)
            elif missing:
                self.report("task", f"the {part} lacks '{word.name}[{missing[0]}]'", span)
            if part == "answer":
                counts = Counter(place for slot in slots for place in slot.places if place.word == word.name)
                twice = next((place for place, count in counts.items() if count > 1), None)
                if twice is not None:
                    self.report("task", f"'{twice}' stands in the answer more than once", span)

    def read_in_prompt(self, node: Mapping, prompt: tuple[Slot, ...]) -> tuple[tuple[Slot, ...], tuple[int, ...]]:
        """The answer whose symbols are read off the logits of positions of the prompt, and these positions."""
        kinds = [(key, value) for key, value in node.items if key.text in ("at", "in_place", "next")]
        if len(kinds) != 1:
            place = kinds[1][0].span if kinds else node.items[0][0].span
            self.report("task", "an answer is read at one place: `at`, `in_place` or `next`", place)
            return (), ()
        key, value = kinds[0]
        start = node.key("from")
        if start is not None and key.text != "next":
            message = f"`from` says where `next` starts, and `{key.text}` has one place for each symbol"
            self.report("task", message, start.span, "remove it")
            return (), ()
        if not isinstance(value, Scalar):
            return (), ()
        if key.text == "at":
            return self._at(value, prompt)
        return self._by_word(key.text, value, node, prompt)

    def _at(self, token_node: Scalar, prompt: tuple[Slot, ...]) -> tuple[tuple[Slot, ...], tuple[int, ...]]:
        """`{at: TOKEN}`: what the model says where this token of the prompt stands."""
        token = named_token(token_node.text.strip(), self.vocabulary)
        if token is None:
            names = [family.name for family in self.vocabulary.families]
            message = f"no token '{token_node.text}'{did_you_mean(token_node.text, names)}"
            self.report("unknown-name", message, token_node.span)
            return (), ()
        positions = [position for position, slot in enumerate(prompt) if slot.token == token]
        if len(positions) != 1:
            where = "does not stand in the prompt" if not positions else "stands in the prompt more than once"
            self.report("task", f"'{token_node.text}' {where}: where is the answer read?", token_node.span)
            return (), ()
        answers = self.task.answers
        if len(answers) != 1 or answers[0].length != 1:
            total = _symbols(sum(word.length for word in answers))
            message = f"the answer has {total}, and one is read at '{token_node.text}'"
            self.report("task", message, token_node.span, "write the answer after the prompt")
            return (), ()
        return self.slots_of(answers[0]), (positions[0],)

    def _by_word(
        self, kind: str, word_node: Scalar, node: Mapping, prompt: tuple[Slot, ...]
    ) -> tuple[tuple[Slot, ...], tuple[int, ...]]:
        """`{in_place: WORD}`: symbol i of the answer is what the model says where symbol i of the word stands.
        `{next: WORD, from: N}`: what it says after N + i symbols of the word."""
        shape = next((word for word in self.task.given if word.name == word_node.text), None)
        if shape is None:
            names = [word.name for word in self.task.given]
            message = f"no word '{word_node.text}' in the prompt{did_you_mean(word_node.text, names)}"
            self.report("unknown-name", message, word_node.span)
            return (), ()
        first = self._read_from(node, shape) if kind == "next" else 0
        if first is None:
            return (), ()
        answer, *others = self.task.answers
        fits = answer.length == shape.length if kind == "in_place" else first + answer.length <= shape.length
        if others or not fits:
            listed = " and ".join(f"'{word.name}'" for word in self.task.answers)
            total = _symbols(answer.length + sum(word.length for word in others))
            left = f", of which {shape.length - first} are left" if first else ""
            message = f"{listed} has {total} and '{shape.name}' {_symbols(shape.length)}{left}: no place for each"
            self.report("task", message, word_node.span, "write the answer after the prompt")
            return (), ()
        places = {place.index: k for k, slot in enumerate(prompt) for place in slot.places if place.word == shape.name}
        return self.slots_of(answer), tuple(places[first + index] for index in range(answer.length))

    def _read_from(self, node: Mapping, shape: WordShape) -> int | None:
        """The index of the symbol of a word after which the answer is read first."""
        value = node.get("from")
        if value is None:
            return 0
        formula = read_formula(value, self.findings)
        first = None if formula is None else attempt(formula, self.scope, integer_value, self.findings)
        if first is None or 1 <= first <= shape.length:
            return None if first is None else first - 1
        message = f"'{shape.name}' has {_symbols(shape.length)}, and none of them is the last of {exact_figure(first)}"
        self.report("index-range", message, value.span, f"from 1 to {shape.length}")
        return None

    def slots_of(self, word: WordShape) -> tuple[Slot, ...]:
        alphabet = self.task.alphabets[word.alphabet]
        return tuple(_single(word, index, alphabet) for index in range(word.length))


def _symbols(count: int) -> str:
    return f"{count} symbol{'s' if count != 1 else ''}"


def _single(word: WordShape, index: int, alphabet: Alphabet) -> Slot:
    return Slot(None, (SymbolPlace(word.name, index, word.symbols),), alphabet.tokens)


@dataclass(frozen=True)
class _Items:
    """The items of prompt or answer: `shapes` are the words that can stand there; `reverse`: last symbol first."""

    reading: _Reading
    shapes: AnyMapping[str, WordShape]
    reverse: bool

    @property
    def vocabulary(self) -> Axis:
        return self.reading.vocabulary

    @property
    def findings(self) -> Findings:
        return self.reading.findings

    def slots(self, node: Node) -> tuple[Slot, ...]:
        slots: list[Slot] = []
        for item in node.items if isinstance(node, Sequence) else (node,):
            texts = Sequence((item,), item.span) if isinstance(node, Sequence) else item
            for part in (item,) if isinstance(item, Mapping) else words(texts):
                slots += self._each(part) if isinstance(part, Mapping) else self._repeated(part)
                if len(slots) > MAX_CONTEXT:
                    self.reading.report("too-large", f"more than {MAX_CONTEXT} tokens", part.span)
                    return ()
        return tuple(slots)

    def _each(self, node: Mapping) -> list[Slot]:
        """`{each: "address[i] value[i]"}`: the items again and again, for each value of the index."""
        body = node.get("each")
        if not isinstance(body, Scalar) or len(node.items) != 1:
            span = node.items[0][0].span if node.items else node.span
            self.reading.report("task", "an item is a word, a token, or `{each: ITEMS}`", span)
            return []
        listed = [(word, self._tree(word)) for word in words(body)]
        indices = {name: None for _, tree in listed if tree is not None for name in self._free(tree)}
        if len(indices) != 1:
            found = " and ".join(indices) or "none"
            message = f"the items of `each` read one index, found {found}"
            self.reading.report("task", message, body.span, 'such as `{each: "address[i] value[i]"}`')
            return []
        (index,) = indices
        trees = [tree for _, tree in listed if tree is not None]
        slots: list[Slot] = []
        for value in self._run(index, trees, body.span):
            for word, tree in listed:
                slots += self._of_tree(word, tree, {index: value}) if tree is not None else self._repeated(word)
        return slots

    def _repeated(self, word: Word) -> list[Slot]:
        """The slots of an item, or of `ITEM*TIMES`."""
        if word.text in self.shapes and named_token(word.text, self.vocabulary) is not None:
            message = f"'{word.text}' is a token and a word of the task"
            self.reading.report("name-clash", message, word.span, "rename the token")
            return []
        tree = self._tree(word)
        if tree is not None and tree.base.name in self.shapes and word.text in self.vocabulary.positions:
            message = f"'{word.text}' is a token and a symbol of the word '{tree.base.name}'"
            hint = "rename the word; a token in quotes is always the token"
            self.reading.report("name-clash", message, word.span, hint)
            return []
        whole = self._item(word.text)
        if whole is not None:
            return whole
        if tree is not None:
            return self._running(word, tree)
        stars = (match.start() for match in islice(re.finditer(r"\*", word.text), _MOST_STARS))
        star, item = next(((at, found) for at in stars if (found := self._item(word.text[:at])) is not None), (0, None))
        if item is None:
            self._unknown(word)
            return []
        formula = read_text(Word(word.text[star + 1 :], word.scalar, word.offset + star + 1), self.findings)
        times = attempt(formula, self.reading.scope, integer_value, self.findings) if formula is not None else None
        if times is None:
            return []
        if not 0 <= times * len(item) <= MAX_CONTEXT:
            self.reading.report("index-range", f"cannot repeat {exact_figure(times)} times", word.span)
            return []
        return item * times

    def _unknown(self, word: Word) -> None:
        alphabets = self._alphabets()
        if len(alphabets) > 1 and any(word.text in alphabet.symbols for alphabet in alphabets):
            names = " and ".join(f"'{alphabet.name}'" for alphabet in alphabets)
            message = f"'{word.text}' could be a symbol of {names}"
            first = next(alphabet for alphabet in alphabets if word.text in alphabet.symbols)
            token = self.vocabulary.labels[first.tokens[first.symbols[word.text]]]
            self.reading.report("task", message, word.span, f"write the token, such as `{token}`")
            return
        known = [*self.shapes, *(family.name for family in self.vocabulary.families)]
        message = f"no token or word '{word.text}' here{did_you_mean(word.text, known)}"
        self.reading.report("unknown-name", message, word.span, apart(word.text.partition("*")[0], self._spellings()))

    def _spellings(self) -> set[str]:
        return {spelled for alphabet in self._alphabets() for spelled in alphabet.spelling}

    def _alphabets(self) -> list[Alphabet]:
        """The alphabets of the task's words, each choice of tokens once."""
        task = self.reading.task
        used = [task.alphabets[word.alphabet] for word in (*task.given, *task.answers)]
        return list({alphabet.tokens: alphabet for alphabet in reversed(used)}.values())[::-1]

    def _item(self, text: str) -> list[Slot] | None:
        """A word of the task, a token, also in quotes, or a symbol of the only alphabet, as it is spelled."""
        shape = self.shapes.get(text)
        if shape is not None:
            order = range(shape.length)
            slots = self.reading.slots_of(shape)
            return [slots[index] for index in (reversed(order) if self.reverse else order)]
        token = named_token(text, self.vocabulary)
        if token is not None:
            return [Slot(token)]
        alphabets = self._alphabets()
        symbol = alphabets[0].symbols.get(text) if len(alphabets) == 1 else None
        return None if symbol is None else [Slot(alphabets[0].tokens[symbol])]

    # symbols, and tokens of several symbols

    def _tree(self, word: Word) -> Indexed | None:
        """A symbol such as `a[0]`, or a token of symbols such as `two[a[i], b[i]]`; None where the item is neither."""
        tree = word.parsed
        if not isinstance(tree, Indexed):
            return None
        if tree.base.name in self.shapes:
            return tree
        family = self.vocabulary.family(tree.base.name)
        reads = any(isinstance(index, Indexed | Name) and _base(index) in self.shapes for index in tree.indices)
        return tree if family is not None and reads else None

    def _free(self, tree: ExpressionNode) -> list[str]:
        """The names of a tree that mean nothing, in their order: its indices."""
        known = {*self.shapes, *(family.name for family in self.vocabulary.families)}
        names = sorted(free_names(tree).items(), key=lambda item: item[1])
        return [name for name, _ in names if name not in known and not self.reading.scope.knows(name)]

    def _running(self, word: Word, tree: Indexed) -> list[Slot]:
        """The slots of an item for every value of its index, if it has one."""
        indices = self._free(tree)
        if len(indices) > 1:
            self.reading.report("task", f"two indices, {indices[0]} and {indices[1]}, in one item", word.span)
            return []
        if not indices:
            return self._of_tree(word, tree, {})
        (index,) = indices
        run = self._run(index, [tree], word.span)
        return [slot for value in run for slot in self._of_tree(word, tree, {index: value})]

    def _run(self, index: str, trees: list[Indexed], span: Span) -> list[int]:
        """What an index runs over: the symbols of the words that it is the index of, in their order."""
        lengths: dict[str, int] = {}
        for tree in trees:
            for symbol in self._symbols(tree):
                if isinstance(symbol.indices[0], Name) and symbol.indices[0].name == index:
                    lengths[symbol.base.name] = self.shapes[symbol.base.name].length
        if len(set(lengths.values())) != 1:
            listed = " and ".join(f"'{name}' has {length} symbols" for name, length in lengths.items())
            message = (
                f"the index {index} runs over words of one length: {listed or f'none is indexed by {index} alone'}"
            )
            self.reading.report("task", message, span)
            return []
        run = range(next(iter(lengths.values())))
        return list(reversed(run) if self.reverse else run)

    def _symbols(self, tree: Indexed) -> Iterator[Indexed]:
        if tree.base.name in self.shapes:
            yield tree
        else:
            yield from (
                index for index in tree.indices if isinstance(index, Indexed) and index.base.name in self.shapes
            )

    def _of_tree(self, word: Word, tree: Indexed, indices: AnyMapping[str, int]) -> list[Slot]:
        formula = read_text(word, self.findings)
        if formula is None:
            return []
        bound = {name: index_number(name, value, word.span) for name, value in indices.items()}
        item = _Item(self, formula, self.reading.scope.bind(bound), word.span)
        slot = item.symbol(tree) if tree.base.name in self.shapes else item.token(tree)
        return [] if slot is None else [slot]


def _base(index: Indexed | Name) -> str:
    return index.base.name if isinstance(index, Indexed) else index.name


@dataclass(frozen=True)
class _Item:
    """One item of symbols, for one value of its index."""

    items: _Items
    formula: Formula
    scope: Scope
    span: Span

    def symbol(self, tree: Indexed) -> Slot | None:
        """The slot of `a[0]`."""
        place = self.place(tree)
        if place is None:
            return None
        task = self.items.reading.task
        return Slot(None, (place,), task.alphabets[self.items.shapes[place.word].alphabet].tokens)

    def place(self, tree: ExpressionNode) -> SymbolPlace | None:
        """The symbol that `a[0]` is, or `query` where that is a single one."""
        findings = self.items.findings
        shape = self.items.shapes[_base(tree)] if isinstance(tree, Indexed | Name) else None
        if shape is None:
            return None
        if isinstance(tree, Name):
            if not shape.single:
                message = f"'{shape.name}' has {shape.length} symbols; write {shape.name}[i]"
                findings.report(Diagnostic("task", message, self.formula.scalar.at(*tree.at)))
                return None
            return SymbolPlace(shape.name, 0, shape.symbols)
        assert isinstance(tree, Indexed)
        if len(tree.indices) != 1:
            message = f"'{shape.name}' takes 1 index, found {len(tree.indices)}"
            findings.report(Diagnostic("index-range", message, self.formula.scalar.at(*tree.at)))
            return None
        index = attempt(self.formula, self.scope, integer_value, findings, part=tree.indices[0])
        if index is None:
            return None
        if not 0 <= index < shape.length:
            message = f"index {exact_figure(index)} is out of range: '{shape.name}' has 0 to {shape.length - 1}"
            findings.report(Diagnostic("index-range", message, self.formula.scalar.at(*tree.indices[0].at)))
            return None
        return SymbolPlace(shape.name, index, shape.symbols)

    def token(self, tree: Indexed) -> Slot | None:
        """The slot of `two[a[i], b[i]]`: which token of the family stands there hangs on the symbols."""
        vocabulary, findings = self.items.vocabulary, self.items.findings
        family = vocabulary.family(tree.base.name)
        if family is None or len(family.sizes) != len(tree.indices):
            takes = 0 if family is None else len(family.sizes)
            message = (
                f"'{tree.base.name}' takes {takes} {'index' if takes == 1 else 'indices'}, found {len(tree.indices)}"
            )
            findings.report(Diagnostic("index-range", message, self.formula.scalar.at(*tree.at)))
            return None
        choices: list[range] = []
        places: list[SymbolPlace] = []
        for index, size in zip(tree.indices, family.sizes, strict=True):
            read = self._choice(index, size)
            if read is None:
                return None
            choices.append(range(read.choices) if isinstance(read, SymbolPlace) else range(read, read + 1))
            places += [read] if isinstance(read, SymbolPlace) else []
        return Slot(None, tuple(places), tuple(self._number(family, indices) for indices in product(*choices)))

    def _number(self, family: Family, indices: tuple[int, ...]) -> int:
        offset = 0
        for index, size in zip(indices, family.sizes, strict=True):
            offset = offset * size + index
        return self.items.vocabulary.starts[family.name] + offset

    def _choice(self, index: ExpressionNode, size: int) -> SymbolPlace | int | None:
        """What stands at an index of a token: a symbol, or a number."""
        findings = self.items.findings
        span = self.formula.scalar.at(*index.at)
        if isinstance(index, Indexed | Name) and _base(index) in self.items.shapes:
            place = self.place(index)
            if place is not None and place.choices > size:
                message = f"'{place.word}' has symbols 0 to {place.choices - 1}, and this index is below {size}"
                findings.report(Diagnostic("index-range", message, span))
                return None
            return place
        value = attempt(self.formula, self.scope, integer_value, findings, part=index)
        if value is not None and not 0 <= value < size:
            findings.report(
                Diagnostic("index-range", f"index {exact_figure(value)} is out of range: 0 to {size - 1}", span)
            )
            return None
        return value
