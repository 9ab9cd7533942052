"""The small worlds themselves: specs that are right before anything is changed, and what is said to be so is so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from compiler.evaluation.evaluation import answer, evaluate
from compiler.network.ir import Network
from compiler.pipeline import load
from tests.verifier.knobs import Knob, entry_knob, option_knob, tensor_knob
from tests.verifier.truth import seen_leads, truth
from tests.verifier.worlds import OWN, REWRITERS, VARIANTS, world

ADDERS = sorted(path for path in OWN.glob("*.yaml") if "addition:" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", ADDERS, ids=lambda path: path.stem)
def test_own_adders_are_right_in_every_base(path: Path) -> None:
    for base, digits in ((2, 1), (2, 2), (3, 2), (5, 1), (5, 2)):
        assert truth(load(path, {"base": base, "digits": digits})).failing == 0


@pytest.mark.parametrize("path", REWRITERS, ids=lambda path: path.stem)
def test_rewriters_are_right(path: Path) -> None:
    for symbols, length in ((2, 2), (3, 2), (5, 4)):
        assert truth(load(path, {"symbols": symbols, "length": length})).failing == 0


def test_first_variants_are_the_specs_themselves() -> None:
    assert all(variants[0] == {} for variants in VARIANTS.values())


@pytest.mark.parametrize("seed", range(8))
def test_truth_is_what_an_evaluation_finds(seed: int) -> None:
    found = world(seed)
    assert found.truth.failing + evaluate(found.spec, ["exhaustive"]).right == found.truth.inputs
    wrong = found.truth.wrong
    assert found.truth.failing <= sum(found.truth.steps) <= wrong.size
    if found.spec.resolved.task.name == "addition":
        width = round(found.truth.inputs**0.5)
        for i in [*np.flatnonzero(wrong.any(1))[:2], *np.flatnonzero(~wrong.any(1))[:2]]:
            assert answer(found.spec, divmod(int(i), width)).right != wrong[i].any()


def test_the_same_seed_is_the_same_world() -> None:
    for seed in (0, 1, 4):
        first, second = world(seed), world(seed)
        assert first.name == second.name
        assert (first.truth.wrong == second.truth.wrong).all()


def test_leads_are_below_zero_where_inputs_fail() -> None:
    spec = load(OWN / "running.yaml", {"depth": -60})
    assert (seen_leads(spec) > 0).all()
    broken = load(OWN / "running.yaml", {"depth": -60, "base": 5, "wrap.ffn.down here": "-(base - 1) * (low - high)"})
    assert ((seen_leads(broken) < 0) == truth(broken).wrong.any(1)).all()


@pytest.mark.parametrize("make", [tensor_knob, entry_knob, option_knob], ids=lambda make: make.__name__)
def test_a_knob_that_is_not_turned_changes_nothing_that_is_said(make: Callable[[Network, Random], Knob]) -> None:
    for path in ADDERS:
        spec = load(path)
        for number in range(2):
            knob = make(spec.network, Random(number))
            if "epsilon" not in knob.label:
                assert truth(replace(spec, network=knob.turn(0.0))).failing == 0
