"""Names: of blocks, which become attributes of the torch module, and of equations."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from compiler.backends.torch.model import build_model
from compiler.lowering.network import TAKEN_BLOCK_NAMES
from compiler.network.ir import Attention
from compiler.pipeline import load
from compiler.source.diagnostics import SpecError
from tests.helpers import SPECS, STEPS, load_text

TINY = (SPECS / "tiny95.yaml").read_text(encoding="utf-8")


def test_every_name_that_torch_takes_is_refused() -> None:
    """A new release of torch may add names; this says which to add."""
    taken = {name for name in dir(nn.Module()) if not name.startswith("_")}
    assert taken - TAKEN_BLOCK_NAMES == set()


@pytest.mark.parametrize("name", ["type", "forward", "context", "attention"])
def test_a_taken_name_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_text(tmp_path, TINY.replace("layer1", name))
    assert {one.code for one in caught.value.diagnostics} == {"bad-name"}


def test_any_other_name_is_a_module(tmp_path: Path) -> None:
    model = build_model(load_text(tmp_path, TINY.replace("layer1", "typed")).network)
    assert model.get_submodule("typed.attention.query").weight.shape == (1, 16)


def test_the_weights_of_query_and_key_norms_are_named_apart() -> None:
    names = {}
    for name in ("qk-norm-own", "qk-norm-shared"):
        step = next(step for step in load(STEPS / f"{name}.yaml").network.steps if isinstance(step, Attention))
        norms = [norm for norm in (step.query_norm, step.key_norm) if norm is not None]
        names[name] = [equation.left for norm in norms for equation in norm.equations]
    assert names == {"qk-norm-own": ["query norm weight", "key norm weight"], "qk-norm-shared": ["norm weight"] * 2}
