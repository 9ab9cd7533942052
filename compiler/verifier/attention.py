"""What one query mixes, over many inputs at once: numerators and denominators of its softmax are separable forms.

For a given query, the score of a key depends on the key's own column only. So Σ e^s v and Σ e^s are both separable,
exactly. Only their ratio is not linear.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compiler.backends.bounds.arithmetic import ENGINE_TINY, ENGINE_UNIT, SLACK, Arithmetic
from compiler.backends.bounds.attention import NEGLIGIBLE, Scored, score
from compiler.backends.bounds.bounded import ZERO, Bounded, Channels
from compiler.backends.bounds.demand import live_heads
from compiler.backends.bounds.key_tables import KeyWeights, key_weights
from compiler.backends.bounds.quantities import Quantity, compounded
from compiler.backends.elementary.program import Attended, Mixed, NotFollowed
from compiler.expressions.floats import FloatFormat
from compiler.network.ir import Ties
from compiler.source.faults import no_rule
from compiler.verifier import exact
from compiler.verifier.forms import Array, Forms, Ranges, forms, outwards
from compiler.verifier.sequences import CONSTANT, Sequences

MAX_QUERY_BYTES = 1 << 28  # of the forms of one query
MOST_OFF = 0.25  # a share of the largest weight: then it may be given to all others
HARDLY_ANY = 2.0**-80  # of a weight, and of a product with a value: less is not told apart, but bounded


@dataclass(frozen=True, eq=False)
class AttentionNode:
    """A node of attention whose `live` channels are wanted, and the keys and values at the positions `seen`.

    Each channel of `keys` and `values` is [seen, steps].
    """

    dtype: FloatFormat
    operation: Attended | Mixed
    live: Sequence[int]
    sequences: Sequences
    seen: tuple[int, ...]
    keys: Channels
    values: Channels

    @cached_property
    def rows(self) -> KeyRows:
        """What is different at each key."""
        shape = len(self.seen), self.sequences.steps
        channels = [q for x in (*self.keys, *self.values) for q in (x.value, x.error) if isinstance(q, Tensor)]
        if not channels or not shape[0]:
            return KeyRows(np.zeros((shape[0], 1), np.int64), np.zeros(shape, np.int64))
        every = torch.stack([q.expand(shape) for q in channels], 2).numpy()
        found = [np.unique(key, axis=0, return_index=True, return_inverse=True)[1:] for key in every]
        most = max(len(steps) for steps, _ in found)
        steps, row = ([np.resize(steps, most) for steps, _ in found], [row.reshape(-1) for _, row in found])
        return KeyRows(np.stack(steps), np.stack(row))


@dataclass(frozen=True, eq=False)
class KeyRows:
    """The rows of tables of keys: `steps` [keys, rows] after which keys and values differ, some of them more than once;
    and the `row` [keys, steps] of each step of a key's column."""

    steps: NDArray[np.int64]
    row: NDArray[np.int64]

    @staticmethod
    def of_all_steps(keys: int, steps: int) -> KeyRows:
        every = np.tile(np.arange(steps), (keys, 1))
        return KeyRows(every, every)

    def of_keys(self, keys: NDArray[np.int64]) -> KeyRows:
        """Of these keys alone."""
        return KeyRows(self.steps[keys], self.row[keys])

    def of_channel(self, x: Bounded) -> Bounded:
        """[keys, steps] as [1, keys, rows]."""
        index = torch.from_numpy(self.steps)
        return _map(x, lambda q: (q.gather(1, index) if q.shape[1] > 1 else q)[None])


@dataclass(frozen=True, eq=False)
class Query:
    """A query at a `position`, which may be one of several `cases`: each channel is [cases]."""

    position: int
    cases: int
    channels: Channels


@dataclass(frozen=True, eq=False)
class _Head:
    """A head by its `number`: the channels that are `wanted` of what it mixes, their values [1, seen, rows], and which
    keys are `visible` to it [seen]."""

    number: int
    wanted: Sequence[int]
    values: Channels
    visible: np.ndarray

    def of_keys(self, keys: NDArray[np.int64]) -> _Head:
        """With these keys alone."""
        index = torch.from_numpy(keys)
        return replace(self, values=[_map(x, lambda q: q[:, index]) for x in self.values], visible=self.visible[keys])


