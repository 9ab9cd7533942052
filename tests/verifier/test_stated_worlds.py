"""What is said of small worlds of stated tasks is so: all their inputs are tried by the plain module."""

from __future__ import annotations

import pytest

from compiler.verifier.verify import TRIED
from tests.verifier.looks import verify_in
from tests.verifier.stated_worlds import worlds
from tests.verifier.verdicts import LOOKS, Rates, check

FEW = range(10, 24)
MANY = range(700)
RARELY = 0.04  # of the inputs: most worlds have less than a hundred


def check_worlds(seeds: range) -> None:
    """Those that are followed without and with trying inputs, the others by trying them."""
    rates, rare = Rates(), 0
    for world, followed in worlds(seeds):
        rare += 0 < world.truth.failing <= RARELY * world.truth.inputs
        for tried in [0, TRIED] if followed else [TRIED]:
            found = verify_in(LOOKS, world.spec, tried=tried)
            check(world.name, world.spec, found, world.truth)
            if tried == 0 or not followed:
                rates.add(world.truth, found)
    print("\n".join(["", f"worlds {seeds.start} to {seeds.stop - 1}:", *rates.lines()]))
    # an unsound engine would be caught, and a timid one, too
    assert rates.of(["right"]) >= 0.2 * rates.total
    assert rare >= 0.06 * rates.total
    assert rates.of(["often wrong"]) >= 0.2 * rates.total
    assert rates.of(["right"], ["proved"]) >= 0.5 * rates.of(["right"])
    assert rates.of(["often wrong"], ["refuted"]) >= 0.5 * rates.of(["often wrong"])


def test_small_worlds_of_stated_tasks() -> None:
    check_worlds(FEW)


@pytest.mark.long
def test_many_small_worlds_of_stated_tasks() -> None:
    check_worlds(MANY)
