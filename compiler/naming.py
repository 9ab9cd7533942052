"""Lists of names (`eq special candidate[base] place`) to axes, and targets (`candidate[i]`) to index bindings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

from compiler.axes import Axis, Family
from compiler.diagnostics import Diagnostic, Note, did_you_mean
from compiler.document import Node, Scalar, Sequence
from compiler.expressions.arithmetic import show
from compiler.expressions.evaluate import integer
from compiler.expressions.parse import is_name
from compiler.expressions.scope import NAMED_NUMBERS, Scope
from compiler.expressions.syntax import Index, List, Name
from compiler.expressions.values import Affine, Dimensions, Number, Value
from compiler.formulas import Word, attempt, read_text
from compiler.limits import MAX_AXIS
from compiler.source import Span

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\[[^\]]*\](?!\S)|\S+")
_FAMILY = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)\[(?P<sizes>[^\]]*)\]")


def words(node: Node) -> list[Word]:
    """The items of a list of names, written as a string split at spaces or as a YAML list."""
    if isinstance(node, Sequence):
        scalars = [item for item in node.items if isinstance(item, Scalar)]
        return [Word(item.text.strip(), item, len(item.text) - len(item.text.lstrip())) for item in scalars]
    if not isinstance(node, Scalar):
        return []
    return [Word(match[0], node, match.start()) for match in _WORD.finditer(node.text)]


@dataclass(frozen=True)
class WrittenAxis:
    """An axis, and where each of its names is written."""

    axis: Axis
    places: dict[str, Span]


def read_axis(
    node: Node, scope: Scope, found: list[Diagnostic], what: str, *, tokens: bool = False
) -> WrittenAxis | None:
    """The axis that a list of names lays out; None, with the reasons in `found`, where it is not certain.

    `what` names one item in messages ("dimension"). Tokens may have any spelling, other names are identifiers.
    """
    families: dict[str, Family] = {}
    places: dict[str, Span] = {}
    before, total, certain = len(found), 0, True
    for word in words(node):
        match = _FAMILY.fullmatch(word.text)
        name = match["name"] if match else word.text
        if name in families:
            note = Note("first written here", places[name])
            found.append(Diagnostic("duplicate-name", f"{what} '{name}' is written twice", word.span, notes=(note,)))
            continue
        if not tokens and (not is_name(name) or name in NAMED_NUMBERS):
            reason = "it already has a meaning" if name in NAMED_NUMBERS else "use letters, digits and _"
            found.append(Diagnostic("bad-name", f"'{name}' cannot name a {what}: {reason}", word.span))
            continue
        sizes = _sizes(word, match, scope, found) if match else ()
        if sizes is None:
            certain = False
            continue
        families[name] = Family(name, sizes)
        places[name] = word.span
        total += families[name].size
        if total > MAX_AXIS:
            found.append(Diagnostic("too-large", f"more than {MAX_AXIS} names on one axis", word.span))
            break
    return WrittenAxis(Axis(tuple(families.values())), places) if certain and len(found) == before else None


def _sizes(word: Word, match: re.Match[str], scope: Scope, found: list[Diagnostic]) -> tuple[int, ...] | None:
    sizes: list[int] = []
    formula = read_text(Word(f"[{match['sizes']}]", word.scalar, word.offset + match.start("sizes") - 1), found)
    if formula is None or not isinstance(formula.tree, List):
        return None
    for item in formula.tree.items:
        size = attempt(formula, scope, integer, found, part=item)
        if size is None:
            return None
        if not 1 <= size * prod(sizes) <= MAX_AXIS:
            message = f"a family of {show(size * prod(sizes))}; a size is 1 to {MAX_AXIS}"
            code = "index-range" if size < 1 else "too-large"
            found.append(Diagnostic(code, message, formula.scalar.at(*item.at)))
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


@dataclass(frozen=True)
class Aim:
    """What targets can name: dimensions of an axis, called `what` in messages; `whole[k]` indexes all of them."""

    axis: Axis
    what: str
    whole: str = ""

    def family(self, name: str) -> tuple[Family, int] | None:
        """A family by its name, and where it starts."""
        family = self.axis.family(name)
        if family is not None:
            return family, self.axis.starts[name]
        return (Family(name, (self.axis.size,)), 0) if self.whole and name == self.whole else None


def targets(word: Word, aim: Aim, scope: Scope, found: list[Diagnostic]) -> list[Target]:
    """The dimensions that a target such as `place` or `candidate[i]` stands for.

    A bare undefined name as an index runs over the family; anything else is evaluated.
    """
    single = aim.family(word.text)
    if single is not None and not single[0].sizes:
        return [Target(single[1], {})]
    if single is not None:
        hint = f"write {word.text}[{', '.join('ijklmn'[: len(single[0].sizes)])}] for all of them"
        found.append(Diagnostic("index-range", f"'{word.text}' is a family and needs an index", word.span, hint))
        return []
    if "[" not in word.text:
        found.append(_no_such(word.text, word, aim))
        return []
    formula = read_text(word, found)
    if formula is None:
        return []
    tree = formula.tree
    if not isinstance(tree, Index):
        found.append(Diagnostic("syntax", f"'{word.text}' is no target; expected a {aim.what}", formula.span))
        return []
    named = aim.family(tree.base.name)
    if named is None:
        found.append(_no_such(tree.base.name, word, aim))
        return []
    family, start = named
    if len(tree.indices) != len(family.sizes):
        message = f"'{family.name}' takes {len(family.sizes)} indices, found {len(tree.indices)}"
        found.append(Diagnostic("index-range", message, formula.span))
        return []
    choices: list[list[tuple[str, int]]] = []
    for index, size in zip(tree.indices, family.sizes, strict=True):
        if isinstance(index, Name) and scope.meaning(index.name) is None and index.name not in NAMED_NUMBERS:
            choices.append([(index.name, i) for i in range(size)])
            continue
        value = attempt(formula, scope, integer, found, part=index)
        if value is None:
            return []
        if not 0 <= value < size:
            message = f"index {show(value)} is out of range: '{family.name}' has 0 to {size - 1}"
            found.append(Diagnostic("index-range", message, formula.scalar.at(*index.at)))
            return []
        choices.append([("", value)])
    chosen = list(_bindings(choices, family, start))
    scope.work.left -= len(chosen)
    return chosen


def bare_indices(word: Word) -> list[tuple[str, Span]]:
    """The indices of a target that are names by themselves, with their places."""
    formula = read_text(word, [])
    indices = formula.tree.indices if formula is not None and isinstance(formula.tree, Index) else ()
    return [(index.name, formula.scalar.at(*index.at)) for index in indices if formula and isinstance(index, Name)]


def _bindings(choices: list[list[tuple[str, int]]], family: Family, start: int) -> Iterator[Target]:
    for chosen in product(*choices):
        names: dict[str, int] = {}
        if any(names.setdefault(name, value) != value for name, value in chosen if name):
            continue  # the same index name twice means the diagonal
        offset = 0
        for (_, value), size in zip(chosen, family.sizes, strict=True):
            offset = offset * size + value
        yield Target(start + offset, {name: Number(value) for name, value in names.items()})


def _no_such(name: str, word: Word, aim: Aim) -> Diagnostic:
    suggestion = did_you_mean(name, [family.name for family in aim.axis.families])
    span = word.scalar.at(word.offset, word.offset + len(name))
    return Diagnostic("unknown-name", f"no {aim.what} '{name}' here{suggestion}", span)
