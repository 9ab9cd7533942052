"""The network IR: a transformer as typed, frozen values. It knows no torch; every backend reads it.

Vocabulary, stream, hidden units and heads are axes of named dimensions. Weights are sparse: an entry for each
number that an equation writes (a written zero included), each with the equation and the numbers it came from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Literal, get_args

from compiler.expressions.axes import Axis
from compiler.expressions.floats import FloatFormat
from compiler.expressions.positions import PairFormula, PositionFormula
from compiler.expressions.values import NOWHERE, Provenance
from compiler.source.faults import no_rule
from compiler.source.showing import short_repr
from compiler.source.text import Span

ActivationKind = Literal["relu", "silu", "gelu", "gelu_tanh", "tanh", "sigmoid", "square", "identity"]
ACTIVATIONS: tuple[ActivationKind, ...] = get_args(ActivationKind)
SoftmaxWord = Literal["standard", "plus_one"]
Ties = Literal["share", "earliest", "latest"]  # which of the keys with the largest score have weight
MaskWord = Literal["causal", "none"]
RopePairs = Literal["adjacent", "halves"]
Decode = Literal["argmax", "argmin"]
NormKind = Literal["rms", "layer"]
ScaleOperation = Literal["multiply", "divide"]
MixOperation = Literal["add", "subtract"]
OutputWord = Literal["identity", "broadcast"]
Residual = Literal["add", "none"]
Index = tuple[int, ...]  # of an entry in its tensor
TRANSPOSE = ".T"  # behind the name of a tensor or a map: its transpose is read


@dataclass(frozen=True)
class Equation:
    """A line of the spec: `MAP TARGET: expression`."""

    left: str
    right: str
    span: Span

    __repr__ = short_repr

    def __str__(self) -> str:
        return f"{self.left}: {self.right}"


@dataclass(frozen=True)
class Entry:
    """One stored number: its index in the tensor, its value in the dtype, and where it comes from."""

    index: Index
    value: float
    equation: Equation
    provenance: Provenance

    __repr__ = short_repr


@dataclass(frozen=True)
class Tensor:
    """A stored tensor. What no entry gives is zero. An axis of None has size 1 and is broadcast.

    `transposed`: axes and entries are those of the transpose of what is stored under this name.
    """

    name: str
    axes: tuple[Axis | None, ...]
    entries: tuple[Entry, ...]
    transposed: bool = False

    __repr__ = short_repr

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(1 if axis is None else axis.size for axis in self.axes)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def read_as(self) -> str:
        """What is read: the name, with `.T` where that is its transpose."""
        return f"{self.name}{TRANSPOSE}" if self.transposed else self.name

    @property
    def transpose_name(self) -> str:
        """What its transpose is read as."""
        return self.name if self.transposed else f"{self.name}{TRANSPOSE}"

    @property
    def as_stored(self) -> Tensor:
        """The tensor itself, where this is its transpose."""
        return self.transpose() if self.transposed else self

    def transpose(self) -> Tensor:
        """The same stored matrix, read the other way."""
        entries = sorted((replace(entry, index=entry.index[::-1]) for entry in self.entries), key=lambda it: it.index)
        return Tensor(self.name, self.axes[::-1], tuple(entries), not self.transposed)

    def label(self, index: tuple[int, ...]) -> str:
        """The named place of an entry: `count, special`; a broadcast axis is `*`."""
        names = ("*" if axis is None else axis.labels[i] for axis, i in zip(self.axes, index, strict=True))
        return ", ".join(names)


@dataclass(frozen=True)
class Map:
    """`outputs = weight · inputs + bias`, the weight `[outputs, inputs]`, or one row or bias broadcast to all.

    With an `inner` map, which is run first, the weight reads its outputs: a map of low rank. `weight_tie` names the
    map, or the embedding, or whatever else owns the weight where it is the same tensor.
    """

    name: str
    inputs: Axis
    outputs: Axis
    weight: Tensor
    bias: Tensor | None = None
    weight_tie: str | None = None
    equations: tuple[Equation, ...] = ()
    inner: Map | None = None

    __repr__ = short_repr


@dataclass(frozen=True)
class Norm:
    """rms: x · rsqrt(mean(x²) + epsilon) · weight + bias; layer: the same of x - mean(x)."""

    name: str
    kind: NormKind
    epsilon: float
    axis: Axis
    weight: Tensor | None
    weight_tie: str | None = None
    equations: tuple[Equation, ...] = ()
    bias: Tensor | None = None

    __repr__ = short_repr


@dataclass(frozen=True)
class Factor:
    """A matrix that rows are multiplied by from the right: `outputs = inputs · weight`."""

    name: str
    inputs: Axis
    outputs: Axis
    weight: Tensor  # [inputs, outputs]
    weight_tie: str | None
    equations: tuple[Equation, ...]


@dataclass(frozen=True)
class Embedding:
    """The row of each token in `weight`, multiplied by the `factors` in order where the table is of low rank."""

    name: str
    tokens: Axis
    stream: Axis
    weight: Tensor  # [tokens, stream], or [tokens, rank] with factors
    equations: tuple[Equation, ...]
    factors: tuple[Factor, ...] = ()

    __repr__ = short_repr


@dataclass(frozen=True)
class PositionTerm:
    """A number added to one dimension, as a formula in the position and the length of the sequence."""

    dimension: int
    formula: PositionFormula
    equation: Equation
    provenance: Provenance

    __repr__ = short_repr


@dataclass(frozen=True)
class Position:
    """Adds to the stream what depends on positions only: computed numbers, or the rows of a stored table."""

    name: str
    stream: Axis
    terms: tuple[PositionTerm, ...]
    table: Tensor | None  # [positions, stream]
    table_tie: str | None = None
    equations: tuple[Equation, ...] = ()

    __repr__ = short_repr


@dataclass(frozen=True)
class StreamNorm:
    """A norm of the stream itself."""

    name: str
    stream: Axis
    norm: Norm


@dataclass(frozen=True)
class StreamScale:
    """Each dimension of the stream times a stored number."""

    name: str
    stream: Axis
    weight: Tensor  # [stream]
    weight_tie: str | None = None
    equations: tuple[Equation, ...] = ()

    __repr__ = short_repr


@dataclass(frozen=True)
class Rope:
    """Rotary positions: pair i of each head's coordinates turns by position · frequencies[i] radians."""

    frequencies: tuple[float, ...]
    pairs: RopePairs
    equation: Equation
    provenance: Provenance

    __repr__ = short_repr


