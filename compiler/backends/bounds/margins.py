"""Leads that suffice for a token to be sure, whatever the input is: the bounds of `deciding`, over all inputs at once.

The formulas that follow a bound for each input are computed on intervals. The inputs are taken apart into cells: by the
token at the position itself, and by what the last attention mixes by fixed weights, in up to `BINS` parts of what it
can. All later bounds are of one cell alone, and the largest of them is the margin.

Intervals forget what channels have in common. So in a cell a value is also followed from its middle, by the same
formulas, with the engine as the module and the width of the cell as an error. And a class that is ahead is ahead of all
others: what the logits read is cut down to that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compiler.backends.bounds.arithmetic import (
    ENGINE_TINY,
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
from compiler.backends.bounds.cost import RESULT, operations
from compiler.backends.bounds.deciding import class_logits
from compiler.backends.bounds.elementwise import all_channels, elementwise
from compiler.backends.bounds.intervals import OUTWARD, Interval, IntervalFunctions, IntervalLoop
from compiler.backends.bounds.mixing import WeightedKeys, mix_all
from compiler.backends.bounds.tensors import TensorFunctions, wanted_channels
from compiler.backends.elementary.program import (
    Array,
    Attended,
    Decision,
    Lookup,
    Mixed,
    Node,
    Program,
    Renewed,
    reads_keys,
)
from compiler.network.meanings import lead_sign

BINS = 24  # of each channel at most
FINE = 256  # parts of what is mixed, while keys are added
MAX_OPERATIONS = 1 << 23  # on numbers, before there are bins: a second at most
MAX_BINNED = 1 << 28  # with all bins
ENGINE = Arithmetic(TensorFunctions(), Rounding(OUTWARD, 2 * OUTWARD, ENGINE_TINY, 0.0))  # it rounds by less


def sufficient_leads(program: Program, bins: int) -> Array:
    """[slots, classes]: what the value of the logit of a class that is ahead has to lead by, so that the plain module
    surely says it; infinite where nothing suffices. The program is `prepared` for the fast engine. Fewer `bins` are
    found in less time, and say less."""
    if _costs_too_much(program) or program.decision.classes == 1 or any(_is_hard(node) for node in program.nodes):
        return np.full((len(program.slots), program.decision.classes), math.inf)
    static = Static(program, torch.from_numpy(program.every_token(program.length)), [])
    last = max((n for n, node in enumerate(program.nodes) if reads_keys(node.operation)), default=-1)
    with torch.inference_mode():
        for number, node in enumerate(program.nodes):
            static.follow(node)
            if number == last:
                static = static.in_bins(number, bins)
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
            static.follow(node)
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
    """`tokens` [cells, positions]; `values` of the nodes so far, [positions of the node, cells]. In bins also `around`:
    what the engine makes of the middle of each cell, and how far it can be from that in the cell. What channels have in
    common cancels there."""

    program: Program
    tokens: Tensor
    values: list[Channels]
    around: list[Channels] = field(default_factory=list)

    @property
    def arithmetic(self) -> Arithmetic:
        return Arithmetic(IntervalFunctions(), Rounding.of(self.program.dtype))

    def follow(self, node: Node) -> None:
        """The next node."""
        found = all_channels(node, self.computed(node))
        if isinstance(node.operation, Renewed):  # an error of this size in all of a cell is the same in a difference
            found = [replace(x, shared={symbol: _most(c) for symbol, c in x.shared.items()}) for x in found]
        if self.around:
            rows = list(node.positions)
            inputs = [self._rows(number, self.around, rows) for number in node.inputs]
            near = [_middle(found[c]) for c in node.live]
            if inputs:
                near = elementwise(ENGINE, node, inputs, lambda x: torch.tensor(x[rows][:, None]))
            self.around.append(all_channels(node, near))
            found = [_near(*pair) for pair in zip(found, self.around[-1], strict=True)]
        self.values.append(found)

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
        return self._rows(number, self.values, positions)

    def _rows(self, number: int, values: Sequence[Channels], positions: Sequence[int]) -> Channels:
        if number < 0:
            return []
        places = {position: i for i, position in enumerate(self.program.nodes[number].positions)}
        index = torch.tensor([places[p] for p in positions], dtype=torch.long)
        return [_mapped(x, lambda end: end[index]) for x in values[number]]

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

    def in_bins(self, number: int, bins: int) -> Static:
        """Each cell as many, by what a node mixes there; nothing that it can is in none of them."""
        program, node = self.program, self.program.nodes[number]
        if not isinstance(node.operation, Mixed):
            return self
        mixes = {c: self._mixes(node, node.operation, c) for c in node.live}
        wide = [c for c, mix in mixes.items() if _is_wide(Interval(mix.low.amin(2), mix.high.amax(2)))]
        in_each = operations(program, MAX_BINNED) + RESULT * program.decision.classes**2
        most = max(1, MAX_BINNED // (in_each * len(self.tokens) * len(program.decision.reads)))
        each = min(bins, int(most ** (1 / max(1, len(wide))) + 1e-9))
        count = each ** len(wide)
        values = [[_mapped(x, lambda end: _repeated(end, count)) for x in channels] for channels in self.values]
        for channel, mix in mixes.items():
            parts, before = (each, each ** wide.index(channel)) if channel in wide else (1, 1)
            merged = _merged(mix, parts)
            part = torch.arange(count) // before % parts % merged.low.shape[2]
            there = merged.at(..., part).each(lambda end: end.flatten(1))
            values[number][channel] = replace(values[number][channel], value=there)
        around = [[_middle(x) for x in channels] for channels in values]
        return Static(program, self.tokens.repeat_interleave(count, 0), list(values), list(around))

    def _mixes(self, node: Node, operation: Mixed, channel: int) -> Interval:
        """What a channel can be: [positions, cells, parts], each number of which is in one of the parts. Keys are added
        one by one, with any token each but for the key at the query's own position."""
        head, coordinate = divmod(channel, operation.value_dim)
        (values,) = node.inputs
        seen = self.program.nodes[values].positions if values >= 0 else ()
        value = Interval.of(wanted_channels(self.at(values, seen), operation.value_channels(head))[coordinate].value)
        weights = torch.tensor(operation.weights[head][np.ix_(node.positions, seen)])
        own = torch.tensor(np.equal.outer(node.positions, seen))
        products = _constant(weights[:, :, None]) * value.each(lambda end: end.expand(len(seen), len(self.tokens)))
        off = OUTWARD * len(seen) * torch.maximum(products.low.abs(), products.high.abs()).amax(2).sum(1)[:, None, None]
        adds = (weights != 0) & ~own
        others = products.each(lambda end: torch.where(adds[..., None], end, 0.0))
        mix, rows = _constant(torch.zeros(len(own), 1)), torch.arange(len(own))
        for key in adds.byte().argsort(1, descending=True)[:, : int(adds.sum(1).max())].unbind(1):
            mix = _merged((mix.at(..., None) + others.at(rows, key, None)).each(lambda end: end.flatten(1)), FINE)
        of_own = products.each(lambda end: torch.where(own[..., None], end, 0.0).sum(1))
        mix = mix.at(slice(None), None) + of_own.at(..., None)
        return Interval(mix.low - off, mix.high + off)


