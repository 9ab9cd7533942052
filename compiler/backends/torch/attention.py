"""Self-attention with named heads.

Letters in shapes: B batch, T time, D stream, H heads, K heads of keys and values, C coordinates of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from compiler.backends.torch.linear import ParameterStore, make_map
from compiler.backends.torch.norm import make_norm
from compiler.backends.torch.position import of_length
from compiler.backends.torch.residual import onto_stream
from compiler.expressions.positions import timed_rows
from compiler.network import ir
from compiler.network.length import timed_scores
from compiler.network.meanings import unmasked_keys
from compiler.source.faults import no_rule


class Attention(nn.Module):
    """x [B, T, D] to post_norm(x + output(softmax(scores) · values)), without x where there is no residual; the scores
    of each head are scale · query · key + the head's score formula, masked.

    `queries` [B, H, T, C], `keys` and `values` [B, K, T, C] as they enter the products, `scores` and `pattern`
    [B, H, T, T] (query by key) and `mixed` [B, T, H · C] do nothing but show these values to hooks.
    """

    scores_by_position: Tensor | None  # [H, T, T]
    scores_by_length: Tensor | None  # [T, H, T, T], by the length first; or [T, H, 1, T], the same for all queries
    frequencies: Tensor | None  # [C / 2], radians per position

    def __init__(self, step: ir.Attention, weights: ParameterStore, context: int) -> None:
        super().__init__()
        self.heads = step.heads.size
        self.kv_heads = step.kv_heads.size
        self.scale_operation = step.scale.operation
        self.scale = step.scale.value
        self.softmax = step.softmax
        self.mask = step.mask
        self.rope_pairs = None if step.rope is None else step.rope.pairs
        self.norm = make_norm(step.norm, weights)
        self.query = make_map(step.query, weights)
        self.key = make_map(step.key, weights)
        self.value = make_map(step.value, weights)
        self.query_norm = make_norm(step.query_norm, weights)
        self.key_norm = make_norm(step.key_norm, weights)
        self.queries, self.keys, self.values = nn.Identity(), nn.Identity(), nn.Identity()
        self.scores, self.pattern, self.mixed = nn.Identity(), nn.Identity(), nn.Identity()
        self.output = _projection(step.output, weights)
        self.residual = step.residual
        self.post_norm = make_norm(step.post_norm, weights)
        self.register_buffer("scores_by_position", _score_table(step, weights.dtype, context), persistent=False)
        self.register_buffer("scores_by_length", _tables_by_length(step, weights.dtype, context), persistent=False)
        frequencies = None if step.rope is None else torch.tensor(step.rope.frequencies, dtype=torch.float64)
        rounded = None if frequencies is None else frequencies.to(weights.dtype)
        self.register_buffer("frequencies", rounded, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.norm(x)
        query = self.query_norm(_split(self.query(branch), self.heads))  # [B, H, T, C]
        key = self.key_norm(_split(self.key(branch), self.kv_heads))  # [B, K, T, C]
        value = self.values(_split(self.value(branch), self.kv_heads))
        if self.frequencies is not None:
            query, key = self._rotate(query), self._rotate(key)
        query, key = self.queries(query), self.keys(key)
        if self.kv_heads != self.heads:  # each head of keys and values serves a group of heads, in order
            group = self.heads // self.kv_heads
            key, value = key.repeat_interleave(group, dim=-3), value.repeat_interleave(group, dim=-3)
        scaled = self._scaled(query @ key.transpose(-1, -2))
        scores = self.scores(self._masked(scaled, torch.arange(scaled.shape[-2], device=x.device)))
        pattern = self.pattern(self._weigh(scores))
        mixed = (pattern @ value).transpose(-2, -3).flatten(-2)  # [B, T, H · C]
        mixed = self.mixed(mixed)
        change: Tensor = mixed if self.output is None else self.output(mixed)
        after: Tensor = self.post_norm(onto_stream(self.residual, x, change))
        return after

    def _scaled(self, scores: Tensor) -> Tensor:
        """[B, H, T, T], scaled, with the formulas in positions added."""
        match self.scale_operation:
            case "divide":
                scores = scores / self.scale
            case "multiply":
                scores = scores if self.scale == 1 else scores * self.scale
            case _:
                raise no_rule("operation", self.scale_operation)
        if self.scores_by_position is not None:
            # not a slice: that is contiguous for the whole context only, and torch.export would fix the length for it
            positions = torch.arange(scores.shape[-1], device=scores.device)
            scores = scores + self.scores_by_position.index_select(1, positions).index_select(2, positions)
        if self.scores_by_length is not None:
            scores = scores + of_length(self.scores_by_length, scores.shape[-1], 1, 2)
        return scores

    def _masked(self, scores: Tensor, positions: Tensor) -> Tensor:
        """Scores [B, H, Q, T] of queries at these positions [Q]."""
        keys, queries = torch.arange(scores.shape[-1], device=scores.device), positions[:, None]
        match self.mask:
            case "causal":
                return scores.masked_fill(keys > queries, -torch.inf)
            case ir.Window(size=size):
                return scores.masked_fill((keys > queries) | (keys <= queries - size), -torch.inf)
            case "none":
                return scores
            case float():
                return scores + (keys > queries).to(scores.dtype) * self.mask
            case _:
                raise no_rule("mask", self.mask)

    def _rotate(self, y: Tensor) -> Tensor:
        """RoPE (Su et al., 2021): the pair (a, b) at position p to (a cos − b sin, a sin + b cos) of p · frequency."""
        assert self.frequencies is not None
        assert self.rope_pairs is not None
        positions = torch.arange(y.shape[-2], device=y.device).to(y.dtype)
        angles = positions[:, None] * self.frequencies  # [T, C / 2]
        cos, sin = angles.cos(), angles.sin()
        match self.rope_pairs:
            case "adjacent":
                a, b = y[..., 0::2], y[..., 1::2]
                return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
            case "halves":
                a, b = y.chunk(2, dim=-1)
                return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
            case _:
                raise no_rule("pairs of rope", self.rope_pairs)

    def _weigh(self, scores: Tensor) -> Tensor:
        """softmax; or e^s / (1 + Σ e^s) as written, which can attend to nothing; or the largest scores alone."""
        match self.softmax:
            case "standard":
                return torch.softmax(scores, dim=-1)
            case "plus_one":
                exponentials = scores.exp()
                return exponentials / (1 + exponentials.sum(-1, keepdim=True))
            case ir.HardSoftmax(ties=ties):
                largest = functional.pad(scores, (0, 1), value=-torch.inf).amax(-1, keepdim=True)  # of none too
                chosen = _among_largest(scores == largest, ties)
                return chosen.to(scores.dtype) / chosen.sum(-1, keepdim=True)  # NaN where a score is
            case _:
                raise no_rule("softmax", self.softmax)

    def extra_repr(self) -> str:
        return (
            f"heads={self.heads}, kv_heads={self.kv_heads}, {self.softmax} softmax, mask={self.mask},"
            f" residual={self.residual}"
        )


def _projection(output: ir.Map | ir.OutputWord, weights: ParameterStore) -> nn.Module | None:
    """None where nothing is stored: one coordinate for each dimension, or one for all, is added as it is."""
    match output:
        case ir.Map():
            return make_map(output, weights)
        case "identity" | "broadcast":
            return None
        case _:
            raise no_rule("output", output)


def _among_largest(largest: Tensor, ties: ir.Ties) -> Tensor:
    """Which of the keys with the largest score [..., T] have weight."""
    match ties:
        case "share":
            return largest
        case "earliest":
            return largest & (largest.cumsum(-1) == 1)
        case "latest":
            return largest & (largest.flip(-1).cumsum(-1).flip(-1) == 1)
        case _:
            raise no_rule("ties", ties)


def _split(y: Tensor, heads: int) -> Tensor:
    """[B, T, H · C] to [B, H, T, C]."""
    return y.reshape(*y.shape[:-1], heads, y.shape[-1] // heads).transpose(-2, -3)


def _score_table(step: ir.Attention, dtype: torch.dtype, context: int) -> Tensor | None:
    """The score formulas that do not read `time`, for all pairs of positions, [H, T, T]; other heads have zeros."""
    if len(timed_scores(step)) == len(step.scores):
        return None
    table = torch.zeros(step.heads.size, context, context, dtype=torch.float64)
    for score in step.scores:
        if score.formula.reads_time:
            continue
        rows = score.formula.table(context, unmasked_keys(step.mask, context))
        table[score.head] = torch.tensor(rows, dtype=torch.float64)
    return table.to(dtype)


def _tables_by_length(step: ir.Attention, dtype: torch.dtype, context: int) -> Tensor | None:
    """The score formulas that read `time`, for sequences of each length; other heads have zeros."""
    timed = timed_scores(step)
    if not timed:
        return None
    queries = timed_rows([score.formula for score in timed], context)
    tables = torch.zeros(context, step.heads.size, queries, context, dtype=torch.float64)
    for score in timed:
        for time in range(1, context + 1):
            if queries > 1:
                rows = score.formula.table(time, unmasked_keys(step.mask, time))
            else:
                rows = [[float(score.formula.at(0, key, time).value) for key in range(time)]]
            tables[time - 1, score.head, : len(rows), :time] = torch.tensor(rows, dtype=torch.float64)
    return tables.to(dtype)
