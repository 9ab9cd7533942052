"""Every intermediate value of a forward pass, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import prod

import torch
from torch import Tensor, nn

from compiler.backends.torch.model import Model, build_model
from compiler.backends.torch.settings import as_assumed
from compiler.expressions.axes import Axis
from compiler.network.activations import POSITIONS, QUERIES, Dimension, activations
from compiler.pipeline import Spec
from compiler.source.diagnostics import did_you_mean, fail
from compiler.source.limits import MAX_ACTIVATION
from compiler.source.showing import short_repr
from compiler.tasks.tokens import token_ids


@dataclass(frozen=True, eq=False)
class Activation:
    """A value as it was computed: `name` is that of the submodule that put it out (`layer0.attention.pattern`).

    `dimensions` has an entry for each dimension of the tensor: an axis of names, or a word such as "batch".
    """

    name: str
    dimensions: tuple[Dimension, ...]
    value: Tensor

    __repr__ = short_repr

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the numbers at a position: those of heads with their coordinates, or of heads alone."""
        axes = [axis for axis in self.dimensions if isinstance(axis, Axis)]
        if self.dimensions[-1] == "coordinate":
            return axes[0].extended(self.value.shape[-1]).labels
        if len(axes) == 2:  # a norm of each head
            return tuple(f"{head}.{label}" for head in axes[0].labels for label in axes[1].labels)
        return axes[0].labels

    def at(self, position: int) -> Tensor:
        """The numbers at a position of the first sequence, in one row; of scores and patterns those of its query."""
        place = next(i for i, dimension in enumerate(self.dimensions) if dimension in ("time", QUERIES))
        return self.value[0].select(place - 1, position).flatten()

    def of(self, label: str) -> Tensor:
        """The value of one named dimension, such as `candidate[3]`, without that dimension of the tensor.

        Raises `SpecError` where there is no such name.
        """
        known = [name for axis in self.dimensions if isinstance(axis, Axis) for name in axis.labels]
        for position, axis in enumerate(self.dimensions):
            if isinstance(axis, Axis) and label in axis.labels:
                return self.value.select(position, axis.labels.index(label))
        raise fail("unknown-name", f"{self.name} has no '{label}'{did_you_mean(label, known)}")


@as_assumed()
def trace(
    spec: Spec, tokens: Tensor | str | Sequence[int | str], model: nn.Module | None = None
) -> tuple[Activation, ...]:
    """Every intermediate value of one forward pass, in the order of computation; the last one is the logits.

    `tokens` are ids, [batch, time] or [time], or names of one sequence: a list, or a text that is split at spaces.
    Steps that are run again appear again. `model` is what `build` made of the spec, to look at one that was moved or
    changed. Raises `ValueError` for a sequence that is longer than the model's context, and `SpecError` for one that is
    too long for whole patterns, or for a name that is no token.
    """
    ids = _ids(spec, tokens)
    names = activations(spec.network)
    for name, dimensions in names.items():
        _check_size(name, dimensions, ids.shape[-1])
    module = build_model(spec.network) if model is None else model
    pass_over = partial(module, in_one_piece=True) if isinstance(module, Model) else module
    values: list[Activation] = []

    def record(name: str, _: nn.Module, inputs: object, output: Tensor) -> None:
        values.append(Activation(name, names[name], output))

    hooks = [module.get_submodule(name).register_forward_hook(partial(record, name)) for name in names]
    try:
        with torch.inference_mode():
            pass_over(ids if ids.ndim > 1 else ids[None])
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(values)


def _ids(spec: Spec, tokens: Tensor | str | Sequence[int | str]) -> Tensor:
    if isinstance(tokens, Tensor):
        return tokens
    named = isinstance(tokens, str) or any(isinstance(token, str) for token in tokens)
    return torch.tensor(token_ids(tokens, spec.network.vocabulary)) if named else torch.as_tensor(tokens)


def _check_size(name: str, dimensions: tuple[Dimension, ...], length: int) -> None:
    """Raise `SpecError` where a value has a number for each of too many pairs of positions."""
    size = prod(axis.size for axis in dimensions if isinstance(axis, Axis)) * length**2
    if set(POSITIONS) <= set(dimensions) and size > MAX_ACTIVATION:
        message = f"'{name}' would have {size:,} numbers for {length:,} tokens; at most {MAX_ACTIVATION:,} are shown"
        raise fail("too-large", message, hint="a trace has every value as a whole: give it fewer tokens")
