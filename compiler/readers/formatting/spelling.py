"""How the scalars of a spec are spelled in canonical form: expressions, lists of names, keys of equations.

Free text, layouts and everything that is not known to be an expression stay as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from compiler.expressions.naming import words
from compiler.expressions.parse import is_name, parse
from compiler.expressions.spacing import spaced, structure
from compiler.expressions.syntax import Indexed
from compiler.language.keys import NAME_LISTS
from compiler.source.document import Mapping, Node, Scalar, Sequence
from compiler.source.scalars import resolve_plain
from compiler.tasks.package import task_formulas

_ODD_BLANK = re.compile(r"[^\S ]")  # the language does not take it for a space everywhere: it stays
_FAMILY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\[[^\[\]]*\]")


def spellings(document: Node) -> dict[int, str]:
    """The texts of the scalars that are to be spelled otherwise, by the offset at which the scalar ends.

    A scalar that aliases put in several places is spelled otherwise only where all places agree.
    """
    speller = _Speller()
    if isinstance(document, Mapping) and is_task_file(document):
        speller.task(document)
    elif isinstance(document, Mapping):
        for key, value in document.items:
            speller.keep(key)
            speller.section(key.text, value)
    return {end: min(texts) for end, texts in speller.wanted.items() if len(texts) == 1}


def is_task_file(document: Mapping) -> bool:
    """Whether a document is no spec, but states a task that specs extend."""
    return "given" in document.names and not {"weightspec", "extends"} & set(document.names)


def expression(text: str) -> str:
    """An expression with canonical spaces; any other text as it is.

    A single name stays as it is too: it may be one of the words (`none`, `identity`) that blanks keep from being one.
    """
    new = spaced(text)
    return text if new is None or is_name(new) or structure(text) is None else new


def equation_key(text: str) -> str:
    """`up  candidate[ i ]` as `up candidate[i]`; the targets of `logits` are tokens, of any spelling."""
    head, _, rest = text.partition(" ")
    target = rest.strip(" ")
    if head == "bias":
        return f"bias {equation_key(target)}" if target else text
    return f"{head} {_token(target) if head == 'logits' else _dimension(target)}" if head and target else text


@dataclass
class _Speller:
    wanted: dict[int, set[str]] = field(default_factory=dict)

    def section(self, name: str, value: Node) -> None:
        """A value at the top level of a spec."""
        match name:
            case "constants" | "parameters" | "derived" | "context":
                self.expressions(value)
            case "vocabulary" | "stream":
                self.names(value)
            case "task" if isinstance(value, Mapping):
                self.task(value)
            case "defaults" if isinstance(value, Mapping):
                self.options(value)
            case "network" if isinstance(value, Mapping):
                self.keys(value, _one_space)
                for key, step in value.items:
                    self.step(key.text, step)
            case _:
                self.keep(value)

    def task(self, task: Mapping) -> None:
        """What a task states, in a spec or in a file of its own."""
        for key, part in task.items:
            self.keep(key)
            match key.text:
                case "equations" if isinstance(part, Mapping):
                    self.keys(part, expression)
                    self.values(part, expression)
                case "columns" if isinstance(part, Mapping):
                    self.keys(part, _one_space)
                    self.values(part, expression)
                case "given" | "answers":
                    self._each(part, _word)
                case "alphabets" if isinstance(part, Mapping):
                    for name, tokens in part.items:
                        self.keep(name)
                        (self.expressions if isinstance(tokens, Mapping) else self.names)(tokens)
                case "suites" if isinstance(part, Mapping):
                    self.expressions(part)
                case "numbers" | "suites" | "shown":
                    self.names(part)
                case "answer" if isinstance(part, Mapping):
                    for name, place in part.items:
                        self.keep(name)
                        (self.expressions if name.text == "from" else self.keep)(place)
                case _:
                    (self.expressions if key.text in task_formulas() else self.keep)(part)

    def step(self, key: str, step: Node) -> None:
        if not isinstance(step, Mapping):
            self.expressions(step)
        elif key.split()[:1] != ["embedding"]:
            self.options(step)
        else:
            self.keys(step, _token)
            for _, row in step.items:
                if isinstance(row, Mapping):
                    self.keys(row, _dimension)
                for value in [value for _, value in row.items] if isinstance(row, Mapping) else [row]:
                    self.expressions(value)

    def options(self, step: Mapping) -> None:
        """The options and equations of a step, or the defaults of all of them."""
        self.keys(step, equation_key)
        for key, value in step.items:
            (self.names if key.text in NAME_LISTS else self.expressions)(value)

    def keys(self, mapping: Mapping, respell: Callable[[str], str]) -> None:
        """Keys that would become the same stay as they are."""
        new = {key.text: respell(key.text) for key, _ in mapping.items}
        times = Counter(new.values())
        for key, _ in mapping.items:
            self._note(key, new[key.text] if times[new[key.text]] == 1 else key.text)

    def values(self, mapping: Mapping, respell: Callable[[str], str]) -> None:
        for _, value in mapping.items:
            self._each(value, respell)

    def expressions(self, node: Node) -> None:
        self._each(node, expression)

    def keep(self, node: Node) -> None:
        self._each(node, lambda text: text)

    def _each(self, node: Node, respell: Callable[[str], str]) -> None:
        match node:
            case Scalar():
                self._note(node, respell(node.text) if isinstance(node.value, str) else node.text)
            case Sequence(items=items):
                for item in items:
                    self._each(item, respell)
            case Mapping(items=pairs):
                for key, value in pairs:
                    self.keep(key)
                    self._each(value, respell)

    def names(self, node: Node) -> None:
        match node:
            case Scalar():
                self._note(node, _names(node) if isinstance(node.value, str) else node.text)
            case Sequence(items=items):
                for item in items:
                    self._each(item, _token)
            case _:
                self.keep(node)

    def _note(self, scalar: Scalar, text: str) -> None:
        same_kind = isinstance(resolve_plain(text), str) or not isinstance(scalar.value, str)
        if scalar.text:
            respelled = same_kind and not _ODD_BLANK.search(scalar.text)
            self.wanted.setdefault(scalar.span.end, set()).add(text if respelled else scalar.text)


def _names(node: Scalar) -> str:
    names = [word.text for word in words(node)]
    if len(names) == 1 and not _FAMILY.fullmatch(names[0]):
        return node.text  # as with expressions: ` none ` is no `none`
    return " ".join(_token(word) for word in names)


def _token(text: str) -> str:
    """A token, or a family of them, by any spelling: only what is written like a family is taken for one."""
    return expression(text) if _FAMILY.fullmatch(text) else text


def _dimension(text: str) -> str:
    new = expression(text)
    return new if new != text and isinstance(parse(new), Indexed) else text


def _word(text: str) -> str:
    """`digit * (digits+1)` as `digit*(digits + 1)`, where the length is a single name or number, or in parentheses."""
    alphabet, star, length = text.partition("*")
    new = expression(length.strip())
    whole = is_name(new) or new.isdigit() or (structure(new) is not None and _in_parentheses(new))
    return f"{alphabet.strip()}*{new}" if star and is_name(alphabet.strip()) and whole else text


def _in_parentheses(text: str) -> bool:
    """Whether the first character opens a parenthesis that the last one closes."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return character == ")" and place == len(text) - 1
    return False


def _one_space(text: str) -> str:
    """`attention  layer0` as `attention layer0`."""
    return re.sub(r"(?<=\S) +(?=\S)", " ", text)
