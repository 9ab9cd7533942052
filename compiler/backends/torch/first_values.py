"""The first values of some submodules: the plain module is run until they are known, and no further."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

Values = Mapping[str, list[NDArray[np.float64]]]


class _AllKnown(Exception):
    """Ends a pass."""


def first_values(model: nn.Module, wanted: Mapping[str, int]) -> Callable[[Tensor], Values]:
    """A function from one sequence of tokens [1, time], int64, to the first `wanted` values of each submodule by its
    name, float64 and without the dimension of the batch. Each call changes what the one before gave."""
    known: dict[str, list[NDArray[np.float64]]] = {name: [] for name in wanted}

    def show(name: str) -> None:
        def hook(_module: nn.Module, _inputs: object, value: Tensor) -> None:
            if len(known[name]) < wanted[name]:
                known[name].append(value[0].double().numpy().copy())
                if all(len(values) == wanted[other] for other, values in known.items()):
                    raise _AllKnown

        model.get_submodule(name).register_forward_hook(hook)

    for name in wanted:
        show(name)

    def run(tokens: Tensor) -> Values:
        for values in known.values():
            values.clear()
        with suppress(_AllKnown):
            model(tokens)
        return known

    return run
