"""The activations: what the fast engine and the verifier have to know of each, in one row."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from compiler.backends.bounds.arithmetic import ENGINE_TINY, ENGINE_UNIT, Arithmetic
from compiler.backends.bounds.bounded import ZERO, Bounded, chosen_shared, each_shared, scaled_shared
from compiler.backends.bounds.quantities import Functions, Quantity, plus, quotient, times
from compiler.backends.elementary.program import Array
from compiler.network.ir import ActivationKind
from compiler.source.faults import no_rule

Bound = Callable[[Arithmetic, Bounded], Bounded]
Ends = Callable[[Array, Array], tuple[Array, Array]]


@dataclass(frozen=True)
class ActivationBound:
    """`bound` is the value of the activation with its error, in the fast engine.

    `bound_of_cells` is the same in the verifier, where more may stay shared. `ends` are what no value is below and
    above, for arguments from one number to another. The plain module's value is off by `units` of rounding, or rounded
    once where it is a product.
    """

    bound: Bound
    bound_of_cells: Bound
    ends: Ends
    units: int


def activation(kind: ActivationKind) -> ActivationBound:
    """The row of an activation."""
    match kind:
        case "relu":
            return ActivationBound(_relu, relu_by_chord, _rectified(0.0), units=0)
        case "silu":
            return ActivationBound(_silu, _below_relu(_silu, SILU_BELOW), _rectified(-0.3), units=SILU_UNITS)
        case "gelu":
            return ActivationBound(_gelu, _below_relu(_gelu, GELU_BELOW), _rectified(-0.2), units=GELU_UNITS)
        case "gelu_tanh":
            bound_of_cells = _below_relu(_gelu_tanh, GELU_TANH_BELOW)
            return ActivationBound(_gelu_tanh, bound_of_cells, _rectified(-0.2), units=GELU_TANH_UNITS)
        case "tanh":
            return ActivationBound(_tanh, _tanh, _within(-1.0, 1.0), units=TANH_UNITS)
        case "sigmoid":
            return ActivationBound(_sigmoid, _sigmoid, _within(0.0, 1.0), units=SIGMOID_UNITS)
        case "square":
            return ActivationBound(_square, _square, _squared, units=0)
        case "identity":
            return ActivationBound(_identity, _identity, lambda low, high: (low, high), units=0)
        case _:
            raise no_rule("activation", kind)


SILU_UNITS = 5  # of the value
GELU_UNITS = 8  # of the argument: in float32, torch takes erf from a polynomial
GELU_TANH_UNITS = 8  # of the argument
TANH_UNITS = 3  # of the value
# by how much the function is below max(0, x) at most: a little more than that. For SiLU, |x| / (1 + e^|x|) ≤ c for all
# x where c + ln c ≥ -1; the others are largest near |x| = 0.752
SILU_BELOW, GELU_BELOW, GELU_TANH_BELOW = 0.27847, 0.16998, 0.17005
SIGMOID_UNITS = 5  # of the value


def _rectified(least: float) -> Ends:
    """No value is lower than `least`, and none is larger than its argument, or than 0 where that is negative."""
    return lambda low, high: (np.where(low < 0, np.maximum(low, least), 0.0), np.maximum(high, 0.0))


def _within(least: float, most: float) -> Ends:
    return lambda low, high: (np.full_like(low, least), np.full_like(high, most))


def _squared(low: Array, high: Array) -> tuple[Array, Array]:
    return np.zeros_like(low), np.maximum(low * low, high * high)


def _relu(a: Arithmetic, x: Bounded) -> Bounded:
    """Where the branch is certain, what is shared stays shared."""
    f, off = a.f, a.off(x)
    error = f.minimum(off, f.maximum(plus(x.value, off), 0.0))
    lowest = f.name(x.value - off)
    shared = each_shared(x.shared, lambda c: f.name(f.if_less(lowest, 0.0, 0.0, c)))
    error = f.if_less(lowest, 0.0, error, x.error) if shared else error
    return a.named(f.maximum(x.value, 0.0), error, shared)


def relu_by_chord(a: Arithmetic, x: Bounded) -> Bounded:
    """By the chord where the sign is open: max(0, x) - λ x is from 0 to max(-λ low, (1 - λ) high), whatever λ from 0 to
    1 is. Where all values have the same sign there is nothing to compute."""
    if not x.shared:
        return _relu(a, x)
    f = a.f
    # where nothing is added below, the sign has to be certain although this sum is rounded
    off = a.off(x) * (1 + 2.0**-52 * (len(x.shared) + 2))
    low, high = x.value - off, x.value + off
    if _everywhere(low >= 0.0):
        return x
    if _everywhere(high <= 0.0):
        return ZERO
    slope = f.if_less(low, 0.0, f.if_less(0.0, high, quotient(high, high - low), 0.0), 1.0)
    room = 0.5 * f.maximum(-slope * low, (1.0 - slope) * high)
    room = f.if_less(low, 0.0, f.if_less(0.0, high, room, 0.0), 0.0)
    value = slope * x.value + room
    shared = scaled_shared(x, slope)
    engine = 2.0**-51 * (abs(value) + off) + ENGINE_TINY
    engine = f.if_less(low, 0.0, f.if_less(0.0, high, engine, 0.0), 0.0)
    return Bounded(value, slope * x.error + room + engine, shared)


def _everywhere(condition: Quantity) -> bool:
    """Of a number, or of all numbers of a tensor."""
    return condition if isinstance(condition, bool) else bool(condition.all())


def _below_relu(bound: Bound, below: float) -> Bound:
    """The same bound, or, where that leaves less apart from what is shared: max(0, x), by its chord, less 0 to `below`.

    The latter is larger than it has to be by more than the engine rounds; the module's value is off by no more than
    that of GELU, for all of these functions.
    """

    def tighter(a: Arithmetic, x: Bounded) -> Bounded:
        f, known, chord = a.f, bound(a, x), relu_by_chord(a, x)
        roundings = plus(times(GELU_UNITS * a.rounding.unit, a.size(x)), 1024 * a.rounding.tiny)
        value, error = f.name(chord.value - below / 2), f.name(plus(chord.error, below / 2, roundings))
        least = error
        shared = chosen_shared(
            lambda c, other: f.name(f.if_less(least, known.error, c, other)), chord.shared, known.shared
        )
        value, error = (f.if_less(error, known.error, *pair) for pair in ((value, known.value), (error, known.error)))
        return a.named(value, error, shared)

    return tighter


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
    shared = each_shared(x.shared, lambda c: f.name(c * slope))
    return a.named(value, plus(error, roundings, 1024 * tiny), shared)


def _gelu(a: Arithmetic, x: Bounded) -> Bounded:
    """|gelu'| ≤ 1.13; nothing stays shared."""
    value = x.value * 0.5 * (1.0 + a.f.erf(x.value * math.sqrt(0.5)))
    roundings = times(GELU_UNITS * a.rounding.unit, a.size(x))
    return a.named(value, plus(times(1.13, a.off(x)), roundings, a.rounding.tiny))


