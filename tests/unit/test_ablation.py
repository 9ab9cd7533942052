"""Ablation against a model that the test changes by hand, and what it says of models that are known."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import compiler
from compiler.evaluation.ablation import Ablation, units_of
from tests.cli.test_cli import call
from tests.helpers import ROOT, load_text

PARITY = ROOT / "specs" / "tasks" / "parity.yaml"
TINY = ROOT / "specs" / "tiny95.yaml"
# word[k] is answered at its own place; the step reads a bit with one unit, a constant with another, and nothing else
COPY = """\
weightspec: 1
name: copy
dtype: float64
vocabulary: bit[2]
task:
  copy: {symbols: 2, length: 3}
  prompt: word
  answer: {in_place: word}
stream: bit one spare
network:
  embedding:
    bit[b]: {bit: b, one: 1, spare: b}
  attention layer:
    heads: own idle
    value_dim: 2
    score own: where(key_pos == query_pos, 0, -inf)
    value own[0]: bit
    value idle[1]: bit
    output bit: own[0]
  ffn layer:
    hidden: read[2] none
    up read[0]: bit - 1
    up read[1]: one
    down bit: read[0]
    down one: -read[1] / 2
  head:
    logits bit[b]: (2 * b - 1) * bit
    bias logits bit[0]: 0.5
decode: argmax
ignore: no-claims silent-symbol
"""


def figures(ablation: Ablation) -> dict[str, tuple[int, int]]:
    return {str(ablated.unit): (ablated.right, ablated.changed) for ablated in ablation.units}


def test_units_are_taken_away_where_their_values_are_used(tmp_path: Path) -> None:
    """The bit b is 2b after attention and 3b - or 0 - after the ffn; without the head it is b, without the unit 2b.
    Only without the dimension itself every answer is 0."""
    found = compiler.ablate(load_text(tmp_path, COPY))
    assert (found.suites, found.seed, found.inputs, found.right) == (("exhaustive",), None, 8, 8)
    needed = {name: counts for name, counts in figures(found).items() if counts[1]}
    assert needed == {"bit": (1, 7)}
    assert "spare" in map(str, found.unneeded)
    assert [str(one.unit) for one in found.units] == [
        *("layer.attention own", "layer.attention idle", "layer.ffn read[0]", "layer.ffn read[1]", "layer.ffn none"),
        *("bit", "one", "spare"),
    ]


@pytest.mark.parametrize("unit", ["ffn bend[0]", "ffn bend[3]", "attention head"])
def test_right_answers_are_those_of_a_model_without_the_unit(unit: str) -> None:
    """The same model, whose weights that read the unit are set to zero by hand, on every word of ten bits."""
    spec = compiler.load(PARITY)
    model, labels = compiler.build(spec), spec.network.vocabulary.labels
    step = unit.split()[0]
    place = [str(one) for one in units_of(spec.network) if one.step == step].index(unit)
    words = torch.cartesian_prod(*[torch.tensor([0, 1])] * 10)
    tokens = torch.cat((words + labels.index("bit[0]"), torch.full((1024, 1), labels.index("<cls>"))), dim=1)
    with torch.no_grad():
        model.get_parameter("ffn.down.weight" if step == "ffn" else "attention.output.weight")[:, place] = 0
        said = model(tokens)[:, -1].argmax(-1)
    assert figures(compiler.ablate(spec))[unit][0] == int((said == words.sum(-1) % 2 + labels.index("bit[0]")).sum())


def test_a_value_of_another_input_changes_nothing_where_it_is_always_the_same() -> None:
    zero, other = (figures(compiler.ablate(compiler.load(PARITY), by=by)) for by in ("zero", "resample"))
    assert zero["cls"] == (512, 512)
    assert other["cls"] == (1024, 0)
    assert 0 < other["saw"][1] < 1024
    assert other == figures(compiler.ablate(compiler.load(PARITY), by="resample"))
    assert other != figures(compiler.ablate(compiler.load(PARITY), by="resample", seed=1))


def test_choices_of_sizes_are_added_up_and_models_that_are_not_causal_are_decoded_greedily(
    tmp_path: Path,
) -> None:
    lengths = compiler.load(ROOT / "specs" / "tasks" / "reverse-lengths.yaml", {"length": "{from: 1, to: 3}"})
    found = compiler.ablate(lengths, ["exhaustive"], kinds=["head"])
    symbols = lengths.resolved.task.given[0].symbols
    assert (found.inputs, found.right) == (sum(symbols**n for n in (1, 2, 3)),) * 2
    generated = COPY.replace("answer: {in_place: word}", "answer: copied")
    generated = generated.replace("key_pos == query_pos", "key_pos == max(query_pos - 2, 0)")
    for text in (generated, generated.replace("value_dim: 2", "value_dim: 2\n    mask: none")):
        spec = load_text(tmp_path, text)
        found = compiler.ablate(spec, ["exhaustive"], kinds=["head"])
        assert (found.inputs, found.right) == (8, compiler.evaluate(spec, ["exhaustive"], decoding="greedy").right)
        assert 0 < found.right < 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--suite", "exhaustive", "--set", "digits=3"), "1,000,000 inputs are too many: each is run once for every"),
        (("--suite", "nonsense"), "no suite 'nonsense'"),
        (("--inputs", "0"), "inputs has to be from 1"),
        (("--suite", "uniform", "--inputs", "1", "--by", "resample", "--set", "digits=1"), "there is no other input"),
        (("--kind", "neuron"), "'neuron' is not one of"),
        (("--by", "mean"), "'mean' is not one of"),
    ],
)
def test_what_cannot_be_done_is_said(options: tuple[str, ...], message: str) -> None:
    result = call("ablate", str(TINY), *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_spec_without_a_task_is_refused(tmp_path: Path) -> None:
    untasked = COPY[: COPY.index("task:")] + "context: 3\n" + COPY[COPY.index("stream:") :]
    with pytest.raises(compiler.SpecError, match="task"):
        compiler.ablate(load_text(tmp_path, untasked))


def test_the_table_names_what_changes_no_answer() -> None:
    result = call("ablate", str(PARITY), "--kind", "stream", "--by", "resample")
    assert "1 of 4 units change no answer: cls" in result.stdout
