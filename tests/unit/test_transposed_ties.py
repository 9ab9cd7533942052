"""Ties to a transpose, `output: query.T`: one tensor in the module, the counts, the saved file and `diff`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

import compiler
from compiler.backends.torch.saving import load_model, save_model
from compiler.backends.torch.state_dicts import load_state_dict
from compiler.pipeline import Spec, load
from compiler.readers.diffing.diffing import diff
from compiler.readers.latex.document import spec_latex
from compiler.readers.linting import lint
from compiler.readers.why.why import why
from compiler.source.diagnostics import SpecError
from tests.helpers import STEPS, load_text, same_bits, small

PATH = STEPS / "ties-transposed.yaml"
OUTPUT, QUERY = "one.attention.output.weight", "one.attention.query.weight"
STEPS_HERE = """
embedding:
  digit[d]: {x: d}
attention:
  head_dim: 2
  query head[0]: x - 2 * z
  query head[1]: 3 * y
  value head[0]: x
  output: OUTPUT
"""


def written(folder: Path, output: str, name: str = "small", definitions: str = "") -> Spec:
    return load_text(folder, small(STEPS_HERE.replace("OUTPUT", output), definitions=definitions), name=name)


def test_one_parameter_that_two_maps_read() -> None:
    spec = load(PATH)
    model, counts = compiler.build(spec), compiler.count(spec)
    assert counts.dense == sum(parameter.numel() for parameter in model.parameters())
    ties = {tensor.name: tensor.tie for group in counts.groups for tensor in group.tensors if tensor.tie}
    assert ties == {
        "one.attention.key.weight": "one.attention.query",
        OUTPUT: "one.attention.query.T",
        "one.ffn.down.inner.weight": "one.ffn.up.T",
        "one.ffn.down.weight": "one.ffn.up.inner.T",
        "two.ffn.up.weight": "embedding",
        "two.ffn.down.weight": "embedding.T",
        "two.attention.query.weight": "one.attention.query",
        "two.attention.output.weight": "one.attention.query.T",
        "head.logits.weight": "embedding",
    }
    output, query = model.get_submodule("one.attention.output"), model.get_parameter(QUERY)
    assert OUTPUT not in model.state_dict()
    with torch.no_grad():
        query[0, 2] = 7.0  # training one trains the other
    assert isinstance(output.weight, torch.Tensor)
    assert output.weight[2, 0] == 7.0


def test_the_saved_file_stores_it_once_and_says_so(tmp_path: Path) -> None:
    spec = load(PATH)
    model = compiler.build(spec)
    path = tmp_path / "model.safetensors"
    save_model(spec, model, path)
    with safe_open(path, "pt") as file:
        assert sorted(file.keys()) == sorted(name for name, _ in model.named_parameters())
        ties = json.loads(file.metadata()["ties"])
    assert ties[OUTPUT] == f"{QUERY}.T"
    assert ties["one.attention.key.weight"] == QUERY
    tokens = torch.arange(spec.network.vocabulary.size)[None]
    with torch.inference_mode():
        assert same_bits(load_model(path)(tokens), model(tokens))
    assert diff(load(path), spec).empty


def test_a_state_dict_with_and_without_the_tied_tensor_is_the_spec(tmp_path: Path) -> None:
    """Another program stores both, or one; a number that differs is found under its name."""
    spec = load(PATH)
    state = dict(compiler.build(spec).state_dict())
    both = {**state, OUTPUT: state[QUERY].T.contiguous()}
    off = {**both, OUTPUT: both[OUTPUT] + torch.eye(3, 2, dtype=torch.float64)}
    found = []
    for name, tensors in (("one", state), ("both", both), ("off", off)):
        torch.save(tensors, tmp_path / f"{name}.pt")
        found.append(diff(spec, load_state_dict(tmp_path / f"{name}.pt")))
    assert [difference.empty for difference in found] == [True, True, False]
    (change,) = found[2].tensors
    assert change.names == (OUTPUT, OUTPUT)


def test_specs_that_tie_and_that_write_the_same_numbers(tmp_path: Path) -> None:
    tied = written(tmp_path, "query.T", "tied")
    apart = written(tmp_path, '"[[1, 0], [0, 3], [-2, 0]]"', "apart")
    other = written(tmp_path, '"[[1, 0], [0, 3], [-2, 1]]"', "other")
    assert diff(tied, written(tmp_path, "attention.query.T", "again")).alike is not None
    assert [(tie.tensor, tie.before, tie.after) for tie in diff(tied, apart).ties] == [
        ("attention.output.weight", "attention.query.weight.T", None)
    ]
    assert diff(tied, apart).alike == ("apart from ties",)
    assert diff(tied, other).alike is None


def test_square_maps_that_are_tied_both_ways_differ(tmp_path: Path) -> None:
    definitions = "parameters: {S: [[1, 2, 0], [2, 0, 1], [0, 1, 3]]}"
    steps = "embedding: {'digit[d]': {x: d}}\nattention: {head_dim: 3, query: S, key: KEY}"
    first, second = (
        load_text(tmp_path, small(steps.replace("KEY", key), definitions=definitions), name=f"k{i}")
        for i, key in enumerate(("query", "query.T"))
    )
    difference = diff(first, second)  # of a symmetric matrix the numbers are the same, the tie is another one
    assert difference.alike == ("apart from ties",)
    assert [(tie.before, tie.after) for tie in difference.ties] == [
        ("attention.query.weight", "attention.query.weight.T")
    ]


def test_a_parameter_and_its_transpose_stay_two_tensors(tmp_path: Path) -> None:
    definitions = "parameters: {P: [[1, 2, 3], [4, 5, 6]]}"
    steps = "embedding: {'digit[d]': {x: d}}\nattention: {head_dim: 2, query: P, output: OUTPUT}"
    dense = [
        compiler.count(load_text(tmp_path, small(steps.replace("OUTPUT", output), definitions=definitions))).dense
        for output in ("P.T", "query.T")
    ]
    assert dense[0] - dense[1] == 6


def test_what_is_behind_a_number_of_the_transpose() -> None:
    found = why(load(PATH), f"{OUTPUT}[y, 'head[0]']")
    assert (found.value, str(found.equation)) == (-0.1, "query head[0]: x - 0.1 * y")
    assert (found.place.tensor.name, found.place.owner_labels) == (QUERY, ("head[0]", "y"))
    assert str(found.tie) == "output: query.T"


def test_latex_says_that_it_is_transposed() -> None:
    assert r"\mathrm{query}^{\top} \quad \text{(the same weights, transposed)}" in spec_latex(load(PATH))


def test_lint_knows_that_the_transpose_is_read(tmp_path: Path) -> None:
    """No key is written, so that the numbers of `query` matter through the output alone."""
    head = "head:\n  classes: 4\n  logits digit[d]: d * x - d ** 2 * y + d ** 3 * z"

    def dead(output: str) -> list[str]:
        text = STEPS_HERE.replace("OUTPUT", output).replace("value head[0]: x", "value head[c]: x") + head
        return [one.message for one in lint(load_text(tmp_path, small(text))) if one.code == "dead-weight"]

    assert dead("query.T") == []
    assert len(dead('"[[1, 0], [0, 3], [-2, 0]]"')) == 2  # the queries of both coordinates


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("value.T", None),
        ("attention.quary.T", "no map 'attention.quary' before this one; did you mean 'attention.query'?"),
        ("query", "'attention.query' has the shape [2, 3], but 'attention.output' needs [3, 2]"),
        ("embedding.T", "'embedding.T' has the shape [3, 6], but 'attention.output' needs [3, 2]"),
        ("2 * query.T", "'query' names a stored weight, which no formula can read"),
        ("attention.query.T / 2", "'attention.query' names a stored weight, which no formula can read"),
        ("embedding.T @ embedding", "'embedding' names a stored weight, which no formula can read"),
        ("query.T.T", "no map 'query.T' before this one"),
        ("output.T", "no name 'output' here"),
    ],
)
def test_what_can_be_named(tmp_path: Path, output: str, message: str | None) -> None:
    if message is None:
        assert written(tmp_path, output)
        return
    with pytest.raises(SpecError) as raised:
        written(tmp_path, output)
    (error,) = [one for one in raised.value.diagnostics if one.severity == "error"]
    assert error.message.startswith(message)
    refused = message.split("'")[1]
    assert f"'{refused}'?" not in error.message  # never what was just refused


def test_a_broadcast_row_and_a_vector_have_no_transpose(tmp_path: Path) -> None:
    steps = "embedding: {'digit[d]': {x: d}}\n"
    row = steps + "attention: {head_dim: 2, query: x, output: query.T}"
    norm = steps + "norm: {rms: 1, weight: [1, 2, 3]}\nattention: {norm: {rms: 1, weight: norm.T}}"
    for text, message in (
        (row, "'attention.query' is one row that is broadcast, which has no transpose"),
        (norm, "'norm' is a vector, which has no transpose"),
    ):
        with pytest.raises(SpecError) as raised:
            load_text(tmp_path, small(text))
        assert message in [one.message for one in raised.value.diagnostics]
