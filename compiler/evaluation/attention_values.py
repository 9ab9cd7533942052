"""What attention computes on the way, as sums of terms: queries, keys, scores, weights and what they mix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import cos, inf, sin

import torch

from compiler.evaluation.traced_values import TracedValue, TracedValues
from compiler.evaluation.value_terms import (
    Computation,
    TermSum,
    ValueTerm,
    as_sum,
    copied,
    norm_terms,
    read_of,
    term_of,
)
from compiler.network.ir import Attention, Equation, Map, Norm
from compiler.network.meanings import (
    added_to_later,
    attends_to_nothing,
    divides,
    rope_pair,
    rope_pair_of,
    ties_of,
    unmasked_keys,
)
from compiler.source.faults import ToolFault


def in_attention(values: TracedValues, step: Attention, asked: TracedValue) -> Computation:
    """What heads compute of queries, keys and values."""
    name = values.activations[asked.run].name
    for map_, norm in ((step.query, step.query_norm), (step.key, step.key_norm)):
        if norm is not None and name == norm.name:
            coordinate = asked.channel % step.head_dim
            before = values.latest(map_.name, asked.run)
            row = values.row(before, asked.position)[asked.channel - coordinate :][: step.head_dim]
            return as_sum(values, asked, norm_terms(norm, row, [read_of(values, before, asked)], coordinate))
    match name.removeprefix(f"{step.name}."):
        case "queries":
            made = _rotated(values, step, asked, _before_rope(step.query, step.query_norm))
        case "keys":
            made = _rotated(values, step, asked, _before_rope(step.key, step.key_norm))
        case "values":
            made = copied(values, asked, step.value.name)
        case "scores":
            made = _scored(values, step, asked)
        case "pattern":
            return _weight(values, step, asked)
        case "mixed":
            made = _attended(values, step, asked)
        case part:
            raise ToolFault(f"a value of attention that has no rule: {part}")
    return as_sum(values, asked, made)


def _before_rope(map_: Map, norm: Norm | None) -> str:
    return map_.name if norm is None else norm.name


def _rotated(values: TracedValues, step: Attention, asked: TracedValue, source: str) -> TermSum:
    """A coordinate of a query or a key, turned by its position where there is rope."""
    rope = step.rope
    if rope is None:
        return copied(values, asked, source)
    coordinate = asked.channel % step.head_dim
    pair = rope_pair_of(rope.pairs, coordinate, step.head_dim)
    first, second = rope_pair(rope.pairs, pair, step.head_dim)
    angle = asked.position * rope.frequencies[pair]
    factors = (cos(angle), -sin(angle)) if coordinate == first else (sin(angle), cos(angle))
    run, start = values.latest(source, asked.run), asked.channel - coordinate
    terms = [
        term_of(values, TracedValue(run, asked.position, start + one), factor)
        for one, factor in zip((first, second), factors, strict=True)
    ]
    return TermSum(terms, [rope.equation])


def _scored(values: TracedValues, step: Attention, asked: TracedValue) -> TermSum:
    """The coordinates of a query, each times that of the key and scaled, and what formulas and mask add."""
    head, query, key, length = asked.channel, asked.position, asked.key, len(values.tokens)
    assert key is not None
    if key not in unmasked_keys(step.mask, length)(query):
        return TermSum([ValueTerm(-inf, label="mask")])
    sides = (("queries", step.query, step.query_norm), ("keys", step.key, step.key_norm))
    names = (_before_rope(map_, norm) if step.rope is None else f"{step.name}.{word}" for word, map_, norm in sides)
    queries, keys = (values.latest(name, asked.run) for name in names)
    scale = 1 / step.scale.value if divides(step.scale.operation) else step.scale.value
    terms = []
    for coordinate in range(step.head_dim):
        asks = TracedValue(queries, query, head * step.head_dim + coordinate)
        has = TracedValue(keys, key, head // step.group_size * step.head_dim + coordinate)
        terms.append(ValueTerm(values.number(has), values.number(asks), has, times=asks, scale=scale))
    formulas = [score for score in step.scores if score.head == head]
    label = f"positions {query} and {key}"
    terms += [ValueTerm(float(one.formula.at(query, key, length).value), label=label) for one in formulas]
    added = added_to_later(step.mask)
    if added is not None and key > query:
        terms.append(ValueTerm(added, label="mask"))
    return TermSum(terms, [score.equation for score in formulas])


def _weight(values: TracedValues, step: Attention, asked: TracedValue) -> Computation:
    """The weight of a key, of the scores of all keys."""
    run = values.latest(f"{step.name}.scores", asked.run)
    scores = values.head_row(run, asked.position, asked.channel)
    score = term_of(values, replace(asked, run=run))
    if ties_of(step.softmax) is not None:
        largest = ValueTerm(max(scores), label="the largest score")
        return Computation(values.number(asked), "largest", (score, largest))
    nothing = attends_to_nothing(step.softmax)
    total = float(torch.tensor([*scores, *[0.0] * nothing], dtype=torch.float64).logsumexp(0))
    label = f"log({'1 + ' * nothing}sum of e^score)"
    return Computation(values.number(asked), "exponential", (score, ValueTerm(total, -1.0, label=label)))


def _attended(values: TracedValues, step: Attention, asked: TracedValue) -> TermSum:
    """The values of the keys, each times its weight."""
    head, coordinate = divmod(asked.channel, step.value_dim)
    channel = head // step.group_size * step.value_dim + coordinate
    pattern = values.activations[values.latest(f"{step.name}.pattern", asked.run)].value[0, head, asked.position]
    source = values.latest(step.value.name, asked.run)
    weights = enumerate(pattern.tolist())
    terms = [term_of(values, TracedValue(source, key, channel), weight) for key, weight in weights]
    return TermSum(terms, list(_weighing(step, head)))


def _weighing(step: Attention, head: int) -> Iterator[Equation]:
    """The lines that say how a head weighs the keys."""
    for map_, group in ((step.query, head), (step.key, head // step.group_size)):
        rows = range(group * step.head_dim, (group + 1) * step.head_dim)
        for tensor in filter(None, (map_.weight, map_.bias)):
            yield from (one.equation for one in tensor.entries if tensor.axes[0] is None or one.index[0] in rows)
    yield from (score.equation for score in step.scores if score.head == head)
