"""The built module as an ordinary torch module: dtypes, state dicts, inference mode, its context, block names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import compiler
from compiler.network.causality import is_causal
from compiler.pipeline import load
from tests.helpers import SMALL_CONTEXT, SPECS, load_text, same_bits, small
from tests.parity.reference import assert_close

EVERY_SPEC = sorted(path.name for path in SPECS.glob("*.yaml"))
EMBEDDING = "embedding:\n  digit[d]: {x: d / 3, y: 0.7 - d}\n  +: {z: 1 / 7}\n"
MODEL = small(
    EMBEDDING
    + "attention:\n  heads: h\n  head_dim: 2\n  query h[c]: x + c\n  key h[c]: y / 3 - c\n  value h[0]: z + x\n"
    + "  score h: log(3) * (key_pos - query_pos)\n  rope: {frequency: 0.1}\n  output y: h[0] / 7\n"
    + "head:\n  norm: layer\n  logits digit[d]: d * x - y / 3\n"
)


def tokens(vocabulary: int, time: int) -> torch.Tensor:
    return torch.randint(vocabulary, (2, time), generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_to_changes_weights_and_tables(tmp_path: Path, dtype: str) -> None:
    other = torch.float32 if dtype == "float64" else torch.float64
    spec = load_text(tmp_path, MODEL, {"dtype": dtype})
    own, moved = compiler.build(spec), compiler.build(spec).to(other)
    batch = tokens(6, SMALL_CONTEXT)
    with torch.inference_mode():
        before, after = own(batch), moved(batch)
    assert before.dtype == getattr(torch, dtype)
    assert after.dtype == other
    assert not same_bits(before.double(), after.double())
    assert_close(after.double(), before.double(), 1e-5)
    assert {tensor.dtype for tensor in [*moved.parameters(), *moved.buffers()]} == {other}


def test_bfloat16_stores_rounded_weights(tmp_path: Path) -> None:
    model = compiler.build(load_text(tmp_path, small(EMBEDDING), {"dtype": "bfloat16"}))
    column = torch.tensor([d / 3 for d in range(4)], dtype=torch.float64).to(torch.bfloat16)
    assert same_bits(model.state_dict()["embedding.weight"][:4, 0], column)
    assert model(tokens(6, 3)).dtype == torch.bfloat16


@pytest.mark.parametrize("name", EVERY_SPEC)
def test_a_state_dict_fills_a_fresh_build(name: str) -> None:
    spec = load(SPECS / name)
    model, fresh = compiler.build(spec), compiler.build(spec)
    batch = tokens(spec.network.vocabulary.size, spec.network.context)
    with torch.no_grad():
        expected = model(batch)
        for parameter in fresh.parameters():
            parameter.fill_(0.5)
        assert not same_bits(fresh(batch), expected)
    fresh.load_state_dict(model.state_dict(), strict=True)
    assert list(fresh.state_dict()) == list(model.state_dict())
    assert all(same_bits(fresh.state_dict()[key], tensor) for key, tensor in model.state_dict().items())
    with torch.inference_mode():
        assert same_bits(fresh(batch), expected)


@pytest.mark.parametrize("name", EVERY_SPEC)
def test_one_forward_pass(name: str) -> None:
    """[batch, time] to [batch, time, classes], with and without gradients; what is causal does not see what follows."""
    spec = load(SPECS / name)
    model = compiler.build(spec)
    assert isinstance(model, nn.Module)
    batch = tokens(spec.network.vocabulary.size, spec.network.context)
    with torch.inference_mode():
        logits = model(batch)
        prefix = model(batch[:, :5])
    assert logits.is_inference()
    assert logits.shape == (2, spec.network.context, spec.network.classes.size)
    assert same_bits(model(batch).detach(), logits.clone())
    if is_causal(spec.network):
        assert_close(prefix.double(), logits[:, :5].double(), 1e-6)


@pytest.mark.parametrize("name", EVERY_SPEC)
def test_a_sequence_longer_than_the_context_is_a_clear_error(name: str) -> None:
    spec = load(SPECS / name)
    longest = spec.network.context
    assert longest == spec.layout.length
    model = compiler.build(spec)
    model(tokens(spec.network.vocabulary.size, longest))
    with pytest.raises(ValueError, match=rf"{longest + 1} tokens.*{longest}"):
        model(tokens(spec.network.vocabulary.size, longest + 1))


@pytest.mark.parametrize("block", ["layer0", "outer", "b_1", "A"])
def test_blocks_name_submodules(tmp_path: Path, block: str) -> None:
    text = small(EMBEDDING + f"ffn {block}:\n  hidden: u\n  up u: x\n  down z: u\n")
    model = compiler.build(load_text(tmp_path, text))
    assert f"{block}.ffn.up.weight" in model.state_dict()
    assert type(model.get_submodule(f"{block}.ffn.up")).__name__ == "Linear"


@pytest.mark.parametrize(
    "block", ["context", "eval", "forward", "train", "to", "embedding", "attention", "ffn", "_modules", "_step_names"]
)
def test_blocks_that_torch_could_not_hold_are_refused(tmp_path: Path, block: str) -> None:
    text = small(EMBEDDING + f"ffn {block}:\n  hidden: u\n  up u: x\n  down z: u\n")
    with pytest.raises(compiler.SpecError) as raised:
        load_text(tmp_path, text)
    assert block in str(raised.value)


def test_a_step_written_twice_with_other_spaces_is_refused(tmp_path: Path) -> None:
    one = "hidden: u\n  up u: x\n  down z: u\n"
    text = small(EMBEDDING + f"ffn a:\n  {one}ffn  a:\n  {one}")
    with pytest.raises(compiler.SpecError, match="duplicate-name"):
        load_text(tmp_path, text)
