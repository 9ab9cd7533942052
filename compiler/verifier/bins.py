"""What a block makes of a wide channel, followed in parts.

What an earlier attention mixes may leave a channel of the stream wide open at some positions. One tangent to all that a
gate may be then says little. So the channel's range is split into bins, and the block is followed for each of them up
to a later sum of the stream. The value that the module computes lies in one of the bins, so that the hull of what comes
out of all of them holds what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from compiler.backends.bounds.arithmetic import SLACK, Arithmetic
from compiler.backends.bounds.bounded import Bounded, Channels, each_shared
from compiler.backends.bounds.elementwise import all_channels
from compiler.backends.bounds.quantities import Quantity
from compiler.backends.bounds.tensors import Running
from compiler.backends.elementary.program import (
    Activated,
    Attended,
    Linear,
    Lookup,
    Mixed,
    Node,
    Normalized,
    Operation,
    Product,
    Program,
    Renewed,
    Resized,
    Rotated,
    Scaled,
    Subtraction,
    Sum,
    reads_keys,
)
from compiler.source.faults import no_rule
from compiler.verifier.ffn import cell_step

FIRST_BINS = 64
SHRINKS = 0.8  # of each value, twice as many bins are taken while its hull is narrower than this share of the last one
NARROWER = 0.75  # than this share of what is known without bins: then the hull is taken, though what it shares is lost
WIDE = 2.0**-10  # of a channel's whole range: what is less is not worth to be split
COMPUTED = 1 << 15  # numbers of a channel that are computed at once
MAX_WORK = 1 << 26  # terms that are computed for all rows and bins: with more of them, the last hull has to do


@dataclass(frozen=True)
class Block:
    """Nodes of a program, by number: all that is computed at each position by itself from a sum of the stream, the
    node `first`, up to a later one, the last of the `inner` nodes. So many `terms` are computed for it."""

    first: int
    inner: tuple[int, ...]
    terms: int

    @property
    def last(self) -> int:
        return self.inner[-1]


def blocks(program: Program) -> dict[int, Block]:
    """The blocks between an attention and a later one in which something bends, by their last node."""
    nodes, mixed, found = program.nodes, set[int](), dict[int, Block]()
    attentions = [number for number, node in enumerate(nodes) if reads_keys(node.operation)]
    for number in range(attentions[0] if attentions else 0, attentions[-1] if attentions else 0):
        if reads_keys(nodes[number].operation) or mixed.intersection(nodes[number].inputs):
            mixed.add(number)
            block = _block_from(program, number) if isinstance(nodes[number].operation, Sum) else None
            if block is not None:
                found[block.last] = block
    return found


def _block_from(program: Program, first: int) -> Block | None:
    """From a sum to the next one that something bends before; None where values are mixed, or turned, before that."""
    inner, bent = [first], set[int]()
    for number in range(first + 1, len(program.nodes)):
        node = program.nodes[number]
        if not set(inner).intersection(node.inputs):
            continue
        if not _by_itself(node.operation):
            return None
        inner.append(number)
        if isinstance(node.operation, Activated | Product) or bent.intersection(node.inputs):
            bent.add(number)
        if isinstance(node.operation, Sum) and number in bent:
            return Block(first, tuple(inner[1:]), sum(map(_terms, (program.nodes[i] for i in inner[1:]))))
    return None


def _by_itself(operation: Operation) -> bool:
    """Whether what it computes depends on no position."""
    match operation:
        case (
            Linear() | Sum() | Subtraction() | Product() | Scaled() | Resized() | Renewed() | Normalized() | Activated()
        ):
            return True
        case Attended() | Mixed() | Lookup() | Rotated():
            return False
        case _:
            raise no_rule("operation", operation)


def _terms(node: Node) -> int:
    rows = node.operation.rows if isinstance(node.operation, Linear) else ()
    return len(node.live) + sum(len(rows[channel]) for channel in node.live if rows)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Different places, one in each row: of each node that a block reads from outside, channels [rows, 1] with nothing
    shared. Of the block's first one, the `channel` [rows] is split; it lies between `low` and `high` [rows, 1]."""

    arithmetic: Arithmetic
    program: Program
    block: Block
    read: dict[int, list[Bounded]]
    channel: Tensor
    low: Tensor
    high: Tensor

    def __len__(self) -> int:
        return len(self.channel)

    def chosen(self, index: Tensor) -> _Rows:
        read = {number: [_each(x, lambda q: q[index]) for x in value] for number, value in self.read.items()}
        return replace(self, read=read, channel=self.channel[index], low=self.low[index], high=self.high[index])

    def hull(self, bins: int) -> tuple[Tensor, Tensor]:
        """The lowest and highest values [channels, rows] of the block's last node, over so many bins."""
        shares = torch.arange(bins, dtype=torch.float64) / bins
        edges = torch.cat([self.low + (self.high - self.low) * shares, self.high], 1)
        middle = edges[:, :-1] / 2 + edges[:, 1:] / 2
        part = Bounded(middle, _up(torch.maximum(edges[:, 1:] - middle, middle - edges[:, :-1])))
        values = dict(self.read)
        values[self.block.first] = [
            _where(self.channel[:, None] == c, part, x) for c, x in enumerate(self.read[self.block.first])
        ]
        for number in self.block.inner:
            node = self.program.nodes[number]
            inputs = [values[source] for source in node.inputs]
            nowhere = [0] * len(self)  # no node of a block reads where it is
            values[number] = all_channels(node, cell_step(self.arithmetic, node, inputs, nowhere))
        shape = (len(self), bins)
        ends = [(_full(x.value, shape), _full(self.arithmetic.off(x), shape)) for x in values[self.block.last]]
        low = torch.stack([(value - off).amin(1) for value, off in ends])
        high = torch.stack([(value + off).amax(1) for value, off in ends])
        return -_up(-low), _up(high)


