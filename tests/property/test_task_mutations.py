"""Whatever a task section says, `compiler.load` gives a `Spec` or a `SpecError`, and so do the suites of the task."""

from __future__ import annotations

from functools import cache
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest

import compiler
from compiler.source.diagnostics import SpecError
from compiler.tasks import Task
from compiler.tasks.layout import Layout
from tests.helpers import ROOT, SPECS, bounded
from tests.property.task_mutants import mutant, read
from tests.property.test_mutations import check_places, check_refused

BASES = [ROOT / "tests/invalid/cases/parts" / f"{name}.yaml" for name in ("base", "subtraction", "memory", "cases")]
CHUNK = 60
FEW = 20  # inputs of each part of a suite that are laid out


@cache
def seeds() -> list[dict[str, Any]]:
    return [read(path) for path in (*BASES, *sorted(SPECS.glob("tasks/*.yaml")), SPECS / "reverse.yaml")]


def check_placed(error: SpecError, but: str) -> None:
    """All errors have a place, but those of one code, which are about the whole."""
    check_refused(error)
    assert {one.code for one in error.diagnostics if one.span is None} <= {but}, str(error)


def check_task(task: Task, layout: Layout) -> None:
    """Inputs of each suite can be laid out and described; where one cannot be made, the reason has a place."""
    try:
        for suite in task.suites().values():
            for part in suite.parts(min(suite.default_size, FEW), 0)[:2]:
                for words in islice(part.blocks(FEW), 1):
                    assert layout.prompts(words).shape[1] == len(layout.prompt)
                    assert layout.answers(words).shape[1] == len(layout.answer)
                    assert task.describe(task.inputs(words, 0))
    except SpecError as error:
        check_placed(error, but="task")


def check_chunk(folder: Path, chunk: int) -> tuple[int, int]:
    """Load the mutants of one chunk; how many were valid, and how many were refused."""
    random = Random(f"tasks:{chunk}")
    path, valid = folder / "mutant.yaml", 0
    for case in range(CHUNK):
        path.write_text(mutant(random.choice(seeds()), random), encoding="utf-8")
        try:
            with bounded():
                spec = compiler.load(path)
                valid += 1
                check_places(spec.warnings)
                for choice in spec.choices[:2]:
                    check_task(choice.resolved.task, choice.layout)
        except SpecError as error:
            check_placed(error, but="too-many-errors")
        except BaseException as error:
            pytest.fail(f"chunk {chunk}, case {case}: {error!r}\n{path.read_text(encoding='utf-8')}")
    return valid, CHUNK - valid


@pytest.mark.parametrize("chunk", [pytest.param(i, marks=[pytest.mark.long] * (i > 0)) for i in range(60)])
def test_mutants_of_tasks_load_or_are_refused(tmp_path: Path, chunk: int) -> None:
    valid, refused = check_chunk(tmp_path, chunk)
    assert valid >= 1  # the mutants reach the later stages
    assert refused >= 10
