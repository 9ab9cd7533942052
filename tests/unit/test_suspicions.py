"""What is legal but hardly meant, and what looks like an index but is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.network.causality import is_causal
from compiler.pipeline import load
from compiler.source.diagnostics import SpecError
from tests.helpers import SPECS, load_text

SMALL = """
weightspec: 1
name: small
ignore: no-claims
dtype: float64
constants: {gain: 2}
parameters: {size: 3}
vocabulary: digit[base] =
task: {addition: {base: 2, digits: 1}, prompt: a b =, answer: sum}
stream: one many[3]
defaults: {softmax: plus_one}
network:
  embedding:
    digit[d]: {one: gain * d}
  attention:
    score head: 0 * key_pos
  ffn:
    hidden: unit[3]
    up unit[i]: i * one
    down one: size * unit[0]
  head:
    classes: base
    logits digit[d]: d * one
decode: argmax
"""


def found(tmp_path: Path, old: str = "", new: str = "") -> list[tuple[str, str]]:
    assert old in SMALL
    spec = load_text(tmp_path, SMALL.replace(old, new) if old else SMALL)
    return [(one.code, one.span.text if one.span else "") for one in spec.warnings]


def test_nothing_is_suspicious_here(tmp_path: Path) -> None:
    assert found(tmp_path) == []
    assert all(load(path).warnings == () for path in SPECS.glob("*.yaml"))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("{gain: 2}", "{gain: 2, gian: 3}", ("unused-name", "gian")),
        ("{size: 3}", "{size: 3, other: 4, loop: other + 1}", ("unused-name", "loop")),
        ("    classes: base\n", "", ("unlisted-logit", "logits digit[d]")),
        ("up unit[i]: i * one", "up unit[gian]: one", ("suspicious-index", "gian")),
        ("0 * key_pos", "800 + key_pos", ("overflow", "800 + key_pos")),
    ],
)
def test_suspicions(tmp_path: Path, old: str, new: str, expected: tuple[str, str]) -> None:
    assert found(tmp_path, old, new) == [expected]


@pytest.mark.parametrize("place", ["constants: {gain: 2, i: 1}", "parameters: {i: 1.0, size: 3}"])
def test_a_name_that_captures_an_index_is_an_error(tmp_path: Path, place: str) -> None:
    section = place.partition(":")[0]
    old = next(line for line in SMALL.splitlines() if line.startswith(section))
    with pytest.raises(SpecError) as caught:
        load_text(tmp_path, SMALL.replace(old, place))
    (diagnostic,) = (one for one in caught.value.diagnostics if one.severity == "error")
    assert (diagnostic.code, diagnostic.span and diagnostic.span.text) == ("name-clash", "i")
    assert diagnostic.notes[0].span.text == "i"


def test_a_defined_name_as_an_index_is_evaluated(tmp_path: Path) -> None:
    spec = load_text(tmp_path, SMALL.replace("up unit[i]: i * one", "up unit[gain]: 5 * one"))
    (up,) = (step.up for step in spec.network.steps if hasattr(step, "up"))
    assert [(entry.index, entry.value) for entry in up.weight.entries] == [((2, 0), 5.0)]


CHEAT = """
weightspec: 1
name: cheat
dtype: float64
vocabulary: digit[base] + =
task: {addition: {base: 10, digits: 2}, prompt: a + b =, answer: sum}
stream: here[base] next[base]
network:
  embedding:
    digit[d]: {"here[d]": 1}
  attention:
    heads: look
    head_dim: 10
    mask: none
    score look: where(key_pos == query_pos + 1, 0, key_pos == 0, -1000, -inf)
    value look[i]: here[i]
    output next[i]: look[i]
  head:
    classes: base
    logits digit[i]: next[i]
decode: argmax
"""


def test_a_model_that_sees_the_answer_is_decoded_greedily(tmp_path: Path) -> None:
    """Copying the next token is right for every pair under teacher forcing, and for hardly any by itself."""
    import compiler

    spec = load_text(tmp_path, CHEAT)
    assert not is_causal(spec.network)
    result = compiler.evaluate(spec, ["exhaustive"])
    assert result.decoding == "greedy"
    assert result.right < 100
    assert result.pairs == 10_000


def test_a_query_whose_first_sequence_sees_nothing_is_an_error(tmp_path: Path) -> None:
    """Without a mask too: the shortest sequence with query 0 has one key."""
    with pytest.raises(SpecError) as caught:
        load_text(tmp_path, CHEAT.replace("key_pos == 0, -1000", "key_pos == 9, -1000"))
    assert [one.code for one in caught.value.diagnostics] == ["empty-attention"]


def test_a_name_that_nothing_reads_is_like_another_one_of_what_it_varies_only(tmp_path: Path) -> None:
    """In one file both names are meant: one that looks like another is no misspelling."""
    base = (SPECS / "reverse.yaml").read_text(encoding="utf-8")
    (tmp_path / "base.yaml").write_text(
        base.replace("stream:", "parameters: {gain: 2, gian: 3}\nstream:", 1), encoding="utf-8"
    )
    (tmp_path / "variant.yaml").write_text(
        "weightspec: 1\nextends: base.yaml\nconstants: {giann: 3}\n", encoding="utf-8"
    )
    hints = {warning.span.text: warning.hint for warning in load(tmp_path / "variant.yaml").warnings if warning.span}
    assert (hints["gain"], hints["gian"], hints["giann"]) == (
        "did you mean 'giann'?",
        "did you mean 'giann'?",
        "did you mean 'gian'?",
    )