@dataclass(frozen=True)
class Scale:
    """Scores are multiplied, or divided, by `value`."""

    operation: ScaleOperation
    value: float
    provenance: Provenance = NOWHERE


@dataclass(frozen=True)
class HardSoftmax:
    """All weight is on keys with the largest score: all of them share it evenly, or one of them has it."""

    ties: Ties


@dataclass(frozen=True)
class Window:
    """Each query sees itself and the `size` - 1 keys before it."""

    size: int


Softmax = SoftmaxWord | HardSoftmax
Mask = MaskWord | float | Window  # a number is added to the scores of later keys


@dataclass(frozen=True)
class HeadScore:
    """A number added to the scores of one head, as a formula in the positions of query and key, and the length."""

    head: int
    formula: PairFormula
    equation: Equation
    provenance: Provenance

    __repr__ = short_repr


@dataclass(frozen=True)
class Attention:
    """Heads of queries; groups of them, in order, share the keys and values of one of `kv_heads`.

    `head_dim` coordinates for queries and keys, `value_dim` for values; the row of head h, coordinate c is
    h · head_dim + c. Query and key norms act on the coordinates of one head, before rope. What is put out is added to
    the stream, or is the stream after the step; `post_norm` is a norm of that.
    """

    name: str
    stream: Axis
    heads: Axis
    kv_heads: Axis
    head_dim: int
    value_dim: int
    norm: Norm | None
    query: Map
    key: Map
    value: Map
    output: Map | OutputWord
    query_norm: Norm | None
    key_norm: Norm | None
    scores: tuple[HeadScore, ...]
    rope: Rope | None
    scale: Scale
    softmax: Softmax
    mask: Mask
    mask_provenance: Provenance = NOWHERE
    residual: Residual = "add"
    post_norm: Norm | None = None

    __repr__ = short_repr

    @property
    def group_size(self) -> int:
        """How many heads share the keys and values of one of `kv_heads`."""
        return self.heads.size // self.kv_heads.size


