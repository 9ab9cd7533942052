"""Every intermediate value of a forward pass, with its names."""

from __future__ import annotations

import pytest
import torch

import compiler
from compiler.backends.torch.tracing import Activation
from compiler.expressions.axes import Axis
from compiler.network.activations import activations
from compiler.pipeline import load
from compiler.source.diagnostics import SpecError
from tests.helpers import SPECS

TINY = load(SPECS / "tiny95.yaml", {"digits": 2})
TOKENS = [11, 1, 2, 13, 3, 4, 10]  # <bos> 1 2 + 3 4 =


def values() -> dict[str, Activation]:
    return {value.name: value for value in compiler.trace(TINY, TOKENS)}


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_value_has_the_shape_that_its_names_say(path: str) -> None:
    spec = load(path)
    tokens = torch.zeros(2, 5, dtype=torch.long)
    found = compiler.trace(spec, tokens)
    assert {value.name for value in found} == set(activations(spec.network))
    for value in found:
        assert value.value.ndim == len(value.dimensions)
        for axis, size in zip(value.dimensions, value.value.shape, strict=True):
            assert size == (axis.size if isinstance(axis, Axis) else {"batch": 2, "coordinate": size}.get(axis, 5))
    logits = compiler.build(spec)(tokens)
    assert torch.equal(found[-1].value, logits)


def test_values_are_those_of_the_model() -> None:
    found = values()
    pattern = found["layer0.attention.pattern"].value
    assert list(pattern.shape) == [1, 5, 7, 7]
    assert torch.all(pattern.triu(1) == 0)
    stream = found["layer0.attention"].value + 0
    padded = torch.nn.functional.pad(stream, (0, found["layer0.ffn"].value.shape[-1] - stream.shape[-1]))
    assert torch.equal(found["layer0.ffn"].value, padded + found["layer0.ffn.down"].value)
    assert torch.equal(found["embedding"].of("digit")[0], torch.tensor([0, 10, 20, 0, 30, 40, 0.0]).double())


def test_one_named_dimension() -> None:
    found = values()
    assert found["layer0.attention.pattern"].of("count").shape == (1, 7, 7)
    assert torch.equal(found["layer0.ffn"].of("candidate[3]"), found["layer0.ffn"].value[..., 8])
    with pytest.raises(SpecError, match=r"did you mean 'candidate\[3\]'"):
        found["layer0.ffn"].of("candidat[3]")


def test_a_model_that_was_moved_and_no_hook_is_left() -> None:
    model = compiler.build(TINY).to(torch.float32)
    found = compiler.trace(TINY, torch.tensor([TOKENS, TOKENS]), model)
    assert {value.value.dtype for value in found} == {torch.float32}
    assert all(not module._forward_hooks for module in model.modules())
    with pytest.raises(ValueError, match="a sequence of 99 tokens"):
        compiler.trace(TINY, [0] * 99, model)
    assert all(not module._forward_hooks for module in model.modules())


def test_steps_that_are_run_again_appear_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    from tests.helpers import load_text, small

    text = """
embedding: {"digit[d]": {x: d}}
ffn: {hidden: u, up u: x, down x: u}
repeat again: ffn ffn
mix: ffn + again
head: {classes: 4, "logits digit[d]": d * x}
"""
    spec = load_text(tmp_path_factory.mktemp("trace"), small(text, stream="x"))
    names = [value.name for value in compiler.trace(spec, [1])]
    assert names.count("ffn.up") == 3
    assert names[-4:] == ["again.repeat", "mix", "head.logits", "head"]
    last = {value.name: value.value.flatten().tolist() for value in compiler.trace(spec, [1])}
    assert last["ffn"] == [8.0]  # doubled three times
    assert last["mix"] == [2.0 + 8.0]
