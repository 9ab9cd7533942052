"""Which cells are answered right: the logits of the right token against all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from compiler.backends.bounds.arithmetic import SLACK, Arithmetic, Bounded, Quantity
from compiler.backends.bounds.deciding import class_logits
from compiler.backends.elementary.program import Decision
from compiler.network.meanings import lead_sign
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
    sign = lead_sign(decision.decode)
    unsaid = expected >= decision.classes
    expected = np.where(unsaid, 0, expected)
    cells = len(expected)
    numbers = {symbol: i for i, symbol in enumerate(sorted({s for x in inputs for s in x.shared}))}
    channels = len(inputs)
    shared = torch.zeros(len(numbers) + channels, channels, cells, dtype=torch.float64)
    for channel, x in enumerate(inputs):
        for symbol, c in x.shared.items():
            shared[numbers[symbol], channel] = _row(c, cells)
        shared[len(numbers) + channel, channel] = _row(x.error, cells)
    values, lowered, raised = (
        torch.stack([_row(q, cells) for q in part]) for part in class_logits(a, decision, inputs, sign)
    )
    if decision.linear is None:  # the errors of logits are those of the inputs
        lowered = raised = torch.zeros_like(values)
        moved = sign * shared[:, : decision.classes]
        lost = torch.zeros(decision.classes, cells, dtype=torch.float64)
    else:
        weight = torch.zeros(decision.classes, channels, dtype=torch.float64)
        for number, terms in enumerate(decision.linear.rows):
            for channel, factor in terms:
                weight[number, channel] = sign * factor
        moved = torch.einsum("rc,kcn->krn", weight, shared)
        lost = 2.0**-52 * (channels + 2) * torch.einsum("rc,kcn->rn", weight.abs(), shared.abs())
    index = torch.from_numpy(expected)[None]

    def right(part: Tensor) -> Tensor:
        """[..., classes, cells] of the right class, [..., 1, cells]"""
        return part.gather(-2, index.expand(*part.shape[:-2], 1, cells))

    apart = right(moved) - moved  # [symbols, classes, cells]
    lead = right(values) - values
    off = apart.abs().sum(0)
    least = _rounded_down(right(values), values)
    down = least - SLACK * (off + right(lowered) + raised + right(lost) + lost)
    up = lead + SLACK * (off + right(raised) + lowered + right(lost) + lost)
    rival = torch.arange(decision.classes)[:, None] != index
    down = torch.where(rival, down, torch.inf)
    if decision.classes == 1:
        finite = torch.isfinite(values[0] + raised[0] + lowered[0] + moved[:, 0].abs().sum(0))
        lowest, worst = torch.where(finite, torch.inf, torch.nan), torch.zeros(cells, dtype=torch.long)
    else:
        lowest = torch.where(torch.isnan(down).any(0), torch.nan, down.min(0).values)
        worst = down.nan_to_num(nan=-torch.inf).argmin(0)
    behind = (rival & (up < 0)).any(0)
    asked = [numbers[symbol] for symbol in symbols if symbol in numbers]
    spread = np.zeros((cells, len(symbols)))
    kept = [i for i, symbol in enumerate(symbols) if symbol in numbers]
    chosen = apart[asked].abs().gather(1, worst[None, None].expand(len(asked), 1, cells))[:, 0]
    spread[:, kept] = chosen.nan_to_num(nan=0.0).numpy().T
    within = (least - down).gather(0, worst[None])[0].numpy()
    return Leads(np.where(unsaid, -np.inf, lowest.numpy()), unsaid | behind.numpy(), spread, within)


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
