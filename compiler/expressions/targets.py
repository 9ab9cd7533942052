"""Targets of equations (`place`, `candidate[i]`, `look[c < 3]`) to the dimensions they write, with index bindings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from compiler.expressions.arithmetic import COMPARISONS, exact_figure
from compiler.expressions.axes import Axis, Family
from compiler.expressions.evaluate import integer_value, truth_value
from compiler.expressions.formulas import Formula, Word, attempt, has_work_for, read_text
from compiler.expressions.scope import Scope
from compiler.expressions.syntax import Binary, ExpressionNode, Indexed, Name, Unary, free_names
from compiler.expressions.values import Number, index_number
from compiler.source.diagnostics import Diagnostic, Findings, did_you_mean
from compiler.source.text import Span

CONDITIONS = (*COMPARISONS, "and", "or")


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


def targets(word: Word, aim: Aim, scope: Scope, findings: Findings) -> list[Target]:
    """The dimensions that a target such as `place` or `candidate[i]` stands for.

    A bare undefined name as an index runs over the family, in a condition (`c < 3`) over the part where it holds;
    anything else is evaluated.
    """
    single = aim.family(word.text)
    if single is not None and not single[0].sizes:
        return [Target(single[1], {})]
    indexed = _indexed(word, aim, findings)
    if indexed is None:
        return []
    formula, tree, (family, start) = indexed
    choices = [
        _choices(index, size, family, formula, scope, findings)
        for index, size in zip(tree.indices, family.sizes, strict=True)
    ]
    known = [choice for choice in choices if choice is not None]
    ranges = _ranges(known)
    if len(known) < len(choices) or not has_work_for(formula, scope, prod(map(len, ranges.values())), findings):
        return []
    chosen: list[Target] = []
    conditions = [choice.condition for choice in known if choice.condition is not None]
    for target in _bindings(known, ranges, family, start, word.span):
        kept = [attempt(formula, scope.bind(target.indices), truth_value, findings, part=part) for part in conditions]
        if None in kept:
            return []
        if all(kept):
            chosen.append(target)
    if not chosen:
        findings.report(Diagnostic("index-range", f"'{word.text}' stands for nothing: no index fits", formula.span))
    return chosen


def _indexed(word: Word, aim: Aim, findings: Findings) -> tuple[Formula, Indexed, tuple[Family, int]] | None:
    """A target that names a family, with an index for each of its sizes; None, which is reported, if it is none."""
    whole = aim.family(word.text)
    if whole is not None:
        hint = f"write {word.text}[{', '.join('ijklmn'[: len(whole[0].sizes)])}] for all of them"
        findings.report(Diagnostic("index-range", f"'{word.text}' is a family and needs an index", word.span, hint))
        return None
    if "[" not in word.text:
        findings.report(_no_such(word.text, word, aim))
        return None
    formula = read_text(word, findings)
    if formula is None:
        return None
    tree = formula.tree
    if not isinstance(tree, Indexed):
        findings.report(Diagnostic("syntax", f"'{word.text}' is no target; expected a {aim.what}", formula.span))
        return None
    named = aim.family(tree.base.name)
    if named is None:
        findings.report(_no_such(tree.base.name, word, aim))
        return None
    name, needed = named[0].name, len(named[0].sizes)
    if len(tree.indices) != needed:
        takes = f"{needed} {'index' if needed == 1 else 'indices'}"
        message = f"'{name}' takes {takes}, found {len(tree.indices)}"
        advice = f"it is a single {aim.what}: write {name}" if needed == 0 else None
        findings.report(Diagnostic("index-range", message, formula.span, advice))
        return None
    return formula, tree, named


@dataclass(frozen=True)
class _Choice:
    """What one index of a target can be: one value, or all of a family under a name, where the condition holds."""

    name: str
    values: range
    condition: ExpressionNode | None = None


def _choices(
    index: ExpressionNode, size: int, family: Family, formula: Formula, scope: Scope, findings: Findings
) -> _Choice | None:
    name = bound_name(index, scope)
    if name is not None:
        return _Choice(name, range(size), None if isinstance(index, Name) else index)
    if _is_condition(index):
        message = "the condition binds no index: every name in it has a meaning of its own"
        findings.report(Diagnostic("name-clash", message, formula.scalar.at(*index.at), "rename the index"))
        return None
    unknown = next(((name, at) for name, at in free_names(index).items() if not scope.knows(name)), None)
    if unknown is not None:
        message = f"no name '{unknown[0]}' here{did_you_mean(unknown[0], [*scope.names, *scope.lets, *scope.indices])}"
        hint = f"an index that runs stands alone, as in {family.name}[i], or in a condition, as in {family.name}[i < 3]"
        findings.report(Diagnostic("unknown-name", message, formula.scalar.at(*unknown[1]), hint))
        return None
    about_index = Findings()
    value = attempt(formula, scope, integer_value, about_index, part=index)
    advice = f"'{index.name}' has a value; rename the index to run over the family" if isinstance(index, Name) else None
    findings.report(*(replace(diagnostic, hint=diagnostic.hint or advice) for diagnostic in about_index))
    if value is None:
        return None
    if not 0 <= value < size:
        message = f"index {exact_figure(value)} is out of range: '{family.name}' has 0 to {size - 1}"
        findings.report(Diagnostic("index-range", message, formula.scalar.at(*index.at)))
        return None
    return _Choice("", range(value, value + 1))


def bound_name(index: ExpressionNode, scope: Scope) -> str | None:
    """The name that an index of a target binds: a bare name without a meaning, or the first such one of a condition."""
    if isinstance(index, Name):
        return None if scope.knows(index.name) else index.name
    names = sorted(free_names(index).items(), key=lambda item: item[1]) if _is_condition(index) else []
    return next((name for name, _ in names if not scope.knows(name)), None)


def _is_condition(index: ExpressionNode) -> bool:
    is_negated = isinstance(index, Unary) and index.operator == "not"
    return is_negated or (isinstance(index, Binary) and index.operator in CONDITIONS)


def bare_indices(word: Word) -> list[tuple[str, Span]]:
    """The indices of a target that are names by themselves, with their places."""
    formula = read_text(word, Findings())
    indices = formula.tree.indices if formula is not None and isinstance(formula.tree, Indexed) else ()
    return [(index.name, formula.scalar.at(*index.at)) for index in indices if formula and isinstance(index, Name)]


def _ranges(choices: list[_Choice]) -> dict[str, range]:
    """What each index name runs over; the same name twice means the diagonal."""
    ranges: dict[str, range] = {}
    for choice in choices:
        if choice.name:
            ranges[choice.name] = min(ranges.get(choice.name, choice.values), choice.values, key=len)
    return ranges


def _bindings(
    choices: list[_Choice], ranges: dict[str, range], family: Family, start: int, span: Span
) -> Iterator[Target]:
    numbers = {name: [index_number(name, value, span) for value in values] for name, values in ranges.items()}
    for chosen in product(*ranges.values()):
        names = dict(zip(ranges, chosen, strict=True))
        offset = 0
        for choice, size in zip(choices, family.sizes, strict=True):
            offset = offset * size + (names[choice.name] if choice.name else choice.values[0])
        yield Target(start + offset, {name: numbers[name][value] for name, value in names.items()})


def _no_such(name: str, word: Word, aim: Aim) -> Diagnostic:
    start = re.match(r"\w+(?=[ ({.])", name)
    family = None if start is None else aim.family(start[0])
    if start is not None and family is not None and family[0].sizes:
        span = word.scalar.at(word.offset, word.offset + len(name))
        hint = f"an index stands in brackets: {start[0]}[{', '.join('ijklmn'[: len(family[0].sizes)])}]"
        return Diagnostic("unknown-name", f"no {aim.what} '{name}' here", span, hint)
    suggestion = did_you_mean(name, [family.name for family in aim.axis.families])
    span = word.scalar.at(word.offset, word.offset + len(name))
    return Diagnostic("unknown-name", f"no {aim.what} '{name}' here{suggestion}", span)