def followed_in_bins(running: Running, block: Block, whole: Channels, check_time: Callable[[], None]) -> list[Bounded]:
    """The channels [positions, steps] of a block's last node, which are known as `whole` without bins; `check_time()`
    raises where time is out."""
    positions = running.program.nodes[block.last].positions
    shape = (len(positions), len(running.tokens))
    rows, place = _rows(running, block, positions)
    if not len(rows):
        return list(whole)
    low, high = _hulls(rows, len(whole), check_time)
    middle = low / 2 + high / 2
    hull = [_at_places(part, place, shape) for part in (middle, _up(torch.maximum(high - middle, middle - low)))]
    return [_narrower(running.arithmetic, x, Bounded(hull[0][c], hull[1][c])) for c, x in enumerate(whole)]


def _hulls(rows: _Rows, channels: int, check_time: Callable[[], None]) -> tuple[Tensor, Tensor]:
    """[channels, rows], NaN where nothing is known; more and more bins for the rows where that helps."""
    low, high = torch.full((2, channels, len(rows)), torch.nan, dtype=torch.float64)
    todo, bins = np.arange(len(rows)), FIRST_BINS
    while len(todo) and len(todo) * bins * rows.block.terms <= MAX_WORK:
        most, parts = max(1, COMPUTED // bins), list[tuple[Tensor, Tensor]]()
        for first in range(0, len(todo), most):
            check_time()
            parts.append(rows.chosen(torch.from_numpy(todo[first : first + most])).hull(bins))
        before = (high[:, todo] - low[:, todo]).nan_to_num(torch.inf)
        low[:, todo] = torch.fmax(low[:, todo], torch.cat([part[0] for part in parts], 1))
        high[:, todo] = torch.fmin(high[:, todo], torch.cat([part[1] for part in parts], 1))
        shrinks = high[:, todo] - low[:, todo] < SHRINKS * before
        todo, bins = todo[shrinks.any(0).numpy()], 2 * bins
    return low, high


def _rows(running: Running, block: Block, positions: Sequence[int]) -> tuple[_Rows, Tensor]:
    """The places [positions, steps] where a channel is wide, those that are alike once; and the row of each place in
    turn, -1 where there is none."""
    a, nodes = running.arithmetic, running.program.nodes
    places = len(positions) * len(running.tokens)
    outside = {source for number in block.inner for source in nodes[number].inputs} - set(block.inner)
    read: dict[int, list[Bounded]] = {}
    for number in sorted(outside):
        alone = (a.alone(x) for x in running.at(number, positions))
        read[number] = [
            _each(x, lambda q: _full(q, (len(positions), len(running.tokens))).reshape(places)) for x in alone
        ]
    value, off = (torch.stack(part) for part in zip(*((x.value, x.error) for x in read[block.first]), strict=True))
    varies = (value + off).amax(1) - (value - off).amin(1)
    widest, channel = off.max(0)
    wide = torch.nonzero((widest > WIDE * varies[channel]) & torch.isfinite(widest))[:, 0]
    alike = torch.stack([q for x in chain(*read.values()) for q in (x.value, x.error)], 1)[wide]
    _, index, inverse = np.unique(alike.numpy(), axis=0, return_index=True, return_inverse=True)
    first = wide[torch.from_numpy(index)]
    place = torch.full((places,), -1, dtype=torch.long)
    place[wide] = torch.from_numpy(inverse.reshape(-1))
    chosen = {number: [_each(x, lambda q: q[first][:, None]) for x in part] for number, part in read.items()}
    split = channel[first]
    middle, radius = value[split, first][:, None], SLACK * off[split, first][:, None]
    return _Rows(a, running.program, block, chosen, split, -_up(radius - middle), _up(middle + radius)), place


def _at_places(part: Tensor, place: Tensor, shape: tuple[int, int]) -> Tensor:
    """Of [channels, rows], those of the row of each place, [channels, positions, steps]; NaN where there is none."""
    found = torch.where(place >= 0, part[:, place], torch.nan)
    return found.view(len(part), *shape)


def _narrower(a: Arithmetic, x: Bounded, hull: Bounded) -> Bounded:
    """The hull [positions, steps] where that is by far narrower."""
    return _where(hull.error < NARROWER * _full(a.off(x), hull.error.shape), hull, x)


def _where(condition: Tensor, one: Bounded, other: Bounded) -> Bounded:
    """One where the condition holds, with nothing shared, else the other."""
    if not bool(condition.any()):
        return other
    shared = each_shared(other.shared, lambda c: torch.where(condition, 0.0, c))
    value, error = (
        torch.where(condition, *(torch.as_tensor(q, dtype=torch.float64) for q in pair))
        for pair in ((one.value, other.value), (one.error, other.error))
    )
    return Bounded(value, error, shared)


def _each(x: Bounded, change: Callable[[Quantity], Tensor]) -> Bounded:
    return Bounded(change(x.value), change(x.error))


def _full(x: Quantity, shape: Sequence[int]) -> Tensor:
    return torch.as_tensor(x, dtype=torch.float64).expand(*shape)


def _up(x: Tensor) -> Tensor:
    """The next larger numbers."""
    return torch.nextafter(x, torch.full_like(x, torch.inf))
