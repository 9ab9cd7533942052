"""Networks in which no column is told of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.evaluation.evaluator import Evaluator
from compiler.pipeline import load
from compiler.verifier.verify import verify
from tests.helpers import STEPS, verdicts

WITHOUT = [path for path in sorted(STEPS.glob("*.yaml")) if "attention" not in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", WITHOUT, ids=lambda path: path.stem)
def test_what_is_said_of_them_is_true(path: Path) -> None:
    spec = load(path)
    suite = spec.resolved.task.suites()["exhaustive"]
    inputs = [one for part in suite.parts(suite.default_size, 0) for one in part.generate()]
    wrong = verdicts(Evaluator(spec), inputs).count(False)
    found = verify(spec)
    assert found.inputs == len(inputs)
    assert found.failing[0] <= wrong <= found.failing[1]
    assert found.verdict == ("refuted" if wrong else "proved")
