"""Causality read off masks and tables of scores, and what an evaluation makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import compiler
from compiler.network.causality import is_causal
from compiler.network.ir import Attention
from compiler.pipeline import Spec, load
from tests.helpers import SMALL_CONTEXT, SPECS, load_text, small

TABLE = "where(key_pos > query_pos, -inf, 0)"
ALL_BUT = "where(key_pos > query_pos and not (query_pos == {} and key_pos == {}), -inf, 0)"
EMBEDDING = "embedding:\n  digit[d]: {x: d}\n"


def attention(*scores: str, mask: str = "none", heads: str = "one two") -> str:
    lines = "".join(f'  score {target}: "{formula}"\n' for target, formula in (score.split(": ") for score in scores))
    return f"attention:\n  heads: {heads}\n  mask: {mask}\n{lines}"


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (attention(mask="causal"), True),
        (attention(mask="{window: 2}"), True),
        (attention(), False),
        (attention(mask="-1e300"), False),  # exp underflows to zero, unless another score is as large
        (attention(f"one: {TABLE}", f"two: {TABLE}"), True),
        (attention(f"one: {TABLE}", f"two: {TABLE}", mask="-5"), True),
        (attention(f"one: {TABLE}"), False),
        (attention("one: where(key_pos - query_pos > 0, -inf, query_pos - key_pos)", f"two: {TABLE}"), True),
        (attention("one: where(key_pos > query_pos, -1e300, 0)", f"two: {TABLE}"), False),
        (attention("one: where(key_pos > query_pos + 1, -inf, 0)", f"two: {TABLE}"), False),
        (attention(f"one: {ALL_BUT.format(0, 1)}", f"two: {TABLE}"), False),
        (attention(f"one: {ALL_BUT.format(2, 5)}", f"two: {TABLE}"), False),
        (attention(f"one: {TABLE}", f"two: {ALL_BUT.format(SMALL_CONTEXT - 2, SMALL_CONTEXT - 1)}"), False),
        (attention(f"one: {TABLE}", f"two: {ALL_BUT.format(SMALL_CONTEXT - 1, SMALL_CONTEXT)}"), True),
        (attention("one: where(key_pos - query_pos > 0 and key_pos - query_pos < 8, -inf, 0)", f"two: {TABLE}"), False),
        (attention(f"head[h]: {TABLE}", heads="head[3]"), True),
        (attention(f"head[h < 2]: {TABLE}", heads="head[3]"), False),
        (attention("head[h]: where(key_pos > query_pos + h // 2, -inf, 0)", heads="head[3]"), False),
        ("", True),
        (attention(mask="causal") + attention().replace("attention", "attention second"), False),
    ],
)
def test_which_networks_are_causal(tmp_path: Path, steps: str, expected: bool) -> None:
    assert is_causal(load_text(tmp_path, small(EMBEDDING + steps)).network) is expected


def test_positions_that_the_dtype_cannot_tell_apart_are_not_hidden(tmp_path: Path) -> None:
    """In bfloat16 position 257 is 256: the query before it sees it."""
    text = small(EMBEDDING + attention(f"head: {TABLE}", heads="head"), dtype="bfloat16")
    (step,) = (step for step in load_text(tmp_path, text).network.steps if isinstance(step, Attention))
    (score,) = step.scores
    assert [score.formula.hides_later_keys(length) for length in (0, 1, 257, 258)] == [True, True, True, False]


def routed(tmp_path: Path, name: str, formulas: dict[str, str], step: str) -> Spec:
    """A spec of the project whose causal mask is replaced by formulas."""
    (tmp_path / f"{name}.yaml").write_bytes((SPECS / f"{name}.yaml").read_bytes())
    scores = "".join(f"    score {head}: {formula}\n" for head, formula in formulas.items())
    text = f"weightspec: 1\nextends: {name}.yaml\nexpect: null\nnetwork:\n  {step}:\n    mask: none\n{scores}"
    return load_text(tmp_path, text)


def test_a_table_is_as_good_as_a_mask(tmp_path: Path) -> None:
    """tiny95 with its second mask as a table: the same verdicts by teacher forcing, and as greedy decoding has them."""
    spec = routed(tmp_path, "tiny95", {"total": TABLE}, "attention layer1")
    (_, second) = (step for step in spec.network.steps if isinstance(step, Attention))
    assert second.mask == "none"
    assert is_causal(spec.network)
    masked = load(SPECS / "tiny95.yaml")
    found = compiler.evaluate(spec, ["near_carry"], pairs=80, failures=None)
    assert found.decoding == "teacher"
    for other in (
        compiler.evaluate(spec, ["near_carry"], pairs=80, decoding="greedy", failures=None),
        compiler.evaluate(masked, ["near_carry"], pairs=80, failures=None),
    ):
        ((part,), (same,)) = found.suites[0].parts, other.suites[0].parts
        assert replace(part, close=0) == replace(same, close=0)  # the plain engine asks the module about every input
    assert 0 < found.right < 80


def test_one_leak_makes_it_greedy(tmp_path: Path) -> None:
    spec = routed(tmp_path, "qwen20", {"look": ALL_BUT.format(25, 26)}, "attention")
    assert not is_causal(spec.network)
    assert compiler.evaluate(spec, ["near_carry"], pairs=5).decoding == "greedy"


OVERFLOW = """\
weightspec: 1
name: overflow
dtype: float16
vocabulary: digit[2] +
task: {addition: {base: 2, digits: 1}, prompt: a + b, answer: sum}
stream: zero one early late
network:
  embedding:
    digit[d]: {zero: 1}
    +: {zero: 1}
  position:
    early: where(pos < 3, 1, 0)
    late: where(pos < 3, 0, 1)
  attention:
    heads: look
    mask: none
    query look: 300 * early
    key look: 300 * late
    score look: where(key_pos > query_pos, -inf, 0)
    output one: 0 * look
  head:
    classes: 2
    logits digit[0]: zero
    logits digit[1]: one
decode: argmax
"""


def test_an_infinity_that_only_teacher_forcing_sees_decides_nothing(tmp_path: Path) -> None:
    """The query of b and the key of the answer after it give infinity - infinity; greedy decoding has no such key."""
    spec = load_text(tmp_path, OVERFLOW)
    assert is_causal(spec.network)
    forced = compiler.evaluate(spec, ["exhaustive"], engine="plain")
    assert (forced.decoding, forced.right, forced.pairs) == ("teacher", 1, 4)  # it says 00 to everything
    assert forced.suites[0].parts[0].close == 4  # also where the second token is wrong, clearly: the first could be too
    greedy = compiler.evaluate(spec, ["exhaustive"], decoding="greedy")
    assert greedy.right == 1
    assert [failure.got for failure in greedy.suites[0].parts[0].failures] == ["0", "0", "0"]
