"""Mappings of a document as equations, whatever their keys: what reads as an expression is printed as one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from compiler.expressions.formulas import Word, read_formula
from compiler.expressions.naming import words
from compiler.expressions.parse import is_name, parse
from compiler.expressions.syntax import ExpressionError, Indexed, Name, Transpose
from compiler.expressions.syntax import ExpressionNode as Tree
from compiler.language.keys import AXES, MAPS, NAME_LISTS
from compiler.readers.latex.expressions import bracketed, last_index, latex, latex_lines, matrix, subscripted, wrapped
from compiler.readers.latex.notation import Notation
from compiler.readers.latex.words import escape, in_text, name
from compiler.source.diagnostics import Findings
from compiler.source.document import Mapping, Node, Scalar, Sequence

BREAK = " \\\\\n    &\\quad "  # a long right side goes on in the next line


@dataclass(frozen=True)
class Reading:
    """`names` are all constants, parameters, dimensions and other names that a spec declares."""

    notation: Notation
    names: frozenset[str]

    def symbols(self, path: tuple[str, ...]) -> dict[str, str]:
        """Signs of the names of positions where they are read. Under `let` a dimension with such a name comes first."""
        if path[0] in ("score", "rope", "position", "repeat"):
            return self.notation.positions
        known = self.notation.positions if "let" in path else {}
        return {word: sign for word, sign in known.items() if word not in self.names}


@dataclass(frozen=True)
class EquationLine:
    """A line of `align*`."""

    text: str


@dataclass(frozen=True)
class Option:
    """A choice that is no equation, as text for a paragraph: `softmax: plus\\_one`."""

    text: str


def declared(root: Node) -> Iterator[str]:
    """The names that lists of names and `let` declare, at any depth."""
    todo = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, Mapping):
            for key, value in node.items:
                if key.text in AXES:
                    yield from (word.text.partition("[")[0] for word in words(value))
                elif key.text == "let" and isinstance(value, Mapping):
                    yield from value.names
                todo.append(value)


def read_mapping(
    reading: Reading, node: Mapping, left: tuple[str, ...] = (), path: tuple[str, ...] = (), *, options: bool = True
) -> Iterator[EquationLine | Option]:
    """Every value of a mapping. `left` is the left side so far, its first part the name and the others subscripts.

    `path` are the keys so far. With `options`, keys can be `MAP TARGET`, and a value that is a word without a meaning
    is an option; without, each key is a name, a dimension or a token.
    """
    for key, value in node.items:
        written = _words(key.text) if options else (key.text,)
        inner = (*path, *written)
        parts = (*left, *(_target(part, reading.symbols(inner)) for part in written))
        match value:
            case Mapping() if key.text == "let" and options:
                yield from read_mapping(reading, value, (), inner, options=False)
            case Mapping():
                yield from read_mapping(reading, value, parts, inner, options=options)
            case Scalar(value=None):
                continue
            case Scalar() | Sequence():
                yield read_value(reading, value, parts, inner, options=options and len(written) == 1)


def read_value(
    reading: Reading, value: Scalar | Sequence, left: tuple[str, ...], path: tuple[str, ...], *, options: bool
) -> EquationLine | Option:
    """One value, which is an equation where it reads as an expression."""
    is_map = path[-1] in MAPS
    label = escape(" ".join(path))
    if options and path[-1] in NAME_LISTS:
        return Option(f"{label}: {axis_text(value)}")
    side = subscripted(left[0], list(left[1:]))
    if path[0] == "score":
        side += f"({reading.notation.query}, {reading.notation.key})"
    symbols = reading.symbols(path)
    tree = _tree(value)
    named = tree.operand if isinstance(tree, Transpose) else tree
    other = named.name if isinstance(named, Name) and named.name not in (reading.names | symbols.keys()) else ""
    if is_map and options and ("." in other or other in (*MAPS, "embedding")):
        sign, how = ("", "") if named is tree else (r"^{\top}", ", transposed")
        return EquationLine(rf"{side} &= {name(other)}{sign} \quad \text{{(the same weights{how})}}")
    word = other if named is tree else ""
    if is_map and options and word:
        return EquationLine(_said(side, value))
    right = _right(value, symbols)
    if options and not is_map and (word or right is None):
        return Option(f"{label}: {escape(_text(value))}")
    return EquationLine(_said(side, value) if right is None else f"{side} &= {BREAK.join(right)}")


def axis_text(value: Scalar | Sequence) -> str:
    """A list of names for a paragraph; a family shows its indices: `digit` from 0 to base - 1."""
    return ", ".join(map(_axis_word, words(value)))


def _axis_word(word: Word) -> str:
    tree = _index(word.text)
    if is_name(word.text):
        return f"${name(word.text)}$"
    if tree is None:
        return rf"\texttt{{{escape(word.text)}}}"
    ranges = [rf"0 \ldots {latex(last_index(size))}" for size in tree.indices]
    return f"${subscripted(name(tree.base.name), ranges)}$"


def _words(key: str) -> tuple[str, ...]:
    """`MAP TARGET` in two parts, and a target alone, which may have a space in its brackets, as it is."""
    head, _, target = key.partition(" ")
    if head == "bias" and target.strip():
        return head, *_words(target.strip())
    return (key,) if _index(key) is not None or not target.strip() else (head, target.strip())


def _target(text: str, symbols: dict[str, str]) -> str:
    """A dimension, a head or a token; a token can have any spelling."""
    if is_name(text):
        return name(text)
    tree = _index(text)
    return in_text(text) if tree is None else latex(tree, symbols)


def _index(text: str) -> Indexed | None:
    """The text as a member of a family, if it is one."""
    try:
        tree = parse(text)
    except ExpressionError:
        return None
    return tree if isinstance(tree, Indexed) else None


def _tree(value: Node) -> Tree | None:
    formula = read_formula(value, Findings())
    return None if formula is None else formula.tree


def _right(value: Scalar | Sequence, symbols: dict[str, str]) -> tuple[str, ...] | None:
    """The lines of a right side; None where the value is no expression."""
    if isinstance(value, Scalar):
        tree = _tree(value)
        return None if tree is None else latex_lines(tree, symbols)
    rows = [item.items for item in value.items if isinstance(item, Sequence)]
    if rows and len(rows) == len(value.items) and len({len(row) for row in rows}) == 1 and rows[0]:
        cells = [_cells(row, symbols) for row in rows]
        complete = [row for row in cells if row is not None]
        return (matrix(complete),) if len(complete) == len(cells) else None
    items = _cells(value.items, symbols)
    if items is None:
        return None
    lines = wrapped([*(f"{item}," for item in items[:-1]), *items[-1:]], " ")
    if len(lines) < 2:
        return (bracketed(items),)
    return (rf"\lbrack {lines[0]}", *lines[1:-1], rf"{lines[-1]} \rbrack")


def _cells(items: tuple[Node, ...], symbols: dict[str, str]) -> list[str] | None:
    trees = [_tree(item) for item in items]
    cells = [latex(tree, symbols) for tree in trees if tree is not None]
    return cells if len(cells) == len(trees) else None


def _said(side: str, value: Scalar | Sequence) -> str:
    return f"{side} &= {in_text(_text(value))}"


def _text(value: Scalar | Sequence) -> str:
    return value.text if isinstance(value, Scalar) else value.span.text
