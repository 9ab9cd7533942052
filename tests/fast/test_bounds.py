"""The plain module's logits lie within the fast engine's bounds, for every spec of the repository in every dtype."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compiler.backends.elementary.program import NotFollowed
from compiler.expressions.floats import FORMATS
from compiler.pipeline import Spec, load
from compiler.source.diagnostics import SpecError
from tests.fast.containment import any_tokens, compare, compare_streams, suite_tokens
from tests.helpers import SPECS, STEPS, each, loaded

pytestmark = pytest.mark.machine

MODELS = sorted([*SPECS.glob("*.yaml"), *(SPECS / "gallery").glob("*.yaml")])
SMALL = sorted(STEPS.glob("*.yaml"))
ALL = [*MODELS, *SMALL]
DTYPES = tuple(FORMATS)
SUITES: tuple[str, ...] = ("uniform", "near_carry")


def share_sure(spec: Spec, count: int, seed: int) -> float:
    """Check `count` inputs of the suites that come near a carry and of those that do not, and as many rows of any
    tokens; the share of the tokens that were sure."""
    known = spec.resolved.task.suites()
    asked = {name: suite_tokens(spec, name, count, seed) for name in SUITES if name in known}
    asked["any tokens"] = any_tokens(spec, count, seed)
    found = [compare(spec, *tokens).check((spec.title, name)) for name, tokens in asked.items()]
    return float(np.concatenate([one.sure for one in found]).mean())


def in_dtype(path: Path, dtype: str) -> Spec | None:
    """The spec with another dtype; None where its numbers do not fit."""
    try:
        return load(path, {"dtype": dtype})
    except SpecError:
        return None


def check_in_dtype(path: Path, dtype: str, count: int, seed: int) -> str:
    """Logits and streams; what became of it."""
    spec = in_dtype(path, dtype)
    if spec is None:
        return "does not load"
    try:
        share_sure(spec, count, seed)
        for name, found in compare_streams(spec, *any_tokens(spec, count, seed)):
            found.check((spec.title, "the stream after", name))
    except NotFollowed:
        return "not followed"
    return "contained"


@pytest.mark.parametrize("path", each(MODELS))
def test_every_model_stays_within_its_bounds_and_much_is_sure(path: Path) -> None:
    assert share_sure(loaded(path), 8, 1) > 0.2


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_every_kind_of_step_stays_within_its_bounds(path: Path) -> None:
    spec = loaded(path)
    share_sure(spec, 4, 2)
    for name, found in compare_streams(spec, *any_tokens(spec, 3, 2)):
        found.check((spec.title, "the stream after", name))
        assert np.isfinite(found.errors).all()


@pytest.mark.long
@pytest.mark.parametrize("start", range(4))
def test_in_other_dtypes(start: int) -> None:
    """Each spec in one dtype, the dtypes by turns."""
    found = [check_in_dtype(path, DTYPES[(i + i // 4) % 4], 2, 3) for i, path in enumerate(ALL) if i % 4 == start]
    assert found.count("contained") > len(found) / 2


@pytest.mark.long
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_spec_in_every_dtype(path: Path, dtype: str) -> None:
    spec = in_dtype(path, dtype)
    assert check_in_dtype(path, dtype, 100, 4) in ("contained", "not followed" if spec else "does not load")
