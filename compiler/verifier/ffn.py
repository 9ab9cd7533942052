"""Nodes that are computed position by position. What varies stays shared where the fast engine gives it up.

What is alike is computed at once: channels, and the outputs of linear maps, have an axis of their own in front of
[positions, cells].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from compiler.backends.bounds.activations import activation
from compiler.backends.bounds.arithmetic import ENGINE_UNIT, EXACT, Arithmetic
from compiler.backends.bounds.bounded import (
    Bounded,
    Channels,
    StackedSymbols,
    combined_shared,
    is_zero_value,
    scaled_shared,
    stacked_symbols,
    with_symbol,
)
from compiler.backends.bounds.elementwise import elementwise
from compiler.backends.bounds.quantities import Quantity, plus, times
from compiler.backends.elementary.program import (
    Activated,
    Linear,
    Node,
    Product,
    Renewed,
    Subtraction,
    Sum,
    Terms,
)

Compute = Callable[..., Bounded]
MANY_ROWS = 3  # of a linear map that have as many terms: then they are computed at once


def cell_step(a: Arithmetic, node: Node, inputs: Sequence[Channels], positions: Sequence[int]) -> list[Bounded]:
    """The live channels of a node, in the order of `node.live`; quantities are [positions, cells]."""
    operation = node.operation
    inputs = [list(map(_with_stacked_symbols, channels)) for channels in inputs]
    live = [[channels[c] for c in node.live if c < len(channels)] for channels in inputs]
    match operation:
        case Renewed(first_symbol=first):
            assert first is not None
            return [
                Bounded(x.value, 0.0, with_symbol(x.shared, first + c, x.error))
                for c, x in zip(node.live, live[0], strict=True)
            ]
        case Linear(rows=rows, bias=bias):
            return linear_outputs(
                a, inputs[0], [rows[c] for c in node.live], [bias[c] if bias else 0.0 for c in node.live]
            )
        case Activated(kind=kind):
            bound = activation(kind).bound_of_cells
            return at_once(lambda x: bound(a, x), live[0])
        case Sum():
            return at_once(a.add, *live)
        case Subtraction():
            return at_once(a.subtract, *live)
        case Product():
            return at_once(a.multiply, *live)
        case _:
            node = replace(node, exact=())  # sums of what is exact may share what varies
            return elementwise(a, node, inputs, lambda numbers: torch.tensor(numbers[list(positions)])[:, None])


def _with_stacked_symbols(x: Bounded) -> Bounded:
    return replace(x, shared=stacked_symbols(x.shared)) if x.shared and isinstance(x.value, Tensor) else x


def at_once(compute: Compute, *inputs: Channels) -> list[Bounded]:
    """What is computed of each channel of the inputs, by one call for all those that are of a kind."""
    groups: dict[object, list[int]] = {}
    for i, channels in enumerate(zip(*inputs, strict=True)):
        kinds = tuple(map(_kind, channels))
        groups.setdefault(i if None in kinds else kinds, []).append(i)
    found: dict[int, Bounded] = {}
    for numbers in groups.values():
        chosen = [[channels[i] for i in numbers] for channels in inputs]
        if len(numbers) == 1:
            found[numbers[0]] = compute(*(x for (x,) in chosen))
        else:
            found |= zip(numbers, _apart(compute(*map(_stack, chosen)), len(numbers)), strict=True)
    return [found[i] for i in range(len(inputs[0]))]


def _kind(x: Bounded) -> object:
    """Channels of the same kind can be stacked; None for one that cannot."""
    if not isinstance(x.value, Tensor):
        return None
    error = x.error.shape if isinstance(x.error, Tensor) else x.error
    coefficients = (x.shared.symbols, x.shared.coefficients.shape) if isinstance(x.shared, StackedSymbols) else None
    return x.value.shape, error, coefficients


def _stack(channels: Channels) -> Bounded:
    first = channels[0]
    error = torch.stack([x.error for x in channels]) if isinstance(first.error, Tensor) else first.error
    shared: Mapping[int, Quantity] = {}
    if isinstance(first.shared, StackedSymbols):
        parts = [x.shared.coefficients for x in channels if isinstance(x.shared, StackedSymbols)]
        shared = StackedSymbols(first.shared.symbols, torch.stack(parts, 1))
    return Bounded(torch.stack([x.value for x in channels]), error, shared)


def _apart(x: Bounded, count: int) -> Iterator[Bounded]:
    """The channels of what was stacked."""
    values, errors = (q if isinstance(q, Tensor) else [q] * count for q in (x.value, x.error))
    for i in range(count):
        shared = x.shared
        if isinstance(shared, StackedSymbols):
            shared = StackedSymbols(shared.symbols, shared.coefficients[:, i])
        yield Bounded(values[i], errors[i], shared)


@dataclass(frozen=True, eq=False)
class LinearRows:
    """Rows of a linear map, by their `numbers`, that have as many terms: the `channels` and `weights` [rows][terms] of
    these, and the `biases` [rows], which are all zero or none is. What is known to be zero is no term."""

    numbers: list[int]
    channels: list[list[int]]
    weights: list[list[float]]
    biases: list[float]


def rows_alike(inputs: Channels, rows: Sequence[Terms], biases: Sequence[float]) -> list[LinearRows]:
    """The rows of a linear map in groups."""
    zero = [is_zero_value(x) for x in inputs]
    groups: dict[tuple[int, bool], LinearRows] = {}
    for number, (terms, bias) in enumerate(zip(rows, biases, strict=True)):
        there = [(channel, weight) for channel, weight in terms if weight and not zero[channel]]
        group = groups.setdefault((len(there), bias != 0), LinearRows([], [], [], []))
        group.numbers.append(number)
        group.channels.append([channel for channel, _ in there])
        group.weights.append([weight for _, weight in there])
        group.biases.append(bias)
    return list(groups.values())


@dataclass(frozen=True, eq=False)
class RowTerms:
    """Of each term of some rows [rows, positions, cells], the biases last: its `values`, what the `errors` and all that
    is `off` of its channel make of it, and the `roundings` of the product."""

    values: list[Tensor]
    errors: list[Quantity]
    offs: list[Quantity]
    roundings: list[Quantity]

    @property
    def alone(self) -> list[Bounded]:
        """The terms, with nothing shared."""
        parts = zip(self.values, self.offs, self.roundings, strict=True)
        return [Bounded(value, plus(off, rounding)) for value, off, rounding in parts]


def row_terms(a: Arithmetic, inputs: Channels, rows: LinearRows) -> RowTerms:
    count = len(rows.channels[0])
    if not count:
        found = RowTerms([], [], [], [])
    else:
        used = sorted({channel for channels in rows.channels for channel in channels})
        place = {channel: i for i, channel in enumerate(used)}
        index = torch.tensor([[place[c] for c in channels] for channels in rows.channels]).T  # [terms, rows]
        factors = torch.tensor(rows.weights, dtype=torch.float64).T[:, :, None, None]
        values, errors, offs = (
            _stacked_numbers([of(inputs[c]) for c in used]) for of in (lambda x: x.value, lambda x: x.error, a.off)
        )
        roundings = _rounded_products(a, (abs(values) + offs)[index], factors)
        found = RowTerms(
            list(values[index] * factors),
            list(errors[index] * abs(factors)) if bool(errors.any()) else [0.0] * count,
            list(offs[index] * abs(factors)),
            list(roundings) if isinstance(roundings, Tensor) else [roundings] * count,
        )
    if rows.biases[0]:
        found.values.append(torch.tensor(rows.biases, dtype=torch.float64)[:, None, None])
        for part in (found.errors, found.offs, found.roundings):
            part.append(0.0)
    return found


def _rounded_products(a: Arithmetic, sizes: Tensor, factors: Tensor) -> Quantity:
    """As `Arithmetic.rounded_product`, of values of these sizes, with a factor each."""
    if a.rounding == EXACT:
        return 0.0
    tiny, flushed, magnitudes = a.rounding.tiny, a.rounding.flushed, sizes * abs(factors)
    scales = abs(torch.frexp(factors).mantissa) == 0.5  # whose products only underflow rounds
    only = torch.where(abs(factors) >= 1, 0.0, tiny)
    rounded = only if bool(scales.all()) else a.rounded(magnitudes)
    if bool(scales.any()):
        rounded = torch.where(scales, only, rounded)
    return rounded + flushed * (sizes + abs(factors)) if flushed else rounded


def linear_outputs(a: Arithmetic, inputs: Channels, rows: Sequence[Terms], biases: Sequence[float]) -> list[Bounded]:
    """The outputs of a linear map."""
    found: dict[int, Bounded] = {}
    for group in rows_alike(inputs, rows, biases):
        varying = all(any(isinstance(inputs[c].value, Tensor) for c in channels) for channels in group.channels)
        if len(group.numbers) >= MANY_ROWS and varying:
            found |= zip(group.numbers, _linear_rows(a, inputs, group), strict=True)
        else:
            found |= {i: linear_sum(a, a.products(inputs, rows[i], biases[i])) for i in group.numbers}
    return [found[i] for i in range(len(rows))]


def _linear_rows(a: Arithmetic, inputs: Channels, rows: LinearRows) -> Iterator[Bounded]:
    terms = row_terms(a, inputs, rows)
    value, roundings = _sum_alone(a, terms.alone)
    error = plus(roundings, *terms.errors, *terms.roundings)
    errors = error.expand(value.shape) if isinstance(error, Tensor) else [error] * len(value)
    for row, shared in enumerate(_shared_by_rows(inputs, rows)):
        yield Bounded(value[row], errors[row], shared)


def _shared_by_rows(inputs: Channels, rows: LinearRows) -> Iterator[Mapping[int, Quantity]]:
    """What each row shares."""
    channels = rows.channels[0]
    first, *others = (inputs[c].shared for c in channels)
    if isinstance(first, StackedSymbols) and all(row == channels for row in rows.channels):
        alike = [x for x in others if isinstance(x, StackedSymbols) and _alike(x, first)]
        if len(alike) == len(others):
            parts = torch.stack([first.coefficients, *(x.coefficients for x in alike)])
            weights = torch.tensor(rows.weights, dtype=torch.float64)
            for c in (weights @ parts.flatten(1)).view(len(weights), *first.coefficients.shape):
                yield StackedSymbols(first.symbols, c)
            return
    for channels, weights_of_row in zip(rows.channels, rows.weights, strict=True):
        pairs = zip(channels, weights_of_row, strict=True)
        yield combined_shared([Bounded(0.0, 0.0, scaled_shared(inputs[c], w)) for c, w in pairs])


def _alike(x: StackedSymbols, y: StackedSymbols) -> bool:
    return x.symbols == y.symbols and x.coefficients.shape == y.coefficients.shape


def linear_sum(a: Arithmetic, terms: Sequence[Bounded]) -> Bounded:
    """As `Arithmetic.sum`, but the last of n - 1 additions, whatever their order, has the sum itself as its result; and
    what the engine's own additions of values lose is known (Knuth's TwoSum)."""
    value, roundings = _sum_alone(a, [a.alone(term) for term in terms])
    return a.named(value, plus(roundings, *(term.error for term in terms)), combined_shared(terms))


def _sum_alone(a: Arithmetic, terms: Sequence[Bounded]) -> tuple[Quantity, Quantity]:
    """The sum of terms that share nothing, and what its roundings are off."""
    f, unit, tiny = a.f, a.rounding.plain_unit, a.rounding.tiny
    up = 1 + 2.0**-40  # what is computed here may be below a power of two that the module's is above
    terms = [term for term in terms if not is_zero_value(term)]
    if len(terms) < 2:
        return plus(*(term.value for term in terms)), 0.0
    value, lost = terms[0].value, 0.0
    for term in terms[1:]:
        total = value + term.value
        part = total - value
        lost = lost + abs((value - (total - part)) + (term.value - part))
        value = total
    count, offs = len(terms) - 1.0, plus(*(term.error for term in terms))
    magnitude = times(up * (1 + unit) ** len(terms), plus(offs, *(f.absolute(term.value) for term in terms)))
    before = times(count - 1.0, unit * f.power_floor(magnitude) + tiny)
    engine = plus(lost, times(ENGINE_UNIT * count, offs))
    last = unit * f.power_floor(up * plus(abs(value), offs, before, engine)) + tiny
    return value, plus(before, last, engine)


def _stacked_numbers(numbers: Sequence[Quantity]) -> Tensor:
    """[channels, positions, cells]"""
    if not numbers:
        return torch.zeros(0, 1, 1, dtype=torch.float64)
    every = torch.broadcast_tensors(*map(_tensor, numbers), torch.zeros(1, 1, dtype=torch.float64))  # type: ignore[no-untyped-call]
    return torch.stack(every[:-1])


def _tensor(x: Quantity) -> Tensor:
    return torch.as_tensor(x, dtype=torch.float64)
