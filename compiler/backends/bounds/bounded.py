"""A value, how far the plain module's can be from it, and what errors it has in common with others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch

from compiler.backends.bounds.quantities import Functions, Quantity, is_zero, plus, times


@dataclass(frozen=True)
class Bounded:
    """The plain module's value is `value` + Σ `shared`[k] · s_k up to `error`, for some s_k from -1 to 1 that all
    values share: an error that two values have in common cancels in their difference."""

    value: Quantity
    error: Quantity
    shared: Mapping[int, Quantity] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class StackedSymbols(Mapping[int, Quantity]):
    """What a value shares, as one tensor: the `coefficients` [symbols, ...] of several symbols. They are computed with
    all at once."""

    symbols: tuple[int, ...]
    coefficients: Any

    @cached_property
    def size(self) -> Any:
        """What the symbols can come to."""
        return self.coefficients.abs().sum(0)

    def scaled(self, factor: float) -> StackedSymbols:
        made = StackedSymbols(self.symbols, factor * self.coefficients)
        made.__dict__["size"] = abs(factor) * self.size  # for `cached_property`: sums take longer
        return made

    def __getitem__(self, symbol: int) -> Quantity:
        if symbol not in self.symbols:
            raise KeyError(symbol)
        return self.coefficients[self.symbols.index(symbol)]

    def __iter__(self) -> Iterator[int]:
        return iter(self.symbols)

    def __len__(self) -> int:
        return len(self.symbols)


ZERO = Bounded(0.0, 0.0)
Channels = Sequence[Bounded]  # of a node; those that do not matter are zero


def is_zero_value(x: Bounded) -> bool:
    """Whether it is zero in both arithmetics, whatever the input."""
    return is_zero(x.value) and is_zero(x.error) and all(map(is_zero, x.shared.values()))


def each_shared(shared: Mapping[int, Quantity], change: Callable[[Quantity], Quantity]) -> Mapping[int, Quantity]:
    """With other coefficients."""
    if not isinstance(shared, StackedSymbols):
        return {symbol: change(c) for symbol, c in shared.items()}
    changed = change(shared.coefficients)
    return {} if isinstance(changed, float) else StackedSymbols(shared.symbols, changed)  # a number is a zero here


def chosen_shared(
    choose: Callable[[Quantity, Quantity], Quantity], shared: Mapping[int, Quantity], other: Mapping[int, Quantity]
) -> Mapping[int, Quantity]:
    """Of two values, symbol by symbol."""
    match shared, other:
        case StackedSymbols(), StackedSymbols() if shared.symbols == other.symbols:
            return StackedSymbols(shared.symbols, choose(shared.coefficients, other.coefficients))
        case StackedSymbols(), _ if not other:
            return StackedSymbols(shared.symbols, choose(shared.coefficients, 0.0))
        case _, StackedSymbols() if not shared:
            return StackedSymbols(other.symbols, choose(0.0, other.coefficients))
    return {symbol: choose(shared.get(symbol, 0.0), other.get(symbol, 0.0)) for symbol in {**shared, **other}}


def with_symbol(shared: Mapping[int, Quantity], symbol: int, c: Quantity) -> Mapping[int, Quantity]:
    """With one more symbol."""
    if is_zero(c):
        return shared
    return combined_shared((Bounded(0.0, 0.0, shared), Bounded(0.0, 0.0, {symbol: c})))


def shared_sizes(f: Functions, shared: Mapping[int, Quantity]) -> list[Quantity]:
    """Quantities that sum to what the symbols can come to."""
    if isinstance(shared, StackedSymbols):
        return [shared.size]
    return [f.absolute(c) for c in shared.values()]


def scaled_shared(x: Bounded, factor: Quantity) -> Mapping[int, Quantity]:
    """What is shared, times a factor."""
    if isinstance(x.shared, StackedSymbols) and isinstance(factor, float):
        return x.shared if factor == 1 else x.shared.scaled(factor)
    return each_shared(x.shared, lambda c: times(factor, c))


def combined_shared(terms: Sequence[Bounded]) -> Mapping[int, Quantity]:
    """What a sum shares."""
    there = [term.shared for term in terms if term.shared]
    if any(isinstance(part, StackedSymbols) for part in there):
        return _stacked_sum(list(map(stacked_symbols, there)))
    shared: dict[int, Quantity] = {}
    for term in terms:
        for symbol, c in term.shared.items():
            shared[symbol] = plus(shared.get(symbol, 0.0), c)
    return shared


def stacked_symbols(shared: Mapping[int, Quantity]) -> StackedSymbols:
    """As one tensor, of floats or tensors [positions, cells]."""
    if isinstance(shared, StackedSymbols):
        return shared
    every = [torch.as_tensor(c, dtype=torch.float64) for c in shared.values()]
    every = torch.broadcast_tensors(*every, every[0].new_zeros(1, 1))[:-1]  # type: ignore[no-untyped-call]
    return StackedSymbols(tuple(shared), torch.stack(every))


def _stacked_sum(parts: Sequence[StackedSymbols]) -> StackedSymbols:
    """Symbol by symbol."""
    most = max(parts, key=len)
    if all(part.symbols == most.symbols for part in parts):
        return StackedSymbols(most.symbols, plus(*(part.coefficients for part in parts)))
    symbols = (*most.symbols, *sorted({symbol for part in parts for symbol in part.symbols}.difference(most.symbols)))
    row = {symbol: i for i, symbol in enumerate(symbols)}
    places = np.broadcast_shapes(*(part.coefficients.shape[1:] for part in parts))
    whole = most.coefficients.expand(len(most), *places)
    total = torch.cat([whole, whole.new_zeros(len(symbols) - len(most), *places)])
    for part in parts:
        rows = [row[symbol] for symbol in part.symbols]
        if part is not most and rows == list(range(rows[0], rows[0] + len(rows))):  # which is faster
            total[rows[0] : rows[0] + len(rows)] += part.coefficients
        elif part is not most:
            total[rows] += part.coefficients
    return StackedSymbols(symbols, total)
