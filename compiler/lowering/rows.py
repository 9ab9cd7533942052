"""Which lines write which rows: each one once, those of a variant before those of the spec it varies."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator
from typing import TypeVar

from compiler.expressions.formulas import Compute, Formula, attempt, in_place, read_formula
from compiler.expressions.scope import Scope
from compiler.expressions.targets import Aim, Target, targets
from compiler.lowering.context import Context, Line
from compiler.source.diagnostics import Note

Place = TypeVar("Place", bound=Hashable)
T = TypeVar("T")


def rows(
    context: Context, written: Iterable[Line], aim: Aim, scope: Scope, name: str = ""
) -> list[tuple[Line, list[Target]]]:
    """The lines that count, each with the rows that it writes. The list is empty for a line without a target.

    A row that is written twice is reported, and kept for the first line. `name` is the map, for the message.
    """
    aimed = [(line, _targets(context, line, aim, scope)) for line in written]
    everything = range(aim.axis.size)
    kept = effective(
        context,
        [(line, everything if line.target is None else [target.position for target in aims]) for line, aims in aimed],
    )
    owners: dict[int, Line] = {}
    chosen: list[tuple[Line, list[Target]]] = []
    for line, aims in (both for both, counts in zip(aimed, kept, strict=True) if counts):
        twice = next((target for target in aims if target.position in owners), None)
        owner = None if twice is None else owners[twice.position]
        if twice is not None and owner is not None and owner.key.span.source.layer == line.key.span.source.layer:
            note = Note("first written here", owner.key.span)
            label = f"{name} {aim.axis.labels[twice.position]}".strip()
            message = f"'{label}' is written twice"
            context.error("target-twice", message, line.key.span, None, note)
        left = [target for target in aims if target.position not in owners]
        owners |= {target.position: line for target in left}
        chosen.append((line, left))
    return chosen


def readable(
    context: Context, kept: Iterable[tuple[Line, list[Target]]], scope: Scope
) -> Iterator[tuple[Line, Formula, list[Target]]]:
    """The lines that hold a formula, with the rows that they write. Index names that mislead are reported."""
    for line, aims in kept:
        formula = read_formula(line.value, context.findings)
        if formula is not None and line.target is not None and aims:
            context.check_indices(line.target, formula, scope)
            yield line, formula, aims


def row_values(
    context: Context, formula: Formula, aims: Iterable[Target], scope: Scope, compute: Compute[T]
) -> Iterator[tuple[Target, T]]:
    """What `compute` makes of a formula for each row that it writes, up to the first where it cannot."""
    scope = in_place(scope, formula)
    for target in aims:
        value = attempt(formula, scope.bind(target.indices), compute, context.findings, target.case)
        if value is None:
            return  # one error for each equation is enough
        yield target, value


def _targets(context: Context, line: Line, aim: Aim, scope: Scope) -> list[Target]:
    return [] if line.target is None else targets(line.target, aim, scope, context.findings)


def effective(context: Context, written: list[tuple[Line, Collection[Place]]]) -> list[bool]:
    """Which of the lines count, each given with the places it writes.

    Where lines of several layers (a spec, its variant, a setting) write the same places, that of the last one counts.
    Writing only some of the places of an earlier layer's line is an error.
    """
    if len({line.key.span.source.layer for line, _ in written}) < 2:
        return [True] * len(written)
    writers: dict[Place, list[int]] = {}
    for i, (_, rows) in enumerate(written):
        for place in rows:
            writers.setdefault(place, []).append(i)
    sets = [frozenset(rows) for _, rows in written]
    dropped: set[int] = set()
    for i, (line, _) in enumerate(written):
        reported = i in dropped
        for j in sorted({j for place in sets[i] for j in writers[place]}):
            other = written[j][0]
            if line.key.span.source.layer >= other.key.span.source.layer:
                continue
            dropped.add(j)
            if sets[i] == sets[j]:
                context.superseded.append(other.key.span)
            elif not reported:
                reported = True  # one error for each equation is enough
                note = Note("of the spec that is varied", other.key.span)
                hint = f"write all of its targets and no others, or remove it: `{other.key.text}: null`"
                message = "writes some of the targets of an equation and not the others"
                if sets[i] > sets[j]:
                    message = "writes the targets of an equation and others too"
                context.error("target-twice", message, line.key.span, hint, note)
    return [j not in dropped for j in range(len(written))]
