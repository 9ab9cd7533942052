"""The abstract interpreter: the steps of a network on many inputs at once.

Two kinds of abstract values, both with a rounding bound and with what varies shared between channels:

- of a position, after each step of its own column ([positions, steps]): all other columns may hold anything;
- of a cell, a set of inputs ([1, cells]): sums over the columns, which the last attention mixes, lie in a box.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from compiler.backends.bounds.arithmetic import Arithmetic, Rounding
from compiler.backends.bounds.bounded import ZERO, Bounded, StackedSymbols, each_shared
from compiler.backends.bounds.elementwise import all_channels
from compiler.backends.bounds.quantities import Quantity
from compiler.backends.bounds.tensors import Running, TensorFunctions
from compiler.backends.elementary.program import Attended, Lookup, Mixed, Node, Program, reads_keys
from compiler.verifier import exact
from compiler.verifier.attention import AttentionForms, AttentionNode, Query, attention_forms, mixed_values, too_large
from compiler.verifier.bins import blocks, followed_in_bins
from compiler.verifier.ffn import cell_step
from compiler.verifier.forms import Ranges, outwards
from compiler.verifier.sequences import CONSTANT, Sequences

Stop = Callable[[], bool]
FORM_SYMBOLS = 1 << 32  # beyond all numbers of errors in a program
MAX_FORMS = 1 << 20  # of one node
MAX_VALUE_BYTES = 1 << 31  # of the values at all positions
HARDLY = 2.0**-20  # of what the widest channel varies by


class OutOfTime(Exception):
    """There was no time to follow a network up to its last attention."""


@dataclass(frozen=True, eq=False)
class Tail:
    """What is left to be computed for cells of one read position: the nodes that depend on the last attention.

    `local` are the values of other nodes at the position, by number: channels [cases], of the query's column.
    `case` [steps]: the case of each step of this column, 0 where there is none. `attention` is None where nothing that
    is mixed reaches the logits; else `last` is its node, and `later` are all that depend on it. `unknown`: what
    share of the stream is not known after each step before, see `unknown_shares`.
    """

    program: Program
    sequences: Sequences
    position: int
    slot: int
    column: int
    case: np.ndarray
    local: dict[int, list[Bounded]]
    attention: AttentionForms | None
    last: int
    later: Set[int]
    unknown: Mapping[str, float]

    @property
    def arithmetic(self) -> Arithmetic:
        return Arithmetic(TensorFunctions(), Rounding.of(self.program.dtype))

    def logit_inputs(self, ranges: Ranges) -> list[Bounded]:
        """The channels that the logits of cells are computed from: [1, cells] each."""
        return self.values(ranges)[self.program.decision.node]

    def values(self, ranges: Ranges) -> list[list[Bounded]]:
        """The channels of each node that the logits depend on through the tail; others have none."""
        nodes, a = self.program.nodes, self.arithmetic
        values: list[list[Bounded]] = [[] for _ in nodes]
        index = torch.from_numpy(ranges.case)
        for number, node in enumerate(nodes):
            if number in self.local:
                values[number] = [_select(x, index) for x in self.local[number]]
            elif number == self.last and self.attention is not None:
                mixed = mixed_values(a, self.attention, ranges, FORM_SYMBOLS)
                values[number] = [mixed.get(channel, ZERO) for channel in range(node.channels)]
            elif number in self.later and node.live:
                values[number] = all_channels(
                    node, cell_step(a, node, [values[i] if i >= 0 else [] for i in node.inputs], [self.position])
                )
        return values


def tails(program: Program, sequences: Sequences, wanted: Container[int], stop: Stop) -> Iterator[Tail]:
    """One for each wanted slot that the program decides, in order. Raises `NotFollowed`, and `OutOfTime` where `stop()`
    says so."""
    places = [place for place in zip(program.decision.reads, program.slots, strict=True) if place[1] in wanted]
    last = _last_attention(program)
    later = _depends_on(program, last)
    running = local_values(program, sequences, later, stop)
    attention = _attention(running, program.nodes[last], sequences) if last >= 0 else None
    before = _Before(running, sequences, last, later, attention, unknown_shares(program, running.values))
    for position, slot in places:
        yield _tail(before, position, slot)
        if stop():
            raise OutOfTime


def local_values(
    program: Program, sequences: Sequences, unknown: Container[int] = (), stop: Stop = lambda: False
) -> Running:
    """The values of all nodes but those that are left unknown: channels [positions, steps]. Raises `NotFollowed` where
    they are too large."""

    def check_time() -> None:
        if stop():
            raise OutOfTime

    split = blocks(program)
    running, room = Running(program, torch.from_numpy(sequences.tokens[:, : program.length]), []), MAX_VALUE_BYTES
    for number, node in enumerate(program.nodes):
        value = [] if number in unknown else all_channels(node, _local(running, number, node, sequences, stop))
        if number in split and value:
            value = followed_in_bins(running, split[number], value, check_time)
        running.values.append(value)
        room -= sum(q.nbytes for x in value for q in (x.value, x.error, *x.shared.values()) if isinstance(q, Tensor))
        if room < 0:
            raise too_large()
    return running


def _last_attention(program: Program) -> int:
    attentions = [number for number, node in enumerate(program.nodes) if reads_keys(node.operation)]
    return attentions[-1] if attentions else -1


def _depends_on(program: Program, last: int) -> set[int]:
    """The node, and all that are computed from it."""
    if last < 0:
        return set()
    dependent = {last}
    for number in range(last + 1, len(program.nodes)):
        if any(source in dependent for source in program.nodes[number].inputs):
            dependent.add(number)
    return dependent


def _local(running: Running, number: int, node: Node, sequences: Sequences, stop: Stop) -> list[Bounded]:
    if reads_keys(node.operation):
        return _attended(running, number, node, sequences, stop)
    if isinstance(node.operation, Lookup):
        tables = node.operation.value, node.operation.error
        return [Bounded(*(running.looked_up(node, table, c) for table in tables)) for c in node.live]
    inputs = [running.at(source, node.positions) for source in node.inputs]
    bounded = cell_step(running.arithmetic, node, inputs, node.positions)
    return exact.step(running.program.dtype, node, inputs, bounded)


def unknown_shares(program: Program, values: Sequence[Sequence[Bounded]]) -> dict[str, float]:
    """After each step of the network that has values, in order: of the channel that is known least, how much of what it
    varies by is not known at one place, on average, from 0 to 1. Channels that hardly vary are left out."""
    ends = {node.step: number for number, node in enumerate(program.nodes) if node.live}
    off = Arithmetic(TensorFunctions(), Rounding.of(program.dtype)).off
    shares = {}
    for step, number in sorted(ends.items(), key=lambda end: end[1]):
        channels = []
        for x in (values[number][channel] for channel in program.nodes[number].live if values[number]):
            value, radius = (torch.as_tensor(q, dtype=torch.float64) for q in (x.value, off(x)))
            channels.append((float(radius.mean()), float((value + radius).max() - (value - radius).min()) / 2))
        finite = [(unknown, varied) for unknown, varied in channels if math.isfinite(varied)]
        widest = max((varied for _, varied in finite), default=0.0)
        known = [unknown / varied for unknown, varied in finite if varied > HARDLY * widest]
        if channels:
            shares[step] = max(known, default=0.0) if len(finite) == len(channels) else 1.0
    return shares


@dataclass(frozen=True, eq=False)
class _Before:
    """What is known before the last attention; see `Tail`."""

    running: Running
    sequences: Sequences
    last: int
    later: Set[int]
    attention: AttentionNode | None
    unknown: Mapping[str, float]


def _tail(before: _Before, position: int, slot: int) -> Tail:
    """The query's column is told apart by what differs at the position: queries, and what by-passes the attention."""
    running, sequences, last, later = before.running, before.sequences, before.last, before.later
    program = running.program
    column = sequences.columns[position]
    steps = 1 if column == CONSTANT else len(sequences.automaton.columns[column].before)
    read = {
        source for number in later for source in program.nodes[number].inputs if source >= 0 and source not in later
    }
    read |= {program.decision.node} - later
    if last >= 0:
        read -= set(program.nodes[last].inputs)
    local = {number: [_first(x, steps) for x in running.at(number, [position])] for number in sorted(read)}
    query = _query(running, last, position, steps)
    case, chosen = _cases([*query, *(x for value in local.values() for x in value)], steps)
    local = {number: [_select(x, chosen, 0) for x in value] for number, value in local.items()}
    attention = None
    if before.attention is not None:
        asked = Query(position, len(chosen), [_select(x, chosen, 0) for x in query])
        attention = attention_forms(running.arithmetic, before.attention, asked)
    return Tail(program, sequences, position, slot, column, case, local, attention, last, later, before.unknown)


