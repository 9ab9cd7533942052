"""What is said of small worlds is so: all their inputs are tried by the plain module."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.verifier.verdicts import Rates, verified
from tests.verifier.worlds import worlds

FEW = range(30, 46)
MANY = 2000


def check_worlds(seeds: Sequence[int]) -> Rates:
    rates = Rates()
    for world in worlds(seeds):
        rates.add(world.truth, verified(world))
    print("\n".join(["", f"worlds {seeds[0]} to {seeds[-1]}:", *rates.lines()]))
    return rates


def check_shares(rates: Rates) -> None:
    """The worlds are such that an unsound engine would be caught, and a timid one, too."""
    assert rates.of(["right"]) >= 0.3 * rates.total
    assert rates.of(["rarely wrong"]) >= 0.1 * rates.total
    assert rates.of(["right"], ["proved"]) >= 0.5 * rates.of(["right"])
    assert rates.of(["often wrong"], ["refuted"]) >= 0.5 * rates.of(["often wrong"])


def test_small_worlds() -> None:
    check_shares(check_worlds(FEW))


@pytest.mark.long
def test_many_small_worlds() -> None:
    check_shares(check_worlds(range(MANY)))
