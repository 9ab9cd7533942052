"""Kinds of values in the formulas of a task, found without computing: mistakes that are mistakes for every input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal as OneOf

from compiler.expressions.arithmetic import COMPARISONS
from compiler.expressions.syntax import (
    Binary,
    Call,
    ExpressionError,
    ExpressionNode,
    Indexed,
    List,
    Literal,
    Name,
    Transpose,
    Unary,
)
from compiler.source.diagnostics import did_you_mean
from compiler.source.faults import no_rule


@dataclass(frozen=True)
class WordKind:
    """A word of `length` symbols 0 … `symbols` - 1."""

    symbols: int
    length: int


Kind = OneOf["number", "truth"] | WordKind
LOOPS: Mapping[str, tuple[Kind, Kind]] = {  # the kind of the body, and of the result
    "sum": ("number", "number"),
    "count": ("truth", "number"),
    "first": ("truth", "number"),
    "last": ("truth", "number"),
    "any": ("truth", "truth"),
    "all": ("truth", "truth"),
}
OF_WORDS = ("number", "distinct", "ascending", "descending")
OF_NUMBERS = ("min", "max", "abs")
OTHER_NAMES = {"sort": "ascending", "sorted": "ascending", "int": "number", "if": "where", "exists": "any"}
KNOWN_FUNCTIONS = ("where", *LOOPS, *OF_WORDS, *OF_NUMBERS)
ARITHMETIC = ("+", "-", "*", "//", "%", "**")


@dataclass(frozen=True)
class Readable:
    """The names that a formula can read, and what they are. `elsewhere` says why other names cannot be read here."""

    kinds: Mapping[str, Kind]
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    def binding(self, name: str, kind: Kind = "number") -> Readable:
        return replace(self, kinds={**self.kinds, name: kind})


def kind_of(node: ExpressionNode, names: Readable) -> Kind:
    """The kind of value that a formula gives. Raises `ExpressionError` for what is wrong with every input."""
    match node:
        case Literal(value=value):
            if not isinstance(value, int):
                message = f"expected an integer, found {value}"
                raise ExpressionError("wrong-type", message, node.at, "formulas of a task compute with integers")
            return "number"
        case Name():
            return _named(node, names)
        case Indexed():
            return _indexed(node, names)
        case Call():
            return _called(node, names)
        case Unary(operator=operator, operand=operand):
            return expect("truth" if operator == "not" else "number", operand, names)
        case Binary():
            return _combined(node, names)
        case List():
            raise ExpressionError("wrong-type", "formulas of a task have no lists", node.at)
        case Transpose():
            raise ExpressionError("wrong-type", "formulas of a task have no matrices", node.at)
        case _:
            raise no_rule("expression", node)


def expect(kind: Kind, node: ExpressionNode, names: Readable) -> Kind:
    """`kind`, if the formula is of it. Raises `ExpressionError` otherwise."""
    return _agreed(kind, kind_of(node, names), node)


def expect_word(node: ExpressionNode, names: Readable) -> WordKind:
    """The kind of a formula that has to be a word. Raises `ExpressionError`."""
    kind = kind_of(node, names)
    if isinstance(kind, WordKind):
        return kind
    hint = "one symbol is a number by itself" if isinstance(node, Name) and kind == "number" else None
    raise ExpressionError("wrong-type", f"expected a word, found {kind_text(kind)}", node.at, hint)


def kind_text(kind: Kind) -> str:
    """A kind for people, such as `a word of 4 symbols`."""
    match kind:
        case "number":
            return "a number"
        case "truth":
            return "a condition"
        case WordKind(length=length):
            return f"a word of {length} symbol{'s' if length != 1 else ''}"
        case _:
            raise no_rule("kind", kind)


def _agreed(expected: Kind, found: Kind, node: ExpressionNode) -> Kind:
    if expected == found:
        return found
    hint = None
    if isinstance(found, WordKind) and expected == "number":
        shown = node.name if isinstance(node, Name) else "word"
        hint = f"write {shown}[i] for one symbol, number({shown}) for the number that its digits write"
    elif expected == "number":
        hint = "write where(condition, 1, 0)"
    elif expected == "truth":
        hint = "compare it with something, as in `x > 0`"
    raise ExpressionError("wrong-type", f"expected {kind_text(expected)}, found {kind_text(found)}", node.at, hint)


def _named(node: Name, names: Readable) -> Kind:
    kind = names.kinds.get(node.name)
    if kind is not None:
        return kind
    if node.name in names.elsewhere:
        raise ExpressionError("unknown-name", f"'{node.name}' {names.elsewhere[node.name]}", node.at)
    if node.name in KNOWN_FUNCTIONS:
        raise ExpressionError("syntax", f"'{node.name}' is a function; write {node.name}(…)", node.at)
    message = f"no name '{node.name}' here{did_you_mean(node.name, names.kinds)}"
    raise ExpressionError("unknown-name", message, node.at)


def _indexed(node: Indexed, names: Readable) -> Kind:
    kind = _named(node.base, names)
    if not isinstance(kind, WordKind):
        message = f"'{node.base.name}' is {kind_text(kind)} and takes no index"
        raise ExpressionError("wrong-type", message, node.at)
    if len(node.indices) != 1:
        message = f"'{node.base.name}' takes one index, found {len(node.indices)}"
        raise ExpressionError("index-range", message, node.at)
    return expect("number", node.indices[0], names)


def _combined(node: Binary, names: Readable) -> Kind:
    """A chain of operators that lean left (`a + b + c`) is walked, not recursed into: it may be long."""
    links = [node]
    while isinstance(links[-1].left, Binary):
        links.append(links[-1].left)
    kind = kind_of(links[-1].left, names)
    for link in reversed(links):
        if link.operator == "/":
            raise ExpressionError("wrong-type", "integers are divided by //", link.at, "write a // b, or a % b")
        if link.operator == "@":
            raise ExpressionError("wrong-type", "formulas of a task have no matrices", link.at)
        taken: Kind = "truth" if link.operator in ("and", "or") else "number"
        _agreed(taken, kind, link.left)
        expect(taken, link.right, names)
        kind = "number" if link.operator in ARITHMETIC else "truth"
    return kind


def _called(node: Call, names: Readable) -> Kind:
    name, arguments = node.function, node.arguments
    if name == "where":
        return _where(node, names)
    if name in LOOPS:
        return _loop(node, names)
    if name in OF_WORDS:
        if len(arguments) != 1:
            raise ExpressionError("syntax", f"{name} takes one word, found {len(arguments)} arguments", node.at)
        word = expect_word(arguments[0], names)
        return {"number": "number", "distinct": "truth"}.get(name, word)  # type: ignore[return-value]
    if name not in OF_NUMBERS:
        suggestion = f"; did you mean '{OTHER_NAMES[name]}'?" if name in OTHER_NAMES else ""
        message = f"no function '{name}'{suggestion or did_you_mean(name, KNOWN_FUNCTIONS)}"
        hint = f"functions of a task: {', '.join(KNOWN_FUNCTIONS)}"
        if name in ("len", "length", "size"):
            hint = "the length of a word is a size, such as `sizes: {length: 10}`"
        raise ExpressionError("unknown-name", message, (node.at[0], node.at[0] + len(name)), hint)
    if not arguments or (name == "abs" and len(arguments) != 1):
        takes = "one number" if name == "abs" else "some numbers"
        raise ExpressionError("syntax", f"{name} takes {takes}, found {len(arguments) or 'no'} arguments", node.at)
    for argument in arguments:
        expect("number", argument, names)
    return "number"


def _where(node: Call, names: Readable) -> Kind:
    if len(node.arguments) % 2 == 0:
        hint = "where(condition, value, …, otherwise)"
        raise ExpressionError("syntax", "where needs a value for each condition and one otherwise", node.at, hint)
    *pairs, otherwise = node.arguments
    for condition in pairs[::2]:
        expect("truth", condition, names)
    branches = (*pairs[1::2], otherwise)
    kind = kind_of(branches[0], names)
    for branch in branches[1:]:
        other = kind_of(branch, names)
        if isinstance(kind, WordKind) and isinstance(other, WordKind) and kind != other:
            message = "the words of one where have to be of one alphabet and length"
            raise ExpressionError("wrong-type", message, branch.at)
        _agreed(kind, other, branch)
    return kind


def _loop(node: Call, names: Readable) -> Kind:
    taken, given = LOOPS[node.function]
    match node.arguments:
        case (body, Name(name=index, at=at), size):
            if index in names.kinds:
                raise ExpressionError("name-clash", f"'{index}' already has a meaning; name the index otherwise", at)
            expect("number", size, names)
            expect(taken, body, names.binding(index))
            return given
    what = "an expression" if taken == "number" else "a condition"
    example = "word[k]" if taken == "number" else "word[k] == 1"
    message = f"{node.function} takes {what}, an index name and how many there are"
    raise ExpressionError("syntax", message, node.at, f"{node.function}({example}, k, length)")


__all__ = ["COMPARISONS", "Kind", "Readable", "WordKind", "expect", "expect_word", "kind_of", "kind_text"]
