"""`bias MAP …`: what is stored and where it came from, layers of a spec, and how the line is printed."""

from __future__ import annotations

from pathlib import Path

import pytest

import compiler
from compiler.network.ir import FeedForward
from compiler.pipeline import Spec, load
from compiler.readers.formatting.formatting import format_source
from compiler.readers.latex.document import spec_latex
from compiler.source.diagnostics import SpecError
from compiler.source.text import Source
from tests.helpers import load_text, small

FFN = "embedding: {}\nffn:\n  hidden: h[2] last\n"
VECTORS = "parameters: {b: [1, 0, 3]}"


def lowered(folder: Path, lines: str) -> Spec:
    return load_text(folder, small(f"{FFN}  {lines}", definitions=VECTORS))


def up(spec: Spec) -> tuple[tuple[int, ...], dict[int, float]]:
    """The shape of the bias of `up`, and its entries."""
    step = spec.network.step("ffn")
    assert isinstance(step, FeedForward)
    assert step.up.bias is not None
    return step.up.bias.shape, {entry.index[0]: entry.value for entry in step.up.bias.entries}


@pytest.mark.parametrize(
    ("lines", "shape", "entries"),
    [
        ("bias up: b", 3, {0: 1, 1: 0, 2: 3}),
        ("bias up: [2, 'b[2]', 0]", 3, {0: 2, 1: 3, 2: 0}),
        ("bias up: 2 * b", 3, {0: 2, 1: 0, 2: 6}),
        ("bias up: 5", 1, {0: 5}),
        ("bias up last: 4", 3, {2: 4}),
        ("bias up hidden[k]: -k", 3, {0: 0, 1: -1, 2: -2}),
        ("up last: x + 1\n  bias up h[i]: i + 5", 3, {0: 5, 1: 6, 2: 1}),
        ("biases: up\n  bias up last: 4", 3, {2: 4}),
    ],
)
def test_a_vector_a_number_or_rows(tmp_path: Path, lines: str, shape: int, entries: dict[int, float]) -> None:
    assert up(lowered(tmp_path, lines)) == ((shape,), entries)


def test_a_bias_is_never_tied(tmp_path: Path) -> None:
    """The same vector parameter is one tensor where it is a weight, and two where it is a bias."""
    spec = lowered(tmp_path, "bias up: b\n  bias down: b")
    assert compiler.count(spec).dense == compiler.count(spec).dense_untied
    assert compiler.count(spec).free == 3


def test_a_variant_replaces_by_targets(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(small(FFN + "  bias up h[i]: 1\n  bias up last: 2", definitions=VECTORS))
    variant = tmp_path / "variant.yaml"
    start = "weightspec: 1\nextends: base.yaml\nname: variant\nnetwork: {ffn: "
    variant.write_text(start + "{'bias up h[j]': 5 + j}}")
    assert up(load(variant)) == ((3,), {0: 5, 1: 6, 2: 2})
    variant.write_text(start + "{'bias up last': null}}")
    assert up(load(variant)) == ((3,), {0: 1, 1: 1})
    variant.write_text(start + "{'bias up h[0]': 5}}")
    with pytest.raises(SpecError) as caught:
        load(variant)
    assert [one.code for one in caught.value.diagnostics] == ["target-twice"]
    assert up(load(tmp_path / "base.yaml", {"ffn.bias up last": 7}))[1] == {0: 1, 1: 1, 2: 7}


def test_numbers_know_their_line(tmp_path: Path) -> None:
    spec = lowered(tmp_path, "bias up: [1, 0, 1 + 2]")
    step = spec.network.step("ffn")
    assert isinstance(step, FeedForward)
    assert step.up.bias is not None
    assert [str(entry.equation) for entry in step.up.bias.entries] == ["bias up: 1", "bias up: 0", "bias up: 1 + 2"]
    assert [str(equation) for equation in step.up.equations] == ["bias up: [1, 0, 1 + 2]"]


def test_a_line_of_zeros_is_a_warning(tmp_path: Path) -> None:
    assert "vanishing-equation" in [one.code for one in lowered(tmp_path, "bias up h[i]: 0 * i").warnings]
    assert "vanishing-equation" not in [one.code for one in lowered(tmp_path, "bias up h[i]: b[1] * i").warnings]


def test_canonical_form() -> None:
    before = "network:\n  ffn:\n    bias   up  h[ i ]: i*2\n    bias logits a  b: 1\n    bias  up: b+1\n"
    after = "network:\n  ffn:\n    bias up h[i]: i * 2\n    bias logits a  b: 1\n    bias up: b + 1\n"
    assert format_source(Source("spec.yaml", before)) == after


def test_in_latex_the_map_is_an_index(tmp_path: Path) -> None:
    printed = spec_latex(lowered(tmp_path, "bias up h[i]: -i\n  bias down: b"))
    assert r"\mathrm{bias}_{\mathrm{up}, h_{i}} &= -i" in printed
    assert r"\mathrm{bias}_{\mathrm{down}} &= b" in printed


def test_a_changed_bias_is_a_changed_equation(tmp_path: Path) -> None:
    first = lowered(tmp_path, "bias up: b")
    second = load(tmp_path / "small.yaml", {"ffn.bias up": 4})
    changes = compiler.diff(first, second).texts
    assert [(change.section, change.path) for change in changes] == [("equation", "ffn / bias up")]
