"""The intermediate values of a network by name, with the named dimensions of each. No torch is known here."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from compiler.expressions.axes import Axis
from compiler.network.ir import Attention, Embedding, FeedForward, Head, Map, Network, Step, Undivided, stream_after
from compiler.network.pieces import queries_at_once
from compiler.source.faults import no_rule

Dimension = Axis | str  # named one by one, or only as a whole: "batch", "time"
UNCOUNTED = ("batch", "coordinate")  # one sequence; the coordinates are counted where heads are mixed
QUERIES = "query position"
POSITIONS = (QUERIES, "key position")


def activations(network: Network) -> dict[str, tuple[Dimension, ...]]:
    """What each submodule of the torch model puts out: its name to the dimensions of the value.

    The output of a step's own module is the stream after it, or the logits.
    """
    return {name: dimensions for step in network.steps for name, dimensions in _of_step(step)}


def _of_step(step: Step) -> Iterator[tuple[str, tuple[Dimension, ...]]]:
    if not isinstance(step, Undivided):
        yield from _inside(step)
    yield step.name, ("batch", "time", step.logits.outputs if isinstance(step, Head) else stream_after(step))


def _inside(step: Embedding | Attention | FeedForward | Head) -> Iterator[tuple[str, tuple[Dimension, ...]]]:
    match step:
        case Attention():
            yield from _of_attention(step)
        case FeedForward(name=name, stream=stream, hidden=hidden, norm=norm, gate=gate, up=up, down=down):
            if norm is not None:
                yield norm.name, ("batch", "time", stream)
            for map_ in (up,) if gate is None else (gate, up):
                yield from _of_map(map_)
            yield f"{name}.active", ("batch", "time", hidden)
            yield f"{name}.units", ("batch", "time", hidden)
            yield from _of_map(down)
            yield from _of_post_norm(step)
        case Head(stream=stream, norm=norm, logits=logits):
            if norm is not None:
                yield norm.name, ("batch", "time", stream)
            yield from _of_map(logits)
        case Embedding(name=name, factors=factors):
            if factors:
                yield f"{name}.rows", ("batch", "time", factors[0].inputs)
            for factor in factors:
                yield factor.name, ("batch", "time", factor.outputs)
        case _:
            raise no_rule("step", step)


def _of_attention(step: Attention) -> Iterator[tuple[str, tuple[Dimension, ...]]]:
    if step.norm is not None:
        yield step.norm.name, ("batch", "time", step.stream)
    for map_ in (step.query, step.key, step.value):
        yield from _of_map(map_)
    for heads, own in ((step.heads, step.query_norm), (step.kv_heads, step.key_norm)):
        if own is not None:
            yield own.name, ("batch", heads, "time", own.axis)
    yield f"{step.name}.queries", ("batch", step.heads, "time", "coordinate")
    yield f"{step.name}.keys", ("batch", step.kv_heads, "time", "coordinate")
    yield f"{step.name}.values", ("batch", step.kv_heads, "time", "coordinate")
    yield f"{step.name}.scores", ("batch", step.heads, *POSITIONS)
    yield f"{step.name}.pattern", ("batch", step.heads, *POSITIONS)
    mixed = step.heads if step.value_dim == 1 else step.heads.extended(step.value_dim)
    yield f"{step.name}.mixed", ("batch", "time", mixed)
    if isinstance(step.output, Map):
        yield from _of_map(step.output)
    yield from _of_post_norm(step)


def _of_post_norm(step: Attention | FeedForward) -> Iterator[tuple[str, tuple[Dimension, ...]]]:
    if step.post_norm is not None:
        yield step.post_norm.name, ("batch", "time", stream_after(step))


def _of_map(map_: Map) -> Iterator[tuple[str, tuple[Dimension, ...]]]:
    if map_.inner is not None:
        yield from _of_map(map_.inner)
    yield map_.name, ("batch", "time", map_.outputs)


def largest(network: Network) -> tuple[str, int]:
    """The largest intermediate value of one sequence that is as long as the context: its name, and how many numbers are
    in memory at once."""
    lengths = {QUERIES: queries_at_once(network)}
    sizes = {
        name: prod(
            axis.size if isinstance(axis, Axis) else lengths.get(axis, network.context)
            for axis in dimensions
            if axis not in UNCOUNTED
        )
        for name, dimensions in activations(network).items()
    }
    name = max(sizes, key=lambda one: sizes[one])
    return name, sizes[name]
