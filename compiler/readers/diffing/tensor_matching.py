"""Which tensors of two state dicts are compared with one another: by name, by what they hold, then by shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

import torch
from torch import Tensor

from compiler.readers.diffing.comparing import differing, dtype_name

MAX_COMPARED = 1 << 28  # numbers that are compared to find out which tensors are meant
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class TensorPairs:
    """Pairs of names; and the names that have no partner."""

    pairs: dict[str, str]
    removed: tuple[str, ...]
    added: tuple[str, ...]


def match_tensors(first: Tensors, second: Tensors, given: Mapping[str, str]) -> TensorPairs:
    """Match tensors as `given`, then by name, then by what they hold, as they are or transposed, then by shape.

    Of several tensors of the same shape, those are matched of which the fewest numbers differ.
    """
    taken = set(given.values())
    pairs = dict(given)
    pairs |= {name: name for name in first if name not in given and name in second and name not in taken}
    for matcher in (_by_content, _transposed, _by_shape):
        matched = set(pairs.values())
        left = {name: tensor for name, tensor in first.items() if name not in pairs}
        right = {name: tensor for name, tensor in second.items() if name not in matched}
        pairs |= dict(matcher(left, right))
    matched = set(pairs.values())
    return TensorPairs(
        pairs,
        tuple(name for name in first if name not in pairs),
        tuple(name for name in second if name not in matched),
    )


def _by_content(first: Tensors, second: Tensors) -> Iterator[tuple[str, str]]:
    """Tensors that are equal in every bit, in their order."""
    known: dict[object, list[str]] = {}
    for name, tensor in second.items():
        known.setdefault(_content(tensor), []).append(name)
    for name, tensor in first.items():
        partners = known.get(_content(tensor))
        if partners:
            yield name, partners.pop(0)


def _transposed(first: Tensors, second: Tensors) -> Iterator[tuple[str, str]]:
    matrices = {name: tensor.T for name, tensor in first.items() if tensor.ndim == 2}
    return _by_content(matrices, second)


def _content(tensor: Tensor) -> object:
    data = tensor.contiguous().flatten()
    raw = b"" if not tensor.numel() else data.view(torch.uint8).numpy().tobytes()
    return tuple(tensor.shape), dtype_name(tensor.dtype), sha256(raw).digest()


def _by_shape(first: Tensors, second: Tensors) -> Iterator[tuple[str, str]]:
    groups: dict[object, tuple[list[str], list[str]]] = {}
    for side, tensors in enumerate((first, second)):
        for name, tensor in tensors.items():
            form = (tuple(tensor.shape), tensor.is_floating_point())
            groups.setdefault(form, ([], []))[side].append(name)
    for left, right in groups.values():
        yield from _fewest(left, right, first, second)


def _fewest(left: list[str], right: list[str], first: Tensors, second: Tensors) -> Iterator[tuple[str, str]]:
    """Again and again the two of which the fewest numbers differ; in their order where that is too much work."""
    work = len(left) * len(right) * max((first[name].numel() for name in left), default=0)
    if min(len(left), len(right)) == 0 or len(left) == len(right) == 1 or work > MAX_COMPARED:
        yield from zip(left, right, strict=False)
        return
    ranked = sorted(
        (int(differing(first[old], second[new]).sum()), i, j)
        for i, old in enumerate(left)
        for j, new in enumerate(right)
    )
    done: tuple[set[int], set[int]] = (set(), set())
    for _, i, j in ranked:
        if i not in done[0] and j not in done[1]:
            done[0].add(i)
            done[1].add(j)
            yield left[i], right[j]
