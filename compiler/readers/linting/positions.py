"""Rules about positions: whether their encoding is learned, and whether it is a curve or a table in disguise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from compiler.expressions.positions import Keys, PairFormula, PositionFormula, lengths
from compiler.expressions.scope import Scope
from compiler.expressions.syntax import ExpressionNode as Expression
from compiler.expressions.syntax import Name
from compiler.expressions.values import leaves
from compiler.network.causality import hides_later_keys
from compiler.network.ir import Attention, Equation, HeadScore, Pointwise, Position, Step
from compiler.network.meanings import unmasked_keys
from compiler.readers.linting.formulas import POSITION_NAMES, is_condition, reads, takes_apart, uses
from compiler.readers.linting.rule import Examined, Finding, enumerated
from compiler.source.faults import no_rule
from compiler.source.text import Span


def learned_positions(examined: Examined) -> Iterator[Finding]:
    """No encoding of positions reads parameters."""
    for number in dict.fromkeys(examined.unstored):
        names = sorted(leaf.name for leaf in leaves([number.provenance]) if leaf.kind == "parameter")
        if number.positional and names:
            yield Finding(
                f"{number.what} reads {enumerated(names)}: it is learned, and only `free` counts that", number.span
            )
    for step in examined.spec.network.steps:
        if isinstance(step, Position) and step.table is not None:
            read = leaves(entry.provenance for entry in step.table.entries)
            names = sorted(leaf.name for leaf in read if leaf.kind == "parameter")
            if names:
                message = f"the table of {step.name} is learned: {enumerated(names)}"
                yield Finding(message, step.equations[0].span if step.equations else None)


def tables_of_positions(examined: Examined) -> Iterator[Finding]:
    """An encoding of positions is a curve in the position, or in the distance of query and key; it is no table."""
    reasons: dict[Span, tuple[str, list[str]]] = {}
    for step in examined.spec.network.steps:
        for equation, signs in _of_step(examined, step):
            reasons.setdefault(equation.span, (f"'{equation.left}' of {step.name}", []))[1].extend(signs)
    for span, (what, every) in reasons.items():
        if every:
            yield Finding(f"{what} is a table of positions: it {enumerated(list(dict.fromkeys(every)))}", span)


def _of_step(examined: Examined, step: Step) -> Iterator[tuple[Equation, Iterator[str]]]:
    """Each formula in positions, by its equation, with what makes a table of it."""
    if isinstance(step, Pointwise):
        return
    match step:
        case Position(terms=terms):
            yield from ((term.equation, _pieces(term.formula)) for term in terms)
        case Attention(scores=scores):
            causal = bool(scores) and hides_later_keys(step, examined.spec.network.context)
            visible = partial(_visible_keys, step, causal)
            yield from ((score.equation, _of_score(examined, score, visible)) for score in scores)
        case _:
            raise no_rule("step", step)


def _visible_keys(step: Attention, causal: bool, length: int) -> Keys:
    """The keys that the mask does not hide in sequences of this length, without later ones where all scores hide
    these."""
    keys = unmasked_keys(step.mask, length)
    if not causal:
        return keys
    return lambda query: range(keys(query).start, query + 1)


def _of_score(examined: Examined, score: HeadScore, visible: Callable[[int], Keys]) -> Iterator[str]:
    yield from _pieces(score.formula)
    length = examined.spec.network.context
    hides = False
    fits = True
    for time in lengths(length, varies=score.formula.reads_time):
        by_distance: dict[int, int | float] = {}
        for query, row in score.formula.telling_rows(time, visible(time)):
            hides = hides or -math.inf in row.values()
            if fits and not score.formula.by_distance:
                fits = all(by_distance.setdefault(key - query, value) == value for key, value in row.items())
    if hides:
        yield "hides tokens that causality does not"
    if not fits:
        yield "depends on more than the distance"


def _pieces(formula: PairFormula | PositionFormula) -> Iterator[str]:
    """What splits a formula into several pieces, in itself or in names under `let` that it reads."""
    for tree in _trees(formula.formula.tree, formula.scope):
        if any(reads(node, POSITION_NAMES, formula.scope) for node in uses(tree, is_condition)):
            yield "decides by a condition"
        if any(reads(node, POSITION_NAMES, formula.scope) for node in uses(tree, takes_apart)):
            yield "goes in steps (//, % or floor)"


def _trees(root: Expression, scope: Scope) -> Iterable[Expression]:
    """An expression, and those under `let` that it reads."""
    trees = [root]
    seen: set[str] = set()
    for tree in trees:
        for node in uses(tree, lambda node: isinstance(node, Name)):
            let = scope.lets.get(node.name) if isinstance(node, Name) else None
            if let is not None and isinstance(node, Name) and node.name not in seen:
                seen.add(node.name)
                trees.append(let.tree)
    return trees
