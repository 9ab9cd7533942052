"""A network whose parameters are not known: what can be said of it holds whatever they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar

from compiler.expressions.values import Provenance
from compiler.network.ir import Network, Rope, Scale, Tensor

T = TypeVar("T")
Free = Callable[[Provenance], bool]
"""Whether a number can be any number, as it was computed from a parameter."""


def none_free(_: Provenance) -> bool:
    """For a network as it is: no number can be another one."""
    return False


def with_unknown(network: Network, free: Free) -> Network:
    """The network with other numbers in the place of those that are `free`: not zero, and no two in a tensor equal.

    Those in formulas stay as they are.
    """
    return _replaced(network, free)


def _replaced(value: T, free: Free) -> T:
    match value:
        case Tensor(entries=entries):
            unknown = (
                replace(entry, value=2.0 + i) if free(entry.provenance) else entry for i, entry in enumerate(entries)
            )
            return replace(value, entries=tuple(unknown))
        case Scale(provenance=provenance):
            return replace(value, value=2.0) if free(provenance) else value
        case Rope(provenance=provenance):
            return replace(value, frequencies=(2.0,) * len(value.frequencies)) if free(provenance) else value
        case tuple():
            return tuple(_replaced(item, free) for item in value)  # type: ignore[return-value]
        case _ if is_dataclass(value) and not isinstance(value, type) and type(value).__module__ == Network.__module__:
            inner = {field.name: _replaced(getattr(value, field.name), free) for field in fields(value)}
            return replace(value, **inner)
        case _:
            return value
