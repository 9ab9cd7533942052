"""What differs between two specs: text, names, equations, every weight with its cause, and the counts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from compiler.counting import RULES, count
from compiler.expressions.values import NOWHERE, Provenance, names_read
from compiler.floats import FloatFormat
from compiler.ir import Attention, Position, Tensor
from compiler.pipeline import Spec
from compiler.storage import tensors
from compiler.text_changes import TextChange, text_changes

POSITIONS_COMPARED = 64  # score formulas are compared for so many query and key positions


@dataclass(frozen=True)
class EntryChange:
    """One number of a tensor or table that differs, at the named place `label`; None where it does not exist."""

    tensor: str
    label: str
    before: float | None
    after: float | None
    causes: tuple[str, ...]

    @property
    def ratio(self) -> float | None:
        """after / before, to twelve digits, where both are there and not zero."""
        if not self.before or not self.after or math.isinf(self.before) or math.isinf(self.after):
            return None
        return float(f"{self.after / self.before:.12g}")


@dataclass(frozen=True)
class EntryGroup:
    """Entries that one cause changed by one factor (`ratio`), or by many (None)."""

    causes: tuple[str, ...]
    ratio: float | None
    entries: tuple[EntryChange, ...]


@dataclass(frozen=True)
class ShapeChange:
    tensor: str
    before: tuple[int, ...] | None
    after: tuple[int, ...] | None


@dataclass(frozen=True)
class CountChange:
    rule: str
    before: int | None
    after: int | None


@dataclass(frozen=True)
class Difference:
    before: str
    after: str
    files: tuple[str, str]
    dtypes: tuple[FloatFormat, FloatFormat]
    texts: tuple[TextChange, ...]
    shapes: tuple[ShapeChange, ...]
    groups: tuple[EntryGroup, ...]
    counts: tuple[CountChange, ...]

    @property
    def empty(self) -> bool:
        """Whether the two specs say the same; then every count is the same too."""
        return not (self.texts or self.shapes or self.groups)


def diff(before: Spec, after: Spec) -> Difference:
    """Compare two specs, or a spec with its own variant."""
    texts = text_changes(before, after)
    changed = {change.path for change in texts if change.section in ("constant", "size", "parameter")}
    changed |= _changed_values(before, after)
    length = min(before.network.context, after.network.context, POSITIONS_COMPARED)
    tables_before, tables_after = _tables(before, length), _tables(after, length)
    count_before, count_after = count(before), count(after)
    return Difference(
        before.title,
        after.title,
        (str(before.path), str(after.path)),
        (before.network.dtype, after.network.dtype),
        texts,
        tuple(_shapes(before, after)),
        _grouped(list(_entries(tables_before, tables_after, _roots(before, after, changed)))),
        tuple(
            CountChange(rule, count_before.by_rule(rule), count_after.by_rule(rule))
            for rule in RULES
            if count_before.by_rule(rule) != count_after.by_rule(rule)
        ),
    )


# Causes


def _changed_values(before: Spec, after: Spec) -> set[str]:
    first, second = before.resolved.definitions, after.resolved.definitions
    return {
        name
        for name in first.keys() & second.keys()
        if [number.value for number in first[name].numbers] != [number.value for number in second[name].numbers]
    }


def _roots(before: Spec, after: Spec, changed: set[str]) -> set[str]:
    """Of the names that changed, those whose own text changed; where only numbers did, all of them."""
    first, second = before.resolved.definitions, after.resolved.definitions
    rewritten = {
        name for name in changed if name not in first or name not in second or first[name].text != second[name].text
    }
    return rewritten or changed


# Numbers


@dataclass(frozen=True)
class _Cell:
    value: float
    provenance: Provenance


_Table = dict[str, _Cell]


def _tables(spec: Spec, length: int) -> dict[str, _Table]:
    """Every stored tensor, and what else the steps compute with, as cells by named place.

    Position formulas are taken for `length` positions.
    """
    tables = {name: _cells(tensor) for name, tensor in tensors(spec.network).items()}
    for step in spec.network.steps:
        if isinstance(step, Position) and step.terms:
            tables[step.name] = {
                f"{step.stream.labels[term.dimension]}, pos {position}": _Cell(value, term.provenance)
                for term in step.terms
                for position, value in enumerate(term.formula.column(length))
            }
        if not isinstance(step, Attention):
            continue
        for score in step.scores:
            provenance = score.provenance
            rows = score.formula.table(length, causal=step.mask == "causal")
            cells = {
                f"query_pos {query}, key_pos {key}": _Cell(value, provenance)
                for query, row in enumerate(rows)
                for key, value in enumerate(row)
                if key <= query or step.mask != "causal"
            }
            tables[f"{step.name}.score {step.heads.labels[score.head]}"] = cells
        if step.rope is not None:
            frequencies = enumerate(step.rope.frequencies)
            provenance = step.rope.provenance
            tables[f"{step.name}.rope"] = {f"pair {pair}": _Cell(value, provenance) for pair, value in frequencies}
        if not isinstance(step.mask, str):
            tables[f"{step.name}.mask"] = {"later keys": _Cell(step.mask, step.mask_provenance)}
        scale = step.scale.value if step.scale.operation == "multiply" else 1 / step.scale.value
        tables[f"{step.name}.scale"] = {"all heads": _Cell(scale, step.scale.provenance)}
    return tables


def _cells(tensor: Tensor) -> _Table:
    return {tensor.label(entry.index): _Cell(entry.value, entry.provenance) for entry in tensor.entries if entry.value}


def _entries(before: dict[str, _Table], after: dict[str, _Table], roots: set[str]) -> Iterator[EntryChange]:
    nowhere = _Cell(0.0, NOWHERE)
    known: dict[Provenance, frozenset[str]] = {}
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name, {}), after.get(name, {})
        for label in dict.fromkeys([*old, *new]):
            first, second = old.get(label, nowhere), new.get(label, nowhere)
            if first.value != second.value:
                causes = {name for cell in (first, second) for name in names_read(cell.provenance, roots, known)}
                yield EntryChange(
                    name,
                    label,
                    first.value if label in old else None,
                    second.value if label in new else None,
                    tuple(sorted(causes)),
                )


def _grouped(changes: list[EntryChange]) -> tuple[EntryGroup, ...]:
    """Entries of one cause together: by factor where few factors explain them all, else tensor by tensor."""
    by_cause: dict[tuple[str, ...], list[EntryChange]] = {}
    for change in changes:
        by_cause.setdefault(change.causes, []).append(change)
    groups = []
    for causes, members in by_cause.items():
        ratios = {change.ratio for change in members}
        if causes and None not in ratios and len(ratios) <= 3:
            keys: list[tuple[float | None, str]] = [(change.ratio, "") for change in members]
        else:
            keys = [(None, change.tensor) for change in members]
        for key in dict.fromkeys(keys):
            chosen = tuple(change for change, own in zip(members, keys, strict=True) if own == key)
            groups.append(EntryGroup(causes, key[0], chosen))
    return tuple(groups)


def _shapes(before: Spec, after: Spec) -> Iterator[ShapeChange]:
    first, second = tensors(before.network), tensors(after.network)
    for name in dict.fromkeys([*first, *second]):
        old = first[name].shape if name in first else None
        new = second[name].shape if name in second else None
        if old != new:
            yield ShapeChange(name, old, new)
