"""Why one value of a trace is what it is: the equation of its step with its numbers, down to the tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import cos, inf, sin, sqrt
from typing import Literal

import torch

from compiler.backends.torch.tracing import Activation
from compiler.network.ir import (
    ActivationKind,
    Attention,
    Combined,
    Embedding,
    Equation,
    Factor,
    FeedForward,
    Head,
    Map,
    Mix,
    Mixture,
    Network,
    Norm,
    OutputWord,
    Position,
    Repeat,
    Scaled,
    Step,
    StreamAfter,
    StreamNorm,
    StreamScale,
    Tensor,
    Undivided,
)
from compiler.network.meanings import (
    added_to_later,
    attends_to_nothing,
    divides,
    keeps_stream,
    rope_pair,
    rope_pair_of,
    subtracts_mean,
    ties_of,
    unmasked_keys,
)
from compiler.network.storage import step_maps, step_norm
from compiler.source.diagnostics import did_you_mean, fail
from compiler.source.faults import ToolFault, no_rule

MAX_EXPLAINED = 60  # values that one question explains
MAX_FOLLOWED = 8  # terms of one sum that are explained in turn
_PAIR = re.compile(r"\[(.*), *([^,\]]*)\]", re.DOTALL)  # head and key


@dataclass(frozen=True)
class TracedValue:
    """A number of a trace, by the places of the activation in the trace, the token, and the dimension.

    A score, or a weight in a pattern, has the query as its position, the head as its channel, and a `key`.
    """

    run: int
    position: int
    channel: int
    key: int | None = None


@dataclass(frozen=True)
class ValueTerm:
    """`coefficient` · `scale` · `value`, where the value is one of the trace, or called `label` where it is none.

    `times` is the value that the coefficient is, where it is one too: queries are multiplied by keys, and scaled.
    """

    value: float
    coefficient: float = 1.0
    read: TracedValue | None = None
    label: str = ""
    times: TracedValue | None = None
    scale: float = 1.0

    @property
    def product(self) -> float:
        return self.coefficient * self.scale * self.value

    @property
    def values(self) -> tuple[TracedValue, ...]:
        """What it reads of the trace."""
        return tuple(value for value in (self.times, self.read) if value is not None)


@dataclass(frozen=True)
class Computation:
    """A value and what it was computed from: the sum or the product of `terms`, or a function of one of them.

    `function` is `sum`, `product`, or the word of an activation. A weight in a pattern is the `exponential` of the sum,
    or there, with all others or alone, where its score is the `largest` one. `equations` are the lines of the spec that
    gave the coefficients.
    """

    value: float
    function: Literal["sum", "product", "exponential", "largest"] | ActivationKind
    terms: tuple[ValueTerm, ...]
    equations: tuple[Equation, ...] = ()


@dataclass(frozen=True)
class TracedValues:
    """The values of one pass over `tokens`, and the network that computed them."""

    network: Network
    tokens: tuple[int, ...]
    activations: tuple[Activation, ...]

    @cached_property
    def steps(self) -> dict[str, Step]:
        return {step.name: step for step in self.network.steps}

    def label(self, value: TracedValue) -> str:
        """Its name: `layer0.ffn.up.candidate[3]`, or `layer0.attention.scores[count, 5]` with head and key."""
        activation = self.activations[value.run]
        label = activation.labels[value.channel]
        return f"{activation.name}.{label}" if value.key is None else f"{activation.name}[{label}, {value.key}]"

    def run_of(self, value: TracedValue) -> int | None:
        """Which run of its step it is from, from 1; None where the step runs once."""
        runs = self.runs(self.activations[value.run].name)
        return runs.index(value.run) + 1 if len(runs) > 1 else None

    def runs(self, name: str) -> list[int]:
        """Where the values of that name stand in the trace."""
        return [i for i, activation in enumerate(self.activations) if activation.name == name]

    def number(self, value: TracedValue) -> float:
        place = value.channel if value.key is None else value.channel * len(self.tokens) + value.key
        return float(self.activations[value.run].at(value.position)[place])

    def row(self, run: int, position: int) -> list[float]:
        """All dimensions of a value at a position."""
        numbers: list[float] = self.activations[run].at(position).tolist()
        return numbers

    def head_row(self, run: int, position: int, head: int) -> list[float]:
        """The coordinates of a head, or its numbers for all keys."""
        row = self.row(run, position)
        size = len(row) // self.activations[run].value.shape[1]
        return row[head * size : (head + 1) * size]

    def latest(self, name: str, before: int) -> int:
        """The last value of that name before another one."""
        return next(i for i in reversed(range(before)) if self.activations[i].name == name)

    def stream_before(self, run: int) -> int:
        """The stream that the step reads which computes a value."""
        return next(i for i in reversed(range(run)) if self.activations[i].name in self.steps)

    def step_of(self, run: int) -> Step:
        """The step that computes a value."""
        name = self.activations[run].name
        return self.steps[next(step for step in self.steps if name == step or name.startswith(f"{step}."))]


def find_value(values: TracedValues, asked: str) -> TracedValue:
    """The number `NAME.DIMENSION@POSITION`, or `…@POSITION:RUN`: runs of a step count from 1, the last is the default.

    A score or a weight in a pattern is `NAME[HEAD, KEY]@QUERY`. Raises `SpecError` where there is none.
    """
    unit, at, position = asked.rpartition("@")
    if not at:
        hint = f"such as '{asked}@{len(values.tokens) - 1}'"
        raise fail("syntax", f"'{asked}' has no position", hint=hint)
    position, colon, run = position.partition(":")
    name, label, key = _of_pair(values, unit) or _of_dimension(values, unit)
    runs = values.runs(name)
    axis = values.activations[runs[-1]].labels
    if label not in axis:
        raise fail("unknown-name", f"{name} has no '{label}'{did_you_mean(label, axis)}")
    at_run = _run(runs, run) if colon else runs[-1]
    at_key = None if key is None else _position(values, key)
    return TracedValue(at_run, _position(values, position), axis.index(label), at_key)


def _of_pair(values: TracedValues, unit: str) -> tuple[str, str, str] | None:
    """The name, the head and the key of a number that is there for two positions; None where the name is of others."""
    pairs = {activation.name: activation for activation in values.activations if "time" not in activation.dimensions}
    name = next((name for name in pairs if unit.startswith(name) and unit[len(name) :][:1] in ("", ".", "[")), None)
    if name is None:
        return None
    inner = _PAIR.fullmatch(unit[len(name) :])
    if inner is None:
        hint = f"such as '{name}[{pairs[name].labels[0]}, 0]@{len(values.tokens) - 1}'"
        raise fail("syntax", f"'{unit}' does not name a head and a key", hint=hint)
    return name, inner[1], inner[2]


def _of_dimension(values: TracedValues, unit: str) -> tuple[str, str, None]:
    """The longest name with a dimension, or with what is none of its dimensions."""
    named = {activation.name: activation for activation in values.activations if "time" in activation.dimensions}
    ends = [i for i, character in enumerate(unit) if character == "." and unit[:i] in named]
    if not ends:
        known = [f"{name}.{unit.rpartition('.')[2]}" for name in named]
        message = f"'{unit}' is no dimension of a step{did_you_mean(unit, known)}"
        raise fail("unknown-name", message, hint=_example(values))
    end = next((end for end in reversed(ends) if unit[end + 1 :] in named[unit[:end]].labels), ends[-1])
    return unit[:end], unit[end + 1 :], None


def _example(values: TracedValues) -> str:
    last = values.activations[-1]
    return f"such as '{last.name}.{last.labels[0]}@{len(values.tokens) - 1}'"


def _run(runs: Sequence[int], text: str) -> int:
    number = _number(text)
    if not 1 <= number <= len(runs):
        raise fail("index-range", f"the runs of this step are 1 to {len(runs)}, not {text}")
    return runs[number - 1]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else -1


def _position(values: TracedValues, text: str) -> int:
    position = _number(text)
    check_position(position, len(values.tokens), text)
    return position


def check_position(position: int, length: int, asked: object) -> None:
    """Raises `SpecError` unless a sequence of so many tokens has that position."""
    if not 0 <= position < length:
        raise fail("index-range", f"positions of this sequence are 0 to {length - 1}, not {asked}")


def computations(values: TracedValues, asked: TracedValue, depth: int) -> Iterator[tuple[TracedValue, Computation]]:
    """The equation of a value, then those of the largest values in it that are not multiplied by zero or zero
    themselves, and so on, so many levels and `MAX_EXPLAINED` values at most. Each comes once."""
    todo, seen = [(asked, 1)], {asked}
    for value, level in todo:  # which grows
        computation = computation_of(values, value)
        yield value, computation
        largest = sorted(computation.terms, key=lambda term: -abs(term.product))
        followed = (term for term in largest[:MAX_FOLLOWED] if level < depth and term.product != 0)
        for read in (read for term in followed for read in term.values):
            if read not in seen and len(seen) < MAX_EXPLAINED:
                seen.add(read)
                todo.append((read, level + 1))


def computation_of(values: TracedValues, asked: TracedValue) -> Computation:
    """What one value was computed from."""
    step = values.step_of(asked.run)
    made = _of_stream if values.activations[asked.run].name == step.name else _inside
    return made(values, step, asked)


@dataclass(frozen=True)
class _Sum:
    terms: Sequence[ValueTerm]
    equations: Sequence[Equation] = ()


def _as_sum(values: TracedValues, asked: TracedValue, *sums: _Sum) -> Computation:
    terms = tuple(term for one in sums for term in one.terms)
    equations = tuple(dict.fromkeys(equation for one in sums for equation in one.equations))
    return Computation(values.number(asked), "sum", terms, equations)


def _of_stream(values: TracedValues, step: Step, asked: TracedValue) -> Computation:
    """The stream after a step, or the logits."""
    match step:
        case Embedding(factors=factors):
            made = _looked_up(values, step, asked) if not factors else _same(values, asked, factors[-1].name)
        case Position():
            old = _read(values, values.stream_before(asked.run), asked)
            return _as_sum(values, asked, _Sum([old]), _of_position(values, step, asked))
        case StreamNorm(norm=norm):
            row = values.row(values.stream_before(asked.run), asked.position)
            before = [_old(values, asked, channel) for channel in range(len(row))]
            made = _normed(norm, row, [before[asked.channel]], asked.channel)
        case StreamScale(weight=weight):
            factor, equations = _entry(weight, asked.channel)
            old = _read(values, values.stream_before(asked.run), asked, coefficient=factor)
            made = _Sum([old], equations)
        case Attention() | FeedForward():
            if step.post_norm is not None:
                made = _same(values, asked, step.post_norm.name)
            else:
                made = _Sum([*_kept(values, step, asked, asked.channel), _change(values, step, asked, asked.channel)])
        case Repeat():
            made = _Sum([_read(values, values.stream_before(asked.run), asked)])
        case Mix(mixture=mixture, weight=weight, equation=equation):
            made = _Sum(list(_mixed(values, mixture, weight, asked, 1.0)), [equation])
        case Head(logits=logits):
            made = _same(values, asked, logits.name)
        case _:
            raise no_rule("step", step)
    return _as_sum(values, asked, made)


def _inside(values: TracedValues, step: Step, asked: TracedValue) -> Computation:
    """A value that a step computes on the way."""
    assert not isinstance(step, Undivided)
    name = values.activations[asked.run].name
    if not isinstance(step, Embedding):
        for outer in step_maps(step):
            map_: Map | None = outer
            while map_ is not None:
                if name == map_.name:
                    source = _input_of(values, step, outer, asked.run)
                    return _as_sum(values, asked, _affine(values, map_, source, asked))
                map_ = map_.inner
    norm = step_norm(step)
    if norm is not None and name == norm.name:
        row = values.row(values.stream_before(asked.run), asked.position)
        return _as_sum(values, asked, _normed(norm, row, [_old(values, asked, asked.channel)], asked.channel))
    assert not isinstance(step, Head)  # there is nothing else in it
    match step:
        case Embedding(factors=factors):
            factor = next((one for one in factors if one.name == name), None)
            rows = _looked_up(values, step, asked) if factor is None else _multiplied(values, step, factor, asked)
            return _as_sum(values, asked, rows)
        case Attention() | FeedForward() if step.post_norm is not None and name == step.post_norm.name:
            return _as_sum(values, asked, _post_normed(values, step, step.post_norm, asked))
        case Attention():
            return _in_attention(values, step, asked)
        case FeedForward(gate=gate, up=up, activation=activation):
            if name == f"{step.name}.active":
                term = _latest(values, (up if gate is None else gate).name, asked)
                return Computation(values.number(asked), activation, (term,))
            active = _latest(values, f"{step.name}.active", asked)
            if gate is None:
                return _as_sum(values, asked, _Sum([active]))
            return Computation(values.number(asked), "product", (active, _latest(values, up.name, asked)))
        case _:
            raise no_rule("step", step)


def _term(values: TracedValues, read: TracedValue, coefficient: float = 1.0) -> ValueTerm:
    return ValueTerm(values.number(read), coefficient, read)


def _read(values: TracedValues, run: int, asked: TracedValue, *, coefficient: float = 1.0) -> ValueTerm:
    """The same dimension, at the same position, of another value."""
    return _term(values, TracedValue(run, asked.position, asked.channel), coefficient)


def _latest(values: TracedValues, name: str, asked: TracedValue) -> ValueTerm:
    return _read(values, values.latest(name, asked.run), asked)


def _same(values: TracedValues, asked: TracedValue, name: str) -> _Sum:
    return _Sum([_latest(values, name, asked)])


def _old(values: TracedValues, asked: TracedValue, channel: int) -> ValueTerm:
    """A dimension of the stream before the step."""
    return _term(values, TracedValue(values.stream_before(asked.run), asked.position, channel))


def _kept(values: TracedValues, step: Attention | FeedForward, asked: TracedValue, channel: int) -> list[ValueTerm]:
    """What stays of the old stream: a dimension that is new in a step was nothing before."""
    if not keeps_stream(step.residual) or channel >= step.stream.size:
        return []
    return [_old(values, asked, channel)]


def _change(values: TracedValues, step: Attention | FeedForward, asked: TracedValue, channel: int) -> ValueTerm:
    """What a step adds to a dimension."""
    match step:
        case FeedForward(down=down):
            name = down.name
        case Attention(output=output):
            name, channel = _projected(step, output, channel)
        case _:
            raise no_rule("step", step)
    return _term(values, TracedValue(values.latest(name, asked.run), asked.position, channel))


def _projected(step: Attention, output: Map | OutputWord, channel: int) -> tuple[str, int]:
    """The value that attention adds to a dimension of the stream: its name, and the dimension there."""
    match output:
        case Map(name=name):
            return name, channel
        case "identity":
            return f"{step.name}.mixed", channel
        case "broadcast":
            return f"{step.name}.mixed", 0
        case _:
            raise no_rule("output", output)


def _input_of(values: TracedValues, step: Attention | FeedForward | Head, map_: Map, run: int) -> int:
    """The value that a map of a step reads."""
    match step:
        case Attention(output=output):
            last = f"{step.name}.mixed" if map_ is output else None
        case FeedForward(down=down):
            last = f"{step.name}.units" if map_ is down else None
        case Head():
            last = None
        case _:
            raise no_rule("step", step)
    name = last if last is not None or step.norm is None else step.norm.name
    return values.stream_before(run) if name is None else values.latest(name, run)


def _affine(values: TracedValues, map_: Map, source: int, asked: TracedValue) -> _Sum:
    """weight · x + bias, where a map of low rank reads its inner one."""
    if map_.inner is not None:
        source = values.latest(map_.inner.name, asked.run)
    row = 0 if map_.weight.axes[0] is None else asked.channel
    entries = [entry for entry in map_.weight.entries if entry.index[0] == row]
    terms = [_term(values, TracedValue(source, asked.position, one.index[1]), one.value) for one in entries]
    equations = [entry.equation for entry in entries]
    if map_.bias is not None:
        bias, lines = _entry(map_.bias, asked.channel)
        terms.append(ValueTerm(bias, label="bias"))
        equations += lines
    return _Sum(terms, equations)


def _entry(vector: Tensor | None, channel: int, otherwise: float = 0.0) -> tuple[float, list[Equation]]:
    """A number of a stored vector, or of one that is broadcast, with its line."""
    if vector is None:
        return otherwise, []
    at = 0 if vector.axes[-1] is None else channel
    entry = next((entry for entry in vector.entries if entry.index[-1] == at), None)
    return (0.0, []) if entry is None else (entry.value, [entry.equation])


def _normed(norm: Norm, row: Sequence[float], terms: Sequence[ValueTerm], channel: int) -> _Sum:
    """A norm of `row`, of which `terms` add up to the number at `channel`."""
    mean = sum(row) / len(row) if subtracts_mean(norm.kind) else 0.0
    size = sqrt(sum((number - mean) ** 2 for number in row) / len(row) + norm.epsilon)
    weight, lines = _entry(norm.weight, channel, 1.0)
    factor = weight / size if size else float("nan")
    scaled = [ValueTerm(term.value, factor, term.read, term.label) for term in terms]
    if subtracts_mean(norm.kind):
        scaled.append(ValueTerm(mean, -factor, label="mean"))
    bias, bias_lines = _entry(norm.bias, channel)
    if norm.bias is not None:
        scaled.append(ValueTerm(bias, label="bias"))
    return _Sum(scaled, [*lines, *bias_lines])


def _post_normed(values: TracedValues, step: Attention | FeedForward, norm: Norm, asked: TracedValue) -> _Sum:
    """A norm of the old stream and what the step adds to it."""
    parts = [
        [*_kept(values, step, asked, channel), _change(values, step, asked, channel)]
        for channel in range(norm.axis.size)
    ]
    return _normed(norm, [sum(term.value for term in part) for part in parts], parts[asked.channel], asked.channel)


def _in_attention(values: TracedValues, step: Attention, asked: TracedValue) -> Computation:
    """What heads compute of queries, keys and values."""
    name = values.activations[asked.run].name
    for map_, norm in ((step.query, step.query_norm), (step.key, step.key_norm)):
        if norm is not None and name == norm.name:
            coordinate = asked.channel % step.head_dim
            before = values.latest(map_.name, asked.run)
            row = values.row(before, asked.position)[asked.channel - coordinate :][: step.head_dim]
            return _as_sum(values, asked, _normed(norm, row, [_read(values, before, asked)], coordinate))
    match name.removeprefix(f"{step.name}."):
        case "queries":
            made = _rotated(values, step, asked, _before_rope(step.query, step.query_norm))
        case "keys":
            made = _rotated(values, step, asked, _before_rope(step.key, step.key_norm))
        case "values":
            made = _same(values, asked, step.value.name)
        case "scores":
            made = _scored(values, step, asked)
        case "pattern":
            return _weight(values, step, asked)
        case "mixed":
            made = _attended(values, step, asked)
        case part:
            raise ToolFault(f"a value of attention that has no rule: {part}")
    return _as_sum(values, asked, made)


def _before_rope(map_: Map, norm: Norm | None) -> str:
    return map_.name if norm is None else norm.name


def _rotated(values: TracedValues, step: Attention, asked: TracedValue, source: str) -> _Sum:
    """A coordinate of a query or a key, turned by its position where there is rope."""
    rope = step.rope
    if rope is None:
        return _same(values, asked, source)
    coordinate = asked.channel % step.head_dim
    pair = rope_pair_of(rope.pairs, coordinate, step.head_dim)
    first, second = rope_pair(rope.pairs, pair, step.head_dim)
    angle = asked.position * rope.frequencies[pair]
    factors = (cos(angle), -sin(angle)) if coordinate == first else (sin(angle), cos(angle))
    run, start = values.latest(source, asked.run), asked.channel - coordinate
    terms = [
        _term(values, TracedValue(run, asked.position, start + one), factor)
        for one, factor in zip((first, second), factors, strict=True)
    ]
    return _Sum(terms, [rope.equation])


def _scored(values: TracedValues, step: Attention, asked: TracedValue) -> _Sum:
    """The coordinates of a query, each times that of the key and scaled, and what formulas and mask add."""
    head, query, key, length = asked.channel, asked.position, asked.key, len(values.tokens)
    assert key is not None
    if key not in unmasked_keys(step.mask, length)(query):
        return _Sum([ValueTerm(-inf, label="mask")])
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
    return _Sum(terms, [score.equation for score in formulas])


def _weight(values: TracedValues, step: Attention, asked: TracedValue) -> Computation:
    """The weight of a key, of the scores of all keys."""
    run = values.latest(f"{step.name}.scores", asked.run)
    scores = values.head_row(run, asked.position, asked.channel)
    score = _term(values, replace(asked, run=run))
    if ties_of(step.softmax) is not None:
        largest = ValueTerm(max(scores), label="the largest score")
        return Computation(values.number(asked), "largest", (score, largest))
    nothing = attends_to_nothing(step.softmax)
    total = float(torch.tensor([*scores, *[0.0] * nothing], dtype=torch.float64).logsumexp(0))
    label = f"log({'1 + ' * nothing}sum of e^score)"
    return Computation(values.number(asked), "exponential", (score, ValueTerm(total, -1.0, label=label)))


def _attended(values: TracedValues, step: Attention, asked: TracedValue) -> _Sum:
    """The values of the keys, each times its weight."""
    head, coordinate = divmod(asked.channel, step.value_dim)
    channel = head // step.group_size * step.value_dim + coordinate
    pattern = values.activations[values.latest(f"{step.name}.pattern", asked.run)].value[0, head, asked.position]
    source = values.latest(step.value.name, asked.run)
    weights = enumerate(pattern.tolist())
    terms = [_term(values, TracedValue(source, key, channel), weight) for key, weight in weights]
    return _Sum(terms, list(_weighing(step, head)))


def _weighing(step: Attention, head: int) -> Iterator[Equation]:
    """The lines that say how a head weighs the keys."""
    for map_, group in ((step.query, head), (step.key, head // step.group_size)):
        rows = range(group * step.head_dim, (group + 1) * step.head_dim)
        for tensor in filter(None, (map_.weight, map_.bias)):
            yield from (one.equation for one in tensor.entries if tensor.axes[0] is None or one.index[0] in rows)
    yield from (score.equation for score in step.scores if score.head == head)


def _looked_up(values: TracedValues, step: Embedding, asked: TracedValue) -> _Sum:
    """The number that the table has for the token."""
    token = values.tokens[asked.position]
    entry = next((entry for entry in step.weight.entries if entry.index == (token, asked.channel)), None)
    label = f"token {step.tokens.labels[token]}"
    return _Sum([]) if entry is None else _Sum([ValueTerm(entry.value, label=label)], [entry.equation])


def _multiplied(values: TracedValues, step: Embedding, factor: Factor, asked: TracedValue) -> _Sum:
    """A row times a factor of the embedding."""
    names = [f"{step.name}.rows", *(one.name for one in step.factors)]
    source = values.latest(names[names.index(factor.name) - 1], asked.run)
    entries = [entry for entry in factor.weight.entries if entry.index[1] == asked.channel]
    terms = [_term(values, TracedValue(source, asked.position, entry.index[0]), entry.value) for entry in entries]
    return _Sum(terms, [entry.equation for entry in entries])


def _of_position(values: TracedValues, step: Position, asked: TracedValue) -> _Sum:
    """What stands in the table, or what the formulas give."""
    label = f"position {asked.position}"
    if step.table is not None:
        index = (asked.position, asked.channel)
        stored = [entry for entry in step.table.entries if entry.index == index]
        return _Sum([ValueTerm(one.value, label=label) for one in stored], [one.equation for one in stored])
    terms = [term for term in step.terms if term.dimension == asked.channel]
    length = len(values.tokens)
    numbers = [float(term.formula.at(asked.position, length).value) for term in terms]
    return _Sum([ValueTerm(number, label=label) for number in numbers], [term.equation for term in terms])


def _mixed(
    values: TracedValues, mixture: Mixture, weight: Tensor | None, asked: TracedValue, factor: float
) -> Iterator[ValueTerm]:
    """The streams of a mix, each times its number."""
    match mixture:
        case StreamAfter(step=name):  # the step itself, not where it is repeated
            run = next(i for i, one in enumerate(values.activations) if one.name == name)
            yield _read(values, run, asked, coefficient=factor)
        case Scaled(operation=operation, coefficient=coefficient, stream=stream):
            number, _ = _entry(weight, coefficient)
            scaled = factor / number if divides(operation) else factor * number
            yield from _mixed(values, stream, weight, asked, scaled)
        case Combined(operation=operation, left=left, right=right):
            yield from _mixed(values, left, weight, asked, factor)
            match operation:
                case "add":
                    sign = 1.0
                case "subtract":
                    sign = -1.0
                case _:
                    raise no_rule("operation", operation)
            yield from _mixed(values, right, weight, asked, sign * factor)
        case _:
            raise no_rule("mix", mixture)
