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
from numpy.typing import NDArray
from torch import Tensor

from compiler.backends.bounds.arithmetic import EXACT, Arithmetic, Rounding
from compiler.backends.bounds.attention import Keys, attend_all, mix_values
from compiler.backends.bounds.bounded import ZERO, Bounded, Channels, each_shared
from compiler.backends.bounds.deciding import decide, leader, logit
from compiler.backends.bounds.elementwise import all_channels, elementwise
from compiler.backends.bounds.mixing import Body, Kept, WeightedKeys, by_head, mix_all
from compiler.backends.bounds.quantities import Quantity
from compiler.backends.elementary.program import Array, Attended, Lookup, Mixed, Node, Program
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


@dataclass(frozen=True, eq=False)
class Running:
    """A program on its way: `tokens` [batch, time]; `values` of the nodes so far, with bounds unless `exact`."""

    program: Program
    tokens: Tensor
    values: list[Channels]
    exact: bool = False

    @property
    def arithmetic(self) -> Arithmetic:
        return Arithmetic(TensorFunctions(), EXACT if self.exact else Rounding.of(self.program.dtype))

    def at(self, number: int, positions: Sequence[int]) -> Channels:
        """The channels of a node at these of its positions."""
        if number < 0:
            return []
        node, value = self.program.nodes[number], self.values[number]
        if tuple(positions) == node.positions:
            return value
        places = {position: i for i, position in enumerate(node.positions)}
        index = torch.tensor([places[p] for p in positions], dtype=torch.long, device=self.tokens.device)
        return [
            Bounded(
                _select(x.value, index),
                _select(x.error, index),
                each_shared(x.shared, lambda c: _select(c, index)),
            )
            for x in value
        ]

    def constant(self, numbers: Array) -> Tensor:
        return torch.tensor(numbers, dtype=torch.float64, device=self.tokens.device)

    def mask(self, visible: NDArray[np.bool_]) -> Tensor:
        """[queries, keys, 1]"""
        return torch.tensor(visible, device=self.tokens.device)[:, :, None]


def run_nodes(
    program: Program, tokens: Tensor, wanted: Container[int] | None = None, *, exact: bool = False
) -> Running:
    """The values of all nodes, or of those that are wanted, for sequences of tokens [batch, time]."""
    running = Running(program, tokens, [], exact)
    for number, node in enumerate(program.nodes):
        if wanted is not None and number not in wanted:
            running.values.append([])
            continue
        live = _compute(running, node)
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


