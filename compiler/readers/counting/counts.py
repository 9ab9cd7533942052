"""Counting parameters, from the IR: figures by stated rules, itemised by tensor and down to the lines of the spec."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod

from compiler.expressions.arithmetic import as_figure
from compiler.expressions.values import Leaf, Provenance, leaves
from compiler.language.definitions import Definition
from compiler.network.ir import (
    TRANSPOSE,
    Attention,
    Embedding,
    Entry,
    Equation,
    FeedForward,
    Head,
    Mix,
    Position,
    Repeat,
    Step,
    StreamNorm,
    StreamScale,
    Tensor,
)
from compiler.network.storage import Stored, stored, stored_by, tensors
from compiler.network.unstored_numbers import unstored_numbers
from compiler.pipeline import Spec
from compiler.source.faults import no_rule
from compiler.source.showing import html_table, short_repr

LONGEST_LINE = 200  # of a spec that is shown with a number in it


@dataclass(frozen=True)
class LineCount:
    """What one equation stores in one tensor: numbers written, and how many of them are not zero."""

    equation: Equation
    written: int
    nonzero: int

    __repr__ = short_repr


@dataclass(frozen=True)
class TensorCount:
    """One stored tensor, or a tie to one (`tie`), which stores nothing more."""

    name: str
    shape: tuple[int, ...]
    dense: int
    nonzero: int
    tie: str | None
    lines: tuple[LineCount, ...]

    __repr__ = short_repr


@dataclass(frozen=True)
class GroupCount:
    """A map with its bias, an embedding or a norm weight: what the rule `distinct` counts together.

    `part` is the part of `dense` that it belongs to, one of `PARTS`.
    """

    name: str
    step: str
    part: str
    distinct: int
    copies: bool
    tensors: tuple[TensorCount, ...]

    __repr__ = short_repr


@dataclass(frozen=True)
class HardCoded:
    """A number that stands in the spec outside `parameters` and enters weights; `name` is the definition it is in.

    `whole`: it is all of that definition, whose value it is. `source` is the text of its line.
    """

    name: str
    value: int | float
    whole: bool
    line: int
    file: str
    source: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        """`base = 10`, `0.3 in phi`, or `0.3` in an equation."""
        figure = as_figure(self.value)
        if not self.name:
            return figure
        return f"{self.name} = {figure}" if self.whole else f"{figure} in {self.name}"


@dataclass(frozen=True)
class Counts:
    """`free` is None where a spec declares no parameters, as then nothing is known about independence.

    `embedding`, `positions` and `non_embedding` add up to `dense`.
    """

    dense: int
    dense_untied: int
    embedding: int
    positions: int
    non_embedding: int
    nonzero: int
    distinct: int
    values: int
    values_with_zero: int
    free: int | None
    free_names: tuple[str, ...]
    hard_coded: tuple[HardCoded, ...]
    groups: tuple[GroupCount, ...]

    __repr__ = short_repr

    def _repr_html_(self) -> str:
        """Every figure, for a notebook."""
        rows = [(name, self.by_rule(name), rule.says) for name, rule in FIGURES.items()]
        return html_table("parameters", ("rule", "count", "what is counted"), rows)

    def by_rule(self, rule: str) -> int | None:
        """The figure of a name, or the length of the listing; None for an undeclared `free`."""
        return FIGURES[rule].figure(self)


def counted_tensors(counts: Counts) -> Iterator[TensorCount]:
    """Every tensor, ties too."""
    return (tensor for group in counts.groups for tensor in group.tensors)


Parts = list[tuple[str, int]]


def _no_parts(_: Counts) -> Parts:
    return []


def _dense_parts(counts: Counts, part: str) -> Parts:
    return [(tensor.name, tensor.dense) for group in counts.groups if group.part == part for tensor in group.tensors]


@dataclass(frozen=True)
class CountingRule:
    """A stated way to count. `says` what it counts, in a line; `figure` is the number by it.

    `parts` is what the figure adds up from, each with its share: tensors, maps, parameters or numbers. There are none
    where distinct values are counted. `counts_entries`: it counts what is stored, whatever that comes from. One with
    `beside` is shown in brackets in the column of that rule, with the words `in_brackets`. One that is `part_of`
    another has a column where a table is sorted by it, and else stands below the table of tensors.
    """

    says: str
    figure: Callable[[Counts], int | None]
    parts: Callable[[Counts], Parts] = _no_parts
    counts_entries: bool = False
    beside: str = ""
    in_brackets: str = ""
    part_of: str = ""


LISTING = "hard_coded"  # it is no score, and no spec can claim it
FIGURES = {
    "dense": CountingRule(
        "every scalar that the torch tensors store, zeros too, tied tensors once",
        figure=lambda counts: counts.dense,
        parts=lambda counts: [(tensor.name, tensor.dense) for tensor in counted_tensors(counts)],
        counts_entries=True,
    ),
    "dense_untied": CountingRule(
        "`dense` with every tie stored again",
        figure=lambda counts: counts.dense_untied,
        parts=lambda counts: [(tensor.name, prod(tensor.shape)) for tensor in counted_tensors(counts)],
        counts_entries=True,
        beside="dense",
        in_brackets="untied",
    ),
    "embedding": CountingRule(
        "the part of `dense` in the embedding, the factors of one of low rank too",
        figure=lambda counts: counts.embedding,
        parts=lambda counts: _dense_parts(counts, "embedding"),
        part_of="dense",
    ),
    "positions": CountingRule(
        "the part of `dense` in position tables",
        figure=lambda counts: counts.positions,
        parts=lambda counts: _dense_parts(counts, "positions"),
        part_of="dense",
    ),
    "non_embedding": CountingRule(
        "the rest of `dense`: maps, norms, scales and mixes, with an unembedding that is not tied",
        figure=lambda counts: counts.non_embedding,
        parts=lambda counts: _dense_parts(counts, "non_embedding"),
        part_of="dense",
    ),
    "nonzero": CountingRule(
        "stored scalars that are not zero; a broadcast row once",
        figure=lambda counts: counts.nonzero,
        parts=lambda counts: [(tensor.name, tensor.nonzero) for tensor in counted_tensors(counts)],
        counts_entries=True,
    ),
    "distinct": CountingRule(
        "embedding: nonzero entries; other maps: distinct nonzero values of weight and bias; copies are free",
        figure=lambda counts: counts.distinct,
        parts=lambda counts: [(group.name, group.distinct) for group in counts.groups],
    ),
    "values": CountingRule(
        "distinct nonzero numbers over the whole model",
        figure=lambda counts: counts.values,
    ),
    "values_with_zero": CountingRule(
        "`values`, and one more where a zero is stored",
        figure=lambda counts: counts.values_with_zero,
        beside="values",
        in_brackets="with 0",
    ),
    "free": CountingRule(
        "scalars under `parameters` that no other parameter gives and the network reads, each once",
        figure=lambda counts: counts.free,
        parts=lambda counts: [(name, 1) for name in counts.free_names],
    ),
    LISTING: CountingRule(
        "a listing, no score: other numbers than 0, 1 and -1 that enter weights and are no parameters",
        figure=lambda counts: len(counts.hard_coded),
        parts=lambda counts: [(f"{item} (line {item.line})", 1) for item in counts.hard_coded],
    ),
}
COUNTING_RULES = tuple(name for name in FIGURES if name != LISTING)  # what a spec can claim
BESIDE = {rule.beside: (name, rule.in_brackets) for name, rule in FIGURES.items() if rule.beside}
PARTS = tuple(name for name, rule in FIGURES.items() if rule.part_of)  # they add up to `dense`
SHOWN_RULES = tuple(name for name, rule in FIGURES.items() if not (rule.beside or rule.part_of))  # with a column


def count(spec: Spec) -> Counts:
    """Count a spec by every rule (docs/counting.md)."""
    network, definitions = spec.network, spec.resolved.definitions
    declares_parameters = any(definition.kind == "parameter" for definition in definitions.values())
    every = tensors(network).values()
    entries = [entry for tensor in every for entry in tensor.entries]
    groups = tuple(_group(group, _part(step)) for step in network.steps for group in stored_by(step))
    nonzero_values = {entry.value for entry in entries if entry.value}
    dense = sum(tensor.size for tensor in every)
    nonzero = sum(1 for entry in entries if entry.value)
    in_weights = leaves(entry.provenance for entry in entries)
    unstored = (number.provenance for step in network.steps for number in unstored_numbers(step))
    read = in_weights | leaves(unstored)
    free = sorted({leaf.name for leaf in read if leaf.kind == "parameter"})
    parts = Counter[str]()
    for group in groups:
        parts[group.part] += sum(tensor.dense for tensor in group.tensors)
    return Counts(
        dense=dense,
        dense_untied=sum(tensor.size for group in stored(network) for _, tensor in group.named),
        embedding=parts["embedding"],
        positions=parts["positions"],
        non_embedding=parts["non_embedding"],
        nonzero=nonzero,
        distinct=sum(group.distinct for group in groups),
        values=len(nonzero_values),
        values_with_zero=len(nonzero_values) + (dense > nonzero),
        free=len(free) if declares_parameters else None,
        free_names=tuple(free),
        hard_coded=_hard_coded(in_weights, definitions),
        groups=groups,
    )


def _part(step: Step) -> str:
    """The part of `dense` that a step's tensors belong to."""
    match step:
        case Embedding():
            return "embedding"
        case Position():
            return "positions"
        case StreamNorm() | StreamScale() | Attention() | FeedForward() | Repeat() | Mix() | Head():
            return "non_embedding"
        case _:
            raise no_rule("step", step)


