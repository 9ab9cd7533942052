"""Stored tensors and the affine maps made of them."""

from __future__ import annotations

import numpy as np

from compiler.backends.elementary.builder import Builder
from compiler.backends.elementary.program import Array, Linear, NotFollowed, Terms
from compiler.network import ir


def dense(tensor: ir.Tensor) -> Array:
    """The whole tensor, `tensor.shape`. Raises `NotFollowed` where a weight is not finite."""
    numbers = np.zeros(tensor.shape)
    for entry in tensor.entries:
        numbers[entry.index] = entry.value
    if not np.isfinite(numbers).all():
        raise NotFollowed(f"{tensor.name} has a weight that is not finite")
    return numbers


def vector(tensor: ir.Tensor) -> tuple[float, ...]:
    """The numbers of a tensor in a row. Raises `NotFollowed` as `dense` does."""
    return tuple(dense(tensor).ravel().tolist())


def add_map(builder: Builder, stream: int, map_: ir.Map) -> int:
    """A map, and its inner one before it. Raises `NotFollowed`."""
    if map_.inner is not None:
        stream = add_map(builder, stream, map_.inner)
    return builder.add(linear(builder, map_), (stream,), map_.outputs.size)


def linear(builder: Builder, map_: ir.Map) -> Linear:
    """A map without its inner one; one row, or one bias, stands for all outputs. Raises `NotFollowed`."""
    size = map_.outputs.size
    weight = dense(map_.weight)
    rows = tuple(map(_terms, weight)) * (size // len(weight))
    bias = None if map_.bias is None else vector(map_.bias)
    return _counted(builder, Linear(rows, None if bias is None else bias * (size // len(bias))))


def factor(builder: Builder, weight: ir.Tensor) -> Linear:
    """`outputs = inputs · weight`, the weight [inputs, outputs]. Raises `NotFollowed`."""
    return _counted(builder, Linear(tuple(map(_terms, dense(weight).T))))


def _counted(builder: Builder, made: Linear) -> Linear:
    builder.totals.add(terms=sum(map(len, made.rows)))
    return made


def _terms(row: Array) -> Terms:
    return tuple((int(channel), float(row[channel])) for channel in np.flatnonzero(row))
