"""`embedding: A @ B`: what is stored, what each rule counts, and what else reads the factors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import compiler
from compiler.network.ir import Embedding
from compiler.pipeline import Spec, load
from compiler.readers.counting.counts import Counts
from tests.helpers import STEPS, load_text, same_bits, small


def lowered(folder: Path, embedding: str, more: str = "", definitions: str = "", stream: str = "x y z") -> Spec:
    """A spec of six tokens."""
    return load_text(folder, small(f"embedding: '{embedding}'\n{more}", definitions=definitions, stream=stream))


def distinct(counts: Counts) -> dict[str, int]:
    return {group.name: group.distinct for group in counts.groups}


SIX = "[[1, 0], [1, 1], [1, 2], [1, 2], [1, 2], [1, 2]]"


@pytest.mark.parametrize(
    ("factor", "numbers"),
    [
        ("[[5, 0, 5], [0, 7, 0]]", 2),  # a map: different numbers
        ("[[1, 0, 0], [0, 0, 1]]", 0),  # each of its sources is read once: it only copies
        ("[[0, 1, 0], [0, 1, 0]]", 0),
        ("[[1, 0, 1], [0, 1, 0]]", 1),  # the first source is read twice
    ],
)
def test_distinct_counts_entries_of_tokens_and_numbers_of_other_factors(
    tmp_path: Path, factor: str, numbers: int
) -> None:
    counts = compiler.count(lowered(tmp_path, f"{SIX} @ {factor}"))
    assert distinct(counts) == {"embedding": 11, "embedding.inner": numbers}
    assert counts.dense == 12 + 6


def test_times_one_stores_the_product(tmp_path: Path) -> None:
    model = compiler.build(lowered(tmp_path, f"1 * ({SIX} @ [[5, 0, 5], [0, 7, 0]])"))
    state = model.state_dict()
    assert list(state) == ["embedding.weight"]
    assert state["embedding.weight"].tolist() == [[5, 0, 5], [5, 7, 5], *[[5, 14, 5]] * 4]


def test_a_factor_that_is_a_parameter_stands_for_one_tensor(tmp_path: Path) -> None:
    matrix = "parameters:\n  P: [[0, 1, 0, 0, 0, 0], [2, 0, 0, 0, 0, 0], [0, 0, 3, 0, 0, 0],"
    matrix += " [0, 0, 0, 4, 0, 0], [0, 0, 0, 0, 5, 0], [0, 0, 0, 0, 0, 6]]"
    spec = lowered(tmp_path, "P @ P", "head:\n  logits: embedding\n", matrix, "u v w x y z")
    model = compiler.build(spec)
    assert len(list(model.parameters())) == 1
    assert model.state_dict().keys() == {
        "embedding.weight",
        "embedding.inner.weight",
        "head.logits.weight",
        "head.logits.inner.weight",
    }
    counts = compiler.count(spec)
    assert (counts.dense, counts.dense_untied, counts.free) == (36, 4 * 36, 36)
    tokens = torch.arange(6)[None]
    square = model.get_parameter("embedding.weight").detach() @ model.get_parameter("embedding.weight").detach()
    with torch.inference_mode():
        assert torch.equal(model.get_submodule("embedding")(tokens)[0], square)
        assert torch.equal(model(tokens)[0], square @ square.T)


def test_a_head_of_fewer_classes_cannot_be_the_whole_table(tmp_path: Path) -> None:
    with pytest.raises(compiler.SpecError) as raised:
        lowered(tmp_path, f"{SIX} @ [[5, 0, 5], [0, 7, 0]]", "head:\n  classes: 4\n  logits: embedding\n")
    (found,) = raised.value.diagnostics
    assert found.code == "shape"
    assert "'embedding' has the shape [6, 3], but 'head.logits' needs [4, 3]" in found.message


def test_a_factor_of_zeros_is_suspicious(tmp_path: Path) -> None:
    spec = lowered(tmp_path, f"{SIX} @ [[0, 0, 0], [0, 0, 0]]")
    assert "vanishing-equation" in {warning.code for warning in spec.warnings}


def test_every_value_on_the_way_is_seen(tmp_path: Path) -> None:
    spec = load(STEPS / "embedding-low-rank.yaml")
    values = {value.name: value for value in compiler.trace(spec, [1, 3])}
    assert values["embedding.rows"].value.tolist() == [[[1, 1], [-0.7, 1 / 3]]]
    assert [list(values[name].value.shape) for name in ("embedding.inner", "embedding")] == [[1, 2, 2], [1, 2, 3]]
    assert same_bits(values["embedding.inner.inner"].value, values["embedding"].value)
    assert torch.equal(values["embedding"].of("y"), values["embedding"].value[..., 1])


def test_saved_compared_and_shown(tmp_path: Path) -> None:
    spec = load(STEPS / "embedding-low-rank.yaml")
    model = compiler.build(spec)
    compiler.save_model(spec, model, tmp_path / "m.safetensors")
    again = compiler.load_model(tmp_path / "m.safetensors")
    assert list(again.state_dict()) == list(model.state_dict())
    assert again.get_parameter("head.logits.inner.weight") is again.get_parameter("embedding.inner.weight")
    assert compiler.diff(spec, compiler.load(tmp_path / "m.safetensors")).empty
    other = load(STEPS / "embedding-low-rank.yaml", {"B[1][0]": 1})
    (group,) = compiler.diff(spec, other).groups
    (change,) = group.entries
    assert (group.causes, change.tensor, change.label) == (("B",), "embedding.inner.weight", "rank[1], rank[0]")
    step = spec.network.step("embedding")
    assert isinstance(step, Embedding)
    assert [factor.weight.shape for factor in step.factors] == [(2, 2), (2, 3)]
