"""The arithmetic of the fast engine: a value in float64, and how far the plain module's can be from it.

Every formula is written once, for floats, torch tensors and lines of C alike (`Quantity`). The rounding model: the
plain module computes in its dtype (unit roundoff u), sums in any order, fused or not. An operation adds to the error

- half a unit in the last place of its result, u · 2^⌊log2 |y|⌋ (IEEE 754, rounding to nearest);
- for a sum of n terms, (n - 2) times that of the largest partial sum, which is one of terms of one sign, and once that
  of the sum itself (after Higham, 2002, section 4.2);
- `FUNCTION_UNITS` units for exp, erf, rsqrt, cos and sin;
- `Rounding.tiny` for underflow, whether gradual or to zero;
- `Rounding.flushed` times the factors of a product in bfloat16: processors with instructions for it take subnormal
  numbers as zero in matrix products.

The engine's own roundings are added in the same way (a few 2^-53 more than u). The error of an error is covered by
`SLACK` at the end. What is not a finite number is never sure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from compiler.backends.bounds.bounded import (
    ZERO,
    Bounded,
    combined_shared,
    each_shared,
    is_zero_value,
    scaled_shared,
    shared_sizes,
)
from compiler.backends.bounds.quantities import Functions, Quantity, compounded, is_zero, plus, times
from compiler.backends.elementary.program import is_power_of_two
from compiler.expressions.floats import FloatFormat
from compiler.source.faults import no_rule

SLACK = 1 + 2.0**-10
ENGINE_UNIT = 2.0**-53
ENGINE_TINY = 2.0**-1022


@dataclass(frozen=True)
class Rounding:
    """`unit`: of the plain module's and the engine's rounding together; `tiny`: what underflow can lose; `flushed`: up
    to which size the factors of a product may be taken as zero."""

    plain_unit: float
    unit: float
    tiny: float
    flushed: float

    @staticmethod
    def of(dtype: FloatFormat) -> Rounding:
        unit = dtype.unit_roundoff
        tiny = math.ldexp(1.0, dtype.min_exponent)
        match dtype.name:
            case "bfloat16":
                flushed = tiny
            case "float64" | "float32" | "float16":
                flushed = 0.0
            case _:
                raise no_rule("dtype", dtype.name)
        return Rounding(unit, unit + 4 * ENGINE_UNIT, tiny, flushed)

    def lost_weight(self, keys: int) -> float:
        """What underflow can take off a weight before it is normalised, that of its exponential included.

        A product may take a normalised weight as zero; before it is, that is as much as the sum of all, which is at
        most e times one for each key, and one for no key, and is rounded.
        """
        return 4 * self.tiny + 3 * (keys + 1) * (1 + compounded(keys, self.plain_unit)) * self.flushed


EXACT = Rounding(0.0, 0.0, 0.0, 0.0)  # of numbers that neither the plain module nor the engine has to round


@dataclass(frozen=True)
class Arithmetic:
    """Bounded values over any kind of quantity."""

    f: Functions
    rounding: Rounding

    @property
    def unrounded(self) -> Arithmetic:
        """For operations that round nothing."""
        return replace(self, rounding=EXACT)

    def off(self, x: Bounded) -> Quantity:
        """How far the plain module's value can be from `value` at most."""
        if not x.shared:
            return x.error
        return self.f.name(plus(x.error, *shared_sizes(self.f, x.shared)))

    def size(self, x: Bounded) -> Quantity:
        """The largest absolute value that the plain module's can have."""
        return plus(self.f.absolute(x.value), self.off(x))

    def alone(self, x: Bounded) -> Bounded:
        """The same, with nothing shared."""
        return Bounded(x.value, self.off(x))

    def rounded(self, magnitude: Quantity) -> Quantity:
        """The error of one rounding of a result of at most this magnitude, which is less than twice its power of two:
        the plain module's, and the engine's of the value and of all that is shared."""
        if is_zero(magnitude):
            return 0.0
        if self.rounding == EXACT:
            return 0.0
        unit = self.rounding.plain_unit + 2 * ENGINE_UNIT
        return plus(times(unit, self.f.power_floor(magnitude)), self.rounding.tiny)

    def sum(self, terms: Sequence[Bounded]) -> Bounded:
        """In any order."""
        value, propagated, roundings = self.sum_in_parts(terms)
        return self.named(value, plus(propagated, roundings), combined_shared(terms))

    def sum_in_parts(self, terms: Sequence[Bounded]) -> tuple[Quantity, Quantity, Quantity]:
        """The sum, the error of its terms beside what they share, and that of its own roundings."""
        terms = [term for term in terms if not is_zero_value(term)]
        value, propagated = plus(*(term.value for term in terms)), plus(*(term.error for term in terms))
        if len(terms) < 2:
            return value, propagated, 0.0
        if len(terms) == 2:
            off = plus(propagated, *shared_sizes(self.f, combined_shared(terms)))
        else:  # what they share may cancel here too, but that takes longer to find out
            off = plus(*(self.off(term) for term in terms))
        sizes = (self.size(term) for term in terms)
        return value, propagated, self.additions(len(terms), Bounded(value, off), sizes)

    def additions(self, count: int, total: Bounded, sizes: Iterable[Quantity]) -> Quantity:
        """The roundings of additions of so many terms of these sizes, in any order, that come to this `total`.

        The last one gives the total. The others give sums of some terms. These are no larger than what the terms of one
        sign come to: half of all sizes and of the total.
        """
        size = plus(self.f.absolute(total.value), total.error)
        before: Quantity = 0.0
        if count > 2:
            grown = (1 + self.rounding.unit) ** (count + 2)
            before = self.f.name(times(count - 2.0, self.rounded(times(grown / 2, plus(*sizes, size)))))
        return plus(before, self.rounded(plus(size, before)))

    def add(self, x: Bounded, y: Bounded) -> Bounded:
        return self.sum((x, y))

    def subtract(self, x: Bounded, y: Bounded) -> Bounded:
        return self.sum((x, Bounded(times(-1.0, y.value), y.error, scaled_shared(y, -1.0))))

    def multiply(self, x: Bounded, y: Bounded) -> Bounded:
        if is_zero_value(x) or is_zero_value(y):
            return ZERO
        f = self.f
        sizes, offs = [f.absolute(part.value) for part in (x, y)], [self.off(x), self.off(y)]
        propagated = plus(times(sizes[0], y.error), times(sizes[1], x.error))
        second_order = times(*offs)
        x_size, y_size = (plus(size, off) for size, off in zip(sizes, offs, strict=True))
        largest = times(x_size, y_size)
        roundings = self.rounded(largest)
        if self.rounding.flushed:
            roundings = plus(roundings, times(self.rounding.flushed, plus(x_size, y_size)))
        if x.shared.keys() & y.shared.keys():  # the engine rounds both parts of what is shared, and then their sum
            roundings = plus(roundings, times(ENGINE_UNIT, largest))
        shared = combined_shared(
            (Bounded(0.0, 0.0, scaled_shared(x, y.value)), Bounded(0.0, 0.0, scaled_shared(y, x.value)))
        )
        return self.named(times(x.value, y.value), plus(propagated, second_order, roundings), shared)

    def times(self, x: Bounded, factor: float) -> Bounded:
        """A product with a number of the dtype."""
        if factor == 0 or is_zero_value(x):
            return ZERO
        value, error = times(factor, x.value), times(abs(factor), x.error)
        return self.named(value, plus(error, self.rounded_product(x, factor)), scaled_shared(x, factor))

    def rounded_product(self, x: Bounded, factor: float) -> Quantity:
        """The error that a product with a number of the dtype has of its own."""
        if is_power_of_two(factor) and not self.rounding.flushed:
            return self.scaling(1.0, factor)  # whatever its size is
        size = self.size(x)
        flushed = times(self.rounding.flushed, plus(abs(factor), size)) if self.rounding.flushed else 0.0
        return plus(self.scaling(times(abs(factor), size), factor), flushed)

    def divide(self, x: Bounded, divisor: float) -> Bounded:
        """A quotient by a number of the dtype, or a product with one over it, rounded too."""
        if is_zero_value(x):
            return ZERO
        roundings = times(2.0, self.scaling(self.size(x) / abs(divisor), 1 / divisor))
        return self.named(x.value / divisor, plus(x.error / abs(divisor), roundings), scaled_shared(x, 1 / divisor))

    def scaling(self, magnitude: Quantity, factor: float) -> Quantity:
        """The error of rounding a product of at most this magnitude; with a power of two, only underflow rounds."""
        if is_zero(magnitude):
            return 0.0
        if is_power_of_two(factor):
            return 0.0 if abs(factor) >= 1 else self.rounding.tiny
        return self.rounded(magnitude)

    def times_inexact(self, x: Bounded, factor: float) -> Bounded:
        """A product with a number that is rounded itself, or a quotient by one over it, rounded too."""
        size = times(abs(factor), self.size(x))
        error = plus(times(abs(factor), x.error), times(3.0, self.rounded(size)))
        return self.named(times(factor, x.value), error, scaled_shared(x, factor))

    def linear(self, inputs: Sequence[Bounded], terms: Sequence[tuple[int, float]], bias: float = 0.0) -> Bounded:
        return self.sum(self.products(inputs, terms, bias))

    def products(
        self, inputs: Sequence[Bounded], terms: Sequence[tuple[int, float]], bias: float = 0.0
    ) -> list[Bounded]:
        """The terms of a linear map's output, with its bias."""
        return [*(self.times(inputs[channel], weight) for channel, weight in terms), Bounded(bias, 0.0)]

    def rotate(self, x: Bounded, y: Bounded, cosine: Quantity, sine: Quantity, error: Quantity) -> list[Bounded]:
        """(x cos - y sin, x sin + y cos)."""
        cos, sin = Bounded(cosine, error), Bounded(sine, error)
        return [
            self.subtract(self.multiply(x, cos), self.multiply(y, sin)),
            self.add(self.multiply(x, sin), self.multiply(y, cos)),
        ]

    def named(self, value: Quantity, error: Quantity, shared: Mapping[int, Quantity] | None = None) -> Bounded:
        """With names for its quantities, so that none is computed twice."""
        return Bounded(self.f.name(value), self.f.name(error), each_shared(shared or {}, self.f.name))
