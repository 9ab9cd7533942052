"""A program on torch tensors, float64, on any device.

Shapes: a channel of a node is [positions of the node, batch], or a float where it is the same everywhere. In a pass
over keys, quantities are [queries, keys, batch].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from compiler.backends.bounds.arithmetic import EXACT, Arithmetic, Rounding
from compiler.backends.bounds.attention import Mixing, attend_head
from compiler.backends.bounds.bounded import ZERO, Bounded, Channels, each_shared
from compiler.backends.bounds.deciding import decide, leader
from compiler.backends.bounds.elementwise import all_channels
from compiler.backends.bounds.mixing import Body, Kept, by_head
from compiler.backends.bounds.nodes import Seen, computed
from compiler.backends.bounds.quantities import Functions, Quantity
from compiler.backends.elementary.program import Array, Attended, Mixed, Node, Program
from compiler.source.faults import no_rule


class TensorFunctions:
    """`Functions` of floats and tensors."""

    def absolute(self, x: Quantity) -> Quantity:
        return abs(x)

    def maximum(self, x: Quantity, y: Quantity) -> Quantity:
        return _both(torch.maximum, x, y)

    def minimum(self, x: Quantity, y: Quantity) -> Quantity:
        return _both(torch.minimum, x, y)

    def exp(self, x: Quantity) -> Quantity:
        return _one(torch.exp, x)

    def erf(self, x: Quantity) -> Quantity:
        return _one(torch.erf, x)

    def sqrt(self, x: Quantity) -> Quantity:
        return _one(torch.sqrt, x)

    def power_floor(self, x: Quantity) -> Quantity:
        if isinstance(x, float):
            return math.ldexp(0.5, math.frexp(x)[1]) if math.isfinite(x) and x else x
        bits = x.contiguous().view(torch.int64)
        return (bits & ~((1 << 52) - 1)).view(torch.float64)  # an infinity stays one, a NaN becomes one

    def if_less(self, x: Quantity, y: Quantity, then: Quantity, otherwise: Quantity) -> Quantity:
        if not isinstance(x, Tensor) and not isinstance(y, Tensor):
            return then if x < y else otherwise
        condition: Tensor = x < y
        like = condition.new_empty((), dtype=torch.float64)
        return torch.where(condition, _tensor(then, like), _tensor(otherwise, like))

    def name(self, x: Quantity) -> Quantity:
        return x

    def pick(self, numbers: Sequence[float], index: Quantity) -> Quantity:
        if isinstance(index, float):
            return numbers[int(index)]
        return torch.tensor(numbers, dtype=torch.float64, device=index.device)[index.long()]


def _tensor(x: Quantity, like: Tensor) -> Tensor:
    return x if isinstance(x, Tensor) else torch.tensor(x, dtype=torch.float64, device=like.device)


def _both(function: Callable[[Tensor, Tensor], Tensor], x: Quantity, y: Quantity) -> Quantity:
    if isinstance(x, Tensor):
        return function(x, _tensor(y, x))
    if isinstance(y, Tensor):
        return function(_tensor(x, y), y)
    return function(torch.tensor(x, dtype=torch.float64), torch.tensor(y, dtype=torch.float64)).item()


def _one(function: Callable[[Tensor], Tensor], x: Quantity) -> Quantity:
    return function(x) if isinstance(x, Tensor) else function(torch.tensor(x, dtype=torch.float64)).item()


@dataclass(frozen=True)
class Kind:
    """A kind of quantities on tensors: how they are `made` of numbers; a `key` as it is for all of the batch."""

    functions: Functions
    made: Callable[[Tensor], Quantity]
    key: Callable[[Quantity], Quantity]
    mixing: Mixing


NUMBERS = Kind(TensorFunctions(), lambda x: x, lambda x: x, attend_head)


def each_tensor(x: Quantity, function: Callable[[Tensor], Tensor]) -> Quantity:
    """A number as it is; a tensor, or each end of an interval, after what changes no number, such as an axis more."""
    return x if isinstance(x, float) else function(x) if isinstance(x, Tensor) else x.each(function)


def each_quantity(x: Bounded, function: Callable[[Tensor], Tensor]) -> Bounded:
    """The same for a value and its errors."""
    shared = each_shared(x.shared, lambda c: each_tensor(c, function))
    return Bounded(each_tensor(x.value, function), each_tensor(x.error, function), shared)


@dataclass(frozen=True, eq=False)
class Running:
    """A `ProgramRun`: `tokens` [batch, time]; `values` of the nodes so far, with bounds unless `exact`."""

    program: Program
    tokens: Tensor
    values: list[Channels]
    exact: bool = False
    kind: Kind = NUMBERS

    @property
    def arithmetic(self) -> Arithmetic:
        return Arithmetic(self.kind.functions, EXACT if self.exact else Rounding.of(self.program.dtype))

    @property
    def mixing(self) -> Mixing:
        return self.kind.mixing

    def positions(self, number: int) -> tuple[int, ...]:
        """Those of a node; none where nothing of it matters."""
        return self.program.nodes[number].positions if number >= 0 else ()

    def constant(self, numbers: Array) -> Quantity:
        return self.kind.made(torch.tensor(numbers, dtype=torch.float64, device=self.tokens.device))

    def at(self, number: int, positions: Sequence[int]) -> Channels:
        """See `ProgramRun`."""
        value, own = self.values[number] if number >= 0 else [], self.positions(number)
        if not value or tuple(positions) == own:
            return value
        places = {position: i for i, position in enumerate(own)}
        index = torch.tensor([places[p] for p in positions], dtype=torch.long, device=self.tokens.device)
        return [each_quantity(x, lambda q: q.index_select(-2, index)) for x in value]

    def by_position(self, node: Node, numbers: Array) -> Quantity:
        """See `ProgramRun`."""
        return self.constant(numbers[list(node.positions)][:, None])

    def looked_up(self, node: Node, table: Array, channel: int) -> Quantity:
        """See `ProgramRun`; a float where it is the same for every token and position that matters."""
        positions, tokens, _ = table.shape
        column = table[list(node.positions) if positions > 1 else [0], :, channel]  # [positions | 1, tokens | 1]
        if (column == column[0, 0]).all():
            return float(column[0, 0])
        if tokens == 1 or (column == column[:, :1]).all():
            return self.constant(column[:, :1])
        read = self.tokens[:, list(node.positions)].T.long()
        full = self.constant(column)
        return each_tensor(full, lambda q: q.expand(len(node.positions), -1).gather(1, read))

    def seen(self, node: Node, operation: Attended | Mixed, head: int) -> Seen:
        """See `ProgramRun`: [queries, keys, batch]. Where few keys have a weight, those of each query are listed."""
        keys = self.positions(node.inputs[-1])
        grid, order = np.ix_(node.positions, keys), np.arange(len(keys))[None]
        visible = operation.visible_to(head)[grid]
        most = int(visible.sum(1).max(initial=0))
        if isinstance(operation, Mixed):
            order = np.argsort(~visible, axis=1, kind="stable")[:, :most]  # those that are visible first
        index = torch.tensor(order, device=self.tokens.device)

        def channels(number: int, wanted: Sequence[int]) -> Channels:
            read = map(self.arithmetic.alone, wanted_channels(self.at(number, keys), wanted))
            of_all = (Bounded(self.kind.key(x.value), self.kind.key(x.error)) for x in read)
            return [each_quantity(x, lambda q: q[index]) for x in of_all]

        def numbers(table: Array) -> Quantity:
            chosen = np.take_along_axis(table[grid], order, axis=1)
            same = chosen.size and (chosen == chosen[0, 0]).all()
            return float(chosen[0, 0]) if same else self.constant(chosen[:, :, None])

        mask = torch.tensor(np.take_along_axis(visible, order, axis=1), device=self.tokens.device)
        return Seen(TensorLoop(mask[:, :, None], most, self.kind.made), channels, numbers)

    def before_keys(self, x: Quantity) -> Quantity:
        """See `ProgramRun`."""
        return each_tensor(x, lambda q: q.unsqueeze(1))

    def after_keys(self, x: Quantity) -> Quantity:
        """See `ProgramRun`."""
        return each_tensor(x, lambda q: q.squeeze(1) if q.dim() == 3 else q)


def run_nodes(
    program: Program, tokens: Tensor, wanted: Container[int] | None = None, *, exact: bool = False
) -> Running:
    """The values of all nodes, or of those that are wanted, for sequences of tokens [batch, time]."""
    running = Running(program, tokens, [], exact)
    for number, node in enumerate(program.nodes):
        if wanted is not None and number not in wanted:
            running.values.append([])
            continue
        if exact and isinstance(node.operation, Mixed):
            live = _mixed_exactly(running, node, node.operation)
        else:
            live = computed(running, node)
        running.values.append(all_channels(node, live))
    return running


def said(program: Program, tokens: Tensor, margins: Array | None = None) -> Tensor:
    """What each slot says to sequences of tokens [batch, time]: token ids [batch, slots], -1 where that is not sure.

    With `margins` [slots] of `compiler.backends.bounds.margins`, values alone are computed.
    """
    running, decision = run_nodes(program, tokens, exact=margins is not None), program.decision
    a, inputs = running.arithmetic, running.at(decision.node, decision.reads)
    every = running.constant(np.zeros((len(decision.reads), 1))) * tokens[:, 0]
    if margins is None:
        classes = decide(a, decision, inputs)
    else:
        classes = leader(a, decision, inputs, running.constant(margins)[:, None])
    found: Tensor = every + classes
    return found.T.to(torch.int32)


def _mixed_exactly(running: Running, node: Node, operation: Mixed) -> list[Bounded]:
    (values,) = node.inputs
    keys = running.positions(values)
    grid, read = np.ix_(node.positions, keys), running.at(values, keys)

    def multiplied(head: int, wanted: Sequence[int]) -> list[Bounded]:
        weights = running.constant(operation.weights[head][grid])
        columns = [x.value for x in wanted_channels(read, operation.value_channels(head))]
        full = [x if isinstance(x, Tensor) else weights.new_full((len(keys), 1), x) for x in columns]
        return [Bounded(weights @ full[c], 0.0) for c in wanted]

    return by_head(operation, node.live, multiplied)


def wanted_channels(value: Channels, channels: Sequence[int]) -> Channels:
    """These channels; zeros where nothing of the value matters."""
    return [value[c] for c in channels] if value else [ZERO] * len(channels)


@dataclass(frozen=True, eq=False)
class TensorLoop:
    """A `KeyLoop` of all queries at once: quantities [queries, keys, batch], `made` of tensors; `mask` [queries, keys,
    1]."""

    mask: Tensor
    most: int
    made: Callable[[Tensor], Quantity] = lambda x: x

    def keep(self, x: Quantity) -> Kept:
        return lambda: x

    def over_all(self, body: Body) -> list[Quantity]:
        results: list[Quantity] = []
        for combined, x in body():
            match combined:
                case "sum":
                    results.append(self.seen(x, 0.0).sum(1, keepdim=True))
                case "max":
                    results.append(self.seen(x, -math.inf).amax(1, keepdim=True))
                case _:
                    raise no_rule("pass over keys", combined)
        return results

    def seen(self, x: Quantity, hidden: float) -> Quantity:
        """With another number at the keys that are hidden."""
        whole = self.made(_tensor(x, self.mask)) if isinstance(x, float) else x
        return each_tensor(whole, lambda q: torch.where(self.mask, q, hidden))
