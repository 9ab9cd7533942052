"""Numbers that are hard on a verifier: wide scores, exact ties, denormals, overflow, NaN and infinities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import indent

import pytest

from compiler.pipeline import load
from tests.verifier.looks import verify_in
from tests.verifier.truth import truth
from tests.verifier.verdicts import LOOKS, check
from tests.verifier.worlds import OWN

pytestmark = pytest.mark.machine

# Copies a word: `is` is the symbol that is due. What comes then is the case's own.
COPY = """\
weightspec: 1
name: hard
dtype: {dtype}
vocabulary: symbol[symbols] =
task:
  copy: {{symbols: 3, length: 2}}
  prompt: word =
  answer: copied
stream: one here[symbols] is[symbols] more[symbols]
network:
  embedding:
    symbol[s]: {{one: 1, "here[s]": 1}}
    =: {{one: 1}}
  attention:
    heads: back
    value_dim: symbols
    score back: where(query_pos < length or key_pos == query_pos - length, 0, -inf)
    value back[s]: here[s]
    output is[s]: back[s]
{rest}
decode: {decode}
ignore: no-claims
"""


# The head `low` mixes {value} unless there is a symbol 2; the score of that is {score}, so that all other weights are
# tiny beside what they could be.
TWO_HEADS = """\
weightspec: 1
name: hard
dtype: {dtype}
vocabulary: symbol[symbols] =
task:
  copy: {{symbols: 3, length: 2}}
  prompt: word =
  answer: copied
stream: one here[symbols] is[symbols] more
network:
  embedding:
    symbol[s]: {{one: 1, "here[s]": 1}}
    =: {{one: 1}}
  attention:
    heads: back low
    head_dim: 1
    value_dim: symbols
    scale: 1
    softmax: {softmax}
    score back: where(query_pos < length or key_pos == query_pos - length, {back}, -inf)
    score low: where(query_pos < length or key_pos < length, 0, -inf)
    query low: one
    key low: {score} * here[2]
    value back[s]: here[s]
    value low[0]: {value} * (one - here[2])
    output is[s]: back[s]
    output more: {factor} * low[0]
  head:
    classes: symbols
    logits symbol[s]: is[s] + where(s == 0, 1, 0) * more
