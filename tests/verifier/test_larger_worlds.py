"""What is said of worlds with some ten thousand inputs is so: all of these are tried by the plain module."""

from __future__ import annotations

import pytest

from tests.verifier.larger import larger_world
from tests.verifier.looks import verify_in
from tests.verifier.verdicts import Rates, check

LOOKS = 300  # at the clock, for one of them
FEW = range(4, 8)
MANY = 80  # as many as larger.json has


def check_larger_worlds(seeds: range) -> Rates:
    rates = Rates()
    for seed in seeds:
        world = larger_world(seed)
        found = verify_in(LOOKS, world.spec, tried=0)
        print(f"{world.name}: {world.truth.failing} of {world.truth.inputs} fail; {found.verdict}, {found.failing}")
        check(world.name, world.spec, found, world.truth)
        rates.add(world.truth, found)
    print("\n".join(rates.lines()))
    return rates


def check_shares(rates: Rates) -> None:
    """An unsound engine would be caught, and one that only ever says OPEN, too."""
    assert rates.of(["rarely wrong"]) >= 0.2 * rates.total
    assert rates.of(["right"]) >= 0.1 * rates.total
    assert rates.of(["right", "rarely wrong", "often wrong"], ["open"]) <= 0.5 * rates.total


def test_larger_worlds() -> None:
    check_shares(check_larger_worlds(FEW))


@pytest.mark.long
def test_many_larger_worlds() -> None:
    check_shares(check_larger_worlds(range(MANY)))
