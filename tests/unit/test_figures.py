"""Rates and times are printed with as many figures as they are worth."""

from __future__ import annotations

import pytest

from compiler.terminal.figures import measured, whole


@pytest.mark.parametrize(
    ("value", "text", "without_decimals"),
    [
        (193_307, "193,000", "193,000"),
        (1_765_452, "1,770,000", "1,770,000"),
        (999.6, "1,000", "1,000"),
        (531, "531", "531"),
        (56.57, "56.6", "57"),
        (9.996, "10.0", "10"),
        (9.994, "9.99", "10"),
        (4.19, "4.19", "4"),
        (1, "1.00", "1"),
        (0.19, "0.19", "0"),
        (0.0312, "0.031", "0"),
        (0.00316, "0.0032", "0"),
        (0, "0.0", "0"),
    ],
)
def test_three_figures_or_two(value: float, text: str, without_decimals: str) -> None:
    assert (measured(value), whole(value)) == (text, without_decimals)
