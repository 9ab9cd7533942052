"""Every spec of `tests/data/specs` against the same model written by hand: what is stored, bit for bit, and every value
on the way from tokens to logits, to rounding."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import pytest
import torch
from torch import Tensor, nn

import compiler
from compiler.network.ir import Network
from compiler.network.storage import stored, tensors
from compiler.pipeline import load
from tests.helpers import STEPS, same_bits
from tests.parity.by_hand import MODELS, Plain

ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24}
UNITS = 32  # of roundoff, times the largest number so far: seven are seen


@pytest.mark.parametrize("dtype", ROUNDOFF)
@pytest.mark.parametrize("name", MODELS)
def test_a_spec_is_the_model_written_by_hand(name: str, dtype: str) -> None:
    spec = load(STEPS / f"{name}.yaml", {"dtype": dtype}, strict=True)
    model = compiler.build(spec)
    vocabulary, context = spec.network.vocabulary.size, spec.network.context
    generator = torch.Generator().manual_seed(crc32(name.encode()))
    for time in (1, 4, context):
        tokens = torch.randint(vocabulary, (3, time), generator=generator)
        by_hand = Plain(dtype, tokens)
        logits = MODELS[name](by_hand)
        check_stored(model, by_hand)
        check_listed(spec.network, by_hand)
        check_values(recorded(model, tokens), [*by_hand.seen, ("", logits)], dtype)


def check_stored(model: nn.Module, by_hand: Plain) -> None:
    """The same names, the same bits, and one parameter where the names are tied."""
    found = model.state_dict()
    assert sorted(found) == sorted(by_hand.weights)
    for name, expected in by_hand.weights.items():
        assert same_bits(found[name], expected), f"{name}: {found[name]} instead of {expected}"
    owners = {name: by_hand.ties.get(name, name) for name in by_hand.weights}
    for name, owner in owners.items():
        others = {other for other in owners if model.get_parameter(other) is model.get_parameter(name)}
        assert others == {other for other in owners if owners[other] == owner}, name


def check_listed(network: Network, by_hand: Plain) -> None:
    """What counting and diffing are told is stored, is: every tensor once, and what is tied to what."""
    listed = tensors(network)
    own = {name: tuple(weight.shape) for name, weight in by_hand.weights.items() if name not in by_hand.ties}
    assert {name: tensor.shape for name, tensor in listed.items()} == own
    groups = list(stored(network))
    assert {name for group in groups for name, _ in group.named} == {*by_hand.weights, *by_hand.transposes}
    ties = {f"{group.name}.weight": f"{group.weight_tie}.weight" for group in groups if group.weight_tie is not None}
    assert ties == by_hand.ties | by_hand.transposes
    turned = {name for group in groups for name, tensor in group.named if tensor.transposed}
    assert turned == by_hand.transposes.keys()


def check_values(found: dict[str, list[Tensor]], expected: list[tuple[str, Tensor]], dtype: str) -> None:
    """The same values of the same submodules, run as often and in each case in the same order."""
    runs = {name: [value for other, value in expected if other == name] for name, _ in expected}
    assert {name: len(values) for name, values in found.items()} == {name: len(runs[name]) for name in runs}
    largest = 0.0
    for name, value in expected:
        result = found[name].pop(0)
        assert result.shape == value.shape, name
        assert result.dtype == getattr(torch, dtype), name
        finite = value.isfinite()
        assert torch.equal(result[~finite].double(), value[~finite]), name
        largest = max(largest, value[finite].abs().max().item())
        worst = (result[finite].double() - value[finite]).abs().max().item()
        allowed = UNITS * ROUNDOFF[dtype] * largest
        assert worst <= allowed, f"{name}: off by {worst}, which is more than {allowed}"


def recorded(model: nn.Module, tokens: Tensor) -> dict[str, list[Tensor]]:
    """What every submodule returned, each time it was run; the whole model is ''. Absent norms are left out."""
    found: dict[str, list[Tensor]] = {}

    def keep(name: str) -> Any:
        return lambda _module, _inputs, output: found.setdefault(name, []).append(output)

    computing = [
        (name, module)
        for name, module in model.named_modules()
        if not (isinstance(module, nn.Identity) and name.endswith("norm"))
    ]
    handles = [module.register_forward_hook(keep(name)) for name, module in computing]
    try:
        with torch.inference_mode():
            model(tokens)
    finally:
        for handle in handles:
            handle.remove()
    return found