def _query(running: Running, number: int, position: int, steps: int) -> list[Bounded]:
    """The query's channels, with nothing shared: [steps]."""
    if number < 0:
        return []
    node = running.program.nodes[number]
    if isinstance(node.operation, Mixed) or node.inputs[0] < 0:
        return []
    a = running.arithmetic
    return [_first(a.alone(x), steps) for x in running.at(node.inputs[0], [position])]


def _attention(running: Running, node: Node, sequences: Sequences) -> AttentionNode:
    operation = node.operation
    assert isinstance(operation, Attended | Mixed)
    a = running.arithmetic
    values = node.inputs[-1]
    seen = running.program.nodes[values].positions if values >= 0 else ()
    keys = -1 if isinstance(operation, Mixed) else node.inputs[1]
    read = [[a.alone(x) for x in running.at(source, seen)] for source in (keys, values)]
    return AttentionNode(running.program.dtype, operation, node.live, sequences, seen, *read)


def _attended(running: Running, number: int, node: Node, sequences: Sequences, stop: Stop) -> list[Bounded]:
    """What each query mixes after each step of its own column, where the other columns may hold anything."""
    rows: dict[int, list[Bounded]] = {channel: [] for channel in node.live}
    attention = _attention(running, node, sequences)
    for position in node.positions:
        if stop():
            raise OutOfTime
        column = sequences.columns[position]
        steps = 1 if column == CONSTANT else len(sequences.automaton.columns[column].before)
        query = _query(running, number, position, steps)
        case, chosen = _cases(query, steps)
        asked = Query(position, len(chosen), [_select(x, chosen, 0) for x in query])
        forms = attention_forms(running.arithmetic, attention, asked)
        ranges = _ranges_in_column(sequences, forms, column, case)
        mixed = mixed_values(running.arithmetic, forms, ranges, FORM_SYMBOLS + (number + 1) * MAX_FORMS)
        for channel in node.live:
            rows[channel].append(_widened(mixed[channel], sequences.steps))
    return [_stacked(rows[channel]) for channel in node.live]


