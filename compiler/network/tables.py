"""Every number that a network computes with, as tables: the stored tensors, and scores, positions, masks and scales."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from compiler.expressions.axes import Axis
from compiler.expressions.values import NOWHERE, Provenance
from compiler.network.ir import Attention, Index, Map, Pointwise, Position, Step, Tensor
from compiler.network.length import timed_scores, timed_terms
from compiler.network.meanings import added_to_later, divides, unmasked_keys
from compiler.network.storage import step_maps, stored_by
from compiler.source.faults import no_rule


@dataclass(frozen=True)
class Cell:
    """A number, and what it was computed from."""

    value: float
    provenance: Provenance = NOWHERE


@dataclass(frozen=True)
class Table:
    """Numbers of a step by index; what is not there is zero. An axis of None has no names.

    `named` gives the name of the tensor or table, and the place in it, of an index. A tensor has a `shape`, and `name`
    is the one that it has in the state dict; one that is tied names its owner in `tie`.
    """

    name: str
    axes: tuple[Axis | None, ...]
    cells: Mapping[Index, Cell]
    named: Callable[[Index], tuple[str, str]]
    shape: tuple[int, ...] | None = None
    tie: str | None = None


def step_tables(step: Step, length: int) -> dict[str, Table]:
    """The tables of a step, by their names within it. Formulas are taken for `length` positions, and lengths."""
    return {**_tensors(step), **_computed(step, length)}


def step_chains(step: Step) -> Iterator[tuple[str, ...]]:
    """The names within the step of tensors that are multiplied with one another, from left to right."""
    for group in stored_by(step):
        if group.kind == "embedding":
            factors = [part for part in stored_by(step) if part.kind == "factor"]
            yield tuple(_within(step, f"{part.name}.weight") for part in (group, *factors))
    for map_ in step_maps(step):
        yield tuple(_within(step, f"{part.name}.weight") for part in _chain(map_))


def _chain(map_: Map | None) -> Iterator[Map]:
    while map_ is not None:
        yield map_
        map_ = map_.inner


def _within(step: Step, name: str) -> str:
    """`query.weight` for `layer0.attention.query.weight`."""
    return name.removeprefix(f"{step.name}.")


def _tensors(step: Step) -> dict[str, Table]:
    tables = {}
    for group in stored_by(step):
        for place, tensor in group.named:
            tables[_within(step, place)] = _tensor(place, tensor, None if tensor.name == place else tensor.read_as)
    return tables


def _tensor(place: str, tensor: Tensor, tie: str | None) -> Table:
    cells = {entry.index: Cell(entry.value, entry.provenance) for entry in tensor.entries if entry.value}
    return Table(place, tensor.axes, cells, lambda index: (place, tensor.label(index)), tensor.shape, tie)


def _computed(step: Step, length: int) -> dict[str, Table]:
    """What a step computes with and does not store."""
    if isinstance(step, Pointwise):
        return {}
    match step:
        case Position(terms=()):
            return {}
        case Position():
            return _position(step, length)
        case Attention():
            return _attention(step, length)
        case _:
            raise no_rule("step", step)


def _position(step: Position, length: int) -> dict[str, Table]:
    """What formulas add; what those add that read `time` has a number for each length too."""
    name, labels, timed = step.name, step.stream.labels, timed_terms(step)
    positions: dict[Index, Cell] = {
        (term.dimension, position): Cell(value, term.provenance)
        for term in step.terms
        if term not in timed
        for position, value in enumerate(term.formula.column(length))
    }
    by_length: dict[Index, Cell] = {
        (term.dimension, position, time): Cell(value, term.provenance)
        for term in timed
        for time in range(1, length + 1)
        for position, value in enumerate(term.formula.column(time))
    }
    tables = {}
    if len(timed) < len(step.terms):
        axes = step.stream, None
        tables["positions"] = Table(name, axes, positions, lambda at: (name, f"{labels[at[0]]}, pos {at[1]}"))
    if timed:
        tables["positions by length"] = Table(
            name,
            (step.stream, None, None),
            by_length,
            lambda at: (name, f"{labels[at[0]]}, pos {at[1]}, time {at[2]}"),
        )
    return tables


def _attention(step: Attention, length: int) -> dict[str, Table]:
    name, heads = step.name, step.heads
    keys, added = unmasked_keys(step.mask, length), added_to_later(step.mask)
    tables = {}
    timed = timed_scores(step)
    if len(timed) < len(step.scores):
        scores: dict[Index, Cell] = {
            (score.head, query, key): Cell(value, score.provenance)
            for score in step.scores
            if score not in timed
            for query, row in enumerate(score.formula.table(length, keys))
            for key, value in enumerate(row)
            if key in keys(query)
        }
        tables["score"] = Table(
            name,
            (heads, None, None),
            scores,
            lambda at: (f"{name}.score {heads.labels[at[0]]}", f"query_pos {at[1]}, key_pos {at[2]}"),
        )
    if timed:
        by_length: dict[Index, Cell] = {
            (score.head, query, key, time): Cell(value, score.provenance)
            for score in timed
            for time in range(1, length + 1)
            for query, row in enumerate(score.formula.table(time, unmasked_keys(step.mask, time)))
            for key, value in enumerate(row)
            if key in unmasked_keys(step.mask, time)(query)
        }
        tables["score by length"] = Table(
            name,
            (heads, None, None, None),
            by_length,
            lambda at: (
                f"{name}.score {heads.labels[at[0]]}",
                f"query_pos {at[1]}, key_pos {at[2]}, time {at[3]}",
            ),
        )
    if step.rope is not None:
        pairs: dict[Index, Cell] = {
            (pair,): Cell(value, step.rope.provenance) for pair, value in enumerate(step.rope.frequencies)
        }
        tables["rope"] = Table(name, (None,), pairs, lambda at: (f"{name}.rope", f"pair {at[0]}"))
    if added is not None:
        tables["mask"] = _single(f"{name}.mask", "later keys", Cell(added, step.mask_provenance))
    scale = 1 / step.scale.value if divides(step.scale.operation) else step.scale.value
    tables["scale"] = _single(f"{name}.scale", "all heads", Cell(scale, step.scale.provenance))
    return tables


def _single(name: str, label: str, cell: Cell) -> Table:
    return Table(name, (), {(): cell}, lambda _: (name, label))
