"""Values of a program for all inputs at once: the formulas that follow a bound for each input, on intervals.

The inputs are taken apart into cells: by the token at the position itself, and by what the last attention mixes by
fixed weights, in so many parts of what it can.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compiler.backends.bounds.arithmetic import Arithmetic, Rounding
from compiler.backends.bounds.attention import Keys, attend_all
from compiler.backends.bounds.bounded import ZERO, Bounded, Channels
from compiler.backends.bounds.cost import RESULT, operations
from compiler.backends.bounds.elementwise import all_channels, elementwise
from compiler.backends.bounds.intervals import OUTWARD, Interval, IntervalFunctions, IntervalLoop
from compiler.backends.bounds.mixing import WeightedKeys, mix_all
from compiler.backends.bounds.mixing_any import mix_any
from compiler.backends.bounds.quantities import Quantity
from compiler.backends.bounds.tensors import wanted_channels
from compiler.backends.elementary.program import Array, Attended, Lookup, Mixed, Node, Program, Renewed

FINE = 256  # parts of what is mixed, while keys are added
MAX_BINNED = 1 << 28  # operations on numbers, with all bins


@dataclass(frozen=True, eq=False)
class Static:
    """`tokens` [cells, positions]; `values` of the nodes so far, [positions of the node, cells]."""

    program: Program
    tokens: Tensor
    values: list[Channels]

    @property
    def arithmetic(self) -> Arithmetic:
        return Arithmetic(IntervalFunctions(), Rounding.of(self.program.dtype))

    def follow(self, node: Node) -> None:
        """The next node."""
        found = all_channels(node, self.computed(node))
        if isinstance(node.operation, Renewed):
            # as large as it can be in the cell for any input, so that it cancels in a difference
            found = [replace(x, shared={symbol: _most(c) for symbol, c in x.shared.items()}) for x in found]
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
                return elementwise(
                    self.arithmetic, node, inputs, lambda x: exact_interval(x[list(node.positions)][:, None])
                )

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
        return [each_quantity(x, lambda end: end[index]) for x in self.values[number]]

    def _keys(self, number: int, positions: Sequence[int]) -> Channels:
        """The same for any token, with an axis for the queries: [1, positions, 1]."""
        return [_over_cells(self.arithmetic.alone(x)) for x in self.at(number, positions)]

    def _attended(self, node: Node, operation: Attended) -> Channels:
        queries, keys, values = node.inputs
        a, omitted = self.arithmetic, operation.omitted
        query = [each_quantity(a.alone(x), lambda end: end.unsqueeze(1)) for x in self.at(queries, node.positions)]
        seen = self.program.nodes[values].positions if values >= 0 else ()
        read, mixed_from = self._keys(keys, seen), self._keys(values, seen)
        grid = np.ix_(node.positions, seen)

        def keys_of(head: int) -> Keys:
            return Keys(
                _loop(operation.visible_to(head)[grid]),
                wanted_channels(read, operation.key_channels(head)),
                wanted_channels(mixed_from, operation.value_channels(head)),
                [exact_interval(table[head % len(table)][grid][:, :, None]) for table in operation.additions],
                exact_interval(np.array(seen, dtype=np.float64)[None, :, None]),
                0.0 if omitted is None else exact_interval(omitted[head, list(node.positions)][:, None, None]),
            )

        query = query or [ZERO] * (operation.heads * operation.head_dim)
        return self._squeezed(node, attend_all(a, node, operation, query, keys_of, mix_any))

    def _mixed(self, node: Node, operation: Mixed) -> Channels:
        (values,) = node.inputs
        seen = self.program.nodes[values].positions if values >= 0 else ()
        read, grid = self._keys(values, seen), np.ix_(node.positions, seen)

        def keys_of(head: int) -> WeightedKeys:
            weight, error, inexact = (
                exact_interval(table[grid][:, :, None])
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
        return [each_quantity(x, lambda end: end.squeeze(1).expand(shape) if end.dim() == 3 else end) for x in mixed]

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
        values = [[each_quantity(x, lambda end: _repeated(end, count)) for x in channels] for channels in self.values]
        for channel, mix in mixes.items():
            parts, before = (each, each ** wide.index(channel)) if channel in wide else (1, 1)
            merged = _merged(mix, parts)
            part = torch.arange(count) // before % parts % merged.low.shape[2]
            there = merged.at(..., part).each(lambda end: end.flatten(1))
            values[number][channel] = replace(values[number][channel], value=there)
        return Static(program, self.tokens.repeat_interleave(count, 0), list(values))

    def _mixes(self, node: Node, operation: Mixed, channel: int) -> Interval:
        """What a channel can be: [positions, cells, parts], each number of which is in one of the parts. Keys are added
        one by one, with any token each but for the key at the query's own position."""
        head, coordinate = divmod(channel, operation.value_dim)
        (values,) = node.inputs
        seen = self.program.nodes[values].positions if values >= 0 else ()
        value = Interval.of(wanted_channels(self.at(values, seen), operation.value_channels(head))[coordinate].value)
        weights = torch.tensor(operation.weights[head][np.ix_(node.positions, seen)])
        own = torch.tensor(np.equal.outer(node.positions, seen))
        products = exact_interval(weights[:, :, None]) * value.each(lambda end: end.expand(len(seen), len(self.tokens)))
        off = OUTWARD * len(seen) * torch.maximum(products.low.abs(), products.high.abs()).amax(2).sum(1)[:, None, None]
        adds = (weights != 0) & ~own
        others = products.each(lambda end: torch.where(adds[..., None], end, 0.0))
        mix, rows = exact_interval(torch.zeros(len(own), 1)), torch.arange(len(own))
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


def exact_interval(numbers: Array | Tensor) -> Interval:
    return Interval.of(torch.as_tensor(numbers, dtype=torch.float64))


def _loop(visible: NDArray[np.bool_]) -> IntervalLoop:
    return IntervalLoop(torch.tensor(visible)[:, :, None], int(visible.sum(1).max(initial=0)))


def each_end(x: Quantity, function: Callable[[Tensor], Tensor]) -> Quantity:
    return x.each(function) if isinstance(x, Interval) else x


def each_quantity(x: Bounded, function: Callable[[Tensor], Tensor]) -> Bounded:
    shared = {symbol: each_end(c, function) for symbol, c in x.shared.items()}
    return Bounded(each_end(x.value, function), each_end(x.error, function), shared)


def _over_cells(x: Bounded) -> Bounded:
    """[positions, cells] as [1, positions, 1]: what it can be in any cell."""

    def joined(q: Quantity) -> Quantity:
        return (
            Interval(*(end[None, :, None] for end in (q.low.amin(1), q.high.amax(1)))) if isinstance(q, Interval) else q
        )

    return Bounded(joined(x.value), joined(x.error))


def _repeated(end: Tensor, count: int) -> Tensor:
    return end if end.shape[-1] == 1 else end.repeat_interleave(count, -1)


def _most(x: Quantity) -> Quantity:
    return Interval(x.high, x.high) if isinstance(x, Interval) else x
