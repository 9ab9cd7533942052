"""Token ids to the residual stream."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from compiler.backends.torch.linear import ParameterStore
from compiler.network import ir


class Embedding(nn.Module):
    """`tokens [batch, time]` to `[batch, time, dim]`.

    Where the table is a product, `rows` [batch, time, rank] shows what was looked up in the first factor; `inner` holds
    the others, each of which is multiplied by in turn.
    """

    weight: Tensor  # [vocabulary, dim], or [vocabulary, rank]

    def __init__(self, step: ir.Embedding, weights: ParameterStore) -> None:
        super().__init__()
        self.weight = weights.matrix(step.weight, self)
        self.rows = nn.Identity() if step.factors else None
        self.inner = _chain(step.factors, weights)

    def forward(self, tokens: Tensor) -> Tensor:
        x = functional.embedding(tokens, self.weight)
        if self.rows is not None:
            x = self.rows(x)
        factor = self.inner
        while factor is not None:
            x, factor = factor(x), factor.inner
        return x

    def extra_repr(self) -> str:
        return f"weight={list(self.weight.shape)}"


class Factor(nn.Module):
    """`x [..., inputs]` to `[..., outputs]`; the factor to its right, `inner`, is run by the embedding."""

    weight: Tensor  # [inputs, outputs]

    def __init__(self, factor: ir.Factor, weights: ParameterStore, inner: Factor | None) -> None:
        super().__init__()
        self.weight = weights.matrix(factor.weight, self)
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight

    def extra_repr(self) -> str:
        return f"weight={list(self.weight.shape)}"


def _chain(factors: tuple[ir.Factor, ...], weights: ParameterStore) -> Factor | None:
    made: Factor | None = None
    for factor in reversed(factors):
        made = Factor(factor, weights, made)
    return made
