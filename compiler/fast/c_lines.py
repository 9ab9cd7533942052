"""Lines of C for one lane of a loop over lanes: what the formulas of `bounds` are when a program is generated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from compiler.fast.bounds import Quantity
from compiler.fast.program import Array

LONGEST = 200  # characters of an expression before it gets a name


@dataclass(eq=False)
class Writer:
    """C text as it grows. Within `lanes` a named quantity is a variable; outside of it, an array over lanes that later
    loops can read, computed in a loop of its own."""

    tables: list[str] = field(default_factory=list)  # constants, before the functions
    lines: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  # arrays that a loop needs before it
    in_lanes: bool = False
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

    def open_lanes(self) -> None:
        assert not self.in_lanes
        self.open("for (int l = 0; l < LANES; l++)")
        self.in_lanes = True

    def close_lanes(self) -> None:
        self.in_lanes = False
        self.close()

    def named(self, text: str) -> Expression:
        if self.in_lanes:
            name = self.new("t")
            self.lines.append(f"const double {name} = {text};")
            return Expression(name, self)
        return self.array(text)

    def array(self, text: str) -> Expression:
        """A quantity that later loops over lanes can read."""
        name = self.new("a")
        self.lines.append(f"double {name}[LANES];")
        self.lines.append(f"for (int l = 0; l < LANES; l++) {name}[l] = {text};")
        return Expression(f"{name}[l]", self)


@dataclass(frozen=True, eq=False)
class Expression:
    """A double of lane `l`, as C text that stands wherever an operand can."""

    text: str
    writer: Writer

    def _made(self, text: str) -> Expression:
        return self.writer.named(text) if len(text) > LONGEST else Expression(f"({text})", self.writer)

    def __add__(self, other: Quantity) -> Expression:
        return self._made(f"{self.text} + {operand(other)}")

    def __radd__(self, other: Quantity) -> Expression:
        return self._made(f"{operand(other)} + {self.text}")

    def __sub__(self, other: Quantity) -> Expression:
        return self._made(f"{self.text} - {operand(other)}")

    def __rsub__(self, other: Quantity) -> Expression:
        return self._made(f"{operand(other)} - {self.text}")

    def __mul__(self, other: Quantity) -> Expression:
        return self._made(f"{self.text} * {operand(other)}")

    def __rmul__(self, other: Quantity) -> Expression:
        return self._made(f"{operand(other)} * {self.text}")

    def __truediv__(self, other: Quantity) -> Expression:
        return self._made(f"{self.text} / {operand(other)}")

    def __rtruediv__(self, other: Quantity) -> Expression:
        return self._made(f"{operand(other)} / {self.text}")


def operand(x: Quantity) -> str:
    return x.text if isinstance(x, Expression) else literal(float(x))


def literal(number: float) -> str:
    """An exact C literal."""
    if math.isfinite(number):
        text = number.hex()
        return f"({text})" if text.startswith("-") else text
    return '__builtin_nan("")' if math.isnan(number) else "__builtin_inf()" if number > 0 else "(-__builtin_inf())"


@dataclass(frozen=True, eq=False)
class LineFunctions:
    """`Functions` of floats and lines of C."""

    writer: Writer

    def absolute(self, x: Quantity) -> Quantity:
        return abs(x) if isinstance(x, float) else self._call("ws_abs", x)

    def maximum(self, x: Quantity, y: Quantity) -> Quantity:
        return _larger(x, y) if isinstance(x, float) and isinstance(y, float) else self._call("ws_max", x, y)

    def minimum(self, x: Quantity, y: Quantity) -> Quantity:
        return -_larger(-x, -y) if isinstance(x, float) and isinstance(y, float) else self._call("ws_min", x, y)

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
        text = f"{operand(x)} < {operand(y)} ? {operand(then)} : {operand(otherwise)}"
        return Expression(f"({text})", self.writer)

    def name(self, x: Quantity) -> Quantity:
        simple = isinstance(x, float) or x.text.replace("_", "").replace("[l]", "").isalnum()
        return x if simple else self.writer.named(x.text)

    def pick(self, numbers: Sequence[float], index: Quantity) -> Quantity:
        if isinstance(index, float):
            return numbers[int(index)]
        table = self.writer.table("double", np.array(numbers))
        return Expression(f"{table}[(int){index.text}]", self.writer)

    def _call(self, function: str, *arguments: Quantity) -> Expression:
        text = ", ".join(operand(argument) for argument in arguments)
        return Expression(f"{function}({text})", self.writer)


def _larger(x: float, y: float) -> float:
    return x if x > y or math.isnan(x) else y
