"""Self-attention with named heads.

Letters in shapes: B batch, T time, D stream, H heads, C coordinates of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compiler import ir
from compiler.torch_backend.linear import Linear, Weights
from compiler.torch_backend.norm import make_norm


class Attention(nn.Module):
    """x [B, T, D] to x + output(softmax(scores) · values), the scores of each head being
    scale · query · key + the head's score formula, masked."""

    scores_by_position: Tensor | None  # [H, T, T]
    frequencies: Tensor | None  # [C / 2], radians per position

    def __init__(self, step: ir.Attention, weights: Weights, context: int) -> None:
        super().__init__()
        self.heads = step.heads.size
        self.scale = step.scale
        self.softmax = step.softmax
        self.causal = step.mask == "causal"
        self.rope_pairs = None if step.rope is None else step.rope.pairs
        self.norm = make_norm(step.norm, weights)
        self.query = Linear(step.query, weights)
        self.key = Linear(step.key, weights)
        self.value = Linear(step.value, weights)
        self.output = Linear(step.output, weights) if isinstance(step.output, ir.Map) else None
        self.register_buffer("scores_by_position", _score_table(step, weights.dtype, context), persistent=False)
        frequencies = None if step.rope is None else torch.tensor(step.rope.frequencies, dtype=torch.float64)
        rounded = None if frequencies is None else frequencies.to(weights.dtype)
        self.register_buffer("frequencies", rounded, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.norm(x)
        query = self._split(self.query(branch))  # [B, H, T, C]
        key = self._split(self.key(branch))
        value = self._split(self.value(branch))
        if self.frequencies is not None:
            query, key = self._rotate(query), self._rotate(key)
        scores = query @ key.transpose(-1, -2)  # [B, H, T, T], query by key
        if self.scale.operation == "divide":
            scores = scores / self.scale.value
        elif self.scale.value != 1:
            scores = scores * self.scale.value
        time = x.shape[-2]
        if self.scores_by_position is not None:
            scores = scores + self.scores_by_position[:, :time, :time]
        if self.causal:
            later = torch.ones(time, time, dtype=torch.bool, device=x.device).triu(1)
            scores = scores.masked_fill(later, -torch.inf)
        mixed = self._weigh(scores) @ value  # [B, H, T, C]
        joined = mixed.transpose(-2, -3).flatten(-2)  # [B, T, H · C]
        # without a projection: one coordinate for each dimension (identity), or one for all of them (broadcast)
        change: Tensor = joined if self.output is None else self.output(joined)
        return x + change

    def _split(self, y: Tensor) -> Tensor:
        """[B, T, H · C] to [B, H, T, C]."""
        return y.reshape(*y.shape[:-1], self.heads, -1).transpose(-2, -3)

    def _rotate(self, y: Tensor) -> Tensor:
        """RoPE (Su et al., 2021): the pair (a, b) at position p to (a cos − b sin, a sin + b cos) of p · frequency."""
        assert self.frequencies is not None
        positions = torch.arange(y.shape[-2], device=y.device).to(y.dtype)
        angles = positions[:, None] * self.frequencies  # [T, C / 2]
        cos, sin = angles.cos(), angles.sin()
        if self.rope_pairs == "adjacent":
            a, b = y[..., 0::2], y[..., 1::2]
            return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
        a, b = y.chunk(2, dim=-1)
        return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)

    def _weigh(self, scores: Tensor) -> Tensor:
        """softmax, or e^s / (1 + Σ e^s) as written, which can attend to nothing."""
        if self.softmax == "standard":
            return torch.softmax(scores, dim=-1)
        exponentials = scores.exp()
        return exponentials / (1 + exponentials.sum(-1, keepdim=True))

    def extra_repr(self) -> str:
        mask = "causal" if self.causal else "no mask"
        return f"heads={self.heads}, {self.softmax} softmax, {mask}"


def _score_table(step: ir.Attention, dtype: torch.dtype, context: int) -> Tensor | None:
    """The score formulas for all pairs of positions, [H, T, T]; heads without one have zeros."""
    if not step.scores:
        return None
    table = torch.zeros(step.heads.size, context, context, dtype=torch.float64)
    for score in step.scores:
        rows = score.formula.table(context, causal=step.mask == "causal")
        table[score.head] = torch.tensor(rows, dtype=torch.float64)
    return table.to(dtype)