@dataclass(frozen=True)
class FeedForward:
    """activation(gate) · up, or activation(up) without a gate; the old stream is padded or cut by position.

    `residual` and `post_norm` as in attention.
    """

    name: str
    stream: Axis
    hidden: Axis
    norm: Norm | None
    gate: Map | None
    up: Map
    down: Map
    activation: ActivationKind
    stream_after: Axis
    residual: Residual = "add"
    post_norm: Norm | None = None

    __repr__ = short_repr


@dataclass(frozen=True)
class Head:
    name: str
    stream: Axis
    norm: Norm | None
    logits: Map

    __repr__ = short_repr


@dataclass(frozen=True)
class Repeat:
    """Earlier steps, run again on the stream, with the same weights, one after the other and all of them so many times.

    `times` is one number, or one for each length of a sequence, the first for a single token.
    """

    name: str
    stream: Axis
    steps: tuple[str, ...]
    equation: Equation
    times: tuple[int, ...] = (1,)
    times_equation: Equation | None = None  # where it is written

    __repr__ = short_repr

    def rounds(self, length: int) -> int:
        """How often they are run in a sequence of so many tokens."""
        return self.times[0] if len(self.times) == 1 else self.times[length - 1]


@dataclass(frozen=True)
class StreamAfter:
    """A leaf of a mix: the stream after a step."""

    step: str


@dataclass(frozen=True)
class Scaled:
    """A stream times, or divided by, a stored coefficient."""

    operation: ScaleOperation
    coefficient: int
    stream: Mixture


@dataclass(frozen=True)
class Combined:
    """The sum or the difference of two streams."""

    operation: MixOperation
    left: Mixture
    right: Mixture


Mixture = StreamAfter | Scaled | Combined


@dataclass(frozen=True)
class Mix:
    """Replaces the stream by a linear combination of streams after earlier steps, computed as written."""

    name: str
    stream: Axis
    mixture: Mixture
    weight: Tensor | None  # [coefficients]
    equation: Equation


Step = Embedding | Position | StreamNorm | StreamScale | Attention | FeedForward | Repeat | Mix | Head

# What many readers ask of a kind of step is answered here, once. `isinstance` takes these unions.
# Pointwise: each position by itself, from stored numbers alone. Undivided: without maps, and nothing in it has a name.
Pointwise = Embedding | StreamNorm | StreamScale | FeedForward | Repeat | Mix | Head
Undivided = Position | StreamNorm | StreamScale | Repeat | Mix
Repeatable = Position | StreamNorm | StreamScale | Attention | FeedForward | Repeat


@dataclass(frozen=True)
class Network:
    """A whole model. `context` is the longest sequence it is built for, in tokens."""

    name: str
    dtype: FloatFormat
    vocabulary: Axis
    context: int
    steps: tuple[Step, ...]
    decode: Decode

    __repr__ = short_repr

    @property
    def classes(self) -> Axis:
        """The tokens that have a logit."""
        last = self.steps[-1]
        return last.logits.outputs if isinstance(last, Head) else self.vocabulary.first(stream_after(last).size)

    def step(self, name: str) -> Step:
        """The step of that name."""
        return next(step for step in self.steps if step.name == name)


def stream_after(step: Step) -> Axis:
    """The dimensions of the residual stream after a step."""
    match step:
        case FeedForward():
            return step.stream_after
        case Embedding() | Position() | StreamNorm() | StreamScale() | Attention() | Repeat() | Mix() | Head():
            return step.stream
        case _:
            raise no_rule("step", step)
