"""The facts of published models in `tests/data/gallery`, and what of a built model they are compared with.

A file holds what one card says: claimed count, dtype, noise, reference pairs with tokens (prompt and right answer),
logits `[pair, answer token, class]` and decoded sums, and dense tensors. `names` says where a card's tensor lies in
our model, or in which places, with spaces between them, and `NAME.T` where it lies there transposed; `ulps` how many
units in the last place a tensor is off, where a formula cannot give the same bits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from compiler.backends.torch.attention import Attention
from tests.helpers import DATA, DTYPES, SPECS

CARDS = sorted(path.stem for path in (DATA / "gallery").glob("*.json"))
FOLDER = SPECS / "gallery"
TRANSPOSED = ".T"


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

    def places(self, name: str) -> list[str]:
        return self.names[name].split()


def read_card(ident: str) -> Card:
    found = json.loads((DATA / "gallery" / f"{ident}.json").read_text(encoding="utf-8"))
    assert found.pop("id") == ident
    assert found.pop("noise_from")
    return Card(id=ident, dtype=DTYPES[found.pop("dtype")], **found)


def stored(model: nn.Module, place: str) -> nn.Parameter | None:
    """The parameter at a place; none for an attention's output without a projection, which stores nothing."""
    name = place.removesuffix(TRANSPOSED)
    step, output, _ = name.partition(".output.")
    attention = model.get_submodule(step) if output else None
    bare = isinstance(attention, Attention) and attention.output is None
    return None if bare else model.get_parameter(name)


def dense(model: nn.Module, place: str, shape: torch.Size) -> Tensor:
    """A tensor as other frameworks store it: low rank multiplied out, broadcast rows repeated.

    A factor of a product is itself where it, and not the product, has the shape asked for. Products are computed in
    double and rounded once, which is the same on every machine. Where heads are added to the stream without a
    projection, one to each dimension or one to all, that is a matrix too. A single number may have no dimensions.
    """
    if place.endswith(TRANSPOSED):
        return dense(model, place.removesuffix(TRANSPOSED), shape[::-1]).T
    parameter = stored(model, place)
    if parameter is None:
        return torch.eye(shape[1], dtype=next(model.parameters()).dtype).expand(shape)
    weight = parameter.detach()
    owner = model.get_submodule(place.rpartition(".")[0])
    inner = getattr(owner, "inner", None)
    if isinstance(inner, nn.Module) and place.endswith(".weight"):
        right = dense(model, f"{place.removesuffix('weight')}inner.weight", torch.Size((weight.shape[1], -1)))
        product = (weight.double() @ right.double()).to(weight.dtype)
        weight = product if -1 in shape or product.shape == shape else weight
    if not shape:
        return weight.reshape(shape)
    return weight if -1 in shape else weight.expand(shape)


def ulps_apart(ours: Tensor, theirs: Tensor) -> int:
    """The largest distance of two numbers in units in the last place; zeros are equal whatever their sign."""
    integer = torch.int32 if ours.dtype == torch.float32 else torch.int64

    def ordered(tensor: Tensor) -> Tensor:
        bits = (tensor + 0.0).contiguous().view(integer).to(torch.int64)
        smallest = torch.iinfo(integer).min
        return torch.where(bits < 0, smallest - bits, bits)

    return int((ordered(ours) - ordered(theirs)).abs().max())
