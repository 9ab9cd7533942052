"""Sums of terms, each a number times a value of a trace: what an equation of a step becomes with its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from compiler.evaluation.traced_values import TracedValue, TracedValues
from compiler.network.ir import ActivationKind, Equation, Norm, Tensor
from compiler.network.meanings import subtracts_mean


@dataclass(frozen=True)
class ValueTerm:
    """`coefficient` · `scale` · `value`, where the value is one of the trace, or called `label` where it is none.

    `times` is the value that the coefficient is, where it is one too: queries are multiplied by keys, and scaled.
    """

    value: float
    coefficient: float = 1.0
    read: TracedValue | None = None
    label: str = ""
    times: TracedValue | None = None
    scale: float = 1.0

    @property
    def product(self) -> float:
        return self.coefficient * self.scale * self.value

    @property
    def values(self) -> tuple[TracedValue, ...]:
        """What it reads of the trace."""
        return tuple(value for value in (self.times, self.read) if value is not None)


@dataclass(frozen=True)
class Computation:
    """A value and what it was computed from: the sum or the product of `terms`, or a function of one of them.

    `function` is `sum`, `product`, or the word of an activation. A weight in a pattern is the `exponential` of the sum,
    or there, with all others or alone, where its score is the `largest` one. `equations` are the lines of the spec that
    gave the coefficients.
    """

    value: float
    function: Literal["sum", "product", "exponential", "largest"] | ActivationKind
    terms: tuple[ValueTerm, ...]
    equations: tuple[Equation, ...] = ()


@dataclass(frozen=True)
class TermSum:
    """The terms of a sum, and the lines of the spec that gave their coefficients."""

    terms: Sequence[ValueTerm]
    equations: Sequence[Equation] = ()


def as_sum(values: TracedValues, asked: TracedValue, *sums: TermSum) -> Computation:
    """The value asked for, as the sum of all these terms."""
    terms = tuple(term for one in sums for term in one.terms)
    equations = tuple(dict.fromkeys(equation for one in sums for equation in one.equations))
    return Computation(values.number(asked), "sum", terms, equations)


def term_of(values: TracedValues, read: TracedValue, coefficient: float = 1.0) -> ValueTerm:
    return ValueTerm(values.number(read), coefficient, read)


def read_of(values: TracedValues, run: int, asked: TracedValue, *, coefficient: float = 1.0) -> ValueTerm:
    """The same dimension, at the same position, of another value."""
    return term_of(values, TracedValue(run, asked.position, asked.channel), coefficient)


def latest_of(values: TracedValues, name: str, asked: TracedValue) -> ValueTerm:
    """The same dimension of the last value of that name before the one asked for."""
    return read_of(values, values.latest(name, asked.run), asked)


def copied(values: TracedValues, asked: TracedValue, name: str) -> TermSum:
    """That value alone."""
    return TermSum([latest_of(values, name, asked)])


def old_stream(values: TracedValues, asked: TracedValue, channel: int) -> ValueTerm:
    """A dimension of the stream before the step."""
    return term_of(values, TracedValue(values.stream_before(asked.run), asked.position, channel))


def entry_of(vector: Tensor | None, channel: int, otherwise: float = 0.0) -> tuple[float, list[Equation]]:
    """A number of a stored vector, or of one that is broadcast, with its line."""
    if vector is None:
        return otherwise, []
    at = 0 if vector.axes[-1] is None else channel
    entry = next((entry for entry in vector.entries if entry.index[-1] == at), None)
    return (0.0, []) if entry is None else (entry.value, [entry.equation])


def norm_terms(norm: Norm, row: Sequence[float], terms: Sequence[ValueTerm], channel: int) -> TermSum:
    """A norm of `row`, of which `terms` add up to the number at `channel`."""
    mean = sum(row) / len(row) if subtracts_mean(norm.kind) else 0.0
    size = sqrt(sum((number - mean) ** 2 for number in row) / len(row) + norm.epsilon)
    weight, lines = entry_of(norm.weight, channel, 1.0)
    factor = weight / size if size else float("nan")
    scaled = [ValueTerm(term.value, factor, term.read, term.label) for term in terms]
    if subtracts_mean(norm.kind):
        scaled.append(ValueTerm(mean, -factor, label="mean"))
    bias, bias_lines = entry_of(norm.bias, channel)
    if norm.bias is not None:
        scaled.append(ValueTerm(bias, label="bias"))
    return TermSum(scaled, [*lines, *bias_lines])
