"""A network as a program for sequences of one length: values, each with a place for every position and channel.

It knows no torch. The positions and channels that matter are found afterwards (`demand`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from compiler.expressions.floats import FloatFormat
from compiler.network.ir import ActivationKind, Decode, NormKind, RopePairs, ScaleOperation, Ties
from compiler.source.faults import no_rule

Array = NDArray[np.float64]
Terms = tuple[tuple[int, float], ...]  # (channel, weight) of each weight that is not zero

FUNCTION_UNITS = 2  # of rounding, by which the plain module's exp, erf, rsqrt, cos and sin can be off


class NotFollowed(Exception):
    """A network that cannot be followed, or is too much to follow; the message says why, for people."""


@dataclass(frozen=True, eq=False)
class Lookup:
    """What one token at one position gives: [positions, tokens, channels], an axis of size 1 being broadcast.

    The plain module's value is `value` up to `error`.
    """

    value: Array
    error: Array


@dataclass(frozen=True)
class Linear:
    """Each output is the sum of its terms and its bias, if there are biases."""

    rows: tuple[Terms, ...]
    bias: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Sum:
    pass


@dataclass(frozen=True)
class Subtraction:
    pass


@dataclass(frozen=True)
class Product:
    pass


@dataclass(frozen=True)
class Scaled:
    """Each channel times, or divided by, its factor, which is exact in the dtype. What comes out, by channel, is never
    beyond the `limits`."""

    operation: ScaleOperation
    factors: tuple[float, ...]
    limits: tuple[float, ...] = ()


@dataclass(frozen=True)
class Resized:
    """The first channels, or zeros after the last one."""


@dataclass(frozen=True)
class Renewed:
    """The same value; from here on the error of each channel is followed through what is made of it.

    The errors are numbered from `first_symbol` on, and no others of the program have these numbers. Without a number
    they are not followed any further, nor are those before them.
    """

    first_symbol: int | None


@dataclass(frozen=True)
class Normalized:
    """x · rsqrt(mean(x²) + epsilon) · weight of each group of channels; `layer`: of x - mean(x).

    The error of what all channels of a group are multiplied by has the number `first_symbol` + group.
    """

    kind: NormKind
    epsilon: float
    groups: int
    weight: tuple[float, ...] | None  # of one group
    first_symbol: int


@dataclass(frozen=True)
class Activated:
    kind: ActivationKind


@dataclass(frozen=True, eq=False)
class Rotated:
    """Pair i of the coordinates of each group turns by angles[:, i] radians, up to `error` each."""

    groups: int
    pairs: RopePairs
    angles: Array  # [positions, pairs]
    error: Array  # [positions, pairs], by which the module's cosine and sine can differ from the real ones


@dataclass(frozen=True, eq=False)
class Attended:
    """What each head mixes from the values: inputs are queries [heads · head_dim], keys and values.

    Scores are products, scaled, plus each of the `additions` [heads | 1, queries, keys] in order. Keys that are not
    `visible` [heads | 1, queries, keys] have a score of -inf. What is mixed, by channel, is never beyond the `limits`.
    It is the step's `run`-th run, counted from 0. With `ties` all weight is on the largest scores. `ordered`: the heads
    whose scores compare as the plain module's do, with no rounding to take them apart or together. Where keys are left
    out that the plain module sees, their weights add up to `omitted` [heads, queries] at most, beside the largest; a
    query sees `most` keys with them. `off` [positions, tokens, channels]: what is mixed is off by no more, by the token
    of the query, whatever the others are; with it, what is off in the inputs does not matter.
    """

    step: str
    run: int

    heads: int
    kv_heads: int
    head_dim: int
    value_dim: int
    scale: float
    scale_operation: ScaleOperation
    additions: tuple[Array, ...]
    visible: NDArray[np.bool_]
    plus_one: bool
    limits: tuple[float, ...]
    ties: Ties | None = None
    ordered: tuple[int, ...] | None = None
    omitted: Array | None = None
    most: int | None = None
    off: Array | None = None

    def query_channels(self, head: int) -> range:
        return range(head * self.head_dim, (head + 1) * self.head_dim)

    def key_channels(self, head: int) -> range:
        shared = head * self.kv_heads // self.heads
        return range(shared * self.head_dim, (shared + 1) * self.head_dim)

    def value_channels(self, head: int) -> range:
        return _value_channels(self, head)

    def visible_to(self, head: int) -> NDArray[np.bool_]:
        """[queries, keys]"""
        seen: NDArray[np.bool_] = self.visible[head % len(self.visible)]
        return seen


@dataclass(frozen=True, eq=False)
class Mixed:
    """What each head mixes from the values, its only input, by `weights` [heads, queries, keys] that do not depend on
    tokens; the plain module's differ by up to `error`, of the same shape."""

    heads: int
    kv_heads: int
    value_dim: int
    weights: Array
    error: Array

    def value_channels(self, head: int) -> range:
        return _value_channels(self, head)

    def visible_to(self, head: int) -> NDArray[np.bool_]:
        """[queries, keys], the keys that can have a weight"""
        seen: NDArray[np.bool_] = (self.weights[head] != 0) | (self.error[head] != 0)
        return seen

    def inexact(self, head: int) -> Array:
        """[queries, keys], 0 where the weight is surely a power of two, else 1."""
        exact = (np.frexp(self.weights[head])[0] == 0.5) & (self.error[head] == 0)
        return np.where(exact, 0.0, 1.0)


