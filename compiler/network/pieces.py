"""How a model with a long context is run: in pieces, so that no value has a number for every pair of positions."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.network.causality import is_causal
from compiler.network.ir import Attention, Network
from compiler.network.length import unrolled
from compiler.source.limits import MAX_KEPT, MAX_PIECE


@dataclass(frozen=True)
class Pieces:
    """So many `queries` are weighed together.

    `one_by_one`: the whole model runs on one piece after the other, and keeps keys and values of those before. Else
    each attention step is in pieces by itself, since what comes later matters, or too much would have to be kept.
    """

    queries: int
    one_by_one: bool


def pieces_of(network: Network) -> Pieces | None:
    """How sequences are run. None where the context is short enough for one piece."""
    queries = queries_at_once(network)
    if queries == network.context:
        return None
    return Pieces(queries, _numbers_kept(network) <= MAX_KEPT and is_causal(network))


def queries_at_once(network: Network) -> int:
    """How many queries are weighed together: the context, where all are."""
    heads = max((step.heads.size for step in network.steps if isinstance(step, Attention)), default=0)
    context = network.context
    return context if heads * context**2 <= MAX_PIECE else max(1, MAX_PIECE // (heads * context))


def _numbers_kept(network: Network) -> int:
    """How many keys and values of one sequence there are, in all runs of attention."""
    return sum(
        run.kv_heads.size * (run.head_dim + run.value_dim) * network.context
        for step in network.steps
        for run in unrolled(network, step, network.context)
        if isinstance(run, Attention)
    )
