"""The activations: what the fast engine and the verifier have to know of each, in one row."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from compiler.backends.bounds.arithmetic import ENGINE_TINY, Arithmetic, Bounded, plus, quotient, times
from compiler.network.ir import ActivationKind
from compiler.source.faults import no_rule

Bound = Callable[[Arithmetic, Bounded], Bounded]


@dataclass(frozen=True)
class ActivationBound:
    """`bound` is the value of the activation with its error, in the fast engine.

    `bound_of_cells` is the same in the verifier, where more may stay shared. No value is lower than `least`, and none
    is larger than its argument, or than 0 where that is negative. The plain module's value is off by `units` of
    rounding.
    """

    bound: Bound
    bound_of_cells: Bound
    least: float
    units: int


def activation(kind: ActivationKind) -> ActivationBound:
    """The row of an activation."""
    match kind:
        case "relu":
            return ActivationBound(_relu, relu_by_chord, least=0.0, units=0)
        case "silu":
            return ActivationBound(_silu, _silu, least=-0.3, units=SILU_UNITS)
        case "gelu":
            return ActivationBound(_gelu, _gelu, least=-0.2, units=GELU_UNITS)
        case _:
            raise no_rule("activation", kind)


SILU_UNITS = 5  # of the value
GELU_UNITS = 8  # of the argument: in float32, torch takes erf from a polynomial


def _relu(a: Arithmetic, x: Bounded) -> Bounded:
    """Where the branch is certain, what is shared stays shared."""
    f, off = a.f, a.off(x)
    error = f.minimum(off, f.maximum(plus(x.value, off), 0.0))
    lowest = f.name(x.value - off)
    shared = {symbol: f.name(f.if_less(lowest, 0.0, 0.0, c)) for symbol, c in x.shared.items()}
    error = f.if_less(lowest, 0.0, error, x.error) if shared else error
    return a.named(f.maximum(x.value, 0.0), error, shared)


def relu_by_chord(a: Arithmetic, x: Bounded) -> Bounded:
    """By the chord where the sign is open: max(0, x) - λ x is from 0 to max(-λ low, (1 - λ) high), whatever λ from 0 to
    1 is."""
    if not x.shared:
        return _relu(a, x)
    f = a.f
    # where nothing is added below, the sign has to be certain although this sum is rounded
    off = a.off(x) * (1 + 2.0**-52 * (len(x.shared) + 2))
    low, high = x.value - off, x.value + off
    slope = f.if_less(low, 0.0, f.if_less(0.0, high, quotient(high, high - low), 0.0), 1.0)
    room = 0.5 * f.maximum(-slope * low, (1.0 - slope) * high)
    room = f.if_less(low, 0.0, f.if_less(0.0, high, room, 0.0), 0.0)
    value = slope * x.value + room
    shared = {symbol: times(slope, c) for symbol, c in x.shared.items()}
    engine = 2.0**-51 * (abs(value) + off) + ENGINE_TINY
    engine = f.if_less(low, 0.0, f.if_less(0.0, high, engine, 0.0), 0.0)
    return Bounded(value, slope * x.error + room + engine, shared)


def _silu(a: Arithmetic, x: Bounded) -> Bounded:
    """By its tangent; what is shared stays shared along it."""
    f, unit, tiny = a.f, a.rounding.unit, a.rounding.tiny
    off = a.off(x)
    sigmoid = f.name(1.0 / (1.0 + f.exp(times(-1.0, x.value))))
    value = f.name(x.value * sigmoid)
    slope = f.name(sigmoid + value * (1.0 - sigmoid))
    # |silu''(z)| ≤ 1/2, and ≤ (2 + |z|) e^-|z|, which falls with |z|
    nearest = f.name(f.maximum(f.absolute(x.value) - off, 0.0))
    bend = f.minimum((2.0 + nearest) * f.exp(times(-1.0, nearest)), 0.5)
    rest = f.minimum(0.5 * bend * (off * off), 2.2 * off)  # beyond the tangent; the slope is at most 1.1
    error = plus(times(f.absolute(slope), x.error), rest)
    roundings = times(SILU_UNITS * unit, plus(f.absolute(value), times(1.1, off)))
    shared = {symbol: f.name(c * slope) for symbol, c in x.shared.items()}
    return a.named(value, plus(error, roundings, 1024 * tiny), shared)


def _gelu(a: Arithmetic, x: Bounded) -> Bounded:
    """|gelu'| ≤ 1.13; nothing stays shared."""
    value = x.value * 0.5 * (1.0 + a.f.erf(x.value * math.sqrt(0.5)))
    roundings = times(GELU_UNITS * a.rounding.unit, a.size(x))
    return a.named(value, plus(times(1.13, a.off(x)), roundings, a.rounding.tiny))
