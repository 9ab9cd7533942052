"""What the words of the network IR mean, each closed set in one place.

The torch modules match on the words themselves: they compute what the functions here describe.
"""

from __future__ import annotations

from collections.abc import Callable

from compiler.network.ir import (
    ActivationKind,
    Decode,
    HardSoftmax,
    Mask,
    NormKind,
    Residual,
    RopePairs,
    ScaleOperation,
    Softmax,
    Ties,
    Window,
)
from compiler.source.faults import no_rule


def is_causal_mask(mask: Mask) -> bool:
    """Whether it hides later keys altogether, whatever their scores are."""
    match mask:
        case "causal" | Window():
            return True
        case "none" | float():
            return False
        case _:
            raise no_rule("mask", mask)


def added_to_later(mask: Mask) -> float | None:
    """What is added to the scores of later keys; None where it is nothing, or they are hidden."""
    match mask:
        case "causal" | "none" | Window():
            return None
        case float():
            return mask
        case _:
            raise no_rule("mask", mask)


def unmasked_keys(mask: Mask, length: int) -> Callable[[int], range]:
    """The keys that it does not hide from a query, by the query's position, in a sequence of `length` tokens."""
    match mask:
        case "causal":
            return lambda query: range(query + 1)
        case Window(size=size):
            return lambda query: range(max(0, query + 1 - size), query + 1)
        case "none" | float():
            return lambda query: range(length)
        case _:
            raise no_rule("mask", mask)


def attends_to_nothing(softmax: Softmax) -> bool:
    """Whether the weights of a query can add up to less than one."""
    match softmax:
        case "standard":
            return False
        case "plus_one":
            return True
        case HardSoftmax():
            return False
        case _:
            raise no_rule("softmax", softmax)


def ties_of(softmax: Softmax) -> Ties | None:
    """Which of the keys with the largest score have all weight; None where every key has some."""
    match softmax:
        case "standard" | "plus_one":
            return None
        case HardSoftmax(ties=ties):
            return ties
        case _:
            raise no_rule("softmax", softmax)


def picks_one(ties: Ties | None) -> bool:
    """Whether one key has all weight where several have the same score."""
    match ties:
        case None | "share":
            return False
        case "earliest" | "latest":
            return True
        case _:
            raise no_rule("ties", ties)


def subtracts_mean(kind: NormKind) -> bool:
    """Whether a norm first subtracts the mean of its numbers."""
    match kind:
        case "rms":
            return False
        case "layer":
            return True
        case _:
            raise no_rule("norm", kind)


def keeps_stream(residual: Residual) -> bool:
    """Whether what a step puts out is added to the stream; else it is the stream after the step."""
    match residual:
        case "add":
            return True
        case "none":
            return False
        case _:
            raise no_rule("residual", residual)


def keeps_zero(activation: ActivationKind) -> bool:
    """Whether it makes zero of zero."""
    match activation:
        case "relu" | "silu" | "gelu" | "gelu_tanh" | "tanh" | "square" | "identity":
            return True
        case "sigmoid":
            return False
        case _:
            raise no_rule("activation", activation)


def divides(operation: ScaleOperation) -> bool:
    """Whether a scale divides by its number; else it multiplies."""
    match operation:
        case "multiply":
            return False
        case "divide":
            return True
        case _:
            raise no_rule("operation", operation)


def rope_pair(pairs: RopePairs, number: int, size: int) -> tuple[int, int]:
    """The two coordinates, of `size`, that make the pair of this number."""
    match pairs:
        case "adjacent":
            return 2 * number, 2 * number + 1
        case "halves":
            return number, number + size // 2
        case _:
            raise no_rule("pairs of rope", pairs)


def rope_pair_of(pairs: RopePairs, coordinate: int, size: int) -> int:
    """The number of the pair that a coordinate belongs to."""
    match pairs:
        case "adjacent":
            return coordinate // 2
        case "halves":
            return coordinate % (size // 2)
        case _:
            raise no_rule("pairs of rope", pairs)


def lead_sign(decode: Decode) -> float:
    """1 where the largest logit wins, -1 where the smallest does."""
    match decode:
        case "argmax":
            return 1.0
        case "argmin":
            return -1.0
        case _:
            raise no_rule("decoding", decode)