def bounded_logits(program: Program, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """The logits for sequences of tokens [batch, time], and how far the plain module's can be from them: both
    [batch, slots, classes], float64."""
    running = run_nodes(program, tokens)
    decision = program.decision
    inputs = running.at(decision.node, decision.reads)
    shape = (len(decision.reads), len(tokens))
    a = running.arithmetic
    logits = [a.alone(logit(a, decision, inputs, number)) for number in range(decision.classes)]
    values = torch.stack([_tensor(x.value, tokens).expand(shape).T for x in logits], dim=-1)
    return values, torch.stack([_tensor(x.error, tokens).expand(shape).T for x in logits], dim=-1)


def _compute(running: Running, node: Node) -> Channels:
    operation = node.operation
    match operation:
        case Lookup(value=value, error=error):
            values = [looked_up(running, node, value, c) for c in node.live]
            errors = [0.0 if running.exact else looked_up(running, node, error, c) for c in node.live]
            return [Bounded(*both) for both in zip(values, errors, strict=True)]
        case Attended():
            return _attended(running, node, operation)
        case Mixed():
            return _mixed(running, node, operation)
        case _:
            return _elementwise(running, node)


def _elementwise(running: Running, node: Node) -> Channels:
    inputs = [running.at(number, node.positions) for number in node.inputs]

    def at(numbers: Array) -> Tensor:
        return running.constant(numbers[list(node.positions)])[:, None]

    return elementwise(running.arithmetic, node, inputs, at)


def looked_up(running: Running, node: Node, table: Array, channel: int) -> Quantity:
    """A channel of a table for the tokens; a float where it is the same for every token and position that matters."""
    positions, tokens, _ = table.shape
    column = table[list(node.positions) if positions > 1 else [0], :, channel]  # [positions | 1, tokens | 1]
    if (column == column[0, 0]).all():
        return float(column[0, 0])
    if tokens == 1 or (column == column[:, :1]).all():
        return running.constant(column[:, :1])
    read = running.tokens[:, list(node.positions)].T.long()
    full = running.constant(column).expand(len(node.positions), -1)
    return full.gather(1, read)


def _attended(running: Running, node: Node, operation: Attended) -> Channels:
    queries, keys, values = node.inputs
    a, omitted = running.arithmetic, operation.omitted
    query = [_along(a.alone(x), 1) for x in running.at(queries, node.positions)]
    seen = running.program.nodes[values].positions if values >= 0 else ()

    read = [[_along(a.alone(x), 0) for x in running.at(source, seen)] for source in (keys, values)]
    grid = np.ix_(node.positions, seen)

    def keys_of(head: int) -> Keys:
        visible = operation.visible_to(head)[grid]
        return Keys(
            TensorLoop(running.mask(visible), int(visible.sum(1).max(initial=0))),
            wanted_channels(read[0], operation.key_channels(head)),
            wanted_channels(read[1], operation.value_channels(head)),
            [running.constant(table[head % len(table)][grid])[:, :, None] for table in operation.additions],
            running.constant(np.array(seen))[None, :, None],
            0.0 if omitted is None else running.constant(omitted[head, list(node.positions)])[:, None, None],
        )

    if not query:  # no coordinate of the queries matters
        query = [ZERO] * (operation.heads * operation.head_dim)
    if operation.off is not None:
        values_alone = attend_all(a.unrounded, node, operation, query, keys_of, mix_values)
        errors = [looked_up(running, node, operation.off, c) for c in node.live]
        return [Bounded(_squeezed(x.value), error) for x, error in zip(values_alone, errors, strict=True)]
    mixed = attend_all(a, node, operation, query, keys_of)
    return [Bounded(_squeezed(x.value), _squeezed(x.error)) for x in mixed]


def _mixed(running: Running, node: Node, operation: Mixed) -> Channels:
    """The keys of each query that can have a weight are listed, [queries, most]: there are few."""
    (values,) = node.inputs
    a = running.arithmetic
    seen = running.program.nodes[values].positions if values >= 0 else ()
    read = [a.alone(x) for x in running.at(values, seen)]

    grid = np.ix_(node.positions, seen)

    def multiplied(head: int, wanted: Sequence[int]) -> list[Bounded]:
        weights = running.constant(operation.weights[head][grid])
        values = [x.value for x in wanted_channels(read, operation.value_channels(head))]
        columns = [x if isinstance(x, Tensor) else weights.new_full((len(seen), 1), x) for x in values]
        return [Bounded(weights @ columns[c], 0.0) for c in wanted]

    def keys_of(head: int) -> WeightedKeys:
        visible = operation.visible_to(head)[grid]
        most = int(visible.sum(1).max(initial=0))
        order = np.argsort(~visible, axis=1, kind="stable")[:, :most]  # those that are visible first
        index = torch.tensor(order, device=running.tokens.device)

        def listed(numbers: Array) -> Quantity:
            chosen = np.take_along_axis(numbers[grid], order, axis=1)
            same = chosen.size and (chosen == chosen[0, 0]).all()
            return float(chosen[0, 0]) if same else running.constant(chosen)[:, :, None]

        def gathered(x: Quantity) -> Quantity:
            return x[index] if isinstance(x, Tensor) else x

        channels = wanted_channels(read, operation.value_channels(head))
        return WeightedKeys(
            TensorLoop(running.mask(np.take_along_axis(visible, order, axis=1)), most),
            [Bounded(gathered(x.value), gathered(x.error)) for x in channels],
            Bounded(listed(operation.weights[head]), listed(operation.error[head])),
            listed(operation.inexact(head)),
        )

    if running.exact:
        return by_head(operation, node.live, multiplied)
    mixed = mix_all(a, node, operation, keys_of)
    return [Bounded(_squeezed(x.value), _squeezed(x.error)) for x in mixed]


def wanted_channels(value: Channels, channels: range) -> Channels:
    """These channels; zeros where nothing of the value matters."""
    return [value[c] for c in channels] if value else [ZERO] * len(channels)


@dataclass(frozen=True, eq=False)
class TensorLoop:
    """A `KeyLoop` of all queries at once: quantities [queries, keys, batch]; `mask` [queries, keys, 1]."""

    mask: Tensor
    most: int

    def keep(self, x: Quantity) -> Kept:
        return lambda: x

    def over_all(self, body: Body) -> list[Quantity]:
        results: list[Quantity] = []
        for combined, x in body():
            match combined:
                case "sum":
                    results.append(self._over(x, 0.0).sum(1, keepdim=True))
                case "max":
                    results.append(self._over(x, -math.inf).amax(1, keepdim=True))
                case _:
                    raise no_rule("pass over keys", combined)
        return results

    def _over(self, x: Quantity, hidden: float) -> Tensor:
        return torch.where(self.mask, _tensor(x, self.mask), _tensor(hidden, self.mask))


def _along(x: Bounded, dim: int) -> Bounded:
    """With an axis of size 1 for the queries (0) or the keys (1)."""
    value, error = (q.unsqueeze(dim) if isinstance(q, Tensor) else q for q in (x.value, x.error))
    return Bounded(value, error)


def _squeezed(x: Quantity) -> Quantity:
    return x.squeeze(1) if isinstance(x, Tensor) else x


def _select(x: Quantity, index: Tensor) -> Quantity:
    return x.index_select(-2, index) if isinstance(x, Tensor) else x
