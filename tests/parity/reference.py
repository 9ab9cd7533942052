"""The mathematics of every step in plain Python and einsum, written without looking at the torch backend.

Everything is computed in float64 and explicitly: one loop for each index. `[B, T, D]` is batch, time, dimension.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

import compiler
from tests.helpers import activations, load_text, same_bits

State = Mapping[str, Tensor]
Values = dict[str, Tensor]
Score = Callable[[int, int, int], float]  # head, query position, key position
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}


def check(
    folder: Path, text: str, state: Mapping[str, object], reference: Callable[[State, Tensor], Values], dtype: str
) -> None:
    """Build a spec; its weights have to be `state` bit for bit, and every submodule has to return what `reference`
    computes from the weights and tokens, to rounding. `reference` has to cover every submodule that computes."""
    model = compiler.build(load_text(folder, text, {"dtype": dtype})).eval()
    target = getattr(torch, dtype)
    found = model.state_dict()
    expected = {name: torch.tensor(values, dtype=torch.float64).to(target) for name, values in state.items()}
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert same_bits(found[name], tensor), f"{name}: {found[name]} instead of {tensor}"
    vocabulary = expected["embedding.weight"].shape[0]
    tokens = torch.randint(vocabulary, (3, 8), generator=torch.Generator().manual_seed(1))
    values = activations(model, tokens)
    by_hand = reference({name: tensor.double() for name, tensor in expected.items()}, tokens)
    idle = (torch.nn.Identity, torch.nn.Module)  # no norm, and the containers of blocks
    computing = {name for name, module in model.named_modules() if type(module) not in idle}
    assert sorted(by_hand) == sorted(computing - {""})
    for name, value in [*by_hand.items(), ("", list(by_hand.values())[-1])]:
        assert values[name].dtype == target, name
        assert_close(values[name], value, TOLERANCE[dtype], name)


def assert_close(found: Tensor, expected: Tensor, tolerance: float, name: str = "") -> None:
    """Equal to within `tolerance` of the largest number, which has to say something."""
    assert found.shape == expected.shape, name
    largest = expected.abs().max().item()
    assert expected.isfinite().all(), name
    worst = (found.double() - expected).abs().max().item()
    assert worst <= tolerance * max(largest, 1e-3), f"{name}: off by {worst}, largest {largest}"


def embed(table: Tensor, tokens: Tensor) -> Tensor:
    return torch.stack([torch.stack([table[token] for token in row]) for row in tokens])


def affine(x: Tensor, weight: Tensor, bias: Tensor | None = None, outputs: int | None = None) -> Tensor:
    """weight · x + bias; a single row or bias stands for all `outputs`."""
    outputs = outputs or weight.shape[0]
    full = torch.stack([weight[o if weight.shape[0] > 1 else 0] for o in range(outputs)])
    y = torch.einsum("oi,bti->bto", full, x)
    if bias is None:
        return y
    return y + torch.stack([bias[o if bias.shape[0] > 1 else 0] for o in range(outputs)])


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    heads: int,
    scale: float,
    score: Score | None = None,
    plus_one: bool = False,
    causal: bool = True,
) -> Tensor:
    """[B, T, H · C] each: for each head and query the average of the values, weighed by e^s, s = scale · q · k + score.
    plus_one: divided by 1 + Σ e^s."""
    batch, time, width = query.shape
    size = width // heads
    q, k, v = query.tolist(), key.tolist(), value.tolist()
    out = torch.zeros(batch, time, width, dtype=torch.float64)
    for b in range(batch):
        for h in range(heads):
            columns = range(h * size, (h + 1) * size)
            for i in range(time):
                seen = range(i + 1) if causal else range(time)
                scores = [
                    scale * sum(q[b][i][c] * k[b][j][c] for c in columns) + (score(h, i, j) if score else 0.0)
                    for j in seen
                ]
                top = 0.0 if plus_one else max(scores)
                weights = [math.exp(s - top) for s in scores]
                total = sum(weights) + plus_one
                for c in columns:
                    out[b, i, c] = sum(w / total * v[b][j][c] for w, j in zip(weights, seen, strict=True))
    return out


def rotate(x: Tensor, *, heads: int, frequencies: list[float], halves: bool = False) -> Tensor:
    """RoPE: pair p of a head, as a complex number, times e^(i · position · frequency p)."""
    size = x.shape[-1] // heads
    out = torch.zeros_like(x, dtype=torch.float64)
    for b in range(x.shape[0]):
        for position in range(x.shape[1]):
            for h in range(heads):
                for p, frequency in enumerate(frequencies):
                    first = h * size + (p if halves else 2 * p)
                    second = first + (size // 2 if halves else 1)
                    turned = complex(x[b, position, first], x[b, position, second]) * cmath.exp(
                        1j * position * frequency
                    )
                    out[b, position, first], out[b, position, second] = turned.real, turned.imag
    return out


def norm(
    x: Tensor, epsilon: float, weight: Tensor | None = None, bias: Tensor | None = None, *, layer: bool = False
) -> Tensor:
    """Each vector divided by the root of its mean square plus epsilon; `layer` subtracts the mean first."""
    rows = []
    for vector in x.flatten(0, -2).tolist():
        mean = sum(vector) / len(vector) if layer else 0.0
        centred = [number - mean for number in vector]
        root = math.sqrt(sum(number**2 for number in centred) / len(centred) + epsilon)
        rows.append([number / root for number in centred])
    y = torch.tensor(rows, dtype=torch.float64).reshape(x.shape)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def activate(x: Tensor, name: str) -> Tensor:
    functions: dict[str, Callable[[float], float]] = {
        "relu": lambda u: u if u > 0 else 0.0,
        "silu": lambda u: u / (1 + math.exp(-u)),
        "gelu": lambda u: u * (1 + math.erf(u / math.sqrt(2))) / 2,
        "gelu_tanh": lambda u: u / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u**3))),
        "tanh": math.tanh,
        "sigmoid": lambda u: 1 / (1 + math.exp(-u)),
        "square": lambda u: u**2,
        "identity": lambda u: u,
    }
    return torch.tensor([functions[name](u) for u in x.flatten().tolist()], dtype=torch.float64).reshape(x.shape)


def resized(x: Tensor, size: int) -> Tensor:
    """The stream padded with zeros, or cut, by position."""
    out = torch.zeros(*x.shape[:-1], size, dtype=torch.float64)
    for d in range(min(size, x.shape[-1])):
        out[..., d] = x[..., d]
    return out
