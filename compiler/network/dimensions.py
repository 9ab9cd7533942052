"""How large a network is: its layers, and the sizes of its stream, heads and hidden units."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.network.ir import Attention, FeedForward, Network, stream_after
from compiler.network.length import unrolled


@dataclass(frozen=True)
class Layers:
    """Attention and ffn steps: how many are stored, and how many a forward pass runs, `repeat` included, over a
    sequence as long as the context."""

    attention: int
    ffn: int
    attention_runs: int
    ffn_runs: int


@dataclass(frozen=True)
class HeadSizes:
    """Heads of one attention step: how many, how many of keys and values, and the coordinates of each."""

    heads: int
    kv_heads: int
    head_dim: int
    value_dim: int


@dataclass(frozen=True)
class Dimensions:
    """`residual` has the sizes of the stream one after the other, `hidden` and `heads` one item for each layer."""

    layers: Layers
    residual: tuple[int, ...]
    heads: tuple[HeadSizes, ...]
    hidden: tuple[int, ...]


def dimensions(network: Network) -> Dimensions:
    """The sizes of a network."""
    attentions = [step for step in network.steps if isinstance(step, Attention)]
    ffns = [step for step in network.steps if isinstance(step, FeedForward)]
    run = [again for step in network.steps for again in unrolled(network, step, network.context)]
    sizes = [stream_after(step).size for step in network.steps]
    return Dimensions(
        Layers(
            len(attentions),
            len(ffns),
            sum(isinstance(step, Attention) for step in run),
            sum(isinstance(step, FeedForward) for step in run),
        ),
        tuple(size for i, size in enumerate(sizes) if i == 0 or size != sizes[i - 1]),
        tuple(HeadSizes(step.heads.size, step.kv_heads.size, step.head_dim, step.value_dim) for step in attentions),
        tuple(step.hidden.size for step in ffns),
    )
