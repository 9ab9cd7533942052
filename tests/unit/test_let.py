"""`let`: names for expressions within a step."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.network.ir import Attention, FeedForward, Head, Position, StreamScale
from compiler.pipeline import load
from compiler.source.diagnostics import Diagnostic, SpecError
from tests.helpers import load_text, small

FFN = """
embedding:
  digit[d]: {{x: d, y: 1}}
ffn:
  hidden: u[3]
  let: {let}
  up u[i]: {up}
  down x: u[1]
"""


def up(folder: Path, let: str, equation: str, definitions: str = "constants: {k: 3}") -> dict[tuple[int, ...], float]:
    """The weights and biases of a map, by output and input; a bias has input -1."""
    text = small(FFN.format(let=let, up=equation), stream="x y", definitions=definitions)
    step = load_text(folder, text).network.step("ffn")
    assert isinstance(step, FeedForward)
    found = {entry.index: entry.value for entry in step.up.weight.entries}
    biases = () if step.up.bias is None else step.up.bias.entries
    return {**found, **{(*entry.index, -1): entry.value for entry in biases}}


@pytest.mark.parametrize(
    ("let", "equation", "same"),
    [
        ("{half: k / 2}", "half * x", "k / 2 * x"),
        ("{gap: x - y}", "2 * gap + 1", "2 * (x - y) + 1"),
        ("{gap: x - y, twice: 2 * gap}", "twice - gap", "2 * (x - y) - (x - y)"),
        ("{own: i + 0.5}", "own * x", "(i + 0.5) * x"),
        ("{w: '[1, 2, 3]'}", "dot(w, [x, y, x])", "dot([1, 2, 3], [x, y, x])"),
        ("{k2: 1 + 1}", "k2 * k2 * x", "(1 + 1) * (1 + 1) * x"),
        ("{big: k > 2}", "where(big, x, y)", "where(k > 2, x, y)"),
    ],
)
def test_a_name_stands_for_its_expression(tmp_path: Path, let: str, equation: str, same: str) -> None:
    assert up(tmp_path, let, equation) == up(tmp_path, "{unread: 1}", same)


def test_it_is_read_everywhere_in_the_step_and_nowhere_else(tmp_path: Path) -> None:
    text = """
embedding:
  digit[d]: {x: d, y: 1}
attention:
  heads: look
  head_dim: size
  let: {size_: 2, slope: 0.5, turn: 1 / (pair + 1), eps: 1e-3, root: sqrt(2)}
  norm: {rms: eps}
  query look[c]: slope * x + c
  score look: slope * (key_pos - query_pos)
  rope: {frequency: turn}
  scale: {divide: root}
  output y: slope * look[0]
head:
  classes: 4
  let: {slope: 3}
  logits digit[d]: slope * d * x
"""
    found = load_text(tmp_path, small(text.replace("size_: 2, ", ""), stream="x y", definitions="constants: {size: 2}"))
    attention, head = found.network.step("attention"), found.network.step("head")
    assert isinstance(attention, Attention)
    assert isinstance(head, Head)
    assert [entry.value for entry in attention.query.weight.entries] == [0.5, 0.5]
    assert attention.scores[0].formula.at(3, 1).value == -1.0
    assert attention.rope is not None
    assert attention.rope.frequencies == (1.0,)
    assert attention.scale.value == 2**0.5
    assert attention.norm is not None
    assert attention.norm.epsilon == 1e-3
    assert [entry.value for entry in head.logits.weight.entries] == [0.0, 3.0, 6.0, 9.0]


def test_steps_whose_keys_are_dimensions_have_names_too(tmp_path: Path) -> None:
    text = """
embedding:
  digit[d]: {x: d, y: 1}
position:
  let: {turn: pi / 4 * pos, unit: 0.5}
  x: sin(turn)
  y: unit
scale:
  let: {half: 1 / 2}
  x: half
  y: 2 * half
"""
    steps = load_text(tmp_path, small(text, stream="x y")).network.steps
    position, scale = steps[1], steps[2]
    assert isinstance(position, Position)
    assert isinstance(scale, StreamScale)
    assert position.terms[0].formula.at(2).value == 1.0
    assert position.terms[1].formula.at(2).value == 0.5
    assert [entry.value for entry in scale.weight.entries] == [0.5, 1.0]


def refused(folder: Path, let: str, equation: str, definitions: str = "constants: {k: 3}") -> Diagnostic:
    with pytest.raises(SpecError) as caught:
        up(folder, let, equation, definitions)
    (diagnostic,) = (one for one in caught.value.diagnostics if one.severity == "error")
    return diagnostic


@pytest.mark.parametrize(
    ("let", "equation", "code", "text"),
    [
        ("{a: b, b: 1}", "a * x", "unknown-name", "b"),
        ("{a: a + 1}", "a * x", "unknown-name", "a"),
        ("{k: 1}", "k * x", "name-clash", "k"),
        ("{x: 1}", "2 * y", "name-clash", "x"),
        ("{pi: 1}", "pi * x", "name-clash", "pi"),
        ("{pos: 1}", "pos * x", "name-clash", "pos"),
        ("{a: u}", "a * x", "unknown-name", "u"),
        ("{a: 1 / 0}", "a * x", "number", "1 / 0"),
        ("{a: 1 +}", "x", "syntax", "+"),
        ("{a: x * y}", "a", "non-affine", "x * y"),
        ("{i: 2}", "i * x", "name-clash", "i"),
    ],
)
def test_refused(tmp_path: Path, let: str, equation: str, code: str, text: str) -> None:
    found = refused(tmp_path, let, equation)
    assert found.code == code
    assert found.span is not None
    assert found.span.text == text


def test_names_put_into_one_another_have_an_end(tmp_path: Path) -> None:
    doubled = ", ".join(["a0: x", *(f"a{i}: a{i - 1} + a{i - 1}" for i in range(1, 60))])
    assert refused(tmp_path, f"{{{doubled}}}", "a59").code == "too-much-work"
    nested = ", ".join(["a0: x", *(f"a{i}: (((a{i - 1})))" for i in range(1, 3000))])
    assert refused(tmp_path, f"{{{nested}}}", "a2999").code == "too-much-work"


def test_one_that_nothing_reads_is_suspicious(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(small(FFN.format(let="{used: 1, unused: used}", up="used * x"), stream="x y"), encoding="utf-8")
    warnings = [
        (one.code, one.span and one.span.text) for one in load(path, ignore=["no-claims", "silent-symbol"]).warnings
    ]
    assert warnings == [("unused-name", "unused")]
