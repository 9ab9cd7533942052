"""Leads of right tokens over others."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from compiler.elementary.program import Decision, Linear
from compiler.fast.bounds import Arithmetic, Bounded, Rounding
from compiler.fast.tensors import TensorFunctions
from compiler.floats import FORMATS
from compiler.ir import Decode
from compiler.judge import Judge
from compiler.pipeline import load
from compiler.verifier.head import leads
from compiler.verifier.verify import verify
from tests.helpers import STEPS, verdicts


@pytest.mark.parametrize("name", ["score-scale", "output-matrix", "rope-halves"])
def test_tokens_that_no_class_stands_for_are_never_said(name: str) -> None:
    """The stream has fewer dimensions than there are symbols, and its dimensions are the logits."""
    spec = load(STEPS / f"{name}.yaml")
    task = spec.resolved.task
    assert spec.network.classes.size < task.symbols
    suite = task.suites()["exhaustive"]
    inputs = [one for part in suite.parts(suite.default_size, 0) for one in part.generate()]
    wrong = verdicts(Judge(spec), inputs).count(False)
    found = verify(spec)
    assert found.verdict == "refuted"
    assert found.failing[0] <= wrong <= found.failing[1]


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
