"""Network IR to programs that say what a task's answers are, by the same operations as the plain module's."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

import numpy as np

from compiler import ir
from compiler.causality import hides_later_keys
from compiler.fast.bounds import FUNCTION_UNITS
from compiler.fast.program import (
    Activated,
    Array,
    Attended,
    Decision,
    Difference,
    Linear,
    Lookup,
    Node,
    Normalized,
    NotFollowed,
    Operation,
    Product,
    Program,
    Renewed,
    Resized,
    Rotated,
    Scaled,
    Sum,
)
from compiler.floats import FloatFormat, round_to
from compiler.tasks.layout import Layout

MAX_PROGRAMS = 50
# Of all programs of a network together, what is run again counted again:
MAX_PATTERN = 1 << 23  # numbers in the patterns of attention
MAX_TERMS = 100_000  # weights
MAX_CHANNELS = 1 << 20  # channels of nodes, so much as zeros among them


def translate(network: ir.Network, layout: Layout) -> tuple[Program, ...]:
    """The programs that together say every predicted token after the right ones before it.

    One program is enough where nothing before the last attention sees later tokens: the last query of each prefix has
    none. Otherwise each token has a program of its own, for the sequence that ends before it. Raises `NotFollowed`.
    """
    totals = _Totals()
    if layout.in_place:
        return (_program(network, totals, len(layout.prompt), layout.read_at, layout.predicted, ends_read=False),)
    reads = [len(layout.prompt) - 1 + slot for slot in layout.predicted]
    order = _attention_order(network)
    if all(hides_later_keys(step, network.context) for step in order[:-1]):
        return (_program(network, totals, reads[-1] + 1, reads, layout.predicted, ends_read=True),)
    if len(reads) > MAX_PROGRAMS:
        raise NotFollowed(f"each of {len(reads)} tokens needs a program of its own; at most {MAX_PROGRAMS} are made")
    return tuple(
        _program(network, totals, read + 1, [read], (slot,), ends_read=False)
        for read, slot in zip(reads, layout.predicted, strict=True)
    )


def _attention_order(network: ir.Network) -> list[ir.Attention]:
    """The steps of attention as they are run."""
    found: list[ir.Attention] = []
    for step in network.steps:
        ran = [network.step(name) for name in step.steps] if isinstance(step, ir.Repeat) else [step]
        found += [one for one in ran if isinstance(one, ir.Attention)]
    return found


@dataclass
class _Totals:
    """What the programs of a network ask for together, refused as soon as it is too much."""

    patterns: int = 0
    terms: int = 0
    channels: int = 0

    def add(self, *, patterns: int = 0, terms: int = 0, channels: int = 0) -> None:
        self.patterns += patterns
        self.terms += terms
        self.channels += channels
        for what, number, most in (
            ("numbers in patterns of attention", self.patterns, MAX_PATTERN),
            ("multiplications at a position", self.terms, MAX_TERMS),
            ("intermediate values at a position", self.channels, MAX_CHANNELS),
        ):
            if number > most:
                raise NotFollowed(f"it has more than {most:,} {what}")


def _program(
    network: ir.Network,
    totals: _Totals,
    length: int,
    reads: Sequence[int],
    slots: tuple[int, ...],
    *,
    ends_read: bool,
) -> Program:
    """`ends_read`: each token that is read ends its sequence, so that no key is later than the last query."""
    builder = _Builder(network, totals, length, len(_attention_order(network)) if ends_read else -1)
    decision = builder.build(tuple(reads))
    prefixes = tuple(read + 1 if ends_read else length for read in reads)
    return Program(tuple(builder.nodes), decision, network.dtype, length, network.vocabulary.size, slots, prefixes)


@dataclass
class _Builder:
    """Appends nodes, step by step. `last_attention`: how many attentions are run, where the last sees no later key."""

    network: ir.Network
    totals: _Totals
    length: int
    last_attention: int
    nodes: list[Node] = field(default_factory=list)
    runs: Counter[str] = field(default_factory=Counter)
    symbols: int = 0
    streams: dict[str, int] = field(default_factory=dict)

    @property
    def dtype(self) -> FloatFormat:
        return self.network.dtype

    def build(self, reads: tuple[int, ...]) -> Decision:
        stream = -1
        for step in self.network.steps:
            if isinstance(step, ir.Head):
                branch = self._norm(stream, step.norm)
                if step.logits.inner is not None:
                    branch = self._map(branch, step.logits.inner)
                linear = self._linear(step.logits)
                return Decision(branch, linear, len(linear.rows), reads, self.network.decode)
            stream = self._step(step, stream)
            self.streams[step.name] = stream
        return Decision(stream, None, self.network.classes.size, reads, self.network.decode)

    def _add(self, operation: Operation, inputs: tuple[int, ...], channels: int) -> int:
        self.totals.add(channels=channels)
        self.nodes.append(Node(operation, inputs, channels))
        return len(self.nodes) - 1

    def _step(self, step: ir.Step, stream: int) -> int:
        match step:
            case ir.Embedding():
                stream = self._embedding(step)
            case ir.Position():
                stream = self._sum(stream, self._add(self._position(step), (), step.stream.size))
            case ir.StreamNorm(norm=norm):
                stream = self._norm(stream, norm)
            case ir.StreamScale(weight=weight, stream=axis):
                stream = self._add(Scaled("multiply", _vector(weight)), (stream,), axis.size)
            case ir.Attention():
                stream = self._attention(step, stream)
            case ir.FeedForward():
                stream = self._feed_forward(step, stream)
            case ir.Repeat(steps=names):
                for name in names:
                    stream = self._step(self.network.step(name), stream)
            case ir.Mix(mixture=mixture, weight=coefficients):
                stream = self._mixture(mixture, None if coefficients is None else _vector(coefficients))
            case ir.Head():
                raise AssertionError("the head is the last step")
            case _:
                assert_never(step)
        return stream

    def _embedding(self, step: ir.Embedding) -> int:
        table = _dense(step.weight)
        stream = self._add(Lookup(table[None], np.zeros_like(table[None])), (), table.shape[1])
        for factor in step.factors:
            rows = _dense(factor.weight).T
            stream = self._add(self._counted(Linear(tuple(map(_terms, rows)))), (stream,), len(rows))
        return stream

    def _position(self, step: ir.Position) -> Lookup:
        table = np.zeros((self.length, step.stream.size))
        if step.table is not None:
            table[:] = _dense(step.table)[: self.length]
        for term in step.terms:
            column = term.formula.column(self.length)
            table[:, term.dimension] = [round_to(value, self.dtype) for value in column]
        return Lookup(table[:, None], np.zeros_like(table[:, None]))

    def _attention(self, step: ir.Attention, stream: int) -> int:
        branch = self._norm(stream, step.norm)
        query = self._norm(self._map(branch, step.query), step.query_norm, step.heads.size)
        key = self._norm(self._map(branch, step.key), step.key_norm, step.kv_heads.size)
        value = self._map(branch, step.value)
        if step.rope is not None:
            rotated = self._rope(step.rope, step.heads.size), self._rope(step.rope, step.kv_heads.size)
            query = self._add(rotated[0], (query,), self.nodes[query].channels)
            key = self._add(rotated[1], (key,), self.nodes[key].channels)
        operation = self._attended(step, last=self.runs.total() + 1 == self.last_attention)
        self.runs[step.name] += 1
        mixed = self._add(operation, (query, key, value), step.heads.size * step.value_dim)
        if step.output == "broadcast":
            copies: tuple[tuple[tuple[int, float], ...], ...] = (((0, 1.0),),) * step.stream.size
            change = self._add(Linear(copies), (mixed,), step.stream.size)
        else:
            change = mixed if step.output == "identity" else self._map(mixed, step.output)
        return self._sum(stream, change)

    def _attended(self, step: ir.Attention, *, last: bool) -> Attended:
        length, heads = self.length, step.heads.size
        self.totals.add(patterns=heads * length**2)
        later = np.triu(np.ones((length, length), dtype=bool), 1)
        additions: list[Array] = []
        if step.scores:
            table = np.zeros((heads, length, length))
            for score in step.scores:
                rows = score.formula.table(length, causal=step.mask == "causal")
                table[score.head] = [[round_to(value, self.dtype) for value in row] for row in rows]
            additions.append(table)
        hidden = later[None] if step.mask == "causal" or last else np.zeros_like(later[None])
        if isinstance(step.mask, float) and not last:
            additions.append(np.where(later, round_to(step.mask, self.dtype), 0.0)[None])
        for table in additions:
            hidden = hidden | (table == -np.inf)
        finite = tuple(np.where(hidden, 0.0, table) for table in additions)
        if not all(np.isfinite(table).all() for table in finite):
            raise NotFollowed(f"a score formula of {step.name} is not finite")
        if step.softmax == "standard" and hidden.all(-1).any():
            raise NotFollowed(f"a query of {step.name} sees no key")
        return Attended(
            step.name,
            self.runs[step.name],
            heads,
            step.kv_heads.size,
            step.head_dim,
            step.value_dim,
            step.scale.value,
            step.scale.operation,
            finite,
            ~hidden,
            step.softmax == "plus_one",
            (math.inf,) * (heads * step.value_dim),
        )

    def _rope(self, rope: ir.Rope, groups: int) -> Rotated:
        """The module rounds positions and frequencies to the dtype, their products too, and takes the cosine and sine.

        In float64 a product of two numbers of a smaller dtype is exact.
        """
        positions = [round_to(position, self.dtype) for position in range(self.length)]
        frequencies = [round_to(value, self.dtype) for value in rope.frequencies]
        angles = np.array([[round_to(p * frequency, self.dtype) for frequency in frequencies] for p in positions])
        error = FUNCTION_UNITS * self.dtype.unit_roundoff + 2.0**-51  # at most 1, they are off by their own ulps
        return Rotated(groups, rope.pairs, angles, np.full_like(angles, error))

    def _feed_forward(self, step: ir.FeedForward, stream: int) -> int:
        stream = self._add(Renewed(self._symbols(step.stream.size)), (stream,), step.stream.size)
        branch = self._norm(stream, step.norm)
        activated = self._map(branch, step.up if step.gate is None else step.gate)
        hidden = self._add(Activated(step.activation), (activated,), step.hidden.size)
        if step.gate is not None:
            hidden = self._add(Product(), (hidden, self._map(branch, step.up)), step.hidden.size)
        change = self._map(hidden, step.down)
        size = step.stream_after.size
        old = stream if size == step.stream.size else self._add(Resized(), (stream,), size)
        return self._sum(old, change)

    def _mixture(self, mixture: ir.Mixture, coefficients: tuple[float, ...] | None) -> int:
        match mixture:
            case ir.StreamAfter(step=name):
                return self.streams[name]
            case ir.Scaled(operation=operation, coefficient=coefficient, stream=stream):
                assert coefficients is not None
                inner = self._mixture(stream, coefficients)
                size = self.nodes[inner].channels
                return self._add(Scaled(operation, (coefficients[coefficient],) * size), (inner,), size)
            case ir.Combined(operation=operation, left=left, right=right):
                first, second = self._mixture(left, coefficients), self._mixture(right, coefficients)
                combined = Sum() if operation == "add" else Difference()
                return self._add(combined, (first, second), self.nodes[first].channels)
            case _:
                assert_never(mixture)

    def _sum(self, first: int, second: int) -> int:
        return self._add(Sum(), (first, second), self.nodes[first].channels)

    def _norm(self, stream: int, norm: ir.Norm | None, groups: int = 1) -> int:
        if norm is None:
            return stream
        if round_to(norm.epsilon, self.dtype) < 2.0**self.dtype.min_exponent:
            raise NotFollowed(
                f"{norm.name} adds {norm.epsilon:g}, which is zero in {self.dtype.name}: 0 / 0 is possible"
            )
        weight = None if norm.weight is None else _vector(norm.weight)
        operation = Normalized(norm.kind, norm.epsilon, groups, weight, self._symbols(groups))
        return self._add(operation, (stream,), self.nodes[stream].channels)

    def _symbols(self, count: int) -> int:
        """The first of so many new numbers of errors."""
        self.symbols += count
        return self.symbols - count

    def _map(self, stream: int, map_: ir.Map) -> int:
        if map_.inner is not None:
            stream = self._map(stream, map_.inner)
        return self._add(self._linear(map_), (stream,), map_.outputs.size)

    def _linear(self, map_: ir.Map) -> Linear:
        """One row, or one bias, stands for all outputs."""
        size = map_.outputs.size
        weight = _dense(map_.weight)
        rows = tuple(map(_terms, weight)) * (size // len(weight))
        bias = None if map_.bias is None else _vector(map_.bias)
        return self._counted(Linear(rows, None if bias is None else bias * (size // len(bias))))

    def _counted(self, linear: Linear) -> Linear:
        self.totals.add(terms=sum(map(len, linear.rows)))
        return linear


def _dense(tensor: ir.Tensor) -> Array:
    dense = np.zeros(tensor.shape)
    for entry in tensor.entries:
        dense[entry.index] = entry.value
    if not np.isfinite(dense).all():
        raise NotFollowed(f"{tensor.name} has a weight that is not finite")
    return dense


def _vector(tensor: ir.Tensor) -> tuple[float, ...]:
    return tuple(_dense(tensor).ravel().tolist())


def _terms(row: Array) -> tuple[tuple[int, float], ...]:
    return tuple((int(channel), float(row[channel])) for channel in np.flatnonzero(row))
