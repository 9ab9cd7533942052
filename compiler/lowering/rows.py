"""Which lines write which rows: each one once, those of a variant before those of the spec it varies."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from collections.abc import Set as AbstractSet
from typing import TypeVar

from compiler.diagnostics import Diagnostic, Note
from compiler.expressions.scope import Scope
from compiler.lowering.context import Context, Line
from compiler.targets import Aim, Target, targets

Place = TypeVar("Place", bound=Hashable)


def rows(
    context: Context, written: Iterable[Line], aim: Aim, scope: Scope, name: str = ""
) -> list[tuple[Line, list[Target]]]:
    """The lines that count, with the rows that each of them writes; a line without a target writes them all.

    A row that is written twice is reported, and kept for the first line. `name` is the map, for the message.
    """
    aimed = [(line, _targets(context, line, aim, scope)) for line in written]
    kept = effective(context, [(line, {target.position for target in aims}) for line, aims in aimed])
    owners: dict[int, Line] = {}
    found: list[tuple[Line, list[Target]]] = []
    for line, aims in aimed:
        if line not in kept:
            continue
        twice = next((target for target in aims if target.position in owners), None)
        if twice is not None:
            note = Note("first written here", owners[twice.position].key.span)
            label = f"{name} {aim.axis.labels[twice.position]}".strip()
            message = f"'{label}' is written twice"
            context.found.append(Diagnostic("target-twice", message, line.key.span, notes=(note,)))
        own = [target for target in aims if target.position not in owners]
        owners |= {target.position: line for target in own}
        found.append((line, own))
    return found


def _targets(context: Context, line: Line, aim: Aim, scope: Scope) -> list[Target]:
    if line.target is None:
        return [Target(position, {}) for position in range(aim.axis.size)]
    return targets(line.target, aim, scope, context.found)


def effective(context: Context, written: list[tuple[Line, AbstractSet[Place]]]) -> list[Line]:
    """The lines that count, each given with the places it writes.

    Where lines of several layers (a spec, its variant, a setting) write the same places, that of the last one counts.
    Writing only some of the places of an earlier layer's line is an error.
    """
    layers = {line.key.span.source.layer for line, _ in written}
    if len(layers) < 2:
        return [line for line, _ in written]
    dropped: set[int] = set()
    for i, (line, places) in enumerate(written):
        reported = i in dropped
        for j, (other, others) in enumerate(written):
            if line.key.span.source.layer >= other.key.span.source.layer or not places & others:
                continue
            dropped.add(j)
            if places == others:
                context.superseded.append(other.key.span)
            elif not reported:
                reported = True  # one error for each equation is enough
                note = Note("of the spec that is varied", other.key.span)
                hint = f"remove that one: `{other.key.text}: null`"
                message = "writes some of the targets of an equation and not the others"
                if places > others:
                    message = "writes the targets of an equation and others too"
                context.found.append(Diagnostic("target-twice", message, line.key.span, hint, (note,)))
    return [line for j, (line, _) in enumerate(written) if j not in dropped]
