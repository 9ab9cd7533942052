"""Which cells are answered right: the logits of the right token against all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from compiler.backends.bounds.arithmetic import (
    SLACK,
    Arithmetic,
    Bounded,
    Quantity,
    StackedSymbols,
    plus,
    stacked_symbols,
)
from compiler.backends.bounds.deciding import have_most_in_common
from compiler.backends.bounds.large_term import roundings_beside_largest
from compiler.backends.elementary.program import Decision, Linear
from compiler.network.meanings import lead_sign
from compiler.verifier.ffn import Rows, RowTerms, row_terms, rows_alike
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
    cells, index = len(expected), torch.from_numpy(np.where(unsaid, 0, expected))[None]
    logits = _logits(a, decision, inputs, cells)

    def right(part: Tensor) -> Tensor:
        """[..., classes, cells] of the right class, [..., 1, cells]"""
        return part.gather(-2, index.expand(*part.shape[:-2], 1, cells))

    values, lowered, raised, lost = logits.values, logits.lowered, logits.raised, logits.lost
    apart = right(logits.moved) - logits.moved  # [symbols, classes, cells]
    off = apart.abs_().sum(0) + right(lost) + lost
    least = _rounded_down(right(values), values)
    down = least - SLACK * (off + right(lowered) + raised)
    up = right(values) - values + SLACK * (off + right(raised) + lowered)
    rival = torch.arange(decision.classes)[:, None] != index
    down = torch.where(rival, down, torch.inf)
    if decision.classes == 1:
        finite = torch.isfinite(values[0] + raised[0] + lowered[0] + logits.moved[:, 0].abs().sum(0))
        lowest, worst = torch.where(finite, torch.inf, torch.nan), torch.zeros(cells, dtype=torch.long)
    else:
        lowest, worst = down.min(0)  # a NaN is less than any number
    behind = (rival & (up < 0)).any(0)
    asked = [logits.symbols.index(symbol) for symbol in symbols if symbol in logits.symbols]
    spread = np.zeros((cells, len(symbols)))
    kept = [i for i, symbol in enumerate(symbols) if symbol in logits.symbols]
    chosen = apart[asked].gather(1, worst[None, None].expand(len(asked), 1, cells))[:, 0]
    spread[:, kept] = chosen.nan_to_num(nan=0.0).numpy().T
    within = (least - down).gather(0, worst[None])[0].numpy()
    return Leads(np.where(unsaid, -np.inf, lowest.numpy()), unsaid | behind.numpy(), spread, within)


@dataclass(frozen=True, eq=False)
class _Logits:
    """The logits [classes, cells], so that the largest one is said: their `values`, by how much each can be lowered and
    raised by itself, and by how much each of the errors that they have in common moves it, [symbols, classes, cells]:
    those of the `symbols`, and then of what the logits are computed from. `lost` is what the engine loses of these."""

    values: Tensor
    lowered: Tensor
    raised: Tensor
    symbols: list[int]
    moved: Tensor
    lost: Tensor


def _logits(a: Arithmetic, decision: Decision, inputs: Sequence[Bounded], cells: int) -> _Logits:
    sign, linear = lead_sign(decision.decode), decision.linear
    inputs = list(inputs) if linear is not None else list(inputs)[: decision.classes]
    symbols = sorted({symbol for x in inputs for symbol in x.shared})
    place = {symbol: i for i, symbol in enumerate(symbols)}
    count, channels = len(symbols), len(inputs)
    shared = torch.zeros(count + channels, channels, cells, dtype=torch.float64)
    for channel, x in enumerate(inputs):
        if x.shared:
            stacked = stacked_symbols(x.shared)
            shared[[place[symbol] for symbol in stacked.symbols], channel] = stacked.coefficients[:, 0]
        shared[count + channel, channel] = _row(x.error, cells)
    if linear is None:  # the errors of logits are those of the inputs
        values, none = (
            torch.stack([_row(sign * x.value, cells) for x in inputs]),
            torch.zeros(channels, cells, dtype=torch.float64),
        )
        return _Logits(values, none, none, symbols, sign * shared, none)
    rows = [dict(terms) for terms in linear.rows]
    weight = torch.tensor([[sign * row.get(c, 0.0) for c in range(channels)] for row in rows], dtype=torch.float64)
    moved = weight @ shared
    lost = 2.0**-52 * (channels + 2) * (weight.abs() @ shared.abs().sum(0))
    values, lowered, raised = _linear_logits(a, linear, inputs, shared[:count], cells)
    return _Logits(sign * values, *((lowered, raised) if sign > 0 else (raised, lowered)), symbols, moved, lost)


def _linear_logits(
    a: Arithmetic, linear: Linear, inputs: Sequence[Bounded], shared: Tensor, cells: int
) -> tuple[Tensor, Tensor, Tensor]:
    """As `class_logits`, of all classes at once that have as many terms: [classes, cells] each."""
    found = torch.zeros(3, len(linear.rows), 1, cells, dtype=torch.float64)
    alike, biases = have_most_in_common(linear), linear.bias or (0.0,) * len(linear.rows)
    for rows in rows_alike(inputs, linear.rows, biases):
        terms = row_terms(a, inputs, rows)
        products = terms.alone if len(terms.values) != 2 else _with_shared(rows, terms, shared)
        value, _, roundings = a.sum_in_parts(products)
        down, up = roundings_beside_largest(a, products, roundings) if alike else (roundings, roundings)
        for part, quantity in enumerate((value, plus(*terms.roundings, down), plus(*terms.roundings, up))):
            found[part, rows.numbers] = torch.as_tensor(quantity, dtype=torch.float64)
    values, lowered, raised = found[:, :, 0]
    return values, lowered, raised


def _with_shared(rows: Rows, terms: RowTerms, shared: Tensor) -> list[Bounded]:
    """With what they share: it may cancel in a sum of two. `shared` [symbols, channels, cells]."""
    found = [Bounded(*part) for part in zip(terms.values, map(plus, terms.errors, terms.roundings), strict=True)]
    for rank, (channels, weights) in enumerate(
        zip(zip(*rows.channels, strict=True), zip(*rows.weights, strict=True), strict=True)
    ):
        part = shared[:, list(channels)] * torch.tensor(weights, dtype=torch.float64)[:, None]
        found[rank] = replace(found[rank], shared=StackedSymbols(tuple(range(len(part))), part[:, :, None]))
    return found


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