def _group(group: Stored, part: str) -> GroupCount:
    counted = [tensor for name, tensor in group.named if tensor.name == name]
    nonzero = [entry for tensor in counted for entry in tensor.entries if entry.value]
    different, copies = len({entry.value for entry in nonzero}), False
    match group.kind:
        case "embedding":
            different = len(nonzero)
        case "map" | "factor":
            copies = bool(nonzero) and _copies(group)
        case "vector":
            pass
        case _:
            raise no_rule("stored", group.kind)
    ties = {f"{group.name}.weight": _tie(group)}
    counts = tuple(_tensor(name, tensor, ties.get(name)) for name, tensor in group.named)
    return GroupCount(group.name, group.step, part, 0 if copies else different, copies, counts)


def _tie(group: Stored) -> str | None:
    """What stores the weight of a group instead, with `.T` where that is the transpose."""
    turned = group.weight is not None and group.weight.transposed
    return f"{group.weight_tie}{TRANSPOSE}" if turned and group.weight_tie is not None else group.weight_tie


def _copies(group: Stored) -> bool:
    """Whether a map only copies: every weight 1, no bias, each source read once."""
    if group.bias is not None and any(entry.value for entry in group.bias.entries):
        return False
    assert group.weight is not None
    nonzero = [entry for entry in group.weight.entries if entry.value]
    sources = Counter(entry.index[0 if group.kind == "factor" else -1] for entry in nonzero)
    is_broadcast = group.weight.axes[0] is None and group.outputs.size > 1
    return not is_broadcast and all(entry.value == 1 for entry in nonzero) and max(sources.values()) == 1