def _merged(x: Interval, count: int) -> Interval:
    """Along the last axis so many intervals at most: of each of so many equal parts, those that begin there as one."""
    if x.low.shape[-1] <= count:
        return x
    low, high = x.low.amin(-1, keepdim=True), x.low.amax(-1, keepdim=True)
    part = ((x.low - low) / (high - low) * count).nan_to_num(0.0).long().clamp(max=count - 1)
    shape = (*x.low.shape[:-1], count)
    lows = torch.full(shape, math.inf, dtype=torch.float64).scatter_reduce(-1, part, x.low, "amin")
    highs = torch.full(shape, -math.inf, dtype=torch.float64).scatter_reduce(-1, part, x.high, "amax")
    none = lows > highs  # as the first part, which has some
    return Interval(torch.where(none, lows[..., :1], lows), torch.where(none, highs[..., :1], highs))


def _is_wide(x: Interval) -> bool:
    return bool((x.high - x.low > 2.0**-20 * x.high.abs().amax()).any())


def _constant(numbers: Array | Tensor) -> Interval:
    return Interval.of(torch.as_tensor(numbers, dtype=torch.float64))


def _loop(visible: NDArray[np.bool_]) -> IntervalLoop:
    return IntervalLoop(torch.tensor(visible)[:, :, None], int(visible.sum(1).max(initial=0)))


def _middle(x: Bounded) -> Bounded:
    if isinstance(x.value, float):
        return Bounded(x.value, 0.0)
    middle = (x.value.low + x.value.high) / 2
    return Bounded(middle, torch.maximum(x.value.high - middle, middle - x.value.low))


def _near(x: Bounded, around: Bounded) -> Bounded:
    """The same, with a value that is within both."""
    if isinstance(x.value, float):
        return x
    off = SLACK * torch.as_tensor(ENGINE.off(around), dtype=torch.float64)
    low, high = torch.fmax(x.value.low, around.value - off), torch.fmin(x.value.high, around.value + off)
    return replace(x, value=Interval(low, high))


