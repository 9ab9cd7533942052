"""Which cells are answered right: the logits of the right token against all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from compiler.backends.bounds.arithmetic import SLACK, Arithmetic
from compiler.backends.bounds.bounded import Bounded, StackedSymbols
from compiler.backends.bounds.deciding import have_most_in_common
from compiler.backends.bounds.large_term import roundings_beside_largest
from compiler.backends.bounds.quantities import Quantity, plus
from compiler.backends.elementary.program import Decision, Linear
from compiler.network.meanings import lead_sign
from compiler.verifier.ffn import LinearRows, RowTerms, row_terms, rows_alike
from compiler.verifier.forms import Array

Flags = np.ndarray


@dataclass(frozen=True, eq=False)
class Leads:
    """Of cells: `lowest` [cells], no more than the right logit's lead over any other on any of the cell's inputs;
    `behind` [cells]: whether one other logit is larger on all of them; `spread` [cells, symbols]: by how much each of
    the symbols that were asked for moves the lead that is lowest; `within` [cells]: how far this may be from it."""

    lowest: Array
    behind: Flags
    spread: Array
    within: Array


def undecided(cells: int, symbols: int) -> Leads:
    """Of cells that there was no time for."""
    return Leads(np.full(cells, np.nan), np.zeros(cells, bool), np.zeros((cells, symbols)), np.full(cells, np.nan))


def all_of(parts: Sequence[Leads]) -> Leads:
    """Those of all cells, one part after the other."""
    return Leads(*(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Leads)))


def leads(
    a: Arithmetic, decision: Decision, inputs: Sequence[Bounded], expected: np.ndarray, symbols: Sequence[int]
) -> Leads:
    """`inputs` are what the logits are computed from, [1, cells]; `expected` [cells] are tokens; those that are no
    classes are never said.

    Each channel's own error is shared by all logits that it goes into, and cancels as far as they have it in common.
    """
    unsaid = expected >= decision.classes
    expected = np.where(unsaid, 0, expected)
    cells, index = len(expected), torch.from_numpy(expected)[None]
    inputs = inputs[: decision.classes] if decision.linear is None else inputs
    logits = _logits(a, decision, inputs, cells)
    shared, own = _shared_and_own(inputs, symbols, cells)
    off = logits.apart_by_own(own, index)
    apart: dict[int, Tensor] = {}
    for symbol, rows in shared.items():
        moved = logits.moved(rows)
        parts = (_right(moved, index) - moved).abs_()
        off += parts
        if symbol in symbols:
            apart[symbol] = parts
    right = _right(logits.values, index)
    least = _rounded_down(right, logits.values)
    down = least - SLACK * (off + _right(logits.lowered, index) + logits.raised)
    up = right - logits.values + SLACK * (off + _right(logits.raised, index) + logits.lowered)
    rival = torch.arange(decision.classes)[:, None] != index
    down = torch.where(rival, down, torch.inf)
    if decision.classes == 1:
        finite = torch.isfinite(logits.values[0] + logits.raised[0] + logits.lowered[0])
        lowest = torch.where(finite, torch.inf, torch.nan)
        worst = torch.zeros_like(index)
    else:
        lowest = torch.where(torch.isnan(down).any(0), torch.nan, down.min(0).values)
        worst = down.nan_to_num(nan=-torch.inf).argmin(0, keepdim=True)
    behind = (rival & (up < 0)).any(0)
    spread = np.zeros((cells, len(symbols)))
    for i, symbol in enumerate(symbols):
        if symbol in apart:
            spread[:, i] = _right(apart[symbol], worst)[0].nan_to_num(nan=0.0).numpy()
    within = _right(least - down, worst)[0].numpy()
    return Leads(np.where(unsaid, -np.inf, lowest.numpy()), unsaid | behind.numpy(), spread, within)


@dataclass(frozen=True, eq=False)
class _Logits:
    """Logits times the sign, [classes, cells]: their `values`, and by how much each can be lowered and raised by
    itself; a single one, by all that it is off. `weight` [classes, channels] is that of the channels that they are
    computed from; None where these are the logits."""

    values: Tensor
    lowered: Tensor
    raised: Tensor
    weight: Tensor | None

    def moved(self, rows: Mapping[int, Tensor]) -> Tensor:
        """What numbers of some channels, [cells] each, make of the logits, but for the sign."""
        channels, added = list(rows), torch.stack(list(rows.values()))
        if self.weight is None:
            return torch.zeros_like(self.values).index_copy_(0, torch.tensor(channels), added)
        return self.weight[:, channels] @ added

    def apart_by_own(self, own: Sequence[Tensor], index: Tensor) -> Tensor:
        """How far the right logit and each other one are apart by what each channel by itself is off by."""
        if self.weight is None:
            off = torch.stack(list(own))
            return off + _right(off, index)
        off = torch.zeros_like(self.values)
        for weight, error in zip(self.weight.T, own, strict=True):
            off += (weight[index] - weight[:, None]).abs_() * error
        return off


def _logits(a: Arithmetic, decision: Decision, inputs: Sequence[Bounded], cells: int) -> _Logits:
    sign = lead_sign(decision.decode)
    if decision.linear is None:  # the errors of logits are those of the inputs
        values = torch.stack([_row(sign * x.value, cells) for x in inputs])
        off = torch.zeros_like(values) if decision.classes > 1 else _row(a.off(inputs[0]), cells)[None]
        return _Logits(values, off, off, None)
    values, lowered, raised = _linear_logits(a, decision.linear, inputs, cells)
    values, lowered, raised = (values, lowered, raised) if sign > 0 else (-values, raised, lowered)
    rows = [dict(terms) for terms in decision.linear.rows]
    weight = torch.tensor([[row.get(c, 0.0) for c in range(len(inputs))] for row in rows], dtype=torch.float64)
    moved = weight.abs() @ torch.stack([_row(a.off(x), cells) for x in inputs])
    lost = 2.0**-52 * (len(inputs) + 2) * moved if decision.classes > 1 else moved  # in the engine's own sums
    return _Logits(values, lowered + lost, raised + lost, weight)


def _linear_logits(
    a: Arithmetic, linear: Linear, inputs: Sequence[Bounded], cells: int
) -> tuple[Tensor, Tensor, Tensor]:
    """As `class_logits`, of all classes at once that have as many terms: [classes, cells] each."""
    found = torch.zeros(3, len(linear.rows), 1, cells, dtype=torch.float64)
    alike, biases = have_most_in_common(linear), linear.bias or (0.0,) * len(linear.rows)
    for rows in rows_alike(inputs, linear.rows, biases):
        terms = row_terms(a, inputs, rows)
        products = terms.alone if len(terms.values) != 2 else _with_shared(rows, terms, inputs, cells)
        value, _, roundings = a.sum_in_parts(products)
        down, up = roundings_beside_largest(a, products, roundings) if alike else (roundings, roundings)
        for part, quantity in enumerate((value, plus(*terms.roundings, down), plus(*terms.roundings, up))):
            found[part, rows.numbers] = torch.as_tensor(quantity, dtype=torch.float64)
    values, lowered, raised = found[:, :, 0]
    return values, lowered, raised


def _with_shared(rows: LinearRows, terms: RowTerms, inputs: Sequence[Bounded], cells: int) -> list[Bounded]:
    """The terms with what they share, which may cancel in a sum of two."""
    symbols = sorted({symbol for x in inputs for symbol in x.shared})
    shared = torch.zeros(len(symbols), len(inputs), 1, cells, dtype=torch.float64)
    for channel, x in enumerate(inputs):
        for symbol, c in x.shared.items():
            shared[symbols.index(symbol), channel, 0] = _row(c, cells)
    found = [Bounded(*part) for part in zip(terms.values, map(plus, terms.errors, terms.roundings), strict=True)]
    for rank, (channels, weights) in enumerate(
        zip(zip(*rows.channels, strict=True), zip(*rows.weights, strict=True), strict=True)
    ):
        part = shared[:, list(channels)] * torch.tensor(weights, dtype=torch.float64)[:, None, None]
        found[rank] = replace(found[rank], shared=StackedSymbols(tuple(symbols), part))
    return found


def _shared_and_own(
    inputs: Sequence[Bounded], symbols: Sequence[int], cells: int
) -> tuple[dict[int, dict[int, Tensor]], list[Tensor]]:
    """Of each symbol that several channels share, or that was asked for, what it is in them, by channel; and of each
    channel all else that it is off by."""
    shared: dict[int, dict[int, Tensor]] = {}
    for channel, x in enumerate(inputs):
        for symbol, c in x.shared.items():
            shared.setdefault(symbol, {})[channel] = _row(c, cells)
    own = [_row(x.error, cells) for x in inputs]
    for symbol in [symbol for symbol, rows in shared.items() if len(rows) == 1 and symbol not in symbols]:
        ((channel, c),) = shared.pop(symbol).items()
        own[channel] = own[channel] + c.abs()
    return shared, own


def _right(part: Tensor, index: Tensor) -> Tensor:
    """[classes, cells] of one class of each cell, [1, cells]."""
    return part.gather(0, index)


def _rounded_down(x: Tensor, y: Tensor) -> Tensor:
    """x - y, or the next smaller number where that is rounded up: its sign is right either way."""
    difference = x - y
    part = difference - x
    lost = (x - (difference - part)) - (y + part)  # Knuth's TwoSum
    return torch.where(lost < 0, torch.nextafter(difference, torch.full_like(difference, -torch.inf)), difference)


def _row(x: Quantity, cells: int) -> Tensor:
    if not isinstance(x, Tensor):
        return torch.full((cells,), x, dtype=torch.float64)
    return x.reshape(-1).expand(cells)
