"""What differs between two models: text, names, equations, every weight with its cause, ties, and the counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import get_args

from compiler.expressions.values import Provenance, names_read
from compiler.language.definitions import DefinitionKind
from compiler.pipeline import Spec
from compiler.readers.counting.counts import SHOWN_RULES, count
from compiler.readers.diffing.differences import (
    CountChange,
    Difference,
    EntryChange,
    EntryGroup,
    Likeness,
)
from compiler.readers.diffing.matching import NameMatch, definitions_matched, names_matched, renamed_definitions
from compiler.readers.diffing.nameless import nameless
from compiler.readers.diffing.table_diffing import CellChange, NumberChanges, compare_numbers
from compiler.readers.diffing.text_changes import Renaming, TextChange, text_changes
from compiler.source.saved import is_saved
from compiler.source.state_dicts import StateDict

DEFINITIONS = get_args(DefinitionKind)


def diff(before: Spec | StateDict, after: Spec | StateDict, names: Mapping[str, str] | None = None) -> Difference:
    """Compare two models, or a spec with its own variant.

    Where a spec was read from a saved model, the tensors of the file are compared too. `names` maps tensors of the
    first model to those of the second, where one is a state dict; all others are matched by name, then by place.
    Specs in YAML are compared without torch. Raises `SpecError` where a file cannot be read or a name is not there.
    """
    if isinstance(before, Spec) and isinstance(after, Spec):
        difference = _of_specs(before, after)
        if not names and not is_saved(before.path) and not is_saved(after.path):
            return difference
    else:
        difference = Difference(before.title, after.title, _files(before, after), of_specs=False)
    from compiler.readers.diffing.tensor_diffing import with_tensors

    return with_tensors(difference, before, after, names or {})


def _files(before: Spec | StateDict, after: Spec | StateDict) -> tuple[str, str]:
    return str(before.path), str(after.path)


def _of_specs(before: Spec, after: Spec) -> Difference:
    matching, numbers = compare_numbers(before.network, after.network)
    same_form = len(before.network.steps) == len(after.network.steps) == len(matching.steps)
    defined = definitions_matched(before, after, same_form=same_form)
    names = (*names_matched(before.network, after.network, matching), *renamed_definitions(before, defined))
    texts = text_changes(before, after, Renaming(names), defined)
    return Difference(
        before.title,
        after.title,
        _files(before, after),
        texts,
        names,
        numbers.shapes,
        numbers.ties,
        numbers.products,
        _grouped(_explained(numbers.cells, defined, _changed(before, after, defined, texts))),
        counts=tuple(_counts(before, after)),
        alike=_alike(before, after, numbers, names),
        dtypes=(before.network.dtype, after.network.dtype),
    )


def _counts(before: Spec, after: Spec) -> Iterator[CountChange]:
    first, second = count(before), count(after)
    for rule in SHOWN_RULES:
        if first.by_rule(rule) != second.by_rule(rule):
            yield CountChange(rule, first.by_rule(rule), second.by_rule(rule))


def _alike(
    before: Spec, after: Spec, numbers: NumberChanges, names: tuple[NameMatch, ...]
) -> tuple[Likeness, ...] | None:
    """What sets two networks apart that are the same otherwise; None where they are not."""
    factored = [change.equal for change in numbers.products]
    if not all(factored) or ((numbers.cells or numbers.shapes) and not factored):
        return None
    multiplied_out, untied = bool(numbers.products), bool(numbers.ties)
    first, second = (nameless(spec.network, multiplied_out=multiplied_out, untied=untied) for spec in (before, after))
    if first != second:
        return None
    apart: list[tuple[Likeness, bool]] = [
        ("up to names", bool(names)),
        ("multiplied out", multiplied_out),
        ("apart from ties", untied),
    ]
    return tuple(likeness for likeness, is_so in apart if is_so)


# Causes


def _changed(before: Spec, after: Spec, defined: Mapping[str, str], texts: tuple[TextChange, ...]) -> set[str]:
    """The names, as the second spec has them, whose own text changed; if there are none, those with other numbers."""
    first, second = before.resolved.definitions, after.resolved.definitions
    rewritten = {change.path for change in texts if change.section in DEFINITIONS}
    renumbered = {
        new
        for old, new in defined.items()
        if [number.value for number in first[old].numbers] != [number.value for number in second[new].numbers]
    }
    return rewritten or renumbered


def _explained(cells: Iterable[CellChange], defined: Mapping[str, str], changed: set[str]) -> Iterator[EntryChange]:
    """The changes with their causes: the names that either number was computed from."""
    wanted = {old: new for old, new in {**{name: name for name in changed}, **defined}.items() if new in changed}
    sides: list[dict[Provenance, frozenset[str]]] = [{}, {}]
    for change in cells:
        old = () if change.before is None else names_read(change.before.provenance, wanted.keys(), sides[0])
        new = () if change.after is None else names_read(change.after.provenance, changed, sides[1])
        causes = {*(wanted[name] for name in old), *new}
        values = [None if cell is None else cell.value for cell in (change.before, change.after)]
        yield EntryChange(change.tensor, change.label, values[0], values[1], tuple(sorted(causes)), change.ulps)


def _grouped(changes: Iterable[EntryChange]) -> tuple[EntryGroup, ...]:
    """Entries of one cause together: by factor where few factors explain them all, else tensor by tensor."""
    by_cause: dict[tuple[str, ...], list[EntryChange]] = {}
    for change in changes:
        by_cause.setdefault(change.causes, []).append(change)
    groups = []
    for causes, members in by_cause.items():
        ratios = {change.ratio for change in members}
        by_factor = causes and None not in ratios and len(ratios) <= 3
        chosen: dict[tuple[float | None, str], list[EntryChange]] = {}
        for change in members:
            chosen.setdefault((change.ratio, "") if by_factor else (None, change.tensor), []).append(change)
        groups += [EntryGroup(causes, ratio, tuple(entries)) for (ratio, _), entries in chosen.items()]
    return tuple(groups)
