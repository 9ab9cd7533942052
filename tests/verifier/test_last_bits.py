"""Specs that are right or wrong by the last bits of a lead: where nothing but the bounds on rounding decides."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from compiler.pipeline import Spec, load
from tests.verifier.knobs import any_knob
from tests.verifier.looks import verify_in
from tests.verifier.truth import seen_leads, truth
from tests.verifier.verdicts import LOOKS, check
from tests.verifier.worlds import ADDERS, VARIANTS

pytestmark = pytest.mark.machine

HALVINGS = 60


def last_bits(seed: int) -> tuple[str, list[Spec]]:
    """What was done, and the last spec that was seen to be right and the first that was seen to be wrong."""
    random = Random(f"last bits:{seed}")
    path = random.choice(ADDERS)
    sizes = random.choice(({"base": 3, "digits": 1}, {"base": 3, "digits": 2}, {"base": 5, "digits": 1}))
    spec = load(path, {**sizes, **random.choice(VARIANTS.get(path.stem, ({},)))})
    while True:
        knob = any_knob(spec.network, random)
        if (seen_leads(replace(spec, network=knob.turn(1.0))) < 0).any():
            break
    right, wrong = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (right + wrong) / 2
        if middle in (right, wrong):
            break
        if (seen_leads(replace(spec, network=knob.turn(middle))) < 0).any():
            wrong = middle
        else:
            right = middle
    specs = [replace(spec, network=knob.turn(share)) for share in (right, wrong)]
    return f"{seed}: {spec.title}, {knob.label}: {wrong!r} of it", specs


def check_last_bits(seed: int) -> None:
    name, specs = last_bits(seed)
    for spec in specs:
        found, so = verify_in(LOOKS, spec, tried=0), truth(spec)
        print(f"{name}: {so.failing} of {so.inputs} fail; {found.verdict}, {found.failing}")
        check(name, spec, found, so)


@pytest.mark.parametrize("seed", [pytest.param(i, marks=[pytest.mark.long] * (i > 0)) for i in range(4)])
def test_last_bits(seed: int) -> None:
    check_last_bits(seed)


@pytest.mark.long
@pytest.mark.parametrize("start", range(4, 304, 20))
def test_many_last_bits(start: int) -> None:
    for seed in range(start, start + 20):
        check_last_bits(seed)
