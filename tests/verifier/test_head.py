"""Leads of right tokens over others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from compiler.backends.bounds.arithmetic import Arithmetic, Rounding
from compiler.backends.bounds.bounded import Bounded
from compiler.backends.bounds.tensors import TensorFunctions
from compiler.backends.elementary.program import Decision, Linear
from compiler.backends.torch.reference import Reference
from compiler.evaluation.evaluator import Evaluator
from compiler.expressions.floats import FORMATS
from compiler.network.ir import Decode
from compiler.pipeline import Spec, load
from compiler.verifier.head import leads
from compiler.verifier.verify import verify
from compiler.verifier.witness import Witnesses
from tests.helpers import STEPS, verdicts

NO_NUMBER = """\
weightspec: 1
name: no-number
dtype: float64
vocabulary: symbol[symbols] =
task:
  copy: {symbols: 1, length: 2}
  prompt: word =
  answer: copied
stream: one big
network:
  embedding:
    symbol[s]: {one: 1}
    =: {one: 1}
  ffn:
    hidden: h
    activation: relu
    up h: 1e200 * one
    down big: 1e200 * h
  head:
    classes: 1
    logits symbol[0]: one  # and 0 times an infinity
decode: argmax
ignore: no-claims
"""


def asked(spec: Spec) -> Witnesses:
    automaton = spec.resolved.task.automaton()
    assert automaton is not None
    return Witnesses(spec, automaton, Reference(spec))


@pytest.mark.parametrize("name", ["score-scale", "output-matrix", "rope-halves"])
def test_tokens_that_no_class_stands_for_are_never_said(name: str) -> None:
    """The stream has fewer dimensions than there are symbols, and its dimensions are the logits."""
    spec = load(STEPS / f"{name}.yaml")
    task = spec.resolved.task
    assert spec.network.classes.size < task.given[0].symbols
    suite = task.suites()["exhaustive"]
    inputs = [one for part in suite.parts(suite.default_size, 0) for one in part.generate()]
    wrong = verdicts(Evaluator(spec), inputs).count(False)
    found = verify(spec)
    assert found.verdict == "refuted"
    assert found.failing[0] <= wrong <= found.failing[1]


def test_the_lead_of_what_the_module_never_says() -> None:
    """Where time ran out, such inputs may be among the open ones that the module is asked about."""
    spec = load(STEPS / "score-scale.yaml")
    symbol = spec.network.classes.size
    assert asked(spec).lead((symbol, 0, 0), 0) == -math.inf


def test_the_lead_of_what_is_no_number(tmp_path: Path) -> None:
    """Also of a single class, which leads no other."""
    path = tmp_path / "nan.yaml"
    path.write_text(NO_NUMBER, encoding="utf-8")
    witnesses = asked(load(path))
    assert math.isnan(witnesses.lead((0, 0), 0))
    assert witnesses.fails((0, 0)) is not None


@pytest.mark.parametrize("seed", range(30))
def test_the_lead_of_known_logits_is_rounded_down(seed: int) -> None:
    a = Arithmetic(TensorFunctions(), Rounding.of(FORMATS["float64"]))
    numbers = np.random.default_rng(seed).normal(size=3) * np.array([1.0, 1e-3, 1.0])
    inputs = [Bounded(float(x), 0.0) for x in numbers]
    expected = np.arange(3)
    found = leads(a, Decision(0, None, 3, (0,), "argmax"), inputs, expected, [])
    for token in range(3):
        exact = [Fraction(numbers[token]) - Fraction(x) for i, x in enumerate(numbers) if i != token]
        assert Fraction(found.lowest[token]) <= min(exact)
        assert Fraction(np.nextafter(found.lowest[token], np.inf)) > min(exact)
        assert (found.lowest[token] > 0) == (min(exact) > 0)
        assert bool(found.behind[token]) == (min(exact) < 0)


@pytest.mark.parametrize("decode", ["argmax", "argmin"])
@pytest.mark.parametrize("classes", [1, 2])
def test_the_lead_of_a_token_that_is_no_class(decode: Decode, classes: int) -> None:
    a = Arithmetic(TensorFunctions(), Rounding.of(FORMATS["float64"]))
    linear = Linear(tuple(((0, 1.0 + i),) for i in range(classes)))
    for weights, value in product((linear, None), (1.0, -1.0)):
        inputs = [Bounded(value, 0.0), Bounded(2 * value, 0.0)]
        made = Decision(0, weights, classes, (0,), decode)
        found = leads(a, made, inputs, np.array([0, classes, classes + 5]), [])
        assert found.behind[1:].all()
        assert (found.lowest[1:] == -np.inf).all()
        ahead = (value > 0) == (decode == "argmin")
        assert bool(found.behind[0]) == (classes == 2 and not ahead)


EXACT = Rounding(0.0, 0.0, 0.0, 0.0)  # of a module that rounds nothing: what is left is the engine's own
KNOWN = {"float32": Rounding.of(FORMATS["float32"]), "exact": EXACT}


def two_classes(
    rounding: Rounding, inputs: Sequence[Bounded], right: Sequence[float], rival: Sequence[float]
) -> tuple[float, bool]:
    """The lead of class 0 over class 1, whose logits have these weights: at least, and whether it is surely behind."""
    linear = Linear(tuple(tuple(enumerate(weights)) for weights in (right, rival)))
    a = Arithmetic(TensorFunctions(), rounding)
    found = leads(a, Decision(0, linear, 2, (0,), "argmax"), inputs, np.array([0]), [])
    return float(found.lowest[0]), bool(found.behind[0])


@pytest.mark.parametrize("scale", [1.0, -1.0])
def test_logits_that_rounding_makes_equal(scale: float) -> None:
    """In float32, 1 + 2^-24 is 1 and 1 + 3 · 2^-24 is 1 + 2^-22: sums that are larger than another number, and then
    are not; or smaller."""
    least = 2.0**-24
    for high, low in (((1.0, least), (1.0, 0.0)), ((1 + 4 * least, 0.0), (1.0, 3 * least))):
        numbers = [scale * x for x in (*high, *low)]
        inputs = [Bounded(x, 0.0) for x in numbers]
        ahead, behind = (1.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 1.0)
        for right, rival in ((ahead, behind), (behind, ahead)):
            lowest, surely_behind = two_classes(KNOWN["float32"], inputs, right, rival)
            assert lowest <= 0
            assert not surely_behind
            lowest, surely_behind = two_classes(EXACT, inputs, right, rival)
            assert surely_behind == ((right == ahead) != (scale > 0)) != (lowest > 0)


def test_equal_logits_are_neither_ahead_nor_behind() -> None:
    for rounding in KNOWN.values():
        lowest, behind = two_classes(rounding, [Bounded(1.5, 0.0)], [2.0], [2.0])
        assert not lowest > 0
        assert not behind


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_never_ahead(bad: float) -> None:
    a = Arithmetic(TensorFunctions(), KNOWN["float32"])
    for inputs in ([Bounded(1.0, 0.0), Bounded(bad, 0.0)], [Bounded(1.0, 0.0), Bounded(0.0, bad)]):
        found = leads(a, Decision(0, None, 2, (0,), "argmax"), [*inputs, Bounded(-9.0, 0.0)], np.array([0]), [])
        assert not found.lowest[0] > 0
        assert not found.behind[0] or inputs[1].value == float("inf")


@pytest.mark.parametrize("seed", range(40))
def test_what_varies_together_cancels_and_no_more(seed: int) -> None:
    """Two channels share what varies, and one logit's weights cancel it up to the last bits."""
    random = np.random.default_rng(seed)
    first, second, w = (float(n) for n in random.normal(size=3))
    third = -w * first / second  # nearly
    error, tiny = float(random.choice([0.0, 1e-17])), float(random.normal() * 1e-16)
    inputs = [Bounded(0.0, 0.0, {7: first}), Bounded(0.0, error, {7: second}), Bounded(tiny, 0.0)]
    weights = (w, third, 1.0), (w, 0.0, 0.0) if seed % 2 else (0.0, 0.0, 0.0)
    lowest, behind = two_classes(EXACT, inputs, *weights)
    apart = [Fraction(one) - Fraction(other) for one, other in zip(*weights, strict=True)]
    moved = abs(apart[0] * Fraction(first) + apart[1] * Fraction(second)) + abs(apart[1]) * Fraction(error)
    assert Fraction(lowest) <= Fraction(tiny) - moved
    assert not behind or Fraction(tiny) + moved < 0


@pytest.mark.parametrize("bad", [Bounded(float("nan"), 0.0), Bounded(1.0, float("inf")), Bounded(float("inf"), 0.0)])
def test_a_single_class_that_is_no_number_is_not_said(bad: Bounded) -> None:
    a = Arithmetic(TensorFunctions(), KNOWN["float32"])
    decision = Decision(0, Linear((((0, 1.0),),)), 1, (0,), "argmax")
    assert leads(a, decision, [Bounded(1.0, 1.0)], np.array([0]), []).lowest[0] > 0
    assert not leads(a, decision, [bad], np.array([0]), []).lowest[0] > 0
