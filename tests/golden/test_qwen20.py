"""specs/qwen20.yaml is the published model: RoPE, RMSNorm without weights, ties, float32."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import compiler
from compiler.backends.torch.decode import choose, greedy
from compiler.pipeline import Spec, load
from tests.helpers import SPECS, card, same_bits

CARD_NAMES = {
    "embedding.weight": "embed",
    "attention.query.weight": "q_proj",
    "attention.key.weight": "k_proj",
    "attention.value.weight": "v_proj",
    "attention.output.weight": "o_proj",
    "ffn.up.weight": "w1",
    "ffn.down.weight": "o_proj",
    "head.norm.weight": "final_norm",
    "head.logits.weight": "embed",
}
CARD = card("qwen20")
CASES: list[dict[str, Any]] = CARD["cases"]
PROMPT = 31
NOISE = 3e-3  # what float32 rounding does to the centred logits (card: 2.9e-3)


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load(SPECS / "qwen20.yaml")


@pytest.fixture(scope="module")
def model(spec: Spec) -> nn.Module:
    return compiler.build(spec).eval()


def test_every_tensor_is_the_cards_bit_for_bit(model: nn.Module) -> None:
    state = model.state_dict()
    assert state.keys() == CARD_NAMES.keys()
    for name, tensor in state.items():
        assert same_bits(tensor, torch.tensor(CARD["tensors"][CARD_NAMES[name]], dtype=torch.float32)), name


def test_ties_are_the_same_parameters(model: nn.Module) -> None:
    parameter = model.get_parameter
    assert parameter("head.logits.weight") is parameter("embedding.weight")
    assert parameter("ffn.down.weight") is parameter("attention.output.weight")
    assert len(list(model.parameters())) == len(set(CARD_NAMES.values())) == 7


def test_logits_agree_with_the_reference(model: nn.Module) -> None:
    tokens = torch.tensor([case["tokens"] for case in CASES])
    with torch.inference_mode():
        logits: Tensor = model(tokens[:, :-1])[:, PROMPT - 1 :]
    expected = torch.tensor([case["logits"] for case in CASES], dtype=torch.float64)
    assert logits.dtype == torch.float32
    assert logits.shape == expected.shape == (12, 11, 10)
    spread = expected.amax(-1, keepdim=True) - expected.amin(-1, keepdim=True)
    assert (spread > 1).all()
    centred = (logits.double() - logits.double().amax(-1, keepdim=True)) - (expected - expected.amax(-1, keepdim=True))
    assert (centred.abs() / spread).max().item() < 3 * NOISE
    assert torch.equal(choose(logits, "argmax"), tokens[:, PROMPT:])


def test_greedy_answers_are_the_cards(spec: Spec, model: nn.Module) -> None:
    prompts = torch.tensor([case["tokens"][:PROMPT] for case in CASES])
    with torch.inference_mode():
        answers = greedy(model, prompts, spec.layout, spec.network.decode)
    sums = [sum(digit * 10**place for place, digit in enumerate(answer)) for answer in answers.tolist()]
    assert sums == [case["greedy"] for case in CASES]


def test_the_layout_is_the_cards(spec: Spec) -> None:
    task = spec.resolved.task
    for case in CASES:
        words = task.solve((case["a"], case["b"]))
        assert spec.layout.prompt_tokens(words) + spec.layout.answer_tokens(words) == case["tokens"]


def test_free_is_the_authors_count(spec: Spec) -> None:
    counts = compiler.count(spec)
    assert counts.free == CARD["claimed_count"] == 20
    names = ["unit", "bend", "q_scale", "q_phase", "copy", "v_scale", "w_a", "w_b", "tail[0]", "tail[1]"]
    assert sorted(counts.free_names) == sorted([*names, *(f"t[{i}]" for i in range(10))])
