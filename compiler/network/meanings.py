"""What the words of the network IR mean, each closed set in one place.

The torch modules match on the words themselves: they compute what the functions here describe.
"""

from __future__ import annotations

from compiler.network.ir import ActivationKind, Decode, Mask, NormKind, Residual, RopePairs, ScaleOperation, Softmax
from compiler.source.faults import no_rule


def is_causal_mask(mask: Mask) -> bool:
    """Whether it hides later keys altogether, whatever their scores are."""
    match mask:
        case "causal":
            return True
        case "none" | float():
            return False
        case _:
            raise no_rule("mask", mask)


def added_to_later(mask: Mask) -> float | None:
    """What is added to the scores of later keys; None where it is nothing, or they are hidden."""
    match mask:
        case "causal" | "none":
            return None
        case float():
            return mask
        case _:
            raise no_rule("mask", mask)


def attends_to_nothing(softmax: Softmax) -> bool:
    """Whether the weights of a query can add up to less than one."""
    match softmax:
        case "standard":
            return False
        case "plus_one":
            return True
        case _:
            raise no_rule("softmax", softmax)


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
