"""Values of a program for all inputs at once: the formulas that follow a bound for each input, on intervals.

The inputs are taken apart into cells: by the token at the position itself, and by what the last attention mixes by
fixed weights, in so many parts of what it can.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from compiler.backends.bounds.cost import RESULT, operations
from compiler.backends.bounds.elementwise import all_channels
from compiler.backends.bounds.intervals import OUTWARD, Interval, IntervalFunctions
from compiler.backends.bounds.mixing_any import mix_any
from compiler.backends.bounds.nodes import computed
from compiler.backends.bounds.quantities import Quantity
from compiler.backends.bounds.tensors import Kind, Running, each_quantity, wanted_channels
from compiler.backends.elementary.program import Mixed, Node, Program, Renewed

FINE = 256  # parts of what is mixed, while keys are added
MAX_BINNED = 1 << 28  # operations on numbers, with all bins


def for_all_inputs(program: Program) -> Running:
    """A run on intervals of cells [cells, positions], one for each token at the position itself."""
    return Running(program, torch.from_numpy(program.every_token(program.length)), [], kind=INTERVALS)


def compute_next(static: Running, node: Node) -> None:
    """The next node."""
    found = all_channels(node, computed(static, node))
    if isinstance(node.operation, Renewed):
        # as large as it can be in the cell for any input, so that it cancels in a difference
        found = [replace(x, shared={symbol: _most(c) for symbol, c in x.shared.items()}) for x in found]
    static.values.append(found)


def in_bins(static: Running, number: int, bins: int) -> Running:
    """Each cell as many, by what a node mixes there; nothing that it can is in none of them."""
    program, node = static.program, static.program.nodes[number]
    if not isinstance(node.operation, Mixed):
        return static
    mixes = {c: _mixes(static, node, node.operation, c) for c in node.live}
    wide = [c for c, mix in mixes.items() if _is_wide(Interval(mix.low.amin(2), mix.high.amax(2)))]
    in_each = operations(program, MAX_BINNED) + RESULT * program.decision.classes**2
    most = max(1, MAX_BINNED // (in_each * len(static.tokens) * len(program.decision.reads)))
    each = min(bins, int(most ** (1 / max(1, len(wide))) + 1e-9))
    count = each ** len(wide)
    values = [[each_quantity(x, lambda end: _repeated(end, count)) for x in channels] for channels in static.values]
    for channel, mix in mixes.items():
        parts, before = (each, each ** wide.index(channel)) if channel in wide else (1, 1)
        merged = _merged(mix, parts)
        part = torch.arange(count) // before % parts % merged.low.shape[2]
        there = merged.at(..., part).each(lambda end: end.flatten(1))
        values[number][channel] = replace(values[number][channel], value=there)
    return replace(static, tokens=static.tokens.repeat_interleave(count, 0), values=list(values))


def _mixes(static: Running, node: Node, operation: Mixed, channel: int) -> Interval:
    """What a channel can be: [positions, cells, parts], each number of which is in one of the parts. Keys are added
    one by one, with any token each but for the key at the query's own position."""
    head, coordinate = divmod(channel, operation.value_dim)
    (values,) = node.inputs
    seen = static.positions(values)
    value = Interval.of(wanted_channels(static.at(values, seen), operation.value_channels(head))[coordinate].value)
    weights = torch.tensor(operation.weights[head][np.ix_(node.positions, seen)])
    own = torch.tensor(np.equal.outer(node.positions, seen))
    products = Interval.of(weights[:, :, None]) * value.each(lambda end: end.expand(len(seen), len(static.tokens)))
    off = OUTWARD * len(seen) * torch.maximum(products.low.abs(), products.high.abs()).amax(2).sum(1)[:, None, None]
    adds = (weights != 0) & ~own
    others = products.each(lambda end: torch.where(adds[..., None], end, 0.0))
    mix, rows = Interval.of(torch.zeros(len(own), 1)), torch.arange(len(own))
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


def _in_any_cell(x: Quantity) -> Quantity:
    """[positions, cells] as [positions, 1]."""
    return Interval(x.low.amin(1, keepdim=True), x.high.amax(1, keepdim=True)) if isinstance(x, Interval) else x


def _repeated(end: Tensor, count: int) -> Tensor:
    return end if end.shape[-1] == 1 else end.repeat_interleave(count, -1)


def _most(x: Quantity) -> Quantity:
    return Interval(x.high, x.high) if isinstance(x, Interval) else x


INTERVALS = Kind(IntervalFunctions(), Interval.of, _in_any_cell, mix_any)
