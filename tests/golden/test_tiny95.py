"""specs/tiny95.yaml is the published model, bit for bit and defects included."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import compiler
from compiler.backends.torch.decode import choose
from compiler.pipeline import Spec, load
from tests.helpers import SPECS, card, same_bits

PATH = SPECS / "tiny95.yaml"
CARD_NAMES = {
    "embedding.weight": "embedding",
    "layer0.attention.query.weight": "q_proj.0.weight",
    "layer0.attention.query.bias": "q_proj.0.bias",
    "layer0.attention.key.weight": "k_proj.0.weight",
    "layer0.attention.key.bias": "k_proj.0.bias",
    "layer0.attention.value.weight": "v_proj.0.weight",
    "layer0.attention.value.bias": "v_proj.0.bias",
    "layer0.ffn.gate.weight": "gate.0.weight",
    "layer0.ffn.gate.bias": "gate.0.bias",
    "layer0.ffn.up.weight": "up.0.weight",
    "layer0.ffn.up.bias": "up.0.bias",
    "layer0.ffn.down.weight": "down.0.weight",
    "layer1.attention.query.weight": "q_proj.1.weight",
    "layer1.attention.query.bias": "q_proj.1.bias",
    "layer1.attention.key.weight": "k_proj.1.weight",
    "layer1.attention.key.bias": "k_proj.1.bias",
    "layer1.attention.value.weight": "v_proj.1.weight",
    "layer1.attention.value.bias": "v_proj.1.bias",
    "layer1.ffn.gate.weight": "gate.1.weight",
    "layer1.ffn.gate.bias": "gate.1.bias",
    "layer1.ffn.up.weight": "up.1.weight",
    "layer1.ffn.up.bias": "up.1.bias",
    "layer1.ffn.down.weight": "down.1.weight",
}
CARD = card("tiny95")
CASES: list[dict[str, Any]] = CARD["cases"]
WRONG = [case for case in CASES if case["predicted"] != case["correct"]]
FIRST, LAST = 22, 32  # positions that predict the eleven digits of the sum


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load(PATH)


@pytest.fixture(scope="module")
def model(spec: Spec) -> nn.Module:
    return compiler.build(spec).eval()


def tokens_of(case: dict[str, Any]) -> list[int]:
    """Prompt and correct answer in the card's vocabulary, without the final <eos>, which is never read."""
    ids = {token: i for i, token in enumerate(CARD["vocabulary"])}
    text = ["<bos>", *f"{case['a']:010d}", "+", *f"{case['b']:010d}", "=", *case["correct"]]
    return [ids[token] for token in text]


def final_rows(model: nn.Module, cases: list[dict[str, Any]]) -> Tensor:
    """The ten-wide final stream at the predicting positions: [cases, 11, 10]."""
    with torch.inference_mode():
        logits: Tensor = model(torch.tensor([tokens_of(case) for case in cases]))
    return logits[:, FIRST : LAST + 1]


def test_vocabulary_and_context_are_the_cards(spec: Spec) -> None:
    assert list(spec.network.vocabulary.labels) == [f"digit[{i}]" for i in range(10)] + CARD["vocabulary"][10:]
    assert spec.network.context == 35  # the whole of prompt and answer, <eos> included


def test_state_dict_has_the_cards_shapes(model: nn.Module) -> None:
    shapes = {CARD_NAMES[name]: list(tensor.shape) for name, tensor in model.state_dict().items()}
    assert shapes == CARD["torch_shapes"]
    assert sum(tensor.numel() for tensor in model.state_dict().values()) == CARD["dense_total"] == 1376