def _value_channels(operation: Attended | Mixed, head: int) -> range:
    shared = head * operation.kv_heads // operation.heads
    return range(shared * operation.value_dim, (shared + 1) * operation.value_dim)


Operation = (
    Lookup
    | Linear
    | Sum
    | Subtraction
    | Product
    | Scaled
    | Resized
    | Renewed
    | Normalized
    | Activated
    | Rotated
    | Attended
    | Mixed
)


def reads_keys(operation: Operation) -> TypeGuard[Attended | Mixed]:
    """Whether a position of it is computed from other positions of its inputs."""
    match operation:
        case Attended() | Mixed():
            return True
        case Lookup() | Linear() | Sum() | Subtraction() | Product() | Scaled() | Resized() | Renewed():
            return False
        case Normalized() | Activated() | Rotated():
            return False
        case _:
            raise no_rule("operation", operation)


@dataclass(frozen=True, eq=False)
class Node:
    """A value of so many channels: an operation on earlier nodes, by their numbers.

    `positions`, in order, and `live` channels are what is needed of it. `step` is the step of the network that it
    belongs to. `exact` channels are computed without any rounding, by the plain module and by the engine.
    """

    operation: Operation
    inputs: tuple[int, ...]
    channels: int
    positions: tuple[int, ...] = ()
    live: tuple[int, ...] = ()
    step: str = ""
    exact: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Decision:
    """The token that each slot says: the class of the largest logit (smallest where `decode` is argmin).

    Logits are `linear` of the node's channels at the position where the slot is read, or those channels themselves.
    """

    node: int
    linear: Linear | None
    classes: int
    reads: tuple[int, ...]
    decode: Decode


@dataclass(frozen=True, eq=False)
class Program:
    """`slots`: which of the predicted tokens it decides, and `prefixes`: how long the sequence is that the plain module
    reads to say each of them.

    The sequence begins at each of the `starts` among the tokens of prompt and answer. From the first of them it says
    these slots, and from another one those that are as much later. `possible`: at each position the tokens that can
    stand there, from any start; without it, every token can.
    """

    nodes: tuple[Node, ...]
    decision: Decision
    dtype: FloatFormat
    length: int
    vocabulary: int
    slots: tuple[int, ...]
    prefixes: tuple[int, ...]
    starts: tuple[int, ...] = (0,)
    possible: tuple[tuple[int, ...], ...] = ()

    @property
    def positions(self) -> range:
        """What it reads of prompt and answer, from its first start on."""
        return range(self.starts[0], self.starts[0] + self.length)

    def every_token(self, length: int) -> NDArray[np.int64]:
        """[vocabulary, length]: for each token a sequence that has it where it can stand, and elsewhere the first that
        can."""
        tokens = np.repeat(np.arange(self.vocabulary)[:, None], length, axis=1)
        for position, possible in enumerate(self.possible[:length]):
            tokens[:, position] = np.where(np.isin(tokens[:, position], possible), tokens[:, position], possible[0])
        return tokens

    def at_each_start(self) -> Iterator[Program]:
        """The same nodes for each start alone, with the slots that are said from there."""
        for start in self.starts:
            later = start - self.starts[0]
            yield replace(self, slots=tuple(slot + later for slot in self.slots), starts=(start,))


def is_power_of_two(number: float) -> bool:
    """Whether a product with it is never rounded."""
    return abs(math.frexp(number)[0]) == 0.5
