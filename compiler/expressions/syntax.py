"""The syntax tree of an expression. `at` is the range of characters in the expression's text."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.source.showing import short_repr
from compiler.source.text import Span

TextRange = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Literal:
    value: int | float
    at: TextRange


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    at: TextRange


@dataclass(frozen=True, slots=True)
class Indexed:
    """`name[indices]`, the name being a vector or a family of dimensions."""

    base: Name
    indices: tuple[ExpressionNode, ...]
    at: TextRange


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple[ExpressionNode, ...]
    at: TextRange

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class List:
    items: tuple[ExpressionNode, ...]
    at: TextRange


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    operand: ExpressionNode
    at: TextRange


@dataclass(frozen=True, slots=True)
class Transpose:
    """`matrix.T`."""

    operand: ExpressionNode
    at: TextRange


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: ExpressionNode
    right: ExpressionNode
    at: TextRange

    __repr__ = short_repr


ExpressionNode = Literal | Name | Indexed | Call | List | Unary | Transpose | Binary


class ExpressionError(Exception):
    """An expression cannot be read or computed; the caller knows the file and turns it into a diagnostic.

    `span` is set where the mistake lies in another expression than the one being read, such as one under `let`.
    """

    def __init__(self, code: str, message: str, at: TextRange, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.at = at
        self.hint = hint
        self.span: Span | None = None


def children(node: ExpressionNode) -> tuple[ExpressionNode, ...]:
    """The parts of an expression, from left to right."""
    match node:
        case Indexed(base=base, indices=indices):
            return (base, *indices)
        case Call(arguments=parts) | List(items=parts):
            return parts
        case Unary(operand=operand) | Transpose(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return left, right
        case Literal() | Name():
            return ()


def free_names(root: ExpressionNode) -> dict[str, TextRange]:
    """Every name that is read, with the place of its first use; the index of a `sum` is not free in it."""
    names: dict[str, TextRange] = {}
    todo: list[tuple[ExpressionNode, frozenset[str]]] = [(root, frozenset())]
    while todo:
        node, bound = todo.pop()
        match node:
            case Name(name=name, at=at):
                if name not in bound:
                    names.setdefault(name, at)
            case Call(function="sum", arguments=(body, Name(name=index), *rest)):
                todo += [(child, bound) for child in reversed(rest)]
                todo.append((body, bound | {index}))
            case _:
                todo += [(child, bound) for child in reversed(children(node))]
    return names
