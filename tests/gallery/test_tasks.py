"""Each spec of a task is short, and what it counts is what it claims; `test_verdicts` proves that it is right."""

from __future__ import annotations

from pathlib import Path

import pytest

import compiler
from compiler.pipeline import load
from compiler.readers.counting.claims import check_claims
from tests.helpers import SPECS

MAX_LINES = 60  # without comments and blank lines
TASKS = sorted((SPECS / "tasks").glob("*.yaml"))


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_a_task_is_short_and_counted(path: Path) -> None:
    spec = load(path)
    assert spec.name == path.stem
    assert spec.warnings == ()
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    assert len([line for line in lines if line and not line.startswith("#")]) <= MAX_LINES
    assert spec.resolved.expect.evals
    assert all(claim.status != "failed" for claim in check_claims(spec, compiler.count(spec), None))