def test_every_weight_is_the_cards_bit_for_bit(model: nn.Module) -> None:
    seen = 0
    for name, tensor in model.state_dict().items():
        expected = torch.zeros(CARD["torch_shapes"][CARD_NAMES[name]], dtype=torch.float64)
        for index, value in CARD["nonzero"][CARD_NAMES[name]]:
            expected[tuple(index)] = value
            seen += 1
        assert same_bits(tensor, expected), name
    assert seen == 95
    assert sum(int(tensor.count_nonzero()) for tensor in model.state_dict().values()) == 95


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['a']}+{case['b']}")
def test_one_pair_alone_predicts_what_the_card_says(model: nn.Module, case: dict[str, Any]) -> None:
    rows = final_rows(model, [case])
    assert "".join(map(str, choose(rows, "argmin")[0].tolist())) == case["predicted"]
    assert_rows_agree(rows[0], case)


def test_a_batch_predicts_what_the_card_says(model: nn.Module) -> None:
    rows = final_rows(model, CASES)
    predicted = ["".join(map(str, digits)) for digits in choose(rows, "argmin").tolist()]
    assert predicted == [case["predicted"] for case in CASES]
    for own, case in zip(rows, CASES, strict=True):
        assert_rows_agree(own, case)


def test_the_card_has_two_wrong_answers() -> None:
    assert [(case["a"], case["b"]) for case in WRONG] == [(5193798811, 1806201129), (193798830, 1606201129)]


def assert_rows_agree(rows: Tensor, case: dict[str, Any]) -> None:
    """Within 1e-5 of the row's range, after subtracting the row's minimum."""
    expected = torch.tensor(case["h"], dtype=torch.float64)
    assert rows.shape == expected.shape
    spread = expected.amax(-1, keepdim=True) - expected.amin(-1, keepdim=True)
    centred = rows - rows.amin(-1, keepdim=True) - (expected - expected.amin(-1, keepdim=True))
    assert (centred.abs() / spread).max().item() < 1e-5


def test_the_spec_is_short() -> None:
    assert len(PATH.read_text(encoding="utf-8").splitlines()) <= 80


def test_exact_changes_only_v_scale(spec: Spec) -> None:
    difference = compiler.diff(spec, load(SPECS / "tiny95-exact.yaml"))
    assert {(change.section, change.path.split(" / ")[0]) for change in difference.texts} == {
        ("spec", "name"),
        ("spec", "summary"),
        ("spec", "expect"),
        ("parameter", "v_scale"),
    }
    assert difference.shapes == ()
    assert difference.counts == ()
    (group,) = difference.groups
    assert (group.causes, group.ratio, len(group.entries)) == (("v_scale",), 1e4, 20)
    assert {entry.tensor for entry in group.entries} == {"layer1.ffn.gate.weight"}
    assert {abs(entry.after or 0) for entry in group.entries} == {1e8}


@pytest.mark.parametrize("case", WRONG, ids=lambda case: f"{case['a']}+{case['b']}")
def test_exact_answers_the_wrong_pairs_right(case: dict[str, Any]) -> None:
    rows = final_rows(compiler.build(load(SPECS / "tiny95-exact.yaml")), [case])
    assert "".join(map(str, choose(rows, "argmin")[0].tolist())) == case["correct"]


@pytest.mark.parametrize("digits", [4, 6, 8])
def test_other_lengths_add_right(digits: int) -> None:
    result = compiler.evaluate(load(PATH, {"digits": digits}), ["uniform"], pairs=500)
    assert (result.right, result.pairs) == (500, 500)
    assert [part.label for part in result.suites[0].parts] == [f"{n} digits" for n in range(digits - 2, digits + 1)]


def test_base_5_builds_and_gives_a_result() -> None:
    variant = load(PATH, {"base": 5})
    assert variant.network.vocabulary.size == 5 + 4
    assert compiler.build(variant).state_dict()["layer1.ffn.down.weight"].shape == (5, 10)
    result = compiler.evaluate(variant, ["uniform"], pairs=500)
    assert result.pairs == 500
    assert 0 <= result.right <= 500


def test_another_alibi_base_collapses() -> None:
    result = compiler.evaluate(load(PATH, {"alibi_base": 9}), ["uniform"], pairs=500)
    assert result.pairs == 500
    assert result.right < 50
    assert all(failure.got != failure.expected for part in result.suites[0].parts for failure in part.failures)