def _ends(x: Quantity, function: Callable[[Tensor], Tensor]) -> Quantity:
    match x:
        case Interval():
            return x.each(function)
        case Tensor():
            return function(x)
        case _:
            return x


def _mapped(x: Bounded, function: Callable[[Tensor], Tensor]) -> Bounded:
    shared = {symbol: _ends(c, function) for symbol, c in x.shared.items()}
    return Bounded(_ends(x.value, function), _ends(x.error, function), shared)


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


def _most(x: Quantity) -> Quantity:
    return Interval(x.high, x.high) if isinstance(x, Interval) else x


def _high(x: Quantity) -> Tensor:
    return Interval.of(x).high


def _up(high: Tensor) -> Interval:
    """An error: only its upper end matters."""
    return Interval(torch.zeros_like(high), high)


def _margins(static: Static, inputs: Channels) -> Array:
    """For each class that is ahead, the most that the bounds on a rival take, in any cell in which that may matter: not
    where the lead is always more than that, and no more than the lead can be."""
    a, decision = static.arithmetic, static.program.decision
    classes, shape = range(decision.classes), (len(decision.reads), len(static.tokens))
    logits, lowered, raised = class_logits(a, decision, inputs, lead_sign(decision.decode))
    floor = torch.stack([Interval.of(logit).low.expand(shape) for logit in logits]).amax(0)
    found = torch.zeros(len(decision.reads), decision.classes, dtype=torch.float64)
    for best in classes:
        slots, cells = (~(_high(logits[best]) < floor)).nonzero(as_tuple=True)

        def some(end: Tensor, slots: Tensor = slots, cells: Tensor = cells) -> Tensor:
            return end.expand(shape)[slots, cells] if end.dim() else end

        rivals = {rival: [_ends(x[rival], some) for x in (logits, raised)] for rival in classes if rival != best}
        own, down = (_ends(x[best], some) for x in (logits, lowered))
        ahead, possible = _where_ahead(a, decision, [_mapped(x, some) for x in inputs], best)
        needed = torch.zeros(len(slots), dtype=torch.float64)
        for rival, (logit, up) in rivals.items():
            difference = _difference(a, decision, ahead, best, rival)
            lead = Interval.of(own - logit if difference is None else difference.value)
            common = 0.0 if difference is None else a.off(difference)
            bound = _high(SLACK * plus(common, up, down))
            matters = torch.where(lead.low > bound, 0.0, torch.minimum(bound, lead.high.clamp(min=0.0)))
            needed, possible = torch.maximum(needed, matters), possible & ~(lead.high < 0)
        needed = torch.where(possible, needed, 0.0).nan_to_num(math.inf, math.inf)
        found[:, best] = found[:, best].scatter_reduce(0, slots, needed, "amax")
    return found.numpy()


def _where_ahead(a: Arithmetic, decision: Decision, inputs: Channels, best: int) -> tuple[Channels, Tensor]:
    """The inputs with the values that they can have where this class is ahead of all others, and in which cells they
    have any: what a channel takes off a lead is no more than all else can give to it."""
    values, possible = [Bounded(x.value, 0.0) for x in inputs], torch.tensor(True)
    for rival in (number for number in range(decision.classes) if number != best):
        lead = _difference(a, decision, values, best, rival)
        for channel, factor in _factors(decision, best, rival).items():
            x = values[channel].value
            if lead is not None and isinstance(x, Interval) and factor != 0:
                end = _constant((_high(times(factor, x)) - _high(lead.value)) / factor).outward()
                low = torch.maximum(x.low, end.low) if factor > 0 else x.low
                high = x.high if factor > 0 else torch.minimum(x.high, end.high)
                values[channel], possible = Bounded(Interval(low, high), 0.0), possible & ~(low > high)
    return [replace(x, value=known.value) for x, known in zip(inputs, values, strict=True)], possible


def _factors(decision: Decision, best: int, rival: int) -> dict[int, float]:
    """What the lead over a rival multiplies each channel by."""
    if decision.linear is None:
        return {}
    sign, rows = lead_sign(decision.decode), [dict(decision.linear.rows[number]) for number in (best, rival)]
    return {c: sign * (rows[0].get(c, 0.0) - rows[1].get(c, 0.0)) for c in rows[0] | rows[1]}


def _difference(a: Arithmetic, decision: Decision, inputs: Channels, best: int, rival: int) -> Bounded | None:
    """How far a logit is ahead of another one, with what the errors of the inputs can do to that; None where logits are
    the inputs themselves."""
    if decision.linear is None:
        return None
    sign, rows = lead_sign(decision.decode), [dict(decision.linear.rows[number]) for number in (best, rival)]
    factors = _factors(decision, best, rival)
    biases = decision.linear.bias or (0.0,) * decision.classes
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
