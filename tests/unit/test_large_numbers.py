"""Numbers that no double can hold, in every place that takes a number: an error with its place, never a traceback."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from click.testing import CliRunner

import cli
import compiler
from compiler.network.ir import StreamNorm
from compiler.pipeline import load
from compiler.source.diagnostics import SpecError
from tests.helpers import load_text, small

NETWORK = """\
embedding:
  digit[d]: {{x: {embedding}}}
  +: {{x: 1}}
position: {{y: {position}}}
norm: {{{stream_norm}}}
attention:
  head_dim: 2
  norm: {{rms: {norm}, weight: {norm_weight}}}
  qk_norm: {{layer: {qk_norm}}}
  rope: {{frequency: {frequency}}}
  scale: {scale}
  mask: {mask}
  let: {{k: {let}}}
  query head[i]: x
  bias query: {bias}
  key head[i]: y + {constant}
  value: k * z
  score head: {score} * (key_pos - query_pos)
  output z: {weight} * head[0]
ffn:
  hidden: u[{hidden}]
  up u[0]: x
  down y: u[0]
scale s: {stream_scale}
mix: {coefficient} * s
head:
  norm: {{layer: {head_norm}}}
  logits digit[d]: d * x
"""
USUAL = {
    "embedding": "d",
    "position": "pos",
    "stream_norm": "rms: 1",
    "norm": "1",
    "norm_weight": "1",
    "qk_norm": "1",
    "frequency": "1",
    "scale": "1",
    "mask": "-8",
    "let": "1",
    "bias": "1",
    "constant": "1",
    "score": "1",
    "weight": "1",
    "hidden": "2",
    "stream_scale": "1",
    "coefficient": "2",
    "head_norm": "1",
}
PLACES = (*USUAL, "scale divided")
NUMBERS = ("10 ** 309", "-10 ** 309", "2 ** 4095 + 1", "1 / (10 ** -309)")


def written(place: str, number: str) -> str:
    """The text of a spec with the number in one place, each place in a line of its own."""
    name = place.partition(" ")[0]
    if place == "stream_norm":
        number = f"rms: {number}"
    if place == "scale divided":
        number = f"{{divide: {number}}}"
    return small(NETWORK.format(**{**USUAL, name: number}))


def test_the_spec_is_valid_without_them(tmp_path: Path) -> None:
    assert load_text(tmp_path, small(NETWORK.format(**USUAL))).network.steps


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("place", PLACES)
def test_a_number_that_no_double_holds_is_an_error_with_its_place(tmp_path: Path, place: str, number: str) -> None:
    text = written(place, number)
    reads = {"let": "value: k * z"}.get(place, number)  # a large integer is exact until something else reads it
    own = [i for i, one in enumerate(text.splitlines(), 1) if number in one or reads in one]
    with pytest.raises(SpecError) as caught:
        load_text(tmp_path, text)
    spans = [one.span for one in caught.value.diagnostics if one.severity == "error"]
    line = next(span.line for span in spans if span is not None and span.line in own)
    called = CliRunner().invoke(cli.main, ["validate", str(tmp_path / "small.yaml")])
    assert called.exit_code == 2
    assert f"small.yaml:{line}:" in called.stderr


@pytest.mark.parametrize("number", NUMBERS[:3])
@pytest.mark.parametrize("section", ["parameters", "constants"])
def test_a_definition_that_no_double_holds(tmp_path: Path, section: str, number: str) -> None:
    network = "embedding:\n  digit[d]: {x: large * d}\nhead:\n  logits digit[d]: x"
    with pytest.raises(SpecError) as caught:
        load_text(tmp_path, small(network, definitions=f"{section}: {{large: {number}}}"))
    assert all(one.span is not None for one in caught.value.diagnostics)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_setting_that_no_double_holds(tmp_path: Path, number: str) -> None:
    load_text(tmp_path, small(NETWORK.format(**USUAL)))
    setting = f"norm.rms={number}"
    called = CliRunner().invoke(cli.main, ["validate", str(tmp_path / "small.yaml"), "--set", setting])
    assert called.exit_code == 2
    assert "--set:1:10" in called.stderr


@pytest.mark.parametrize("number", ["10 ** 309", "1e39", "inf"])
def test_an_eps_that_is_let_overflow_is_infinite(tmp_path: Path, number: str) -> None:
    """It is not another one without a word: all that the norm puts out is zero."""
    path = tmp_path / "small.yaml"
    path.write_text(written("stream_norm", number).replace("float64", "float32"), encoding="utf-8")
    spec = load(path, allow_overflow=True)
    (norm,) = (step for step in spec.network.steps if isinstance(step, StreamNorm))
    assert norm.norm.epsilon > 1e38
    assert any(one.code == "overflow" for one in spec.warnings)
    found = compiler.trace(spec, [0, 1, 2])
    (value,) = (one.value for one in found if one.name == "norm")
    assert not value.any()
    assert not math.isnan(norm.norm.epsilon)
