"""Large numbers of inputs, and shares of them, for people: a bound is never rounded to the side where it is wrong."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Literal, assert_never

_Unit = Literal["percent", "ratio"]

SIGNIFICANT_DIGITS = 5  # of a share
_FINEST = 1_000_000  # a share of less than one in so many is not written in percent beside another one
_WRITTEN_OUT = 10**15  # from here on a number is written as a power where it is one
_LONGEST = 10**30  # what is no power is written out up to here
_LARGEST_BASE = 1024


def amount(number: int) -> str:
    """A count of inputs, exact: `10,000`, `73,890,674,000,062`, `10^20`; only what is longer than a line is rounded."""
    if number < _WRITTEN_OUT:
        return f"{number:,}"
    for base in range(2, _LARGEST_BASE + 1):
        rest, exponent = number, 0
        while rest % base == 0:
            rest, exponent = rest // base, exponent + 1
        if rest == 1:
            return f"{base}^{exponent}"
    if number < _LONGEST:
        return f"{number:,}"
    return f"about {_scientific(Decimal(number), up=False)}"


def share(part: int, whole: int, *, up: bool | None) -> str:
    """`part` of `whole`: `2.25e-7`, `12.5 %`, `all but 7.4751e-7`, `all`, `none`.

    A bound is rounded `up` or down, and what is no bound (None) to the nearest.
    """
    if part in (0, whole):
        return "all" if part else "none"
    if 100 * part > 99 * whole:
        return f"all but {share(whole - part, whole, up=None if up is None else not up)}"
    ratio = _ratio(part, whole, up=up)
    return f"{(100 * ratio).normalize():f} %" if 1000 * part >= whole else _scientific(ratio, up=up)


def shares(low: int, high: int, whole: int) -> str:
    """A bracket that holds the true share, both ends in one unit; a single share where both are one.

    `7.389e-7 to 7.4751e-7`, `0.086486 % to 0.44543 %`, `all but 5e-7 to all but 3e-9`, `1e-20 to 1`, `none to all`.
    """
    if low == high:
        return share(low, whole, up=None)
    if (low, high) == (0, whole):
        return "none to all"
    if 100 * low > 99 * whole and high < whole:
        most, least = whole - low, whole - high
        unit = _unit(least, most, whole)
        return f"all but {_end(most, whole, unit, up=True)} to all but {_end(least, whole, unit, up=False)}"
    unit = _unit(low, high, whole)
    return f"{_end(low, whole, unit, up=False)} to {_end(high, whole, unit, up=True)}"


def _unit(low: int, high: int, whole: int) -> _Unit:
    """Percent where that needs few digits: the larger end is 0.1 % at least, and no end is very near to none or all."""
    far = [end for end in (low, high) if end not in (0, whole)]
    few = all(_FINEST * min(end, whole - end) >= whole for end in far)
    return "percent" if few and 1000 * high >= whole else "ratio"


def _end(part: int, whole: int, unit: _Unit, *, up: bool) -> str:
    """An end of a bracket, rounded up or down, never to none or all: in percent, or as a number from 0 to 1."""
    match unit:
        case "percent":
            return f"{(100 * _near(part, whole, up=up)).normalize():f} %"
        case "ratio":
            if part in (0, whole):
                return str(part // whole)
            if _FINEST * (whole - part) < whole:
                return f"1 - {_scientific(_ratio(whole - part, whole, up=not up), up=not up)}"
            ratio = _near(part, whole, up=up)
            return f"{ratio.normalize():f}" if 1000 * part >= whole else _scientific(ratio, up=up)
        case _:
            assert_never(unit)


def _near(part: int, whole: int, *, up: bool) -> Decimal:
    """A share, rounded to `SIGNIFICANT_DIGITS`; of a share near 1, what is left of it is rounded so."""
    if 100 * part > 99 * whole:
        return 1 - _ratio(whole - part, whole, up=not up)
    return _ratio(part, whole, up=up)


def three_figures(value: float, *, up: bool) -> str:
    """Any number to three figures, rounded up or down: `0.034`, `2.83e+07`."""
    return f"{float(Context(prec=3, rounding=ROUND_CEILING if up else ROUND_FLOOR).plus(Decimal(repr(value)))):.3g}"


def _ratio(part: int, whole: int, *, up: bool | None) -> Decimal:
    return _context(up).divide(Decimal(part), Decimal(whole))


def _scientific(value: Decimal, *, up: bool | None) -> str:
    return f"{_context(up).plus(value).normalize():e}".replace("e+", "e")


def _context(up: bool | None) -> Context:
    rounding = ROUND_HALF_EVEN if up is None else ROUND_CEILING if up else ROUND_FLOOR
    return Context(prec=SIGNIFICANT_DIGITS, rounding=rounding)
