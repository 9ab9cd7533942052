"""Leads that suffice for a token to be sure, whatever the input is: the bounds of `deciding`, over all inputs at once.

The formulas that follow a bound for each input are computed on intervals. The inputs are taken apart into cells: by the
token at the position itself, and by what the last attention mixes, in up to `BINS` equal parts of what it can. All
later bounds are of one cell alone, and the largest of them is the margin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compiler.backends.bounds.arithmetic import (
    ENGINE_UNIT,
    SLACK,
    ZERO,
    Arithmetic,
    Bounded,
    Channels,
    Quantity,
    Rounding,
    combined_shared,
    compounded,
    plus,
    scaled_shared,
    times,
)
from compiler.backends.bounds.attention import WEIGHT_UNITS, Head, Keys, Mix, Scored, attend_all, score
from compiler.backends.bounds.cost import operations
from compiler.backends.bounds.deciding import class_logits
from compiler.backends.bounds.elementwise import all_channels, elementwise
from compiler.backends.bounds.intervals import Interval, IntervalFunctions, IntervalLoop
from compiler.backends.bounds.mixing import WeightedKeys, mix_all
from compiler.backends.bounds.tensors import wanted_channels
from compiler.backends.elementary.program import (
    Array,
    Attended,
    Decision,
    Lookup,
    Mixed,
    Node,
    Program,
    reads_keys,
)
from compiler.network.meanings import lead_sign

BINS = 16
MAX_CELLS = 1 << 16  # at all positions together
MAX_OPERATIONS = 1 << 23  # on numbers, before there are bins: a second at most


def sufficient_leads(program: Program) -> Array:
    """[slots, classes]: what the value of the logit of a class that is ahead has to lead by, so that the plain module
    surely says it; infinite or NaN where nothing suffices. The program is `prepared` for the fast engine."""
    if _costs_too_much(program) or program.decision.classes == 1 or any(_is_hard(node) for node in program.nodes):
        return np.full((len(program.slots), program.decision.classes), math.inf)
    static = Static(program, torch.from_numpy(program.every_token(program.length)), [])
    last = max((n for n, node in enumerate(program.nodes) if reads_keys(node.operation)), default=-1)
    with torch.inference_mode():
        for number, node in enumerate(program.nodes):
            static.values.append(all_channels(node, static.computed(node)))
            if number == last:
                static = static.in_bins(number)
        decision = program.decision
        return _margins(static, static.at(decision.node, decision.reads))


def with_known_errors(program: Program) -> Program | None:
    """The same program, where what attention mixes is off by as much as it can be for any input; None where that is not
    known, or there is no attention."""
    if _costs_too_much(program) or any(_is_hard(node) for node in program.nodes):
        return None
    static = Static(program, torch.from_numpy(program.every_token(program.length)), [])
    last = max((n for n, node in enumerate(program.nodes) if isinstance(node.operation, Attended)), default=-1)
    nodes, known = list(program.nodes), set[int]()
    with torch.inference_mode():
        for number, node in enumerate(program.nodes[: last + 1]):
            static.values.append(all_channels(node, static.computed(node)))
            if isinstance(node.operation, Attended):
                off = np.zeros((program.length, program.vocabulary, node.channels))
                for c in node.live:
                    high = _high(static.arithmetic.off(static.values[number][c]))
                    off[list(node.positions), :, c] = SLACK * high.expand(len(node.positions), -1).numpy()
                if not np.isfinite(off).all():
                    return None
                nodes[number] = replace(node, operation=replace(node.operation, off=off))
                known.add(number)
    for number, node in enumerate(nodes):
        readers = {i for i, other in enumerate(nodes) if number in other.inputs}
        if isinstance(node.operation, Lookup) and readers <= known and number != program.decision.node:
            exact = Lookup(node.operation.value, np.zeros_like(node.operation.error))
            nodes[number] = replace(node, operation=exact)
    return replace(program, nodes=tuple(nodes)) if known else None


def _costs_too_much(program: Program) -> bool:
    cells = program.vocabulary * max(1, program.length)  # without any bins
    return cells * (operations(program, MAX_OPERATIONS // cells) + program.decision.classes**2) > MAX_OPERATIONS


def _is_hard(node: Node) -> bool:
    return isinstance(node.operation, Attended) and node.operation.ties is not None


@dataclass(frozen=True, eq=False)
class Static:
    """`tokens` [cells, positions]; `values` of the nodes so far, [positions of the node, cells]."""

    program: Program
    tokens: Tensor
    values: list[Channels]

    @property
    def arithmetic(self) -> Arithmetic:
        return Arithmetic(IntervalFunctions(), Rounding.of(self.program.dtype))

    def computed(self, node: Node) -> Channels:
        match node.operation:
            case Lookup(value=value, error=error):
                return [Bounded(self._looked_up(node, value, c), self._looked_up(node, error, c)) for c in node.live]
            case Attended() as operation:
                return self._attended(node, operation)
            case Mixed() as operation:
                return self._mixed(node, operation)
            case _:
                inputs = [self.at(number, node.positions) for number in node.inputs]
                return elementwise(self.arithmetic, node, inputs, lambda x: _constant(x[list(node.positions)][:, None]))

    def _looked_up(self, node: Node, table: Array, channel: int) -> Quantity:
        rows = list(node.positions)
        full = np.broadcast_to(table[:, :, channel], (self.program.length, self.program.vocabulary))
        column = full[rows]
        if (column == column[0, 0]).all():
            return float(column[0, 0])
        return Interval.of(torch.tensor(column).gather(1, self.tokens.T[rows]))

    def at(self, number: int, positions: Sequence[int]) -> Channels:
        """The channels of a node at these of its positions."""
        if number < 0:
            return []
        places = {position: i for i, position in enumerate(self.program.nodes[number].positions)}
        index = torch.tensor([places[p] for p in positions], dtype=torch.long)
        return [_mapped(x, lambda end: end[index]) for x in self.values[number]]

    def _keys(self, number: int, positions: Sequence[int]) -> Channels:
        """The same for any token, with an axis for the queries: [1, positions, 1]."""
        return [_over_cells(self.arithmetic.alone(x)) for x in self.at(number, positions)]

    def _attended(self, node: Node, operation: Attended) -> Channels:
        queries, keys, values = node.inputs
        a, omitted = self.arithmetic, operation.omitted
        query = [_mapped(a.alone(x), lambda end: end.unsqueeze(1)) for x in self.at(queries, node.positions)]
        seen = self.program.nodes[values].positions if values >= 0 else ()
        read, mixed_from = self._keys(keys, seen), self._keys(values, seen)
        grid = np.ix_(node.positions, seen)

        def keys_of(head: int) -> Keys:
            return Keys(
                _loop(operation.visible_to(head)[grid]),
                wanted_channels(read, operation.key_channels(head)),
                wanted_channels(mixed_from, operation.value_channels(head)),
                [_constant(table[head % len(table)][grid][:, :, None]) for table in operation.additions],
                _constant(np.array(seen, dtype=np.float64)[None, :, None]),
                0.0 if omitted is None else _constant(omitted[head, list(node.positions)][:, None, None]),
            )

        query = query or [ZERO] * (operation.heads * operation.head_dim)
        return self._squeezed(node, attend_all(a, node, operation, query, keys_of, mix_any))

    def _mixed(self, node: Node, operation: Mixed) -> Channels:
        (values,) = node.inputs
        seen = self.program.nodes[values].positions if values >= 0 else ()
        read, grid = self._keys(values, seen), np.ix_(node.positions, seen)

        def keys_of(head: int) -> WeightedKeys:
            weight, error, inexact = (
                _constant(table[grid][:, :, None])
                for table in (operation.weights[head], operation.error[head], operation.inexact(head))
            )
            values_of_head = wanted_channels(read, operation.value_channels(head))
            return WeightedKeys(
                _loop(operation.visible_to(head)[grid]), values_of_head, Bounded(weight, error), inexact
            )

        return self._squeezed(node, mix_all(self.arithmetic, node, operation, keys_of))

    def _squeezed(self, node: Node, mixed: Channels) -> Channels:
        """[positions, 1, cells | 1] as [positions, cells]."""
        shape = (len(node.positions), len(self.tokens))
        return [_mapped(x, lambda end: end.squeeze(1).expand(shape) if end.dim() == 3 else end) for x in mixed]

    def in_bins(self, number: int) -> Static:
        """Each cell as many, by what a node can be there; no number of it is in none of them."""
        node = self.program.nodes[number]
        wide = [c for c in node.live if _is_wide(self.values[number][c].value)]
        most = min(BINS, MAX_CELLS // (len(self.tokens) * len(self.program.decision.reads)))  # 0 where none fit
        each = int(max(1, most) ** (1 / len(wide)) + 1e-9) if wide else 1
        count = each ** len(wide)
        values = [[_mapped(x, lambda end: _repeated(end, count)) for x in channels] for channels in self.values]
        binned = values[number]
        for i, channel in enumerate(wide):
            part = (torch.arange(count) // each**i % each).repeat(len(self.tokens))
            whole = binned[channel]
            step = (whole.value.high - whole.value.low) / each
            low = torch.where(part == 0, whole.value.low, whole.value.low + part * step)
            high = torch.where(part == each - 1, whole.value.high, whole.value.low + (part + 1) * step)
            binned[channel] = Bounded(Interval(low, high).outward(), whole.error, whole.shared)
        return Static(self.program, self.tokens.repeat_interleave(count, 0), list(values))


def _is_wide(x: Quantity) -> bool:
    return isinstance(x, Interval) and bool((x.high - x.low > 2.0**-20 * x.high.abs()).any())


def _constant(numbers: Array) -> Interval:
    return Interval.of(torch.tensor(numbers))


def _loop(visible: NDArray[np.bool_]) -> IntervalLoop:
    return IntervalLoop(torch.tensor(visible)[:, :, None], int(visible.sum(1).max(initial=0)))


def _mapped(x: Bounded, function: Callable[[Tensor], Tensor]) -> Bounded:
    def ends(q: Quantity) -> Quantity:
        return q.each(function) if isinstance(q, Interval) else q

    return Bounded(ends(x.value), ends(x.error), {symbol: ends(c) for symbol, c in x.shared.items()})


def _over_cells(x: Bounded) -> Bounded:
    """[positions, cells] as [1, positions, 1]: what it can be in any cell."""

    def joined(q: Quantity) -> Quantity:
        return (
            Interval(*(end[None, :, None] for end in (q.low.amin(1), q.high.amax(1)))) if isinstance(q, Interval) else q
        )

    return Bounded(joined(x.value), joined(x.error))


def _repeated(end: Tensor, count: int) -> Tensor:
    return end if end.shape[-1] == 1 else end.repeat_interleave(count, -1)


def mix_any(a: Arithmetic, head: Head) -> Mix:
    """As `attend_head`, for all inputs at once: quantities are [queries, keys, cells].

    The formulas are those of `attend_head`. What intervals by themselves do not know is added: a weight is at most 1,
    and all weights come to 1 at least. So a key whose weight is from w to W has a share of W / (W + Σ others' w) at
    most. With ε, the largest share that a weight is off by, Σ w |x - o| is at most half of what x ranges over, and the
    least sum of weights is 1 - ε of it at least.
    """
    loop, unit, plus_one = head.keys.loop, a.rounding.unit, head.operation.plus_one
    assert isinstance(loop, IntervalLoop)
    if loop.most == 0:
        return Mix([ZERO for _ in head.rows], [0.0 for _ in head.wanted])
    low, high, relative = _weights(a, head, loop)
    seen, most = loop.mask, head.most
    widest = torch.where(seen, relative, 0.0).amax(1, keepdim=True)
    least = 1 - widest - 6 * unit - 2.0**-20 - 4 * most * a.rounding.tiny
    certain = torch.where(least > 0.25, 1 / least, math.inf)
    share = high / (high + (torch.where(seen, low, 0.0).sum(1, keepdim=True) - torch.where(seen, low, 0.0)))
    share = torch.where(seen, (share * (1 + 2.0**-40)).clamp(max=1.0), 0.0)
    beside = torch.where(seen, torch.full_like(share, a.rounding.lost_weight(most)), 0.0)  # of a weight, beside a share
    heaviest = certain * (1 + widest + beside.sum(1, keepdim=True))  # all weights, each with what it is off by
    grown = 1 + (most + 1) * unit
    rounded, sizes = [], []
    for value in head.values:
        size = torch.where(seen, _high(a.size(value)), 0.0)
        products = certain * (share * (1 + relative) + beside) * size
        total, rest = products.sum(1, keepdim=True), products.sum(1, keepdim=True) - products.amax(1, keepdim=True)
        total = torch.minimum(total, heaviest * size.amax(1, keepdim=True))
        computed = _up(total * (1 + compounded(2 * most + 4, a.rounding.plain_unit)))
        small = _up(rest * (1 + compounded(3 * most + 4, unit)) + 4 * most * ENGINE_UNIT * total)
        lost_sum = a.f.minimum((most - 1.0) * a.rounded(computed), small)
        underflow = most * (a.rounding.tiny + a.rounding.flushed)
        rounded.append(plus(times(4 * unit * (1 + (most + 1) * unit), _up(total)), lost_sum, underflow))
        sizes.append(computed)
    sums = []
    for terms in head.rows:
        x = Interval.of(plus(*(times(factor, head.values[i].value) for i, factor in terms)))
        off_x = _high(plus(*(times(abs(factor), a.off(head.values[i])) for i, factor in terms)))
        lowest = torch.where(seen, x.low, 0.0 if plus_one else math.inf).amin(1, keepdim=True)
        highest = torch.where(seen, x.high, 0.0 if plus_one else -math.inf).amax(1, keepdim=True)
        width = highest - lowest
        by_half = widest * width / 2
        by_share = (share * relative * width).sum(1, keepdim=True)
        apart = certain * (torch.minimum(by_half, by_share) + beside.sum(1, keepdim=True) * width)
        own = heaviest * torch.where(seen, off_x, 0.0).amax(1, keepdim=True)
        spread = sum(abs(factor) * sizes[i].high for i, factor in terms) * 2.0**-40  # more than float64 can lose
        mean = Interval(lowest - spread, highest + spread)
        size = torch.maximum(mean.low.abs(), mean.high.abs())
        share_off = grown * certain * (6 * unit if plus_one else 0.0) + grown - 1
        limit = math.fsum(abs(factor) * head.limits[i] for i, factor in terms)
        error = plus(
            _up(grown * (apart + own) + size * share_off),
            times(head.keys.omitted, 4.0 * limit),
            *(times(abs(factor), rounded[i]) for i, factor in terms),
        )
        sums.append(Bounded(mean, error))
    return Mix(sums, sizes)


def _weights(a: Arithmetic, head: Head, loop: IntervalLoop) -> tuple[Tensor, Tensor, Tensor]:
    """Of each key the least and the largest weight, and the largest share of it that it can be off by."""
    unit = a.rounding.unit
    if loop.most == 1 and not head.operation.plus_one:  # of one key alone, all weights are 1
        one = torch.ones(loop.mask.shape, dtype=torch.float64)
        return one, one, torch.zeros_like(one)
    s = score(a, Scored(head.operation, head.query, head.keys.keys, head.keys.added))
    spread, error = Interval.of(s.value), Interval.of(s.error)
    seen = loop.seen(spread, -math.inf)
    top = seen.each(lambda end: end.amax(1, keepdim=True))
    if head.operation.plus_one:
        top = top.each(lambda end: end.clamp(min=0.0))
    t = a.f.minimum((spread - top).outward(), 0.0)
    most_off = torch.where(loop.mask, error.high, 0.0).amax(1, keepdim=True)
    slack = (0.0 if head.operation.plus_one else most_off) + 4 * unit * most_off
    weight = a.f.exp(t)
    off = error.high + slack + unit * t.low.abs()
    relative = torch.where(off < 1, off * (1 + off) + WEIGHT_UNITS * unit, math.inf)
    return weight.low.clamp(min=0.0), weight.high.clamp(max=1.0), relative


def _high(x: Quantity) -> Tensor:
    return Interval.of(x).high


def _up(high: Tensor) -> Interval:
    """An error: only its upper end matters."""
    return Interval(torch.zeros_like(high), high)


def _margins(static: Static, inputs: Channels) -> Array:
    """For each class that is ahead, the most that the bounds on a rival take, in any cell in which that may matter: not
    where the lead is always more than that, and no more than the lead can be."""
    a, decision = static.arithmetic, static.program.decision
    logits, lowered, raised = class_logits(a, decision, inputs, lead_sign(decision.decode))
    shape = (len(decision.reads), len(static.tokens))
    found = torch.zeros(len(decision.reads), decision.classes, dtype=torch.float64)
    for best in range(decision.classes):
        needed, possible = torch.zeros(shape, dtype=torch.float64), torch.ones(shape, dtype=torch.bool)
        for rival in range(decision.classes):
            if rival != best:
                difference = _difference(a, decision, inputs, best, rival)
                lead = Interval.of(logits[best] - logits[rival] if difference is None else difference.value)
                common = 0.0 if difference is None else a.off(difference)
                bound = _high(SLACK * plus(common, raised[rival], lowered[best]))
                matters = torch.where(lead.low > bound, 0.0, torch.minimum(bound, lead.high.clamp(min=0.0)))
                needed, possible = torch.maximum(needed, matters), possible & ~(lead.high < 0)
        found[:, best] = torch.where(possible, needed, 0.0).amax(1)
    return found.numpy()


def _difference(a: Arithmetic, decision: Decision, inputs: Channels, best: int, rival: int) -> Bounded | None:
    """How far a logit is ahead of another one, with what the errors of the inputs can do to that; None where logits are
    the inputs themselves."""
    if decision.linear is None:
        return None
    sign, rows = lead_sign(decision.decode), [dict(decision.linear.rows[number]) for number in (best, rival)]
    biases = decision.linear.bias or (0.0,) * decision.classes
    factors = {c: sign * (rows[0].get(c, 0.0) - rows[1].get(c, 0.0)) for c in rows[0] | rows[1]}
    scaled = [
        Bounded(times(factor, inputs[c].value), times(abs(factor), inputs[c].error), scaled_shared(inputs[c], factor))
        for c, factor in factors.items()
    ]
    value = Interval.of(plus(*(x.value for x in scaled), sign * (biases[best] - biases[rival])))
    sizes = [times(abs(row.get(c, 0.0)), a.f.absolute(inputs[c].value)) for row in rows for c in factors]
    size = plus(*sizes, abs(biases[best]), abs(biases[rival]))
    rounded = _high(times((len(factors) + 4) * 4 * ENGINE_UNIT, size))  # the engine subtracts two logits, each rounded
    value = Interval(value.low - rounded, value.high + rounded)
    return Bounded(value, plus(*(x.error for x in scaled)), combined_shared(scaled))
