"""What a network stores: every tensor with the step it belongs to, its equations and its ties."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from compiler.expressions.axes import Axis
from compiler.network import ir
from compiler.source.faults import no_rule


@dataclass(frozen=True)
class Stored:
    """A group of tensors that belong together: the embedding, a factor that its rows are multiplied by, a map with its
    bias, or a vector or table by itself."""

    name: str
    kind: Literal["embedding", "factor", "map", "vector"]
    step: str
    outputs: Axis
    weight: ir.Tensor
    bias: ir.Tensor | None = None
    weight_tie: str | None = None
    equations: tuple[ir.Equation, ...] = ()
    inputs: Axis | None = None  # of a map


def step_norm(step: ir.Step) -> ir.Norm | None:
    """The norm that feeds a branch."""
    match step:
        case ir.Attention(norm=norm) | ir.FeedForward(norm=norm) | ir.Head(norm=norm):
            return norm
        case ir.Embedding() | ir.Position() | ir.StreamNorm() | ir.StreamScale() | ir.Repeat() | ir.Mix():
            return None
        case _:
            raise no_rule("step", step)


def step_maps(step: ir.Step) -> tuple[ir.Map, ...]:
    """The maps of a step, in the order in which a forward pass uses them."""
    match step:
        case ir.Attention(query=query, key=key, value=value, output=output):
            return (query, key, value, output) if isinstance(output, ir.Map) else (query, key, value)
        case ir.FeedForward(gate=gate, up=up, down=down):
            return (up, down) if gate is None else (gate, up, down)
        case ir.Head(logits=logits):
            return (logits,)
        case ir.Embedding() | ir.Position() | ir.StreamNorm() | ir.StreamScale() | ir.Repeat() | ir.Mix():
            return ()
        case _:
            raise no_rule("step", step)


def stored(network: ir.Network) -> Iterator[Stored]:
    """Everything that is stored, in the order of the steps; what is tied appears again, with its tie."""
    for step in network.steps:
        yield from stored_by(step)


def stored_by(step: ir.Step) -> Iterator[Stored]:
    """What one step stores."""
    match step:
        case ir.Embedding(name=name, stream=stream, weight=weight, equations=equations, factors=factors):
            looked_up = factors[0].inputs if factors else stream
            yield Stored(name, "embedding", name, looked_up, weight, equations=equations)
            for one in factors:
                yield Stored(one.name, "factor", name, one.outputs, one.weight, None, one.weight_tie, one.equations)
        case ir.Position(name=name, stream=stream, table=table, table_tie=tie, equations=equations):
            if table is not None:
                yield Stored(name, "vector", name, stream, table, None, tie, equations)
        case ir.StreamNorm(name=name, norm=norm):
            yield from _stored_norm(norm, name)
        case ir.StreamScale(name=name, stream=stream, weight=weight, weight_tie=tie, equations=equations):
            yield Stored(name, "vector", name, stream, weight, None, tie, equations)
        case ir.Attention(name=name, norm=norm, query_norm=query_norm, key_norm=key_norm):
            yield from _stored_norm(norm, name)
            query, key, value, *output = step_maps(step)
            for map_ in (query, key, value):
                yield from _stored_map(map_, name)
            yield from _stored_norm(query_norm, name)
            yield from _stored_norm(key_norm, name)
            for map_ in output:
                yield from _stored_map(map_, name)
        case ir.FeedForward(name=name, norm=norm) | ir.Head(name=name, norm=norm):
            yield from _stored_norm(norm, name)
            for map_ in step_maps(step):
                yield from _stored_map(map_, name)
        case ir.Mix(name=name, stream=stream, weight=coefficients, equation=equation):
            if coefficients is not None:
                yield Stored(name, "vector", name, stream, coefficients, equations=(equation,))
        case ir.Repeat():
            pass
        case _:
            raise no_rule("step", step)


def _stored_norm(norm: ir.Norm | None, step: str) -> Iterator[Stored]:
    if norm is not None and norm.weight is not None:
        yield Stored(norm.name, "vector", step, norm.axis, norm.weight, None, norm.weight_tie, norm.equations)


def _stored_map(map_: ir.Map, step: str) -> Iterator[Stored]:
    if map_.inner is not None:
        yield from _stored_map(map_.inner, step)
    own = (map_.weight, map_.bias, map_.weight_tie, map_.equations)
    yield Stored(map_.name, "map", step, map_.outputs, *own, map_.inputs)


def tensors(network: ir.Network) -> dict[str, ir.Tensor]:
    """Every stored tensor once, by its name."""
    found: dict[str, ir.Tensor] = {}
    for step in network.steps:
        for tensor in tensors_of(step):
            found.setdefault(tensor.name, tensor)
    return found


def tensors_of(step: ir.Step) -> Iterator[ir.Tensor]:
    """The tensors that a step reads, those included that it is tied to."""
    for group in stored_by(step):
        yield group.weight
        if group.bias is not None:
            yield group.bias


def tensor_names(network: ir.Network) -> tuple[str, ...]:
    """Every name in the state dict, those of tied tensors included."""
    groups = list(stored(network))
    biases = (f"{group.name}.bias" for group in groups if group.bias is not None)
    return (*(f"{group.name}.weight" for group in groups), *biases)
