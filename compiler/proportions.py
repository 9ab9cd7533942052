"""Large numbers of inputs, and shares of them, for people: a bound is never rounded to the side where it is wrong."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

FIGURES = 5  # of a share
_WRITTEN_OUT = 10**15  # numbers of at least so much are written as powers where they are some
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


def share(part: int, whole: int, *, up: bool) -> str:
    """`part` of `whole`, rounded up or down: `2.25e-7`, `12.5 %`, `all but 7.4751e-7`, `all`, `none`."""
    if part in (0, whole):
        return "all" if part else "none"
    if 100 * part > 99 * whole:
        return f"all but {share(whole - part, whole, up=not up)}"
    ratio = _ratio(part, whole, up=up)
    return f"{(100 * ratio).normalize():f} %" if 1000 * part >= whole else _scientific(ratio, up=up)


def shares(low: int, high: int, whole: int) -> str:
    """A bracket as shares, which holds the true one: `7.389e-7 to 7.4751e-7`; a single share where both are one."""
    if low == high:
        return share(low, whole, up=False)
    return f"{share(low, whole, up=False)} to {share(high, whole, up=True)}"


def figure(value: float, *, up: bool) -> str:
    """Any number to three figures, rounded up or down: `0.034`, `2.83e+07`."""
    return f"{float(Context(prec=3, rounding=ROUND_CEILING if up else ROUND_FLOOR).plus(Decimal(repr(value)))):.3g}"


def _ratio(part: int, whole: int, *, up: bool) -> Decimal:
    return _context(up).divide(Decimal(part), Decimal(whole))


def _scientific(value: Decimal, *, up: bool) -> str:
    return f"{_context(up).plus(value).normalize():e}".replace("e+", "e")


def _context(up: bool) -> Context:
    return Context(prec=FIGURES, rounding=ROUND_CEILING if up else ROUND_FLOOR)