@dataclass(frozen=True, eq=False)
class HeadForms:
    """One head: its channels, and forms by their numbers: Σ w v of each channel and Σ w (None where the weights are
    known); and as bounds, what weights are off, and for each channel what products with values are off, and their size.

    `nothing` [cases] is the weight of attending to no key; `most`: so many keys at most have a weight; `one`: whether
    one of them, or no key, always has a weight of exactly 1 before these are normalised, and no other a larger one.
    """

    channels: tuple[int, ...]
    mixed: tuple[int, ...]
    weight: int | None
    more: int
    off: tuple[int, ...]
    size: tuple[int, ...]
    nothing: Array
    most: int
    one: bool = False


@dataclass(frozen=True, eq=False)
class AttentionForms:
    """A query that may be one of several `cases`: the forms of all its heads. Of the `bounds` [forms] only the highest
    values matter."""

    forms: Forms
    heads: tuple[HeadForms, ...]
    bounds: NDArray[np.bool_]


@dataclass(frozen=True)
class _Form:
    """A form as it is found: `constant` [2, cases], and tables [2, steps, cases] of the columns that it depends on."""

    constant: Array
    columns: dict[int, Array]
    bound: bool


@dataclass(frozen=True)
class _Tables:
    """The forms that are `made`, all of them with so many cases; of those to come, the positions and `rows` of keys."""

    sequences: Sequences
    positions: tuple[int, ...]
    cases: int
    rows: KeyRows
    made: list[_Form] = field(default_factory=list)

    def of_keys(self, keys: NDArray[np.int64]) -> _Tables:
        """The same tables, for forms of these of the keys."""
        return replace(self, positions=tuple(self.positions[key] for key in keys), rows=self.rows.of_keys(keys))

    def add(self, table: Tensor, constant: Array | float = 0.0, *, bound: bool = False) -> int:
        """A form by what each key adds, [cases, keys, rows] or less; its number."""
        table = table.expand(self.shape)
        columns: dict[int, Array] = {}
        rest = np.zeros((2, self.cases)) + constant
        for i, position in enumerate(self.positions):
            column, part = self.sequences.columns[position], table[:, i].numpy()
            if not part.any():
                continue
            part = part[:, self.rows.row[i]]
            if column == CONSTANT:
                rest = outwards(rest, np.stack([part[:, 0]] * 2))
            else:
                added = np.stack([part.T] * 2)
                columns[column] = outwards(columns[column], added) if column in columns else added
        self.made.append(_Form(rest, columns, bound))
        return len(self.made) - 1

    def add_bound(self, table: Tensor, constant: Array | float = 0.0) -> int:
        return self.add(table, constant, bound=True)

    @property
    def shape(self) -> tuple[int, int, int]:
        """[cases, keys, rows]"""
        return self.cases, *self.rows.steps.shape

    def forms(self) -> Forms:
        automaton = self.sequences.automaton
        shape = (2, len(automaton.columns), self.sequences.steps, self.cases, len(self.made))
        constant, tables = np.zeros((2, self.cases, len(self.made))), np.zeros(shape)
        for number, form in enumerate(self.made):
            constant[..., number] = form.constant
        for column in range(len(automaton.columns)):  # one after the other: each is written as a whole
            for number, form in enumerate(self.made):
                if column in form.columns:
                    tables[:, column, ..., number] = form.columns[column]
        return forms(automaton, constant, tables)


def attention_forms(a: Arithmetic, node: AttentionNode, query: Query) -> AttentionForms:
    """The forms of what a query mixes. Raises `NotFollowed` where the tables are too large."""
    operation, sequences = node.operation, node.sequences
    mixing = live_heads(operation, node.live)
    entries = query.cases * len(sequences.automaton.columns) * sequences.steps
    if 16 * entries * (2 * len(mixing) + 3 * len(node.live)) > MAX_QUERY_BYTES:
        raise too_large()
    # of hard attention, what keys of one column hold is compared step by step
    is_soft = isinstance(operation, Attended) and operation.ties is None
    rows = node.rows if is_soft else KeyRows.of_all_steps(len(node.seen), sequences.steps)
    tables = _Tables(sequences, node.seen, query.cases, rows)
    heads = []
    for number in mixing:
        head = _head(node, number, query, rows)
        if isinstance(operation, Mixed):
            heads.append(_mixed(a, operation, head, query.position, tables))
        elif not node.seen:
            heads.append(_nothing(head.wanted, tables))
        else:
            asked = _asked(node, operation, number, query, rows)
            heads.append((_softmax if operation.ties is None else _hard)(a, head, asked, tables))
    return AttentionForms(tables.forms(), tuple(heads), np.array([form.bound for form in tables.made]))


