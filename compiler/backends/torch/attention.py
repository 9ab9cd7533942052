"""Self-attention with named heads.

Letters in shapes: B batch, T time, D stream, H heads, K heads of keys and values, C coordinates of a head, Q queries
that are weighed together, P positions that can be attended to: those of x, after those that were read before.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import torch
from torch import Tensor, nn

from compiler.backends.torch.linear import ParameterStore, make_map
from compiler.backends.torch.norm import make_norm
from compiler.backends.torch.past import Past
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
    [B, H, Q, P] (query by key) and `mixed` [B, T, H · C] do nothing but show these values to hooks.
    """

    scores_by_distance: Tensor | None  # [heads that have one, 2 · context - 1], from the key before all to the last
    scores_by_position: Tensor | None  # [heads that have one, context, context]
    scores_by_length: Tensor | None  # [context, heads that have one, context, context]; or [context, heads, 1, context]
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
        timed = timed_scores(step)
        by_distance = [score for score in step.scores if score.formula.by_distance and score not in timed]
        by_position = [score for score in step.scores if not score.formula.by_distance and score not in timed]
        self.heads_by_distance = tuple(score.head for score in by_distance)
        self.heads_by_position = tuple(score.head for score in by_position)
        self.heads_by_length = tuple(score.head for score in timed)
        rows = [score.formula.distances(context, unmasked_keys(step.mask, context)) for score in by_distance]
        self.register_buffer("scores_by_distance", _rounded(rows, weights.dtype), persistent=False)
        tables = [score.formula.table(context, unmasked_keys(step.mask, context)) for score in by_position]
        self.register_buffer("scores_by_position", _rounded(tables, weights.dtype), persistent=False)
        self.register_buffer("scores_by_length", _tables_by_length(step, weights.dtype, context), persistent=False)
        frequencies = None if step.rope is None else torch.tensor(step.rope.frequencies, dtype=torch.float64)
        rounded = None if frequencies is None else frequencies.to(weights.dtype)
        self.register_buffer("frequencies", rounded, persistent=False)

    def forward(self, x: Tensor, past: Past | None = None, queries: int | None = None) -> Tensor:
        """With a `past`, x stands after the positions that it has read. So many `queries` are weighed together: all of
        them if not given."""
        start = 0 if past is None else past.start
        branch = self.norm(x)
        query = self.query_norm(_split(self.query(branch), self.heads))  # [B, H, T, C]
        key = self.key_norm(_split(self.key(branch), self.kv_heads))  # [B, K, T, C]
        value = self.values(_split(self.value(branch), self.kv_heads))
        if self.frequencies is not None:
            query, key = self._rotate(query, start), self._rotate(key, start)
        query, key = self.queries(query), self.keys(key)
        if past is not None:
            key, value = past.with_new(key, value)
        if self.kv_heads != self.heads:  # each head of keys and values serves a group of heads, in order
            group = self.heads // self.kv_heads
            key, value = key.repeat_interleave(group, dim=-3), value.repeat_interleave(group, dim=-3)
        if queries is None:
            mixed = self._attended(query, key, value, start)
        else:
            pieces = zip(query.split(queries, dim=-2), count(start, queries), strict=False)
            mixed = torch.cat([self._attended(piece, key, value, first) for piece, first in pieces], dim=-2)
        joined = self.mixed(mixed.transpose(-2, -3).flatten(-2))  # [B, T, H · C]
        change: Tensor = joined if self.output is None else self.output(joined)
        after: Tensor = self.post_norm(onto_stream(self.residual, x, change))
        return after

    def _attended(self, query: Tensor, key: Tensor, value: Tensor, start: int) -> Tensor:
        """What queries [B, H, Q, C] at positions from `start` on mix of the values [B, H, P, C]: [B, H, Q, C]."""
        scores = self.scores(self._masked(self._scaled(query @ key.transpose(-1, -2), start), start))
        mixed: Tensor = self.pattern(self._weigh(scores)) @ value
        return mixed

    def _scaled(self, scores: Tensor, start: int) -> Tensor:
        """[B, H, Q, P], scaled, with the formulas in positions added."""
        match self.scale_operation:
            case "divide":
                scores = scores / self.scale
            case "multiply":
                scores = scores if self.scale == 1 else scores * self.scale
            case _:
                raise no_rule("operation", self.scale_operation)
        if self.scores_by_distance is not None:
            keys, queries = _places(scores, start)
            own = self.scores_by_distance.shape[-1] // 2  # the place of the query's own position
            added = self.scores_by_distance[:, keys - queries + own]
            scores = _added(scores, self.heads_by_distance, added)
        if self.scores_by_position is not None:
            # not a slice: that is contiguous for the whole context only, and torch.export would fix the length for it
            queries = torch.arange(start, start + scores.shape[-2], device=scores.device)
            keys = torch.arange(scores.shape[-1], device=scores.device)
            added = self.scores_by_position.index_select(1, queries).index_select(2, keys)
            scores = _added(scores, self.heads_by_position, added)
        if self.scores_by_length is not None:  # the keys are those of a whole sequence
            added = of_length(self.scores_by_length, scores.shape[-1], 2)
            if added.shape[1] > 1:
                queries = torch.arange(start, start + scores.shape[-2], device=scores.device)
                added = added.index_select(1, queries)
            scores = _added(scores, self.heads_by_length, added.expand(-1, scores.shape[-2], -1))
        return scores

    def _masked(self, scores: Tensor, start: int) -> Tensor:
        match self.mask:
            case "causal":
                if not start or scores.shape[-1] > start + 1:  # else it is one query after all other keys
                    new = scores[..., start:]  # where keys can be later than a query
                    keys, queries = _places(new, 0)
                    new.masked_fill_(keys > queries, -torch.inf)
                return scores
            case ir.Window(size=size):
                keys, queries = _places(scores, start)
                return scores.masked_fill((keys > queries) | (keys <= queries - size), -torch.inf)
            case "none":
                return scores
            case float():
                keys, queries = _places(scores, start)
                return scores + (keys > queries).to(scores.dtype) * self.mask
            case _:
                raise no_rule("mask", self.mask)

    def _rotate(self, y: Tensor, start: int) -> Tensor:
        """RoPE (Su et al., 2021): the pair (a, b) at position p to (a cos − b sin, a sin + b cos) of p · frequency."""
        assert self.frequencies is not None
        assert self.rope_pairs is not None
        positions = torch.arange(start, start + y.shape[-2], device=y.device).to(y.dtype)
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
                chosen = _chosen(scores.detach(), ties)
                return chosen.div_(chosen.sum(-1, keepdim=True))  # NaN where a score is
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


