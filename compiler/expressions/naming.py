"""Lists of names (`eq special candidate[base] place`) to axes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod

from compiler.expressions.arithmetic import exact_figure
from compiler.expressions.axes import Axis, Family
from compiler.expressions.evaluate import integer_value
from compiler.expressions.formulas import Word, attempt, read_text
from compiler.expressions.parse import is_name
from compiler.expressions.scope import NAMED_NUMBERS, Scope
from compiler.expressions.syntax import List
from compiler.expressions.values import Affine, DimensionFamily, Number, Value
from compiler.source.diagnostics import Diagnostic, Findings, Note
from compiler.source.document import Invalid, Node, Scalar, Sequence
from compiler.source.limits import MAX_AXIS
from compiler.source.text import Span

_SIZES = r"(?:[^\[\]]|\[[^\[\]]*\])*"  # with an index in it, as in `unit[table[0]]`; the text is read once
_WORD = re.compile(rf"[A-Za-z_][A-Za-z0-9_]*\[{_SIZES}\](?!\S)|\S+")
_FAMILY = re.compile(rf"(?P<name>[A-Za-z_][A-Za-z0-9_]*)\[(?P<sizes>{_SIZES})\]")


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


def read_axis(node: Node, scope: Scope, findings: Findings, what: str, *, tokens: bool = False) -> WrittenAxis | None:
    """The axis that a list of names lays out; None, with the reasons in `findings`, where it is not certain.

    `what` names one item in messages ("dimension"). Tokens may have any spelling, other names are identifiers.
    """
    families: dict[str, Family] = {}
    spans: dict[str, Span] = {}
    before, total, certain = len(findings), 0, True
    if isinstance(node, Invalid):
        return None  # the schema has reported it
    if not words(node):
        findings.report(Diagnostic("bad-value", f"expected the name of a {what}", node.span))
    for word in words(node):
        if not word.text:
            findings.report(Diagnostic("bad-name", f"a {what} without a name", word.scalar.span))
            continue
        match = _FAMILY.fullmatch(word.text)
        name = match["name"] if match else word.text
        if name in families:
            note = Note("first written here", spans[name])
            findings.report(Diagnostic("duplicate-name", f"{what} '{name}' is written twice", word.span, notes=(note,)))
            continue
        if not tokens and (not is_name(name) or name in NAMED_NUMBERS):
            reason = "it already has a meaning" if name in NAMED_NUMBERS else "use letters, digits and _"
            written = re.sub(r"\W+", "_", name).strip("_")
            hint = f"such as {written}" if is_name(written) and written != name else None
            hint = "names are split at spaces, without commas" if name.endswith(",") else hint
            findings.report(Diagnostic("bad-name", f"'{name}' cannot name a {what}: {reason}", word.span, hint))
            continue
        sizes = _sizes(word, match, scope, findings) if match else ()
        if sizes is None:
            certain = False
            continue
        families[name] = Family(name, sizes)
        spans[name] = word.span
        total += families[name].size
        if total > MAX_AXIS:
            findings.report(Diagnostic("too-large", f"more than {MAX_AXIS} names on one axis", word.span))
            break
    return WrittenAxis(Axis(tuple(families.values())), spans) if certain and len(findings) == before else None


def _sizes(word: Word, match: re.Match[str], scope: Scope, findings: Findings) -> tuple[int, ...] | None:
    sizes: list[int] = []
    formula = read_text(Word(f"[{match['sizes']}]", word.scalar, word.offset + match.start("sizes") - 1), findings)
    if formula is None or not isinstance(formula.tree, List):
        return None
    for item in formula.tree.items:
        size = attempt(formula, scope, integer_value, findings, part=item)
        if size is None:
            return None
        if not 1 <= size * prod(sizes) <= MAX_AXIS:
            message = f"a family of {exact_figure(size * prod(sizes))}; a size is 1 to {MAX_AXIS}"
            code = "index-range" if size < 1 else "too-large"
            findings.report(Diagnostic(code, message, formula.scalar.at(*item.at)))
            return None
        sizes.append(size)
    if not sizes:
        findings.report(Diagnostic("syntax", "expected a size between [ and ]", word.span))
        return None
    return tuple(sizes)


@lru_cache(maxsize=16)
def axis_names(axis: Axis) -> Mapping[str, Value]:
    """What the names of an axis mean in an expression that reads it."""
    return {
        family.name: DimensionFamily(family.name, axis.starts[family.name], family.sizes)
        if family.sizes
        else Affine({axis.starts[family.name]: Number(1)})
        for family in axis.families
    }
