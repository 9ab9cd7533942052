"""Names, numbers and any text of a user as LaTeX: nothing that is special there gets through as it is."""

from __future__ import annotations

import math
import re
from decimal import Decimal

# `<`, `>`, `|` and quotes are other signs, or parts of one, in TeX's old font encoding.
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": "{`}",
    "'": "{'}",
    **{sign: f"\\{sign}" for sign in "{}$&#_%"},
}
_MANY_ZEROS, _FEW_ZEROS = 4, 2  # 10000.0 is written 10^4, and 0.001 is written 10^-3; 100.0 and 0.01 stay


def single_line(text: str) -> str:
    """The text with every run of blanks, line ends and unprintable characters as one space: safe in a comment."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def escape(text: str) -> str:
    """The text as it is to be read, inside `\\text{…}` or a paragraph."""
    escaped = "".join(_SPECIAL.get(sign, sign) for sign in single_line(text))
    return re.sub(r"-(?=-)", "-{}", escaped)


def in_text(text: str) -> str:
    """Text inside an equation."""
    return rf"\text{{{escape(text)}}}"


def name(word: str) -> str:
    """A name inside an equation: a single letter as a variable, anything longer upright."""
    return word if len(word) == 1 and word.isascii() and word.isalpha() else rf"\mathrm{{{escape(word)}}}"


def mantissa_and_power(value: int | float) -> tuple[str, int]:
    """A finite number that is not negative as digits and a power of ten; the mantissa is empty where it is 1.

    Integers, and doubles that are short without a power, have the power 0.
    """
    if isinstance(value, int):
        return str(value), 0
    _, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    power = exponent + len(digits) - 1
    if value == 0 or (exponent < _MANY_ZEROS and power >= -_FEW_ZEROS):
        plain = f"{Decimal(repr(value)):f}"
        return (plain.rstrip("0").rstrip(".") if "." in plain else plain), 0
    shown = "".join(map(str, digits))
    mantissa = shown if len(shown) == 1 else f"{shown[0]}.{shown[1:]}"
    return ("" if mantissa == "1" else mantissa), power


def latex_number(value: int | float) -> str:
    """A number inside an equation: 100, 0.5, `10^{4}`, `2.5 \\times 10^{-3}`."""
    if isinstance(value, float) and math.isnan(value):
        return r"\mathrm{NaN}"
    sign, size = ("-", -value) if value < 0 else ("", abs(value))
    if size == math.inf:
        return rf"{sign}\infty"
    mantissa, power = mantissa_and_power(size)
    if not power:
        return sign + mantissa
    return sign + (rf"{mantissa} \times 10^{{{power}}}" if mantissa else f"10^{{{power}}}")
