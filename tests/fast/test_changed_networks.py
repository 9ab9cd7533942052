"""Bounds hold for the networks of the repository with numbers and options changed at random."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from compiler.backends.elementary.program import NotFollowed
from compiler.pipeline import load
from tests.fast.changed import changed
from tests.fast.containment import any_tokens, compare, suite_tokens
from tests.fast.test_bounds import MODELS, SMALL


def check_changes(path: Path, changes: int, rows: int, seed: int) -> Counter[str]:
    found: Counter[str] = Counter()
    spec = load(path)
    for number in range(changes):
        name = f"{path.stem}:{seed}:{number}"
        other = replace(spec, network=changed(spec.network, Random(name)))
        try:
            for tokens in (any_tokens(spec, rows, seed), suite_tokens(spec, "uniform", rows, seed)):
                compared = compare(other, *tokens).check(name)
                found["tokens"] += compared.said.size
                found["sure"] += int(compared.sure.sum())
            found["followed"] += 1
        except NotFollowed:
            found["not followed"] += 1
    return found


@pytest.mark.parametrize("start", [pytest.param(i, marks=[pytest.mark.long] * (i > 0)) for i in range(4)])
def test_changed_models(start: int) -> None:
    found: Counter[str] = Counter()
    for path in MODELS[start::4]:
        found += check_changes(path, 1, 2, 1)
    for path in SMALL[start::4]:
        found += check_changes(path, 2, 2, 1)
    assert found["followed"] > found["not followed"]
    assert found["sure"] > 0.3 * found["tokens"]


@pytest.mark.long
@pytest.mark.parametrize("path", [*MODELS, *SMALL], ids=lambda path: path.stem)
def test_models_changed_often(path: Path) -> None:
    assert check_changes(path, 100, 4, 2)["followed"] > 0
