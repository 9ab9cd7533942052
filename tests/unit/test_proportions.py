"""Numbers of inputs and shares of them, as people read them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.expressions.proportions import amount, share, shares, three_figures

COUNTS = st.integers(1, 10**30)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0"),
        (10_000, "10,000"),
        (10**15, "10^15"),
        (10**20, "10^20"),
        (5**32, "5^32"),
        (16**64, "2^256"),
        (73_890_674_000_062, "73,890,674,000,062"),
        (10**20 - 1, "99,999,999,999,999,999,999"),
        (99 * 10**50, "about 9.9e51"),
        (100**2048, "10^4096"),
    ],
)
def test_amounts(number: int, said: str) -> None:
    assert amount(number) == said


def test_an_amount_of_more_digits_than_python_writes() -> None:
    assert amount(99 * 10**5000) == "about 9.9e5001"


@pytest.mark.parametrize(
    ("part", "whole", "down", "up"),
    [
        (0, 7, "none", "none"),
        (7, 7, "all", "all"),
        (1, 8, "12.5 %", "12.5 %"),
        (991, 1000, "all but 0.9 %", "all but 0.9 %"),
        (1, 3, "33.333 %", "33.334 %"),
        (225, 10**9, "2.25e-7", "2.25e-7"),
        (73_890_674_000_062, 10**20, "7.389e-7", "7.3891e-7"),
        (10**20 - 74_750_117_500_050, 10**20, "all but 7.4751e-7", "all but 7.475e-7"),
        (1, 10**4096, "1e-4096", "1e-4096"),
    ],
)
def test_shares(part: int, whole: int, down: str, up: str) -> None:
    assert (share(part, whole, up=False), share(part, whole, up=True)) == (down, up)


@pytest.mark.parametrize(
    ("low", "high", "whole", "said"),
    [
        (73_890_674_000_062, 74_750_117_500_050, 10**20, "7.389e-7 to 7.4751e-7"),
        (225, 225, 10**9, "2.25e-7"),
        (2, 2, 3, "66.667 %"),  # what is known is rounded to the nearest
        (1, 1, 3, "33.333 %"),
        (299, 299, 300, "all but 0.33333 %"),
        (0, 0, 8, "none"),
        (8, 8, 8, "all"),
        (0, 8, 8, "none to all"),
        (86_486, 44_543_000, 10**10, "0.00086486 % to 0.44543 %"),
        (8_648_600, 44_543_000, 10**10, "0.086486 % to 0.44543 %"),
        (1, 10**20, 10**20, "1e-20 to 1"),
        (0, 3, 10**20, "0 to 3e-20"),
        (0, 44_543, 10**7, "0 % to 0.44543 %"),
        (1, 10**20 - 3, 10**20, "1e-20 to 1 - 3e-20"),
        (1, 2 * 10**19, 10**20, "1e-20 to 0.2"),
        (0, 10**20 - 3, 10**20, "0 to 1 - 3e-20"),
        (0, 10**20 - 10**17, 10**20, "0 % to 99.9 %"),
        (49_804, 100_000, 100_000, "49.804 % to 100 %"),
        (49_804, 99_999, 100_000, "49.804 % to 99.999 %"),
        (5 * 10**19, 10**20 - 7, 10**20, "0.5 to 1 - 7e-20"),
        (10**20 - 7, 10**20 - 3, 10**20, "all but 7e-20 to all but 3e-20"),
        (10**20 - 8 * 10**17, 10**20 - 3, 10**20, "all but 0.008 to all but 3e-20"),
        (995, 997, 1000, "all but 0.5 % to all but 0.3 %"),
        (995, 1000, 1000, "99.5 % to 100 %"),
        (10**20 - 3, 10**20, 10**20, "1 - 3e-20 to 1"),
        (1, 3, 10**4096, "1e-4096 to 3e-4096"),
        (1, 10**4096, 10**4096, "1e-4096 to 1"),
        (1, 2, 3, "33.333 % to 66.667 %"),
    ],
)
def test_brackets_are_in_one_unit(low: int, high: int, whole: int, said: str) -> None:
    assert shares(low, high, whole) == said


@given(COUNTS, COUNTS, COUNTS)
def test_a_bracket_is_in_one_unit_and_holds_both_ends(one: int, two: int, three: int) -> None:
    low, high, whole = sorted((one, two, three))
    first, last = (shares(low, high, whole).split(" to ") * 2)[:2]
    assert len({(end.endswith("%"), "all but" in end) for end in (first, last)}) == 1 or (first, last) == (
        "none",
        "all",
    )
    assert value(first) <= Fraction(low, whole) <= Fraction(high, whole) <= value(last) or low == high
    assert (value(first) == 0) == (low == 0)
    assert (value(last) == 1) == (high == whole)


def value(said: str) -> Fraction:
    """The share that a text says."""
    if said in ("none", "all"):
        return Fraction(said == "all")
    if said.startswith("all but "):
        return 1 - value(said.removeprefix("all but "))
    if said.startswith("1 - "):
        return 1 - value(said.removeprefix("1 - "))
    return Fraction(said.removesuffix(" %")) / 100 if said.endswith(" %") else Fraction(said)


@given(COUNTS, COUNTS)
def test_a_share_is_rounded_to_its_side_and_never_to_none_or_all(one: int, other: int) -> None:
    part, whole = min(one, other), max(one, other) + 1
    low, high = (value(share(part, whole, up=up)) for up in (False, True))
    assert 0 < low <= Fraction(part, whole) <= high < 1
    assert high - low <= min(high, 1 - low) / 500


@given(st.floats(allow_nan=False, allow_infinity=False, max_value=1e308, min_value=-1e308))
def test_a_figure_is_rounded_to_its_side(number: float) -> None:
    assert float(three_figures(number, up=False)) <= number <= float(three_figures(number, up=True))


def test_a_figure_that_is_none() -> None:
    assert [three_figures(number, up=True) for number in (float("inf"), 0.0, 0.034)] == ["inf", "0", "0.034"]