def _ranges_in_column(sequences: Sequences, attention: AttentionForms, column: int, case: np.ndarray) -> Ranges:
    """What the forms are after each step of the column."""
    forms = attention.forms
    if column == CONSTANT:
        start = np.zeros(len(case), np.int64)
        return Ranges(case, *forms.beside(case, 0, start, 0, start))
    steps = sequences.automaton.columns[column]
    beside = forms.beside(case, column, steps.before, column + 1, steps.after)
    return Ranges(case, *outwards(beside, forms.tables[:, column, np.arange(len(case)), case]))


def _cases(value: Sequence[Bounded], steps: int) -> tuple[np.ndarray, Tensor]:
    """Which steps are alike in all of these channels [steps]: the case of each step, and a step of each case."""
    columns = [
        q.numpy() for x in value for q in (x.value, x.error, *x.shared.values()) if isinstance(q, Tensor) and len(q) > 1
    ]
    if not columns:
        return np.zeros(steps, np.int64), torch.zeros(1, dtype=torch.long)
    _, chosen, case = np.unique(np.stack(columns, 1), axis=0, return_index=True, return_inverse=True)
    return case.reshape(-1), torch.from_numpy(chosen)


def _map(x: Bounded, change: Callable[[Quantity], Quantity]) -> Bounded:
    return Bounded(change(x.value), change(x.error), each_shared(x.shared, change))


def _select(x: Bounded, index: Tensor, add: int = 1) -> Bounded:
    """Of [cases], those of an index, as [1, cells] or, without the axis, [cells]."""

    def chosen(q: Quantity) -> Quantity:
        if not isinstance(q, Tensor):
            return q
        values = q[..., index] if q.shape[-1] > 1 else q.expand(*q.shape[:-1], len(index))
        return values.unsqueeze(-2) if add else values

    return _map(x, chosen)


def _first(x: Bounded, steps: int) -> Bounded:
    """Of [1, steps | 1], the row, as far as the column has steps."""
    return _map(x, lambda q: q[..., 0, :steps] if isinstance(q, Tensor) else q)


def _widened(x: Bounded, steps: int) -> Bounded:
    """[1, own steps] as [1, steps], the first repeated."""

    def change(q: Quantity) -> Quantity:
        if not isinstance(q, Tensor):
            return torch.full((1, steps), q, dtype=torch.float64)
        return torch.cat([q, q[..., :1].expand(*q.shape[:-1], steps - q.shape[-1])], -1)

    return _map(x, change)


def _stacked(rows: Sequence[Bounded]) -> Bounded:
    """Rows [1, steps] as [positions, steps]."""
    symbols = tuple(sorted({symbol for row in rows for symbol in row.shared}))
    zero = torch.zeros_like(rows[0].value)
    parts = [torch.cat([row.shared.get(symbol, zero) for row in rows]) for symbol in symbols]
    shared = StackedSymbols(symbols, torch.stack(parts)) if symbols else {}
    return Bounded(torch.cat([row.value for row in rows]), torch.cat([row.error for row in rows]), shared)