def too_large() -> NotFollowed:
    """What it says where there is no room."""
    return NotFollowed("the tables of all that its columns can hold take too much memory")


def _head(node: AttentionNode, number: int, query: Query, rows: KeyRows) -> _Head:
    operation = node.operation
    wanted = [channel for channel in node.live if channel // operation.value_dim == number]
    channels = [operation.value_channels(number)[channel % operation.value_dim] for channel in wanted]
    values = [rows.of_channel(node.values[channel]) if node.values else ZERO for channel in channels]
    return _Head(number, wanted, values, operation.visible_to(number)[query.position, list(node.seen)])


@dataclass(frozen=True, eq=False)
class _Asked:
    """What a head's scores are computed from: queries [cases, 1, 1], keys [1, keys, rows]."""

    dtype: FloatFormat
    scored: Scored

    @property
    def operation(self) -> Attended:
        return self.scored.operation

    def scores(self, a: Arithmetic) -> Bounded:
        """[cases, keys, rows] or less"""
        return exact.score(self.dtype, self.scored, score(a, self.scored))

    def of_keys(self, keys: NDArray[np.int64]) -> _Asked:
        """Of these keys alone."""
        index = torch.from_numpy(keys)
        chosen = [_map(x, lambda q: q[:, index]) for x in self.scored.key]
        return replace(self, scored=replace(self.scored, key=chosen, added=[q[:, index] for q in self.scored.added]))

    def after_any_step(self) -> _Asked:
        """With keys [1, keys, 1] that may be what they are after any step."""
        return replace(self, scored=replace(self.scored, key=[_hull_of_steps(x) for x in self.scored.key]))


def _asked(node: AttentionNode, operation: Attended, head: int, query: Query, rows: KeyRows) -> _Asked:
    channels = [_case(query.channels[c]) if query.channels else ZERO for c in operation.query_channels(head)]
    keys = [rows.of_channel(node.keys[c]) if node.keys else ZERO for c in operation.key_channels(head)]
    added = (table[head % len(table)][query.position, list(node.seen)] for table in operation.additions)
    scored = Scored(operation, channels, keys, [torch.tensor(numbers)[None, :, None] for numbers in added])
    return _Asked(node.dtype, scored)


def _hull_of_steps(x: Bounded) -> Bounded:
    value, error = (torch.as_tensor(q, dtype=torch.float64) for q in (x.value, x.error))
    if value.dim() + error.dim() == 0:
        return x
    value, error = torch.broadcast_tensors(value, error)  # type: ignore[no-untyped-call]
    middle = (value.amin(2, keepdim=True) + value.amax(2, keepdim=True)) / 2
    return Bounded(middle, SLACK * ((value - middle).abs() + error).amax(2, keepdim=True))


@dataclass(frozen=True, eq=False)
class _Far:
    """Keys that hardly matter to a head, so `many`: they have no more than a `weight` [cases] in all, and for each
    channel that is wanted, products with values come to one of the `sizes` [cases] at most. All other keys are
    `near`."""

    near: NDArray[np.int64]
    weight: Array
    sizes: Sequence[Array]
    many: int


def _far(a: Arithmetic, head: _Head, asked: _Asked, shape: tuple[int, int, int]) -> _Far:
    """Weights and products of these keys are tiny shares of those of the key that surely has the highest score.

    Whether an exponential underflows is only asked of whole ranges here: where that may matter, a key is near.
    """
    operation, visible = asked.operation, torch.tensor(head.visible)
    scores = asked.after_any_step().scores(a)
    value, error = (
        torch.as_tensor(q, dtype=torch.float64).expand(*shape[:2], 1)[..., 0] for q in (scores.value, scores.error)
    )
    low, high = (torch.where(visible, x, -torch.inf) for x in (value - SLACK * error, value + SLACK * error))
    best, key = low.max(1, keepdim=True)
    reference = best.clamp(min=0.0) if operation.plus_one else best
    rounding = 4 * a.rounding.unit * (reference.abs() + high.abs())
    weight = (1 + 2.0**-4) * torch.exp(high - reference + rounding)
    gone = high - reference + rounding < NEGLIGIBLE
    perhaps_gone = ~gone & (low - high.amax(1, keepdim=True) - rounding < NEGLIGIBLE)
    far = visible & (weight <= HARDLY_ANY) & ~perhaps_gone
    sizes = [torch.as_tensor(a.size(v), dtype=torch.float64).expand(1, *shape[1:]).amax(2)[0] for v in head.values]
    for size in sizes:
        far &= weight * size <= HARDLY_ANY * torch.exp(best - reference) * size[key]
    chosen = far.scatter(1, key, False).all(0) | (~visible & visible.any())
    lost = torch.where(gone | ~visible, 0.0, weight + a.rounding.lost_weight(int(visible.sum())))[:, chosen]
    return _Far(
        np.flatnonzero(~chosen.numpy()),
        lost.sum(1).numpy(),
        [(lost * size[chosen]).sum(1).numpy() for size in sizes],
        int((lost > 0).sum(1).max()),
    )


def _softmax(a: Arithmetic, head: _Head, asked: _Asked, tables: _Tables) -> HeadForms:
    operation, far = asked.operation, _far(a, head, asked, tables.shape)
    head, asked, tables = head.of_keys(far.near), asked.of_keys(far.near), tables.of_keys(far.near)
    scores = asked.scores(a)
    mask = _with_weight(a, operation, scores, torch.tensor(head.visible)[None, :, None], tables.shape)
    if not operation.plus_one and not far.many and bool((mask.sum(1) == 1).all()):
        return _alone(a, head.wanted, head.values, mask.double(), tables)
    found = key_weights(a, operation, scores, mask, tables.shape, far.many)
    weights, grown = (found, np.ones(tables.cases)) if operation.plus_one else _relative_to_largest(found)
    products, nothing = [weights.products(v) for v in head.values], weights.nothing.numpy()
    return HeadForms(
        tuple(head.wanted),
        tuple(tables.add(product) for product, _, _ in products),
        tables.add(weights.weight, nothing),
        tables.add_bound(weights.more, far.weight * grown),
        tuple(tables.add_bound(off, size * grown) for (_, off, _), size in zip(products, far.sizes, strict=True)),
        tuple(tables.add_bound(most, size * grown) for (_, _, most), size in zip(products, far.sizes, strict=True)),
        nothing,
        weights.most,
        weights.one or bool((nothing == 1).all()),
    )


def _relative_to_largest(found: KeyWeights) -> tuple[KeyWeights, Array]:
    """The same weights, all divided by what one of them is off by, as a share, and by how much bounds of others grow
    [cases]: a quotient of sums stays what it is.

    That of the key which is surely largest is then known, and others, as far as they are smaller, have its share too.
    """
    weight, more = found.weight, found.more
    least, key = weight.amin(2).max(1)
    rest = weight.amax(2).sum(1) - weight.amax(2).gather(1, key[:, None])[:, 0]
    largest = key[:, None, None].expand(-1, 1, weight.shape[2])
    share = SLACK * (more.gather(1, largest) / weight.gather(1, largest)).amax((1, 2))
    worth = (rest < least) & (share < MOST_OFF)
    share = torch.where(worth, share, 0.0)
    grown = SLACK / (1 - share)
    moved = (more + weight * share[:, None, None]) * grown[:, None, None]
    moved = moved.scatter(1, largest, 0.0)
    return replace(found, more=torch.where(worth[:, None, None], moved, more)), torch.where(worth, grown, 1.0).numpy()


@dataclass(frozen=True, eq=False)
class _Won:
    """The weights of keys [cases, keys, steps], which depend on each key's own column, or, as far as `at` [cases, keys]
    says where, on the column of one of them."""

    weights: Tensor
    at: Tensor


def _hard(a: Arithmetic, head: _Head, asked: _Asked, tables: _Tables) -> HeadForms:
    """A head whose weight is on keys with the largest score, where these are known."""
    operation = asked.operation
    won = _won(operation, head, asked.scores(a), tables)
    most = int(won.weights.count_nonzero(1).max())
    mixed, off, size = [], [], []
    for v in head.values:
        largest = won.weights * a.size(v)
        # one key has a weight of exactly 1; of n that share it each has 1 / n, where n and the quotient are rounded
        rounded = compounded(most + 8, a.rounding.unit) * largest + a.rounding.tiny if most > 1 else 0.0
        error = torch.where(won.weights > 0, won.weights * a.off(v) + rounded + a.rounding.flushed, 0.0)
        mixed.append(tables.add(_by_column(won, won.weights * v.value)))
        off.append(tables.add_bound(_by_column(won, error)))
        size.append(tables.add_bound(_by_column(won, largest)))
    nothing = np.zeros(tables.cases)
    return HeadForms(
        tuple(head.wanted),
        tuple(mixed),
        None,
        tables.add_bound(torch.zeros(())),
        tuple(off),
        tuple(size),
        nothing,
        most,
    )


def _by_column(won: _Won, summands: Tensor) -> Tensor:
    """Where one column decides, all that the weights of a query are of stands at one of its keys."""
    at = won.at[:, :, None]
    return torch.where(at.any(1, keepdim=True), at * summands.sum(1, keepdim=True), summands)


def _won(operation: Attended, head: _Head, scores: Bounded, tables: _Tables) -> _Won:
    """Raises `NotFollowed` where which keys win depends on several columns."""
    value, error = (torch.as_tensor(q, dtype=torch.float64).expand(tables.shape) for q in (scores.value, scores.error))
    room = torch.where(error == 0, 0.0, SLACK * error + 4 * ENGINE_UNIT * value.abs())
    visible = torch.tensor(head.visible)[None, :, None].expand(tables.shape)
    low, high = (torch.where(visible, x, -torch.inf) for x in (value - room, value + room))
    columns = [tables.sequences.columns[position] for position in tables.positions]
    weights, at = torch.zeros(tables.shape, dtype=torch.float64), torch.zeros(tables.shape[:2], dtype=torch.bool)
    todo = torch.ones(tables.cases, dtype=torch.bool)

    def decide(inside: Tensor, key: int | None, known: Tensor) -> None:
        """The cases where one of the keys `inside` wins in each step of the column, for all that others hold."""
        rest = torch.where(inside, -torch.inf, high).amax((1, 2))
        floor = torch.where(inside, low, -torch.inf).amax(1, keepdim=True)
        candidate = inside & visible & (high >= floor)
        tied = (torch.where(candidate, room, 0.0).amax(1) == 0) | (candidate.sum(1) == 1)
        new = todo & known & (tied & (floor[:, 0] > rest[:, None])).all(1)
        weights[new] = _shared_out(candidate, operation.ties)[new]
        if key is not None:
            at[new, key] = True
        todo[new] = False

    # where scores depend on no column, any number of keys may tie
    constant = ((low.amin(2) == high.amax(2)) | ~visible[..., 0]).all(1)
    decide(torch.ones(tables.shape, dtype=torch.bool), None, constant)
    for column in dict.fromkeys(columns):
        inside = torch.tensor([one in (column, CONSTANT) for one in columns])[None, :, None].expand(tables.shape)
        decide(inside, columns.index(column), torch.ones_like(todo))
    if todo.any():
        message = f"which keys the hard softmax of {operation.step} looks at depends on several columns of the task"
        raise NotFollowed(f"{message}; it is followed where positions decide, or one column does")
    return _Won(weights, at)


def _shared_out(candidates: Tensor, ties: Ties | None) -> Tensor:
    """The weights of keys [cases, keys, steps] of which these have the largest score."""
    match ties:
        case "share":
            return candidates.double() / candidates.sum(1, keepdim=True)
        case "earliest":
            return (candidates & (candidates.cumsum(1) == 1)).double()
        case "latest":
            return (candidates & (candidates.flip(1).cumsum(1).flip(1) == 1)).double()
        case None:
            raise AssertionError("every key has a weight")
        case _:
            raise no_rule("ties", ties)


def _with_weight(
    a: Arithmetic, operation: Attended, scores: Bounded, visible: Tensor, shape: tuple[int, int, int]
) -> Tensor:
    """The keys [cases, keys, 1] that can have a weight: exponentials of the others underflow to zero for all inputs."""
    value, error = (torch.as_tensor(part, dtype=torch.float64).expand(shape) for part in (scores.value, scores.error))
    lowest = torch.where(visible, value - error, -torch.inf).amin(2, keepdim=True)
    highest = torch.where(visible, value + error, -torch.inf).amax(2, keepdim=True)
    # without a key for nothing, a key's exponential is that of its distance from the best
    reference = torch.zeros(()) if operation.plus_one else lowest.amax(1, keepdim=True)
    rounding = 4 * a.rounding.unit * (reference.abs() + highest.abs())
    return visible & ~(highest - reference + rounding < NEGLIGIBLE)


def _nothing(wanted: Sequence[int], tables: _Tables) -> HeadForms:
    """A head that sees no key: what it mixes is zero."""
    none = torch.zeros((), dtype=torch.float64)
    mixed, bounds = (tuple(tables.add(none, bound=bound) for _ in wanted) for bound in (False, True))
    return HeadForms(tuple(wanted), mixed, None, tables.add_bound(none), bounds, bounds, np.zeros(tables.cases), 0)


def _alone(a: Arithmetic, wanted: Sequence[int], values: Channels, chosen: Tensor, tables: _Tables) -> HeadForms:
    """A head that copies the value of one key, `chosen` [cases, keys, 1]: its weight is 1, exactly."""
    return HeadForms(
        tuple(wanted),
        tuple(tables.add(chosen * v.value) for v in values),
        None,
        tables.add_bound(torch.zeros(())),
        tuple(tables.add_bound(chosen * v.error) for v in values),
        tuple(tables.add_bound(chosen * a.size(v)) for v in values),
        np.zeros(tables.cases),
        1,
    )


def _mixed(a: Arithmetic, operation: Mixed, head: _Head, position: int, tables: _Tables) -> HeadForms:
    """The formula of `compiler.backends.bounds.mixing.mix_head`, summand by summand."""
    seen = list(tables.positions)

    def row(numbers: Array) -> Tensor:
        return torch.tensor(np.where(head.visible, numbers[position, seen], 0.0))[None, :, None]

    weight, error = row(operation.weights[head.number]), row(operation.error[head.number])
    inexact = row(operation.inexact(head.number))
    mixed, off, size = [], [], []
    for v in head.values:
        largest = (weight + error) * a.size(v)
        error_of_product = weight * a.off(v) + (error + a.rounding.flushed) * a.size(v) + inexact * a.rounded(largest)
        mixed.append(tables.add(weight * v.value))
        off.append(tables.add_bound(error_of_product))
        size.append(tables.add_bound(largest))
    return HeadForms(
        tuple(head.wanted),
        tuple(mixed),
        None,
        tables.add_bound(torch.zeros(())),
        tuple(off),
        tuple(size),
        np.zeros(tables.cases),
        int(head.visible.sum()),
    )


@dataclass(frozen=True, eq=False)
class _Intervals:
    """Of each form, [1, cells]: the middle of what it can be, how far it can be from that, and the most. What varies
    with form f is shared as `first_symbol` + f."""

    case: np.ndarray
    middle: Sequence[Tensor]
    radius: Sequence[Tensor]
    most: Sequence[Tensor]
    first_symbol: int

    def nothing(self, head: HeadForms) -> Tensor:
        """The weight of attending to no key."""
        return torch.tensor(head.nothing[self.case])[None]


def mixed_values(a: Arithmetic, attention: AttentionForms, ranges: Ranges, first_symbol: int) -> dict[int, Bounded]:
    """The mixed channels of cells [1, cells], by channel. What varies with form f is shared as `first_symbol` + f."""
    low, high = ranges.low, ranges.high
    centre = low / 2 + high / 2
    with np.errstate(invalid="ignore"):  # of what is infinite nothing is known
        wide = np.nextafter(np.maximum(high - centre, centre - low), np.inf)
    middle, radius, most = map(_quantities, (centre, np.where(low < high, wide, 0.0), high))
    intervals = _Intervals(ranges.case, middle, radius, most, first_symbol)
    channels: dict[int, Bounded] = {}
    for head in attention.heads:
        for i, channel in enumerate(head.channels):
            weight = head.weight
            channels[channel] = _sum(a, head, i, intervals) if weight is None else _mean(a, head, i, weight, intervals)
    return channels


def _sum(a: Arithmetic, head: HeadForms, i: int, x: _Intervals) -> Bounded:
    """Channel number i of a head whose weights are known."""
    n, plain = head.mixed[i], a.rounding.plain_unit
    error = x.most[head.off[i]] + head.most * a.rounding.tiny
    if head.most > 1:  # the module's sum: the engine's is rounded outwards
        bounded = abs(x.middle[n]) + x.radius[n] + error
        largest = bounded if head.most == 2 else (1 + plain) ** head.most * x.most[head.size[i]]
        error = error + (head.most - 1.0) * plain * a.f.power_floor((1 + 2.0**-40) * largest)
    return Bounded(x.middle[n], error, _shared((x.first_symbol + n, x.radius[n])))


def _mean(a: Arithmetic, head: HeadForms, i: int, d: int, x: _Intervals) -> Bounded:
    """Channel number i of a head, over the sum of its weights, which is form d.

    With N = n + r ε and D = d + s δ, |ε|, |δ| ≤ 1: N / D = n/d + (r ε - (n/d) s δ) / D, and 1/D is 1/d up to the
    share s / (d - s).
    """
    n, middle, radius, more = head.mixed[i], x.middle, x.radius, x.most[head.more]
    surely = a.f.maximum((1 - 2 * ENGINE_UNIT) * (middle[d] - radius[d]), 0.0)  # of the exact sum of weights
    nothing = x.nothing(head)
    nothing = torch.where(nothing == 1, 0.0, 6 * a.rounding.unit * nothing)  # exp(0) is 1
    certain = 1.0 / a.f.maximum((1 - 2.0**-40) * surely - more - nothing, 0.0)
    mean = middle[n] / middle[d]
    turned = abs(mean) * radius[d]
    curved = (radius[n] + turned) / middle[d] * (radius[d] / surely)
    scale = abs(mean) + (radius[n] + turned) / middle[d] + curved
    largest = x.most[head.size[i]] * certain
    grown = 1 + (head.most + 1) * a.rounding.plain_unit  # of what is divided by the module's sum of weights
    roundings = _mean_roundings(a, head, _summed(a, head, x.most[d], more), (abs(mean), scale, largest, grown))
    # products in the tables underflow where this input's weights are far below those that others could have
    off = (x.most[head.off[i]] + scale * (more + nothing) + 4 * head.most * ENGINE_TINY) * certain
    symbols = x.first_symbol + n, x.first_symbol + d
    shared = _shared((symbols[0], radius[n] / middle[d]), (symbols[1], -mean * (radius[d] / middle[d])))
    return Bounded(mean, curved + roundings + grown * off, shared)


def _summed(a: Arithmetic, head: HeadForms, most: Tensor, more: Tensor) -> Tensor:
    """The share by which the module's sum of weights is rounded; the weights come to `most`, and are off by `more`."""
    plain = a.rounding.plain_unit
    # it is exact where all of them are 1, and not too many
    counted = (more == 0) & ((head.most + 1) * plain < 1)
    summed = torch.where(counted, torch.zeros_like(more), head.most * plain)
    if head.one:  # a rounded sum is no less than the 1 in it, to which others are added, and lost at most
        summed = torch.minimum(summed, 1.01 * (1 + 2 * head.most * plain) * (most - 1.0 + more))
    return summed


def _mean_roundings(
    a: Arithmetic, head: HeadForms, summed: Tensor, sizes: tuple[Tensor, Tensor, Tensor, float]
) -> Quantity:
    """The module's: one over the sum times each weight, products; the engine's: products in the tables, the quotient,
    shares. The `sizes` are those of the mean, with what varies, of the products, and what these have grown by."""
    plain, (mean, scale, largest, grown) = a.rounding.plain_unit, sizes
    growth = 1 + compounded(2 * head.most + 4, plain)  # of partial sums
    roundings = (summed + plain * (1 + summed)) * scale + 2.0**-1000 + 2.01 * plain * grown * largest
    roundings = roundings + ENGINE_UNIT * (largest + mean + 4 * (scale - mean))
    roundings = roundings + max(0.0, head.most - 1.0) * plain * a.f.power_floor(growth * largest)
    return roundings + head.most * (2 * a.rounding.tiny + a.rounding.flushed)


def _shared(*parts: tuple[int, Tensor]) -> dict[int, Quantity]:
    return {symbol: c for symbol, c in parts if bool((c != 0).any())}


def _quantities(numbers: Array) -> list[Tensor]:
    """[cells, forms] as [1, cells] for each form."""
    return [torch.tensor(column)[None] for column in numbers.T]


def _map(x: Bounded, change: Callable[[Tensor], Tensor]) -> Bounded:
    """With other tensors; what is the same for all keys stays so. Nothing is shared."""
    value, error = (change(q) if isinstance(q, Tensor) else q for q in (x.value, x.error))
    return Bounded(value, error)


def _case(x: Bounded) -> Bounded:
    """[cases] as [cases, 1, 1]."""
    value, error = (q[:, None, None] if isinstance(q, Tensor) else q for q in (x.value, x.error))
    return Bounded(value, error)