def _tensor(name: str, tensor: Tensor, tie: str | None) -> TensorCount:
    lines: dict[Equation, list[Entry]] = {}
    for entry in tensor.entries:
        lines.setdefault(entry.equation, []).append(entry)
    return TensorCount(
        name,
        tensor.shape,
        0 if tie else tensor.size,
        0 if tie else sum(1 for entry in tensor.entries if entry.value),
        tie,
        tuple(
            LineCount(equation, len(written), sum(1 for entry in written if entry.value))
            for equation, written in lines.items()
        ),
    )


def hard_coded_readers(spec: Spec, most: int) -> dict[HardCoded, tuple[Equation, ...]]:
    """The equations, at most the first `most`, whose weights were computed from each number that is no parameter."""
    written: dict[Equation, list[Provenance]] = {}
    for tensor in tensors(spec.network).values():
        for entry in tensor.entries:
            written.setdefault(entry.equation, []).append(entry.provenance)
    readers: dict[HardCoded, dict[Equation, None]] = {}
    made: dict[Leaf, tuple[HardCoded, ...]] = {}
    visits = Counter[Provenance]()  # a number that `most` equations have read has all its readers
    for equation, provenances in written.items():
        todo, seen = provenances, set[Provenance]()
        while todo:
            provenance = todo.pop()
            if provenance in seen or visits[provenance] >= most:
                continue
            seen.add(provenance)
            visits[provenance] += 1
            todo += provenance.parts
            if provenance.leaf is None:
                continue
            if provenance.leaf not in made:
                made[provenance.leaf] = _hard_coded([provenance.leaf], spec.resolved.definitions)
            for item in made[provenance.leaf]:
                equations = readers.setdefault(item, {})
                if len(equations) < most:
                    equations[equation] = None
    return {item: tuple(equations) for item, equations in readers.items()}


def _hard_coded(in_weights: Iterable[Leaf], definitions: Mapping[str, Definition]) -> tuple[HardCoded, ...]:
    numbers = set()
    for leaf in in_weights:
        if leaf.kind == "literal":
            span, definition = leaf.span, definitions.get(leaf.name)
            whole = bool(leaf.name) if definition is None else definition.is_all(span)  # none: pi, or in an equation
            source = _shortened(span.source.line(span.line))
            numbers.add(HardCoded(leaf.name, leaf.value, whole, span.line, span.source.name, source))
    return tuple(sorted(numbers, key=lambda item: (item.file, item.line, item.name, item.value)))


def _shortened(line: str) -> str:
    """The line, or the beginning of a very long one: thousands of numbers may stand in it."""
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…"
