"""The network IR: a transformer as typed, frozen values. It knows no torch; every backend reads it.

Vocabulary, stream, hidden units and heads are axes of named dimensions. Weights are sparse: an entry for each
number that an equation writes (a written zero included), each with the equation and the numbers it came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from compiler.axes import Axis
from compiler.expressions.values import NOWHERE, Provenance
from compiler.floats import FloatFormat
from compiler.positions import PositionFormula
from compiler.source import Span

Activation = Literal["relu", "silu", "gelu"]
Softmax = Literal["standard", "plus_one"]
Mask = Literal["causal", "none"]
RopePairs = Literal["adjacent", "halves"]
Decode = Literal["argmax", "argmin"]


@dataclass(frozen=True)
class Equation:
    """A line of the spec: `MAP TARGET: expression`."""

    left: str
    right: str
    span: Span

    def __str__(self) -> str:
        return f"{self.left}: {self.right}"


@dataclass(frozen=True)
class Entry:
    """One stored number: its index in the tensor, its value in the dtype, and where it comes from."""

    index: tuple[int, ...]
    value: float
    equation: Equation
    provenance: Provenance


@dataclass(frozen=True)
class Tensor:
    """A stored tensor. What no entry gives is zero. An axis of None has size 1 and is broadcast."""

    name: str
    axes: tuple[Axis | None, ...]
    entries: tuple[Entry, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(1 if axis is None else axis.size for axis in self.axes)

    @property
    def size(self) -> int:
        total = 1
        for length in self.shape:
            total *= length
        return total

    def label(self, index: tuple[int, ...]) -> str:
        """The named place of an entry: `count, special`; a broadcast axis is `*`."""
        names = ("*" if axis is None else axis.labels[i] for axis, i in zip(self.axes, index, strict=True))
        return ", ".join(names)


@dataclass(frozen=True)
class Map:
    """`outputs = weight · inputs + bias`, the weight `[outputs, inputs]`, or one row or bias broadcast to all.

    `weight_tie` names the map that owns the weight where it is the same tensor.
    """

    name: str
    inputs: Axis
    outputs: Axis
    weight: Tensor
    bias: Tensor | None = None
    weight_tie: str | None = None
    equations: tuple[Equation, ...] = ()


@dataclass(frozen=True)
class Norm:
    """rms: x · rsqrt(mean(x²) + epsilon) · weight; layer: the same of x - mean(x)."""

    name: str
    kind: Literal["rms", "layer"]
    epsilon: float
    weight: Tensor | None


@dataclass(frozen=True)
class Embedding:
    name: str
    tokens: Axis
    stream: Axis
    weight: Tensor  # [tokens, stream]
    equations: tuple[Equation, ...]


@dataclass(frozen=True)
class Rope:
    """Rotary positions: pair i of each head's coordinates turns by position · frequencies[i] radians."""

    frequencies: tuple[float, ...]
    pairs: RopePairs
    equation: Equation
    provenance: Provenance


@dataclass(frozen=True)
class Scale:
    """Scores are multiplied, or divided, by `value`."""

    operation: Literal["multiply", "divide"]
    value: float
    provenance: Provenance = NOWHERE


@dataclass(frozen=True)
class HeadScore:
    """A number added to the scores of one head, as a formula in the positions of query and key."""

    head: int
    formula: PositionFormula
    equation: Equation
    provenance: Provenance


@dataclass(frozen=True)
class Attention:
    """`head_dim` coordinates for each head; the row of head h, coordinate c is h · head_dim + c."""

    name: str
    stream: Axis
    heads: Axis
    head_dim: int
    norm: Norm | None
    query: Map
    key: Map
    value: Map
    output: Map | Literal["identity", "broadcast"]
    scores: tuple[HeadScore, ...]
    rope: Rope | None
    scale: Scale
    softmax: Softmax
    mask: Mask


@dataclass(frozen=True)
class FeedForward:
    """activation(gate) · up, or activation(up) without a gate; the old stream is padded or cut by position."""

    name: str
    stream: Axis
    hidden: Axis
    norm: Norm | None
    gate: Map | None
    up: Map
    down: Map
    activation: Activation
    stream_after: Axis


@dataclass(frozen=True)
class Head:
    name: str
    stream: Axis
    norm: Norm | None
    logits: Map


Step = Embedding | Attention | FeedForward | Head


@dataclass(frozen=True)
class Network:
    """A whole model. `context` is the longest sequence it is built for, in tokens."""

    name: str
    dtype: FloatFormat
    vocabulary: Axis
    context: int
    steps: tuple[Step, ...]
    decode: Decode

    @property
    def classes(self) -> Axis:
        """The tokens that have a logit."""
        last = self.steps[-1]
        return last.logits.outputs if isinstance(last, Head) else self.vocabulary.first(stream_after(last).size)


@dataclass(frozen=True)
class Stored:
    """A group of tensors that belong together: the embedding, a map with its bias, or a norm's weight."""

    name: str
    kind: Literal["embedding", "map", "vector"]
    step: str
    outputs: Axis
    weight: Tensor
    bias: Tensor | None = None
    weight_tie: str | None = None
    equations: tuple[Equation, ...] = ()


def stream_after(step: Step) -> Axis:
    """The dimensions of the residual stream after a step."""
    return step.stream_after if isinstance(step, FeedForward) else step.stream


def step_norm(step: Step) -> Norm | None:
    return None if isinstance(step, Embedding) else step.norm


def step_maps(step: Step) -> tuple[Map, ...]:
    """The maps of a step, in the order in which a forward pass uses them."""
    match step:
        case Embedding():
            return ()
        case Attention(query=query, key=key, value=value, output=output):
            return (query, key, value, output) if isinstance(output, Map) else (query, key, value)
        case FeedForward(gate=gate, up=up, down=down):
            return (up, down) if gate is None else (gate, up, down)
        case Head(logits=logits):
            return (logits,)


def stored(network: Network) -> Iterator[Stored]:
    """Everything that is stored, in the order of the steps; a tied map appears again, with its tie."""
    for step in network.steps:
        if isinstance(step, Embedding):
            yield Stored(step.name, "embedding", step.name, step.stream, step.weight, equations=step.equations)
        norm = step_norm(step)
        if norm is not None and norm.weight is not None:
            yield Stored(norm.name, "vector", step.name, step.stream, norm.weight)
        for map_ in step_maps(step):
            yield Stored(
                map_.name, "map", step.name, map_.outputs, map_.weight, map_.bias, map_.weight_tie, map_.equations
            )


def tensors(network: Network) -> dict[str, Tensor]:
    """Every stored tensor once, by its name."""
    found: dict[str, Tensor] = {}
    for group in stored(network):
        found[group.weight.name] = group.weight
        if group.bias is not None:
            found[group.bias.name] = group.bias
    return found
