"""Rates and times as text: no more figures than a measurement is worth."""

from __future__ import annotations


def measured(value: float) -> str:
    """A rate or a time with three figures, or two where it is less than one: `193,000`, `56.6`, `0.19`."""
    figures = 3 if abs(value) >= 1 else 2
    exponent = int(f"{value:.{figures - 1}e}".partition("e")[2])
    return f"{float(f'{value:.{figures - 1}e}'):,.{max(0, figures - 1 - exponent)}f}"


def whole(value: float) -> str:
    """The same without decimals, for a column of large and small ones."""
    return f"{float(f'{value:.2e}'):,.0f}"
