"""Numbers that formulas are written for once: floats, torch tensors and lines of C alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

Quantity = Any  # a float, a torch tensor [positions, batch], or a line of C for one lane


class Functions(Protocol):
    """What quantities can do beside + - * /. A NaN in any argument gives a NaN."""

    def absolute(self, x: Quantity) -> Quantity: ...
    def maximum(self, x: Quantity, y: Quantity) -> Quantity: ...
    def minimum(self, x: Quantity, y: Quantity) -> Quantity: ...
    def exp(self, x: Quantity) -> Quantity: ...
    def erf(self, x: Quantity) -> Quantity: ...
    def sqrt(self, x: Quantity) -> Quantity: ...

    def power_floor(self, x: Quantity) -> Quantity:
        """The largest power of two up to x ≥ 0; 0 for 0."""
        ...

    def if_less(self, x: Quantity, y: Quantity, then: Quantity, otherwise: Quantity) -> Quantity:
        """`then` where x < y, which no NaN is."""
        ...

    def name(self, x: Quantity) -> Quantity:
        """The same, computed once however often it is used."""
        ...

    def pick(self, numbers: Sequence[float], index: Quantity) -> Quantity:
        """The number of that (whole) index."""
        ...


def is_zero(x: Quantity) -> bool:
    return isinstance(x, float) and x == 0.0


def plus(*terms: Quantity) -> Quantity:
    """A sum, without the zeros that are known."""
    total: Quantity = None
    for term in terms:
        if not (isinstance(term, float) and term == 0.0):  # `is_zero`, without the call
            total = term if total is None else total + term
    return 0.0 if total is None else total


def times(x: Quantity, y: Quantity) -> Quantity:
    """A product, without the factors that are known to be one, and without what is known to be zero."""
    if isinstance(x, float) and (x == 0.0 or x == 1.0):
        return 0.0 if x == 0.0 else y
    if isinstance(y, float) and (y == 0.0 or y == 1.0):
        return 0.0 if y == 0.0 else x
    return x * y


def quotient(x: Quantity, y: Quantity) -> Quantity:
    """x / y by IEEE 754, for floats too: beyond all bounds where y is zero, which Python refuses."""
    if isinstance(x, float) and isinstance(y, float) and y == 0.0:
        return x * math.copysign(math.inf, y)  # NaN for 0 / 0
    return x / y


def compounded(roundings: float, unit: float) -> float:
    """By which share so many roundings, one after the other, can change a number: (1 + unit)^roundings - 1."""
    return math.expm1(roundings * math.log1p(unit))
