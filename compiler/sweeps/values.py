"""What `--set name=…` lists in a sweep: values between commas, ranges `a..b`, `a..b..step` and `a..b..*factor`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from compiler.source.diagnostics import fail
from compiler.source.limits import MAX_INTEGER_BITS
from compiler.source.text import Source, Span

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?(?:/[1-9][0-9]*)?")
_LONGEST_NUMBER = 100  # in characters
MAX_FACTORS = 1000  # values of one range with a factor
_CLOSING = {"(": ")", "[": "]", "{": "}"}
RANGES = "a range is a..b, a..b..step or a..b..*factor, with numbers such as 2, 0.5, 1e4 or 1/3"


@dataclass(frozen=True)
class Steps:
    """The numbers `first`, `first + step`, and so on, `size` of them, exactly."""

    first: Fraction
    step: Fraction
    size: int


@dataclass(frozen=True)
class AxisValues:
    """The values of one name in their order, each as the text that `--set` takes; ranges are not written out."""

    parts: tuple[str | Steps, ...]

    @property
    def size(self) -> int:
        return sum(1 if isinstance(part, str) else part.size for part in self.parts)

    @property
    def listed(self) -> tuple[str, ...]:
        """Those that are no numbers of a range."""
        return tuple(part for part in self.parts if isinstance(part, str))

    def value(self, index: int) -> str:
        """The value at an index from 0 to `size - 1`."""
        for part in self.parts:
            size = 1 if isinstance(part, str) else part.size
            if index < size:
                return part if isinstance(part, str) else as_written(part.first + index * part.step)
            index -= size
        raise IndexError(index)

    def __iter__(self) -> Iterator[str]:
        return (self.value(index) for index in range(self.size))


def listed_values(texts: Iterable[str]) -> AxisValues:
    """Values that are not read as ranges."""
    return AxisValues(tuple(texts))


def axis_values(source: Source, start: int) -> AxisValues:
    """The values that a setting lists from `start` on.

    A comma or `..` within brackets or quotes is part of a value. Raises `SpecError` for a bracket or a quote that is
    not closed, for nothing between two commas, and for a range that is empty or is none.
    """
    outside = _outside(source, start)
    commas = [place for place in outside if source.text[place] == ","]
    starts, ends = [start, *(comma + 1 for comma in commas)], [*commas, len(source.text)]
    spans = [Span(source, first, end) for first, end in zip(starts, ends, strict=True)]
    if len(spans) > 1:
        for span in spans:
            if not span.text.strip():
                raise fail(
                    "syntax",
                    "there is no value here",
                    Span(source, max(start, span.start - 1), span.end),
                    "write a,b,c",
                )
    return AxisValues(tuple(part for span in spans for part in _parts(span, outside)))


def as_written(number: Fraction) -> str:
    """A number as a spec can read it, exactly: an integer, a decimal, or else a quotient."""
    rest, twos, fives = number.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest > 1:
        return f"{number.numerator}/{number.denominator}"
    places = max(twos, fives)
    digits = str(abs(number.numerator) * 10**places // number.denominator).zfill(places + 1)
    whole = digits if places == 0 else f"{digits[:-places]}.{digits[-places:]}"
    return f"-{whole}" if number < 0 else whole


def _outside(source: Source, start: int) -> list[int]:
    """The places of a text that lie in no brackets and no quotes, from `start` on. Raises `SpecError`."""
    found: list[int] = []
    waited_for: list[tuple[str, int]] = []  # what closes each open bracket or quote, and where that is
    before = ""
    for place, sign in enumerate(source.text[start:], start):
        closing = waited_for[-1][0] if waited_for else ""
        if closing in ("'", '"'):
            if sign == closing:
                waited_for.pop()
        elif sign == closing:
            waited_for.pop()
        elif sign in _CLOSING:
            waited_for.append((_CLOSING[sign], place))
        elif sign in "'\"" and not before.isalnum():  # an apostrophe is no quote
            waited_for.append((sign, place))
        elif not waited_for:
            found.append(place)
        before = sign
    if waited_for:
        closing, place = waited_for[-1]
        raise fail("syntax", f"nothing closes this with {closing}", Span(source, place, place + 1))
    return found


def _parts(span: Span, outside: list[int]) -> Sequence[str | Steps]:
    """What stands between two commas: one value, or a range."""
    text, places = span.text, set(outside)
    dots = [at for at in range(len(text) - 1) if text[at : at + 2] == ".." and span.start + at in places]
    if not dots:
        return [text.strip()]
    ends = [part.strip() for part in text.split("..")]
    factor = len(ends) == 3 and ends[2].startswith("*")
    if factor:
        ends[2] = ends[2][1:].strip()
    numbers = [Fraction(end) for end in ends if len(end) <= _LONGEST_NUMBER and _NUMBER.fullmatch(end)]
    if len(numbers) < len(ends) or len(ends) > 3:
        raise fail("syntax", f"'{text.strip()}' is no range", span, f"{RANGES}; a text with .. stands in quotes")
    first, last, *steps = numbers
    if factor:
        return list(_multiplied(span, first, last, steps[0]))
    step = steps[0] if steps else Fraction(1)
    size = (last - first) // step + 1 if step else 0
    if size < 1:
        hint = "the step is 0" if not step else "a range that falls has a step below 0, as in 10..1..-1"
        raise fail("empty-range", f"the range '{text.strip()}' is empty", span, hint)
    return [Steps(first, step, size)]


def _multiplied(span: Span, first: Fraction, last: Fraction, factor: Fraction) -> Iterator[str]:
    """The values from `first` to `last`, each the one before times the factor. Raises `SpecError`."""
    name = span.text.strip()
    if first <= 0 or last <= 0 or factor <= 0 or factor == 1:
        hint = "both ends and the factor are above 0, and the factor is not 1"
        raise fail("bad-value", f"the range '{name}' never ends", span, hint)
    number, rises = first, factor > 1
    if (last < first) if rises else (last > first):
        hint = "a range that falls has a factor below 1, as in 1e8..1e4..*1/10"
        raise fail("empty-range", f"the range '{name}' is empty", span, hint)
    for _ in range(MAX_FACTORS):
        if max(number.numerator.bit_length(), number.denominator.bit_length()) > MAX_INTEGER_BITS:
            break
        yield as_written(number)
        number *= factor
        if (number > last) if rises else (number < last):
            return
    message = f"the range '{name}' has more than {MAX_FACTORS:,} values, or some of too many digits"
    raise fail("too-large", message, span, "values are exact; take a larger factor")
