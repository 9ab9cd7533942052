"""What a model written by hand is made of: numbers of a dtype, plain affine maps, loops over heads and positions.

Nothing here knows the compiler. Weights are rounded to the dtype as they are stored; everything after that is computed
in float64, so that what differs in the compiled module is its rounding.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.parity.reference import activate, affine, embed, norm

Values = Sequence[Any]  # nested lists of numbers: ints, floats, numpy's scalars
Add = Callable[[int, int, int], float]  # head, query position, key position
START = [[-1.5, -1, 1], [-0.5, -0.5, 1 / 2], [0.5, 1, 1 / 3], [1.5, 3.5, 1 / 4], [0.75, 0, -0.5]]


class Plain:
    """One forward pass by hand: what the model stores, and every value on the way, in order."""

    def __init__(self, dtype: str, tokens: Tensor) -> None:
        self.tokens = tokens
        self.weights: dict[str, Tensor] = {}
        self.ties: dict[str, str] = {}
        self.transposes: dict[str, str] = {}
        self.seen: list[tuple[str, Tensor]] = []
        self._number: Any = {"float64": np.float64, "float32": np.float32}[dtype]

    def number(self, value: float) -> Any:
        """A number of the dtype; arithmetic of these rounds in the dtype, as parameters do."""
        return self._number(value)

    def stored(self, name: str, values: Values) -> Tensor:
        """Expect a tensor in the state dict, each number rounded once; its numbers as doubles."""
        rounded = np.array(values, dtype=np.float64).astype(self._number) + self._number(0)  # + 0: a zero has no sign
        self.weights[name] = torch.from_numpy(rounded)
        return self.weights[name].double()

    def tied(self, name: str, owner: str) -> Tensor:
        """Expect a second name of a tensor."""
        self.ties[name] = owner
        self.weights[name] = self.weights[owner]
        return self.weights[name].double()

    def transposed(self, name: str, owner: str) -> Tensor:
        """Expect that a weight is the transpose of a tensor, and not in the state dict."""
        self.transposes[name] = owner
        return self.weights[owner].double().T

    def show(self, name: str, value: Tensor) -> Tensor:
        """Expect the output of a submodule."""
        self.seen.append((name, value))
        return value

    def start(self, table: Values = START) -> Tensor:
        return self.show("embedding", embed(self.stored("embedding.weight", table), self.tokens))

    def linear(
        self,
        name: str,
        x: Tensor,
        rows: Values | None = None,
        bias: Values | None = None,
        *,
        outputs: int | None = None,
        tied: str | None = None,
        transpose: str | None = None,
    ) -> Tensor:
        """weight · x + bias; a single row or number is for all outputs.

        The weight has these rows, or is that of `tied`, or the transpose of that of `transpose`.
        """
        if transpose is not None:
            weight = self.transposed(f"{name}.weight", f"{transpose}.weight")
        elif rows is None:
            weight = self.tied(f"{name}.weight", f"{tied}.weight")
        else:
            weight = self.stored(f"{name}.weight", rows)
        shift = None if bias is None else self.stored(f"{name}.bias", bias)
        return self.show(name, affine(x, weight, shift, outputs))

    def norm(
        self,
        name: str,
        x: Tensor,
        epsilon: float,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        *,
        layer: bool = False,
    ) -> Tensor:
        return self.show(name, norm(x, epsilon, weight, bias, layer=layer))

    def attend(
        self,
        name: str,
        queries: list[Tensor],
        keys: list[Tensor],
        values: list[Tensor],
        *,
        reads: Sequence[int] | None = None,
        scale: float = 1.0,
        add: Add | None = None,
        later: float = -math.inf,
        window: int | None = None,
        plus_one: bool = False,
        ties: str | None = None,
    ) -> Tensor:
        """Heads of [batch, time, coordinate] each to [batch, time, all coordinates]; head h reads keys[reads[h]].

        `later` is added to the scores of later keys; of earlier ones a query sees `window` - 1. plus_one:
        e^s / (1 + Σ e^s). `ties`: which keys with the largest score have all weight.
        """
        reads = range(len(queries)) if reads is None else reads
        self.show(f"{name}.queries", torch.stack(queries, 1))
        self.show(f"{name}.keys", torch.stack(keys, 1))
        self.show(f"{name}.values", torch.stack(values, 1))
        batch, time, _ = queries[0].shape
        scores = torch.zeros(batch, len(queries), time, time, dtype=torch.float64)
        for h, i, j in product(range(len(queries)), range(time), range(time)):
            if window is not None and i - j >= window:
                scores[:, h, i, j] = -math.inf
                continue
            scores[:, h, i, j] = scale * (queries[h][:, i] * keys[reads[h]][:, j]).sum(-1)
            scores[:, h, i, j] += (add(h, i, j) if add else 0) + (later if j > i else 0)
        self.show(f"{name}.scores", scores)
        raised = (scores if plus_one else scores - scores.amax(-1, keepdim=True)).exp()
        weights = raised / (raised.sum(-1, keepdim=True) + plus_one) if ties is None else on_largest(scores, ties)
        pattern = self.show(f"{name}.pattern", weights)
        mixed = [torch.einsum("bij,bjc->bic", pattern[:, h], values[reads[h]]) for h in range(len(queries))]
        return self.show(f"{name}.mixed", torch.cat(mixed, -1))

    def turned(self, head: Tensor, pairs: Mapping[tuple[int, int], float]) -> Tensor:
        """RoPE on one head: coordinates (a, b) as the complex number a + ib, times e^(i · position · frequency).

        The angle is a number of the dtype.
        """
        out = torch.zeros_like(head)
        for ((a, b), frequency), position in product(pairs.items(), range(head.shape[1])):
            turn = cmath.exp(1j * float(self.number(position) * self.number(frequency)))
            out[:, position, a] = head[:, position, a] * turn.real - head[:, position, b] * turn.imag
            out[:, position, b] = head[:, position, a] * turn.imag + head[:, position, b] * turn.real
        return out

    def units(self, name: str, activation: str, up: Tensor, gate: Tensor | None = None) -> Tensor:
        """activation(up), or activation(gate) · up."""
        active = self.show(f"{name}.active", activate(up if gate is None else gate, activation))
        return self.show(f"{name}.units", active if gate is None else active * up)


def on_largest(scores: Tensor, ties: str) -> Tensor:
    """[..., keys]: all weight of a query on its largest score; of several it is on all, the first or the last."""
    weights = torch.zeros_like(scores)
    for row, into in zip(scores.flatten(0, -2).tolist(), weights.view(-1, scores.shape[-1]), strict=True):
        largest = [j for j, score in enumerate(row) if score == max(row)]
        chosen = {"share": largest, "earliest": largest[:1], "latest": largest[-1:]}[ties]
        for j in chosen:
            into[j] = 1 / len(chosen)
    return weights


def split(y: Tensor, heads: int) -> list[Tensor]:
    """[batch, time, heads · coordinates] to the coordinates of each head."""
    size = y.shape[-1] // heads
    return [y[..., h * size : (h + 1) * size] for h in range(heads)]


Model = Callable[[Plain], Tensor]
MODELS: dict[str, Model] = {}


def model(name: str) -> Callable[[Model], Model]:
    """The function below is `tests/data/specs/NAME.yaml` by hand: tokens to logits, every stored number a literal."""

    def register(function: Model) -> Model:
        assert name not in MODELS, f"{name} is written twice"
        MODELS[name] = function
        return function

    return register
