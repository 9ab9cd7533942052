"""What a network stores: every tensor with the step it belongs to, its equations and its ties."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from compiler.expressions.axes import Axis
from compiler.network.ir import (
    Attention,
    Embedding,
    Equation,
    FeedForward,
    Head,
    Map,
    Mix,
    Network,
    Norm,
    Position,
    Repeat,
    Step,
    StreamNorm,
    StreamScale,
    Tensor,
    Undivided,
)
from compiler.source.faults import no_rule


@dataclass(frozen=True)
class Stored:
    """A group of tensors that belong together: the embedding, a factor that its rows are multiplied by, a map or a norm
    with its bias, or a vector or table by itself. Nothing but a norm has a bias alone."""

    name: str
    kind: Literal["embedding", "factor", "map", "vector"]
    step: str
    outputs: Axis
    weight: Tensor | None
    bias: Tensor | None = None
    weight_tie: str | None = None
    equations: tuple[Equation, ...] = ()
    inputs: Axis | None = None  # of a map

    @property
    def named(self) -> tuple[tuple[str, Tensor], ...]:
        """Its tensors by their names in the state dict; one that is tied has a name of its own."""
        both = ((f"{self.name}.weight", self.weight), (f"{self.name}.bias", self.bias))
        return tuple((name, tensor) for name, tensor in both if tensor is not None)


def step_norm(step: Step) -> Norm | None:
    """The norm that feeds a branch."""
    if isinstance(step, Undivided):
        return None
    match step:
        case Attention(norm=norm) | FeedForward(norm=norm) | Head(norm=norm):
            return norm
        case Embedding():
            return None
        case _:
            raise no_rule("step", step)


def step_maps(step: Step) -> tuple[Map, ...]:
    """The maps of a step, in the order in which a forward pass uses them."""
    if isinstance(step, Undivided):
        return ()
    match step:
        case Attention(query=query, key=key, value=value, output=output):
            return (query, key, value, output) if isinstance(output, Map) else (query, key, value)
        case FeedForward(gate=gate, up=up, down=down):
            return (up, down) if gate is None else (gate, up, down)
        case Head(logits=logits):
            return (logits,)
        case Embedding():
            return ()
        case _:
            raise no_rule("step", step)


def stored(network: Network) -> Iterator[Stored]:
    """Everything that is stored, in the order of the steps; what is tied appears again, with its tie."""
    for step in network.steps:
        yield from stored_by(step)


def stored_by(step: Step) -> Iterator[Stored]:
    """What one step stores."""
    match step:
        case Embedding(name=name, stream=stream, weight=weight, equations=equations, factors=factors):
            looked_up = factors[0].inputs if factors else stream
            yield Stored(name, "embedding", name, looked_up, weight, equations=equations)
            for one in factors:
                yield Stored(one.name, "factor", name, one.outputs, one.weight, None, one.weight_tie, one.equations)
        case Position(name=name, stream=stream, table=table, table_tie=tie, equations=equations):
            if table is not None:
                yield Stored(name, "vector", name, stream, table, None, tie, equations)
        case StreamNorm(name=name, norm=norm):
            yield from _stored_norm(norm, name)
        case StreamScale(name=name, stream=stream, weight=weight, weight_tie=tie, equations=equations):
            yield Stored(name, "vector", name, stream, weight, None, tie, equations)
        case Attention(name=name, norm=norm, query_norm=query_norm, key_norm=key_norm, post_norm=post_norm):
            yield from _stored_norm(norm, name)
            query, key, value, *output = step_maps(step)
            for map_ in (query, key, value):
                yield from _stored_map(map_, name)
            yield from _stored_norm(query_norm, name)
            yield from _stored_norm(key_norm, name)
            for map_ in output:
                yield from _stored_map(map_, name)
            yield from _stored_norm(post_norm, name)
        case FeedForward(name=name, norm=norm, post_norm=post_norm):
            yield from _stored_norm(norm, name)
            for map_ in step_maps(step):
                yield from _stored_map(map_, name)
            yield from _stored_norm(post_norm, name)
        case Head(name=name, norm=norm):
            yield from _stored_norm(norm, name)
            for map_ in step_maps(step):
                yield from _stored_map(map_, name)
        case Mix(name=name, stream=stream, weight=coefficients, equation=equation):
            if coefficients is not None:
                yield Stored(name, "vector", name, stream, coefficients, equations=(equation,))
        case Repeat():
            pass
        case _:
            raise no_rule("step", step)


def _stored_norm(norm: Norm | None, step: str) -> Iterator[Stored]:
    if norm is not None and (norm.weight is not None or norm.bias is not None):
        yield Stored(norm.name, "vector", step, norm.axis, norm.weight, norm.bias, norm.weight_tie, norm.equations)


def _stored_map(map_: Map, step: str) -> Iterator[Stored]:
    if map_.inner is not None:
        yield from _stored_map(map_.inner, step)
    own = (map_.weight, map_.bias, map_.weight_tie, map_.equations)
    yield Stored(map_.name, "map", step, map_.outputs, *own, map_.inputs)


def tensors(network: Network) -> dict[str, Tensor]:
    """Every stored tensor once, by its name, as it is stored: what owns it comes before what is tied to it."""
    found: dict[str, Tensor] = {}
    for step in network.steps:
        for tensor in tensors_of(step):
            found.setdefault(tensor.name, tensor)
    return found


def tensors_of(step: Step) -> Iterator[Tensor]:
    """The tensors that a step reads, with those that it is tied to."""
    for group in stored_by(step):
        yield from (tensor for _, tensor in group.named)


def tensor_names(network: Network) -> tuple[str, ...]:
    """Every name in the state dict, those of tied tensors included."""
    return tuple(name for group in stored(network) for name, _ in group.named)