def _added(scores: Tensor, heads: tuple[int, ...], numbers: Tensor) -> Tensor:
    """Scores [B, H, Q, P] with numbers [heads, Q, P] added to those of these heads."""
    if heads == tuple(range(scores.shape[-3])):
        return scores + numbers
    places = torch.tensor(heads, device=scores.device)
    return scores.index_add(-3, places, numbers.expand(*scores.shape[:-3], *numbers.shape))


def _places(scores: Tensor, start: int) -> tuple[Tensor, Tensor]:
    """The positions of keys [P] and of queries [Q, 1], which stand from `start` on."""
    queries = torch.arange(start, start + scores.shape[-2], device=scores.device)
    return torch.arange(scores.shape[-1], device=scores.device), queries[:, None]


def _chosen(scores: Tensor, ties: ir.Ties) -> Tensor:
    """1 for each of the keys with the largest score [..., P] that has weight, else 0; all are 0 where a score is NaN.

    They are numbers from the start: truth values, made into numbers, take several times as long.
    """
    if not scores.numel():
        return scores.clone()  # of no token, or no sequence
    largest = torch.eq(scores, scores.amax(-1, keepdim=True), out=torch.empty_like(scores))
    keys = scores.shape[-1]
    match ties:
        case "share":
            return largest
        case "earliest":
            ranks = torch.arange(keys, 0, -1, dtype=torch.float32, device=scores.device)
        case "latest":
            ranks = torch.arange(1, keys + 1, dtype=torch.float32, device=scores.device)
        case _:
            raise no_rule("ties", ties)
    ranked = largest.to(torch.promote_types(largest.dtype, ranks.dtype)).mul_(ranks)
    return ranked.eq_(ranked.amax(-1, keepdim=True).clamp(min=1)).to(scores.dtype)


def _split(y: Tensor, heads: int) -> Tensor:
    """[B, T, H · C] to [B, H, T, C]."""
    return y.reshape(*y.shape[:-1], heads, y.shape[-1] // heads).transpose(-2, -3)


def _rounded(numbers: Sequence[Sequence[object]], dtype: torch.dtype) -> Tensor | None:
    """Doubles as a tensor; None where there are none."""
    return torch.tensor(numbers, dtype=torch.float64).to(dtype) if numbers else None


def _tables_by_length(step: ir.Attention, dtype: torch.dtype, context: int) -> Tensor | None:
    """The score formulas that read `time`, for sequences of each length."""
    formulas = [score.formula for score in timed_scores(step)]
    if not formulas:
        return None
    queries = timed_rows(formulas, context)
    tables = torch.zeros(context, len(formulas), queries, context, dtype=torch.float64)
    for i, formula in enumerate(formulas):
        for time in range(1, context + 1):
            if queries > 1:
                rows = formula.table(time, unmasked_keys(step.mask, time))
            else:
                rows = [[float(formula.at(0, key, time).value) for key in range(time)]]
            tables[time - 1, i, : len(rows), :time] = torch.tensor(rows, dtype=torch.float64)
    return tables.to(dtype)
