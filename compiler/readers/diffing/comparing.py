"""How two tensors differ: in which numbers, by how much, and by how many steps of their dtype."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compiler.backends.torch.linear import torch_dtype
from compiler.expressions.floats import FORMATS, ulps_apart
from compiler.readers.diffing.differences import EntryChange, TensorChange

ENTRIES_KEPT = 1000  # of one tensor
DTYPE_NAMES = {torch_dtype(dtype): name for name, dtype in FORMATS.items()}
_BITS = {8: torch.int64, 4: torch.int32, 2: torch.int16}
Label = Callable[[tuple[int, ...]], str]


def dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def equal(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors agree in shape, dtype and every bit."""
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    return torch.equal(_bits(first), _bits(second))


def differing(first: Tensor, second: Tensor) -> Tensor:
    """Which numbers of two tensors of one shape differ: in any bit, or in value and sign where the dtypes differ."""
    if first.dtype == second.dtype:
        return _bits(first) != _bits(second)
    old, new = first.double(), second.double()
    return ~((old == new) & (old.signbit() == new.signbit()) | (old.isnan() & new.isnan()))


def is_transposed(first: Tensor, second: Tensor) -> bool:
    """Whether a matrix is the other one transposed, and not that one itself."""
    return first.ndim == 2 and equal(first.T, second) and not equal(first, second)


def compare_tensors(names: tuple[str, str], first: Tensor, second: Tensor, label: Label) -> TensorChange | None:
    """What differs in two tensors; None where nothing does. `label` names the place of a number in them."""
    change = TensorChange(
        names,
        (tuple(first.shape), tuple(second.shape)),
        (dtype_name(first.dtype), dtype_name(second.dtype)),
        transposed=is_transposed(first, second),
    )
    if first.shape != second.shape:
        return change
    mask = differing(first, second)
    count = int(mask.sum())
    if count == 0:
        return None if first.dtype == second.dtype else change
    old, new = first[mask], second[mask]
    sizes = (old.double() - new.double()).abs()
    known = sizes[~sizes.isnan()]
    common = _coarser(first.dtype, second.dtype)
    return replace(
        change,
        differing=count,
        largest=float(known.max()) if len(known) else None,
        ulps=None if common is None else _largest_ulps(old.to(common), new.to(common)),
        ulps_dtype=None if common is None else DTYPE_NAMES[common],
        entries=tuple(_entries(change, mask, old[:ENTRIES_KEPT], new[:ENTRIES_KEPT], label)),
    )


def _entries(change: TensorChange, mask: Tensor, first: Tensor, second: Tensor, label: Label) -> Iterator[EntryChange]:
    """The first numbers that differ, each at its place."""
    common = _coarser(first.dtype, second.dtype)
    ulps: list[int | None] = [None] * len(first)
    if common is not None:
        rounded = first.to(common).tolist(), second.to(common).tolist()
        ulps = [ulps_apart(old, new, FORMATS[DTYPE_NAMES[common]]) for old, new in zip(*rounded, strict=True)]
    indices = mask.nonzero()[: len(first)].tolist()
    for index, old, new, apart in zip(indices, first.double().tolist(), second.double().tolist(), ulps, strict=True):
        yield EntryChange(change.names[1] or "", label(tuple(index)), old, new, ulps=apart)


def _bits(tensor: Tensor) -> Tensor:
    """Its numbers as integers that are equal where every bit is."""
    if not tensor.is_floating_point():
        return tensor
    return tensor.contiguous().view(_BITS[tensor.element_size()])


def _coarser(first: torch.dtype, second: torch.dtype) -> torch.dtype | None:
    """The dtype of fewer digits; None where one is not of a spec."""
    if first not in DTYPE_NAMES or second not in DTYPE_NAMES:
        return None
    return min(first, second, key=lambda dtype: FORMATS[DTYPE_NAMES[dtype]].precision)


def _largest_ulps(first: Tensor, second: Tensor) -> int | None:
    """The largest distance of two numbers of one dtype, without those that are NaN."""
    known = ~(first.isnan() | second.isnan())
    if not bool(known.any()):
        return None
    old, new = _ordinals(first[known]), _ordinals(second[known])
    return int((np.maximum(old, new) - np.minimum(old, new)).max())


def _ordinals(tensor: Tensor) -> NDArray[np.uint64]:
    """The place of each number among all numbers of the dtype, zero being in the middle."""
    bits = _bits(tensor).long()
    magnitude = bits & (2 ** (8 * tensor.element_size() - 1) - 1)
    return torch.where(bits < 0, -magnitude, magnitude).numpy().astype(np.uint64) + np.uint64(1 << 63)