decode: argmax
ignore: no-claims
"""


@dataclass(frozen=True)
class Case:
    """Steps after the first ones of `COPY`, or a spec of our own with settings; whether all inputs are right, and
    whether that may be proved."""

    rest: str = ""
    dtype: str = "float64"
    decode: str = "argmax"
    spec: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    right: bool = False
    provable: bool = False


HEAD = """\
head:
  classes: symbols
  logits symbol[s]: """

SINGLE = {"symbols": 1, "attention.value_dim": 2, "stream": "one here[2] is[2] more[2]"}

CASES = {
    # ties: the lowest id wins, so that some are right
    "right, as all rivals have a higher id and the same logit": Case(HEAD + "sum(is[t], t, s + 1)", right=True),
    "wrong, as a rival with a lower id has the same logit": Case(HEAD + "sum(is[symbols - 1 - t], t, symbols - s)"),
    "all logits are 0": Case(HEAD + "0 * one"),
    "all logits are the same large number": Case(HEAD + "1e300 * one"),
    "right by a tie at one symbol only": Case(HEAD + "is[s] + where(s == 2, 1, 0) * is[1]", right=True),
    "wrong by a tie at one symbol only": Case(HEAD + "is[s] + where(s == 0, 1, 0) * is[1]"),
    "a tie that rounding makes": Case(HEAD + "1e17 * one + is[s]"),
    "a tie that rounding makes in float32": Case(HEAD + "1e9 * one + is[s]", "float32"),
    "right by the last bit": Case(HEAD + "2 ** 52 * one + is[s]", right=True, provable=True),
    "right by the smallest denormal": Case(HEAD + "2 ** -1074 * is[s]", right=True, provable=True),
    # denormals
    "denormal logits": Case(HEAD + "1e-310 * is[s]", right=True, provable=True),
    "denormal logits in float32": Case(HEAD + "1e-40 * is[s]", "float32", right=True, provable=True),
    "a product that underflows": Case(
        "ffn:\n  hidden: h[symbols]\n  up h[s]: 1e-200 * is[s]\n  down more[s]: 1e-200 * h[s]\n" + HEAD + "more[s]"
    ),
    "a product that underflows and is made large": Case(
        "ffn:\n  hidden: h[symbols]\n  up h[s]: 1e-200 * is[s]\n  down more[s]: 1e-150 * h[s]\n"
        + HEAD
        + "1e300 * more[s]"
    ),
    "a product that becomes denormal and is made large": Case(
        "ffn:\n  hidden: h[symbols]\n  up h[s]: 1e-160 * is[s]\n  down more[s]: 1e-160 * h[s]\n"
        + HEAD
        + "1e300 * more[s]",
        right=True,
        provable=True,
    ),
    "silu far below zero": Case(
        "ffn:\n  hidden: h[symbols]\n  activation: silu\n  up h[s]: 800 * (is[s] - one)\n  down more[s]: h[s]\n"
        + HEAD
        + "more[s] + is[s]",
        right=True,
        provable=True,
    ),
    # overflow, infinities, NaN
    "wrong ones have -inf": Case(
        "ffn:\n  hidden: h[symbols]\n  up h[s]: 1e200 * (one - is[s])\n  down more[s]: h[s]\n"
        + HEAD
        + "-1e200 * more[s]",
        right=True,
    ),
    "the right one has inf": Case(
        "ffn:\n  hidden: h[symbols]\n  up h[s]: 1e200 * is[s]\n  down more[s]: h[s]\n" + HEAD + "1e200 * more[s]",
        right=True,
    ),
    "all have inf": Case(
        "ffn:\n  hidden: h[symbols]\n  up h[s]: 1e200 * (one + is[s])\n  down more[s]: h[s]\n"
        + HEAD
        + "1e200 * more[s]"
    ),
    "inf less inf": Case(
        "ffn:\n  hidden: h[symbols]\n  up h[s]: 1e200 * is[s]\n  down more[s]: 1e200 * h[s]\n"
        + HEAD
        + "more[s] - 0.5 * more[0] - 0.5 * more[1]"
    ),
    "inf times 0": Case(
        "ffn:\n  hidden: h[symbols]\n  up h[s]: 1e200 * is[s]\n  down more[s]: 1e200 * h[s]\n"
        "ffn again:\n  hidden: h\n  gate h: one - one\n  up h: more[0]\n  down is[0]: h\n" + HEAD + "is[s]"
    ),
    "overflow in float32 alone": Case(
        "ffn:\n  hidden: h[symbols]\n  up h[s]: 1e20 * is[s]\n  down more[s]: 1e20 * h[s]\n"
        + HEAD
        + "is[s] - more[0] + more[s] - more[1]",
        "float32",
    ),
    "inf where nothing reads it": Case(
        "ffn:\n  hidden: h[symbols]\n  up h[s]: 1e200 * is[s]\n  down more[s]: 1e200 * h[s]\n" + HEAD + "is[s]"
    ),
    "weights that are infinite": Case(HEAD + "1e39 * is[s]", "float32"),
    "a norm of zeros without epsilon": Case("scale: 0\nnorm: {rms: 0}\n" + HEAD + "is[s]"),
    "a norm of zeros with an epsilon that is 0 in float32": Case(
        "scale: 0\nnorm: {rms: 1e-60}\n" + HEAD + "is[s]", "float32"
    ),
    "an epsilon that is infinite in float32": Case("norm: {rms: 1e39}\n" + HEAD + "1e25 * is[s]", "float32"),
    "a norm of large numbers": Case(
        "head:\n  norm: {rms: 1e-6, weight: 1e200}\n  classes: symbols\n  logits symbol[s]: 1e-100 * is[s]",
        right=True,
        provable=True,
    ),
    "a norm whose square overflows": Case(
        "scale: 1e200\nhead:\n  norm: rms\n  classes: symbols\n  logits symbol[s]: is[s]", right=False
    ),
    "a single class that is no number": Case(
        "ffn:\n  hidden: h\n  up h: 1e200 * one\n  down more[i]: 1e200 * h\n"
        "head:\n  classes: 1\n  logits symbol[0]: more[0] - more[1]",
        settings=SINGLE,
    ),
    "a single class": Case(
        "head:\n  classes: 1\n  logits symbol[0]: is[0]", settings=SINGLE, right=True, provable=True
    ),
    # scores
    "a score of 1e30 beside 0": Case(spec="column", settings={"far": -1e30}, right=True, provable=True),
    "a score of -1e308": Case(spec="column", settings={"far": -3e38}, right=True, provable=True),
    "a score that hides all but leaves a denormal": Case(
        spec="column", settings={"far": -100}, right=True, provable=True
    ),
    "plus_one of scores whose exponential overflows": Case(
        HEAD + "is[s]",
        settings={
            "attention.softmax": "plus_one",
            "attention.score back": "where(key_pos == query_pos - length, 710, 0)",
        },
    ),
    "plus_one of scores whose sum overflows": Case(
        HEAD + "is[s]",
        settings={"attention.softmax": "plus_one", "attention.score back": "where(key_pos <= query_pos, 709.5, 0)"},
    ),
    "plus_one of scores whose exponential is 0": Case(
        HEAD + "is[s]", settings={"attention.softmax": "plus_one", "attention.score back": "-800"}
    ),
    "plus_one of scores whose exponential is denormal, taken back": Case(
        HEAD + "exp(700) * is[s]",
        settings={
            "attention.softmax": "plus_one",
            "attention.score back": "where(key_pos == query_pos - length, -740, -inf)",
        },
        right=True,
    ),
    "queries times keys overflow": Case(
        HEAD + "is[s]", settings={"attention.query": "1e200 * one", "attention.key": "1e200 * one"}
    ),
    "queries times keys overflow to -inf where they hide": Case(
        HEAD + "is[s]", settings={"attention.query": "1e200 * one", "attention.key": "-1e200 * here[0]"}
    ),
    "queries times keys of 1e300": Case(
        HEAD + "is[s]",
        settings={"attention.query": "1e150 * one", "attention.key": "1e150 * here[0]", "attention.scale": 1},
        right=True,
        provable=True,
    ),
}


OVERFLOWING = ("wrong ones have -inf", "the right one has inf")  # nothing is decided, and all the time is searched


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] * (name in OVERFLOWING)) for name in CASES]
)
def test_hard_numbers(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    path = OWN / f"{case.spec}.yaml"
    if not case.spec:
        path = tmp_path / "hard.yaml"
        text = COPY.format(dtype=case.dtype, decode=case.decode, rest=indent(case.rest, "  "))
        path.write_text(text, encoding="utf-8")
    spec = load(path, case.settings, allow_overflow=True)
    so = truth(spec)
    assert (so.failing == 0) == case.right
    found = verify_in(LOOKS, spec, tried=0)
    check(name, spec, found, so)
    # where bounds fail, the module on this machine may settle what few positions decide
    assert found.verdict != "proved" or case.provable or "this machine" in found.assumptions


@pytest.mark.parametrize(
    ("dtype", "softmax", "back", "score", "value", "factor", "right"),
    [
        ("float64", "standard", 0, 705, 1e-18, 2e18, False),  # products of weights and values underflow in the tables
        pytest.param("float64", "standard", 0, 705, 1e-18, 0.5e18, True, marks=pytest.mark.long),
        ("float64", "standard", 0, 650, 1e-50, 2e50, False),
        ("float64", "plus_one", 40, 700, 1e-18, 4e18, False),
        ("float32", "standard", 0, 85, 1e-18, 2e18, False),
    ],
)
def test_weights_far_below_what_they_could_be(
    tmp_path: Path, dtype: str, softmax: str, back: int, score: int, value: float, factor: float, right: bool
) -> None:
    path = tmp_path / "hard.yaml"
    options = {"softmax": softmax, "back": back, "score": score, "value": value, "factor": factor}
    path.write_text(TWO_HEADS.format(dtype=dtype, **options), encoding="utf-8")
    spec = load(path, allow_overflow=True)
    so = truth(spec)
    assert (so.failing == 0) == right
    check(path.name, spec, verify_in(LOOKS, spec, tried=0), so)


def test_most_that_can_be_proved_is() -> None:
    assert sum(case.provable for case in CASES.values()) > 10
