"""The facts of published models in `tests/data/gallery`, and what of a built model they are compared with.

A file holds what one card says: claimed count, dtype, noise, reference pairs with tokens (prompt and right answer),
logits `[pair, answer token, class]` and decoded sums, and dense tensors. `names` says where a card's tensor lies in
our model, or in which places, with spaces between them; `ulps` how many units in the last place a tensor is off, where
a formula cannot give the same bits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from compiler.torch_backend.linear import DTYPES
from tests.helpers import DATA, SPECS

CARDS = sorted(path.stem for path in (DATA / "gallery").glob("*.json"))
FOLDER = SPECS / "gallery"


@dataclass(frozen=True)
class Card:
    """`noise` is how far the card's own reimplementation is off, on rows without their maximum over their range."""

    id: str
    claimed: int
    dtype: torch.dtype
    noise: float
    pairs: list[list[int]]
    tokens: list[list[int]]
    greedy: list[int]
    known_errors: list[list[int]] | None
    names: dict[str, str]
    ulps: dict[str, int]
    tensors: dict[str, Any]
    logits: list[list[list[float]]]

    def tensor(self, name: str) -> Tensor:
        return torch.tensor(self.tensors[name], dtype=self.dtype)


def read_card(ident: str) -> Card:
    found = json.loads((DATA / "gallery" / f"{ident}.json").read_text(encoding="utf-8"))
    assert found.pop("id") == ident
    assert found.pop("noise_from")
    return Card(id=ident, dtype=DTYPES[found.pop("dtype")], **found)


def dense(model: nn.Module, name: str, shape: torch.Size) -> Tensor:
    """A state-dict tensor as other frameworks store it: low rank multiplied out, broadcast rows repeated.

    A factor of a product is itself where that has the shape asked for. Products are computed in double and rounded
    once, which is the same on every machine.
    """
    weight = model.get_parameter(name).detach()
    if weight.shape == shape:
        return weight
    owner = model.get_submodule(name.rpartition(".")[0])
    inner = getattr(owner, "inner", None)
    if isinstance(inner, nn.Module) and name.endswith(".weight"):
        right = dense(model, f"{name.removesuffix('weight')}inner.weight", torch.Size((weight.shape[1], -1)))
        weight = (weight.double() @ right.double()).to(weight.dtype)
    return weight if -1 in shape else weight.expand(shape)


def ulps_apart(ours: Tensor, theirs: Tensor) -> int:
    """The largest distance of two numbers in units in the last place; zeros are equal whatever their sign."""
    integer = torch.int32 if ours.dtype == torch.float32 else torch.int64

    def ordered(tensor: Tensor) -> Tensor:
        bits = (tensor + 0.0).contiguous().view(integer).to(torch.int64)
        smallest = torch.iinfo(integer).min
        return torch.where(bits < 0, smallest - bits, bits)

    return int((ordered(ours) - ordered(theirs)).abs().max())
