"""Lines of C on `ws_lanes` (vector_math.h): what the formulas of `bounds` are when a program is generated."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import reduce

import numpy as np

from compiler.backends.bounds.quantities import Quantity
from compiler.backends.elementary.program import Array

LANES = 8  # WS_LANES at most; WS_EACH takes so many and uses the first of them
LONGEST_EXPRESSION = 200  # characters of an expression before it gets a name
MOST_PARTS = 8  # of a sum, that are known


@dataclass(eq=False)
class Writer:
    """C text as it grows."""

    tables: list[str] = field(default_factory=list)  # constants, before the functions
    lines: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  # arrays that a loop needs before it
    names: int = 0
    known_tables: dict[tuple[str, bytes], str] = field(default_factory=dict)

    def new(self, prefix: str) -> str:
        self.names += 1
        return f"{prefix}{self.names}"

    def table(self, kind: str, numbers: Array | Sequence[int]) -> str:
        """The name of a constant array of doubles or integers; equal ones are one."""
        array = np.asarray(numbers, dtype=np.float64 if kind == "double" else np.int64).ravel()
        key = (kind, array.tobytes())
        if key not in self.known_tables:
            name = self.known_tables[key] = self.new("c")
            texts = map(literal, array.tolist()) if kind == "double" else map(str, array.tolist())
            self.tables.append(f"static const {kind} {name}[{max(1, len(array))}] = {{{', '.join(texts) or '0'}}};")
        return self.known_tables[key]

    def open(self, line: str) -> None:
        self.lines.append(line + " {")

    def close(self) -> None:
        self.lines.append("}")

    def named(self, text: str) -> Expression:
        name = self.new("t")
        self.lines.append(f"const ws_lanes {name} = {text};")
        return Expression(name, self)

    def gathered(self, text: str) -> Expression:
        """A scalar expression in the lane `L` as lanes."""
        lanes = ", ".join(re.sub(r"\bL\b", str(lane), text) for lane in range(LANES))
        return self.named(f"WS_EACH({lanes})")


_Parts = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Ramp:
    """What is above zero of x, times `factors`, one after the other."""

    x: Expression
    factors: tuple[float, ...] = ()

    def mirrors(self, other: Ramp) -> bool:
        """Whether it is the same of -x."""
        return self.factors == other.factors and self.x.terms == tuple((text, -f) for text, f in other.x.terms)


@dataclass(frozen=True, eq=False)
class Expression:
    """Doubles, one in each lane, as C text that stands wherever an operand can. `parts` are what it adds up, where that
    is known: each is a text times a number."""

    text: str
    writer: Writer
    parts: _Parts = ()
    ramp: Ramp | None = None

    @property
    def terms(self) -> _Parts:
        return self.parts or ((self.text, 1.0),)

    def _made(self, text: str) -> Expression:
        return self.writer.named(text) if len(text) > LONGEST_EXPRESSION else Expression(f"({text})", self.writer)

    def _plus(self, other: Quantity, terms: _Parts) -> Expression:
        parts = (*self.terms, *terms)
        return replace(self._made(f"{self.text} + {operand(other)}"), parts=parts if len(parts) <= MOST_PARTS else ())

    def __add__(self, other: Quantity) -> Expression:
        if not isinstance(other, Expression):
            return self._plus(other, (("", other),))
        if self.ramp is not None and other.ramp is not None and self.ramp.mirrors(other.ramp):
            return reduce(Expression.__mul__, self.ramp.factors, self.ramp.x.size())  # one is zero, and rounds nothing
        return self._plus(other, other.terms)

    def __radd__(self, other: Quantity) -> Expression:
        return self._made(f"{operand(other)} + {self.text}")

    def __sub__(self, other: Quantity) -> Expression:
        return self._made(f"{self.text} - {operand(other)}")

    def __rsub__(self, other: Quantity) -> Expression:
        return self._made(f"{operand(other)} - {self.text}")

    def __mul__(self, other: Quantity) -> Expression:
        if isinstance(other, Expression):
            return self._made(f"{self.text} * {other.text}")
        (text, factor), *more = self.terms
        if more or not _is_exact(factor, other):
            text, factor = self.text, 1.0
        ramp = None if self.ramp is None else replace(self.ramp, factors=(*self.ramp.factors, other))
        made = self._made(f"{text} * {literal(factor * other)}")
        return replace(made, parts=((text, factor * other),), ramp=ramp)

    __rmul__ = __mul__

    def size(self) -> Expression:
        """The absolute value."""
        (text, factor), *more = self.terms
        found = Expression(f"ws_abs({self.text if more else text})", self.writer)
        return found if more or abs(factor) == 1.0 else found * abs(factor)

    def __truediv__(self, other: Quantity) -> Expression:
        return self._made(f"{self.text} / {operand(other)}")

    def __rtruediv__(self, other: Quantity) -> Expression:
        return self._made(f"{operand(other)} / {self.text}")


def _is_exact(x: float, y: float) -> bool:
    """Whether a product is not rounded."""
    return math.isfinite(x * y) and Fraction(x) * Fraction(y) == Fraction(x * y)


def operand(x: Quantity) -> str:
    return x.text if isinstance(x, Expression) else literal(float(x))


def lanes(x: Quantity) -> str:
    """As `operand`, but of the type `ws_lanes` in any case."""
    return x.text if isinstance(x, Expression) else f"ws_all({literal(float(x))})"


def literal(number: float) -> str:
    """An exact C literal."""
    if math.isfinite(number):
        text = number.hex()
        return f"({text})" if text.startswith("-") else text
    return '__builtin_nan("")' if math.isnan(number) else "__builtin_inf()" if number > 0 else "(-__builtin_inf())"


@dataclass(frozen=True, eq=False)
class LineFunctions:
    """`Functions` of floats and lines of C. `finite`: no quantity is a NaN, so that none has to be kept."""

    writer: Writer
    finite: bool = False

    def absolute(self, x: Quantity) -> Quantity:
        return abs(x) if isinstance(x, float) else x.size()

    def maximum(self, x: Quantity, y: Quantity) -> Quantity:
        if isinstance(x, float) and isinstance(y, float):
            return _larger(x, y)
        found = self._call("ws_larger" if self.finite else "ws_max", x, y)
        return replace(found, ramp=Ramp(x)) if isinstance(x, Expression) and y == 0.0 else found

    def minimum(self, x: Quantity, y: Quantity) -> Quantity:
        smaller = "ws_smaller" if self.finite else "ws_min"
        return -_larger(-x, -y) if isinstance(x, float) and isinstance(y, float) else self._call(smaller, x, y)

    def exp(self, x: Quantity) -> Quantity:
        return float(np.exp(x)) if isinstance(x, float) else self._call("ws_exp", x)

    def erf(self, x: Quantity) -> Quantity:
        return math.erf(x) if isinstance(x, float) else self._call("ws_erf", x)

    def sqrt(self, x: Quantity) -> Quantity:
        return float(np.sqrt(x)) if isinstance(x, float) else self._call("ws_sqrt", x)

    def power_floor(self, x: Quantity) -> Quantity:
        if isinstance(x, float):
            return math.ldexp(0.5, math.frexp(x)[1]) if math.isfinite(x) and x else x
        return self._call("ws_power_floor", x)

    def if_less(self, x: Quantity, y: Quantity, then: Quantity, otherwise: Quantity) -> Quantity:
        if isinstance(x, float) and isinstance(y, float):
            return then if x < y else otherwise
        text = f"ws_if_less({lanes(x)}, {lanes(y)}, {lanes(then)}, {lanes(otherwise)})"
        return Expression(text, self.writer)

    def name(self, x: Quantity) -> Quantity:
        simple = isinstance(x, float) or x.text.isalnum()
        return x if simple else replace(x, text=self.writer.named(x.text).text)

    def pick(self, numbers: Sequence[float], index: Quantity) -> Quantity:
        if isinstance(index, float):
            return numbers[int(index)]
        table = self.writer.table("double", np.array(numbers))
        return self.writer.gathered(f"{table}[(int){self.name(index).text}[L]]")

    def _call(self, function: str, *arguments: Quantity) -> Expression:
        text = ", ".join(lanes(argument) for argument in arguments)
        return Expression(f"{function}({text})", self.writer)


def _larger(x: float, y: float) -> float:
    return x if x > y or math.isnan(x) else y
