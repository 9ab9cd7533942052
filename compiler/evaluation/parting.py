"""Where two passes part: the first value that differs at each position."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from compiler.backends.torch.tracing import Activation
from compiler.expressions.axes import Axis


@dataclass(frozen=True)
class Parting:
    """The first value that differs at a position, in the order of computation: its name with that of the dimension, and
    the number in each pass. `others` are further dimensions of the same value that differ.

    Where none differs, `name` is None and there are no `numbers`.
    """

    position: int
    name: str | None = None
    numbers: tuple[float, ...] = ()
    others: int = 0


def partings(first: Sequence[Activation], second: Sequence[Activation]) -> tuple[Parting, ...]:
    """One for each position that both passes have, by the values and dimensions that both have by name."""
    common = min(_length(first), _length(second))
    found: dict[int, Parting] = {}
    for activation, other in _pairs(first, second):
        both = [label for label in _labels(activation) if label in set(_labels(other))]
        if not both:
            continue
        a, b = (
            one.value[0, :common, [_labels(one).index(label) for label in both]].double() for one in (activation, other)
        )
        differs = (a != b) & ~(a.isnan() & b.isnan())
        for position in torch.nonzero(differs.any(-1)).flatten().tolist():
            if position not in found:
                dimensions = torch.nonzero(differs[position]).flatten().tolist()
                numbers = float(a[position, dimensions[0]]), float(b[position, dimensions[0]])
                name = f"{activation.name}.{both[dimensions[0]]}"
                found[position] = Parting(position, name, numbers, len(dimensions) - 1)
    return tuple(found.get(position, Parting(position)) for position in range(common))


def _length(activations: Sequence[Activation]) -> int:
    return int(activations[-1].value.shape[1])


def _pairs(first: Sequence[Activation], second: Sequence[Activation]) -> Iterator[tuple[Activation, Activation]]:
    """Values with the same name, each run of a step with the same run of it."""
    runs = dict(_runs(second))
    return ((activation, runs[run]) for run, activation in _runs(first) if run in runs)


def _runs(activations: Sequence[Activation]) -> Iterator[tuple[tuple[str, int], Activation]]:
    """Those with named dimensions at each position, by name and number of the run."""
    seen = Counter[str]()
    for activation in activations:
        if activation.dimensions[:2] == ("batch", "time") and isinstance(activation.dimensions[-1], Axis):
            yield (activation.name, seen[activation.name]), activation
            seen[activation.name] += 1


def _labels(activation: Activation) -> tuple[str, ...]:
    axis = activation.dimensions[-1]
    assert isinstance(axis, Axis)
    return axis.labels
