"""Named values under `derived`: what they are, what reads them, and what every command says of them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import compiler
from compiler.expressions.floats import FORMATS, round_to
from compiler.expressions.values import Matrix, Number, Vector
from compiler.pipeline import Spec
from compiler.readers.diffing.diffing import diff
from compiler.readers.formatting.formatting import format_source
from compiler.readers.latex.document import spec_latex
from compiler.readers.linting import lint
from compiler.readers.why.why import why
from compiler.source.diagnostics import SpecError
from compiler.source.text import Source
from tests.helpers import load_text, small

DEFINITIONS = """
constants: {two: 2}
derived:
  rotation: [[c, -s], [s, c]]
  c: cos(angle)
  s: sin(angle)
  third: 1 / 3
  both: rotation @ [two, angle]
  far: 1 + near
parameters:
  angle: 0.1
  near: third
"""
STEPS = """
embedding:
  digit[d]: {x: "both[0]", y: third}
attention:
  head_dim: 2
  query: rotation
  output: rotation
head:
  classes: base
  logits digit[d]: d * x + far * y
"""


def single(value: float) -> float:
    return round_to(value, FORMATS["float32"])


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    return load_text(tmp_path, small(STEPS, stream="x y", definitions=DEFINITIONS, dtype="float32"))


def test_values_are_what_the_formulas_give(spec: Spec) -> None:
    found = {name: definition.value for name, definition in spec.resolved.definitions.items()}
    angle = single(0.1)
    c, s = single(math.cos(angle)), single(math.sin(angle))
    matrix, vector, third, far = (found[name] for name in ("rotation", "both", "third", "far"))
    assert isinstance(matrix, Matrix)
    assert [[number.value for number in row] for row in matrix.rows] == [[c, -s], [s, c]]
    assert isinstance(vector, Vector)
    assert vector.items[0].value == single(single(c * 2) - single(s * angle))
    assert isinstance(third, Number)
    assert (third.value, third.rounded) == (1 / 3, False)  # reads no parameter, and is a double like a constant
    assert isinstance(far, Number)
    assert far.value == single(1 + single(1 / 3))


def test_what_they_read_is_counted(spec: Spec) -> None:
    counts = compiler.count(spec)
    assert counts.free_names == ("angle", "near")
    assert [str(item) for item in counts.hard_coded] == ["two = 2", "3 in third"]
    assert counts.dense == sum(parameter.numel() for parameter in compiler.build(spec).parameters())
    assert "attention.output" not in {group.name for group in counts.groups if group.tensors[0].tie}  # ties nothing


def test_one_that_reads_no_parameter_declares_none(tmp_path: Path) -> None:
    spec = load_text(tmp_path, small("embedding: {'digit[d]': {x: g}}", definitions="derived: {g: 5}"))
    counts = compiler.count(spec)
    assert (counts.free, [str(item) for item in counts.hard_coded]) == (None, ["g = 5"])


def test_what_is_behind_a_weight(spec: Spec) -> None:
    found = why(spec, "attention.query.weight[0, 1]")
    assert [(one.name, one.kind) for one in found.numbers] == [
        ("rotation[0, 1]", "derived"),
        ("s", "derived"),
        ("angle", "parameter"),
    ]


def test_a_setting_and_a_variant_replace_them(spec: Spec, tmp_path: Path) -> None:
    set_here = compiler.load(spec.path, ["c=1", "rotation[0][1]=two"])
    matrix = set_here.resolved.definitions["rotation"]
    assert [number.value for number in matrix.numbers] == [1, 2, single(math.sin(single(0.1))), 1]
    path = tmp_path / "variant.yaml"
    path.write_text("weightspec: 1\nextends: small.yaml\nname: v\nderived: {c: null}\nparameters: {c: 0.5}\n", "utf-8")
    variant = compiler.load(path)
    assert compiler.count(variant).free_names == ("angle", "c", "near")
    changes = [
        (change.section, change.path, change.section_before)
        for change in diff(spec, variant).texts
        if change.path == "c"
    ]
    assert changes == [("parameter", "c", "derived")]


def test_format_latex_and_lint(spec: Spec) -> None:
    text = spec.path.read_text("utf-8")
    untidy = Source("small.yaml", text.replace("far: 1 + near", "far: 1+near"))
    assert "  far: 1 + near\n" in format_source(untidy)
    assert r"\textbf{Derived values.}" in spec_latex(spec)
    codes = {diagnostic.code for diagnostic in lint(spec)}
    assert not codes & {"unread-parameter", "idle-parameter"}
    assert "condition" in {diagnostic.code for diagnostic in lint(compiler.load(spec.path, ["c=where(two > 1, s, 0)"]))}


@pytest.mark.parametrize(
    ("definitions", "message"),
    [
        ("constants: {k: g}\nderived: {g: 1}", "'g' is a derived value, which a constant cannot read"),
        ("derived: {g: 2 * h, h: g}", "'g' is defined by itself: g → h → g"),
        ("derived: {g: 1}\nparameters: {g: 2}", "'g' is defined twice"),
        ("derived: {x: 1}", "'x' is a dimension and a derived value; rename one of them"),
        ("derived: {pos: 1}", "'pos' already has a meaning"),
        ("derived: {g: gian}\nparameters: {gain: 2}", "no name 'gian' here; did you mean 'gain'?"),
        ("derived: [1]", "`derived` has to be a mapping"),
    ],
)
def test_what_is_wrong(tmp_path: Path, definitions: str, message: str) -> None:
    with pytest.raises(SpecError) as raised:
        load_text(tmp_path, small("embedding: {'digit[d]': {y: d}}", definitions=definitions))
    assert any(message in str(one.message) for one in raised.value.diagnostics)


def test_one_that_nothing_reads_is_a_warning(tmp_path: Path) -> None:
    spec = load_text(tmp_path, small("embedding: {'digit[d]': {x: d}}", definitions="derived: {g: 5}"))
    assert "nothing reads the derived value 'g'" in [warning.message for warning in spec.warnings]


def test_a_task_cannot_read_one(tmp_path: Path) -> None:
    text = small("embedding: {'digit[d]': {x: g}}", definitions="derived: {g: 5}").replace("a + b =", "a +*g b =")
    with pytest.raises(SpecError, match="'g' is a derived value, which a task cannot read"):
        load_text(tmp_path, text)


def test_a_zero_in_a_derived_matrix_is_exact_as_in_a_formula(tmp_path: Path) -> None:
    """It is no number of the dtype, so that what is added to it is not rounded before."""
    definitions = "parameters: {p: 2}\nderived: {M: [[p, 0]], sum: 'M[0, 1] + 0.1'}"
    spec = load_text(
        tmp_path, small("embedding: {'digit[d]': {x: 'sum * M[0, 0]'}}", definitions=definitions, dtype="float32")
    )
    assert [number.value for number in spec.resolved.definitions["sum"].numbers] == [0.1]
