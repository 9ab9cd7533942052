"""Lists of names (`eq special candidate[base] place`) to axes, and targets (`candidate[i]`) to index bindings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from compiler.axes import Axis, Family
from compiler.diagnostics import Diagnostic, Note, did_you_mean
from compiler.document import Node, Scalar, Sequence
from compiler.expressions.evaluate import Scope, integer
from compiler.expressions.parse import is_name
from compiler.expressions.syntax import Index, List, Name
from compiler.expressions.values import Affine, Dimensions, Number, Value
from compiler.formulas import attempt, read_text
from compiler.limits import MAX_AXIS
from compiler.source import Span

_WORD = re.compile(r"(?:[^\s\[]+(?:\[[^\]]*\])?|\[[^\]]*\]?)+")
_FAMILY = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)\[(?P<sizes>[^\]]*)\]")


@dataclass(frozen=True)
class Word:
    """One item of a list of names: `text` starts at `offset` of the scalar that holds it."""

    text: str
    scalar: Scalar
    offset: int

    @property
    def span(self) -> Span:
        return self.scalar.at(self.offset, self.offset + len(self.text))


def words(node: Node) -> list[Word]:
    """The items of a list of names, written as a string split at spaces or as a YAML list."""
    if isinstance(node, Sequence):
        return [word for item in node.items for word in words(item)]
    if not isinstance(node, Scalar):
        return []
    return [Word(match[0], node, match.start()) for match in _WORD.finditer(node.text)]


def read_axis(
    node: Node, scope: Scope, found: list[Diagnostic], what: str, *, tokens: bool = False
) -> tuple[Axis, dict[str, Span]]:
    """The axis that a list of names lays out, and the place of each name.

    `what` names one item in messages ("a dimension"). Tokens may have any spelling, other names are identifiers.
    """
    families: dict[str, Family] = {}
    places: dict[str, Span] = {}
    for word in words(node):
        match = _FAMILY.fullmatch(word.text)
        name = match["name"] if match else word.text
        if name in families:
            note = Note("first written here", places[name])
            found.append(Diagnostic("duplicate-name", f"{what} '{name}' is written twice", word.span, notes=(note,)))
            continue
        if not tokens and not is_name(name):
            message = f"'{name}' cannot name {what}: use letters, digits and _"
            found.append(Diagnostic("bad-name", message, word.span))
            continue
        sizes = _sizes(word, match, scope, found) if match else ()
        if sizes is not None:
            families[name] = Family(name, sizes)
            places[name] = word.span
    axis = Axis(tuple(families.values()))
    if axis.size > MAX_AXIS:
        found.append(Diagnostic("too-large", f"{axis.size} names on one axis; at most {MAX_AXIS}", node.span))
        return Axis(()), places
    return axis, places


def _sizes(word: Word, match: re.Match[str], scope: Scope, found: list[Diagnostic]) -> tuple[int, ...] | None:
    sizes = []
    formula = read_text(word.scalar, f"[{match['sizes']}]", word.offset + match.start("sizes") - 1, found)
    if formula is None or not isinstance(formula.tree, List):
        return None
    for item in formula.tree.items:
        size = attempt(formula, scope, integer, found, part=item)
        if size is None:
            return None
        if not 1 <= size <= MAX_AXIS:
            message = f"a family of {size}; a size is 1 to {MAX_AXIS}"
            found.append(Diagnostic("index-range", message, formula.scalar.at(*item.at)))
            return None
        sizes.append(size)
    if not sizes:
        found.append(Diagnostic("syntax", "expected a size between [ and ]", word.span))
        return None
    return tuple(sizes)


def axis_names(axis: Axis) -> dict[str, Value]:
    """What the names of an axis mean in an expression that reads it."""
    return {
        family.name: Dimensions(family.name, axis.starts[family.name], family.sizes)
        if family.sizes
        else Affine({axis.starts[family.name]: Number(1)})
        for family in axis.families
    }


@dataclass(frozen=True)
class Target:
    """One dimension that an equation writes, and what its index names stand for there."""

    position: int
    indices: dict[str, Number]

    def case(self) -> str:
        """The indices for people: ` (for i = 3)`."""
        shown = ", ".join(f"{name} = {index.value}" for name, index in self.indices.items())
        return f" (for {shown})" if shown else ""


def targets(
    scalar: Scalar, text: str, offset: int, axis: Axis, scope: Scope, found: list[Diagnostic], what: str
) -> list[Target]:
    """The dimensions of `axis` that a target such as `place` or `candidate[i]` stands for.

    A bare undefined name as an index runs over the family; anything else is evaluated.
    """
    single = axis.family(text)
    if single is not None and not single.sizes:
        return [Target(axis.starts[text], {})]
    if "[" not in text:
        if single is None:
            found.append(_no_such(text, scalar, offset, axis, what))
            return []
        text_hint = f"write {text}[{', '.join('ijklmn'[: len(single.sizes)])}] for all of them"
        span = scalar.at(offset, offset + len(text))
        found.append(Diagnostic("index-range", f"'{text}' is a family and needs an index", span, text_hint))
        return []
    formula = read_text(scalar, text, offset, found)
    if formula is None:
        return []
    tree = formula.tree
    if not isinstance(tree, Index):
        found.append(Diagnostic("syntax", f"'{text}' is no target; expected {what}", formula.span))
        return []
    name = tree.base.name
    family = axis.family(name)
    if family is None:
        found.append(_no_such(name, scalar, offset, axis, what))
        return []
    if len(tree.indices) != len(family.sizes):
        message = f"'{name}' takes {len(family.sizes)} indices, found {len(tree.indices)}"
        found.append(Diagnostic("index-range", message, formula.span))
        return []
    choices: list[list[tuple[str, int]]] = []
    for index, size in zip(tree.indices, family.sizes, strict=True):
        if isinstance(index, Name) and scope.meaning(index.name) is None:
            choices.append([(index.name, i) for i in range(size)])
            continue
        value = attempt(formula, scope, integer, found, part=index)
        if value is None:
            return []
        if not 0 <= value < size:
            message = f"index {value} is out of range: '{name}' has 0 to {size - 1}"
            found.append(Diagnostic("index-range", message, formula.scalar.at(*index.at)))
            return []
        choices.append([("", value)])
    return list(_bindings(choices, family, axis.starts[name]))


def _bindings(choices: list[list[tuple[str, int]]], family: Family, start: int) -> Iterator[Target]:
    for chosen in product(*choices):
        names: dict[str, int] = {}
        if any(names.setdefault(name, value) != value for name, value in chosen if name):
            continue  # the same index name twice means the diagonal
        offset = 0
        for (_, value), size in zip(chosen, family.sizes, strict=True):
            offset = offset * size + value
        yield Target(start + offset, {name: Number(value) for name, value in names.items()})


def _no_such(name: str, scalar: Scalar, offset: int, axis: Axis, what: str) -> Diagnostic:
    suggestion = did_you_mean(name, [family.name for family in axis.families])
    return Diagnostic("unknown-name", f"no {what} '{name}' here{suggestion}", scalar.at(offset, offset + len(name)))
