"""Verdicts of the fast engine against the plain module's, input by input, with the first wrong token of each answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compiler.backends.native.c_compiler import find_compiler
from compiler.backends.native.engines import EngineName
from compiler.backends.torch.reference import alone
from compiler.evaluation.evaluator import Evaluator, Verdicts
from compiler.pipeline import Spec, load
from compiler.source.user_cache import SETTING
from tests.fast.containment import suite_tokens
from tests.helpers import SPECS, each

pytestmark = pytest.mark.machine

MODELS = sorted([*SPECS.glob("*.yaml"), *(SPECS / "gallery").glob("*.yaml")])
SUITES = ("uniform", "near_carry")
COMPILED = 1 << 30  # so many inputs that C is worth it
Row = tuple[int, int, int, int]


@pytest.fixture(autouse=True)
def _no_cache_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, str(tmp_path / "cache"))


def suites(spec: Spec) -> list[str]:
    return [name for name in SUITES if name in spec.resolved.task.suites()]


def wrong(found: Verdicts) -> list[Row]:
    """Input, place, right token, token said, of each input that is answered wrong."""
    columns = (found.wrong, found.slots, found.expected, found.said)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    assert (~found.right).sum() == len(rows)
    return rows


def judged(spec: Spec, engine: EngineName, suite: str, pairs: int, inputs: int = 0) -> list[Row]:
    evaluator = Evaluator(spec, engine=engine, inputs=inputs)
    assert evaluator.use.name == engine, evaluator.use.reason
    assert (inputs == COMPILED) == evaluator.use.detail.startswith("compiled C"), evaluator.use.detail
    every = [words for part in spec.resolved.task.suites()[suite].parts(pairs, 5) for words in part.blocks(pairs)]
    words = {name: np.concatenate([some[name] for some in every])[:pairs] for name in every[0]}
    return wrong(evaluator.decide(evaluator.ask(words)))


def by_reference(spec: Spec, suite: str, pairs: int) -> list[Row]:
    """One sequence at a time, token by token."""
    reference, predicted = Evaluator(spec, engine="plain").reference, spec.layout.predicted
    rows: list[Row] = []
    with alone():
        for number, (prompt, answer) in enumerate(zip(*suite_tokens(spec, suite, pairs, 5), strict=True)):
            first = reference.first_wrong(prompt, answer, range(len(predicted)))
            if first is not None:
                slot = predicted[first[0]]
                rows.append((number, slot, int(answer[slot]), first[1]))
    return rows


@pytest.mark.parametrize("path", each(MODELS))
def test_verdicts_are_the_plain_modules(path: Path) -> None:
    spec = load(path)
    for suite in suites(spec):
        assert judged(spec, "fast", suite, 20) == by_reference(spec, suite, 20), suite


@pytest.mark.parametrize("name", ["tiny95", pytest.param("gallery/Lokimorty_39p", marks=pytest.mark.long)])
@pytest.mark.skipif(find_compiler() is None, reason="no C compiler works here")
def test_verdicts_of_compiled_code(name: str) -> None:
    spec = load(SPECS / f"{name}.yaml")
    for suite in suites(spec):
        assert judged(spec, "fast", suite, 100, COMPILED) == judged(spec, "plain", suite, 100), suite


@pytest.mark.long
@pytest.mark.parametrize("path", each(MODELS))
@pytest.mark.skipif(find_compiler() is None, reason="no C compiler works here")
def test_many_verdicts(path: Path) -> None:
    spec = load(path)
    for suite in suites(spec):
        plain = by_reference(spec, suite, 1000)
        assert judged(spec, "fast", suite, 1000) == plain, suite
        assert judged(spec, "fast", suite, 1000, COMPILED) == plain, suite


def test_a_suite_with_wrong_answers_is_among_them() -> None:
    """What is compared above is not always empty."""
    spec = load(SPECS / "tiny95.yaml")
    assert len(judged(spec, "fast", "near_carry", 3000)) > 3
    assert len(by_reference(spec, "near_carry", 300)) > 0
