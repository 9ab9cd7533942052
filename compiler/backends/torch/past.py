"""Keys and values of the positions that a model has read, so that it can read on after them."""

from __future__ import annotations

import torch
from torch import Tensor


class Past:
    """Keys and values of positions 0 … `start` - 1, one pair of tensors for each run of an attention step, in order.

    Positions are read again where `start` goes back: what was kept of them is overwritten.
    """

    def __init__(self, context: int) -> None:
        self.start = 0
        self._context = context
        self._kept: list[tuple[Tensor, Tensor]] = []  # [B, K, context, C] each
        self._runs = 0  # of the pass at hand, so far

    def read_from(self, start: int) -> None:
        """Begin a pass over the positions from `start` on; those before were read."""
        self.start, self._runs = start, 0

    def with_new(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of all positions so far, [B, K, P, C], given those of the pass at hand, [B, K, T, C]."""
        if self._runs == len(self._kept):
            self._kept.append((self._room(keys), self._room(values)))
        kept = self._kept[self._runs]
        after = self._kept[self._runs] = self._joined(kept[0], keys), self._joined(kept[1], values)
        self._runs += 1
        end = self.start + keys.shape[-2]
        return after[0].narrow(-2, 0, end), after[1].narrow(-2, 0, end)

    def _room(self, new: Tensor) -> Tensor:
        """Each coordinate of all positions lies together: so one query reads them quickly."""
        return new.new_empty((*new.shape[:-2], new.shape[-1], self._context)).transpose(-1, -2)

    def _joined(self, kept: Tensor, new: Tensor) -> Tensor:
        if torch.is_grad_enabled():  # what a gradient is computed from has to stay as it is
            return torch.cat((kept.narrow(-2, 0, self.start), new), dim=-2)
        kept.narrow(-2, self.start, new.shape[-2]).copy_(new)
        return kept