def _gelu_tanh(a: Arithmetic, x: Bounded) -> Bounded:
    """x times half of 1 + tanh(√(2/π) (x + 0.044715 x³)); its slope is 1.13 at most, and nothing stays shared."""
    f = a.f
    inner = f.name(math.sqrt(2 / math.pi) * (x.value + 0.044715 * (x.value * x.value * x.value)))
    value = x.value * 0.5 * (1.0 + _hyperbolic_tangent(f, inner))
    roundings = times(GELU_TANH_UNITS * a.rounding.unit, a.size(x))
    return a.named(value, plus(times(1.13, a.off(x)), roundings, 4 * a.rounding.tiny))


def _tanh(a: Arithmetic, x: Bounded) -> Bounded:
    f = a.f
    value = f.name(_hyperbolic_tangent(f, x.value))
    slope = f.name(1.0 - value * value)
    # |tanh''(z)| ≤ 0.77, and ≤ 8 e^-2|z|, which falls with |z|
    nearest = f.name(f.maximum(f.absolute(x.value) - a.off(x), 0.0))
    bend = f.minimum(8.0 * f.exp(times(-2.0, nearest)), 0.77)
    engine = f.minimum(8 * ENGINE_UNIT, f.absolute(x.value))
    return _along_tangent(a, x, Bounded(value, engine), slope, bend, steepest=1.0, units=TANH_UNITS)


def _sigmoid(a: Arithmetic, x: Bounded) -> Bounded:
    f = a.f
    value = f.name(1.0 / (1.0 + f.exp(times(-1.0, x.value))))
    slope = f.name(value * (1.0 - value))
    # |sigmoid''(z)| ≤ 0.0963, and ≤ e^-|z|, which falls with |z|
    nearest = f.name(f.maximum(f.absolute(x.value) - a.off(x), 0.0))
    bend = f.minimum(f.exp(times(-1.0, nearest)), 0.0963)
    return _along_tangent(a, x, Bounded(value, 0.0), slope, bend, steepest=0.25, units=SIGMOID_UNITS)


def _along_tangent(
    a: Arithmetic, x: Bounded, y: Bounded, slope: Quantity, bend: Quantity, *, steepest: float, units: int
) -> Bounded:
    """`y` with what x adds, for a function from -1 to 1 that rises by at most `steepest` and has at most `bend` as its
    second derivative. What is shared stays shared along the tangent, unless it says less than that."""
    f, off = a.f, a.off(x)
    rest = f.minimum(0.5 * bend * (off * off), times(steepest, off))
    roundings = times(units * a.rounding.unit, plus(f.absolute(y.value), times(steepest, off)))
    apart = plus(y.error, roundings, 4 * a.rounding.tiny)
    along = f.name(plus(times(slope, x.error), rest))
    most = f.name(1.0 + f.absolute(y.value))
    known = f.name(plus(along, times(slope, off)))
    shared = each_shared(x.shared, lambda c: f.name(f.if_less(known, most, c * slope, 0.0)))
    return a.named(y.value, plus(f.if_less(known, most, along, most), apart), shared)


def _hyperbolic_tangent(f: Functions, x: Quantity) -> Quantity:
    """Off by a few units of one, and by no more than its argument."""
    size = f.name(f.absolute(x))
    power = f.name(f.exp(times(-2.0, size)))
    tangent = f.name(f.minimum((1.0 - power) / (1.0 + power), size))
    return f.if_less(x, 0.0, -1.0 * tangent, tangent)


def _square(a: Arithmetic, x: Bounded) -> Bounded:
    return a.multiply(x, x)


def _identity(a: Arithmetic, x: Bounded) -> Bounded:
    return x
