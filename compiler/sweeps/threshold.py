"""Where the verdict on a spec turns: the value of a name from which on it is proved, found by bisection.

It is a sweep whose next point depends on the verdicts before it, with the same journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from math import copysign, isfinite, isqrt, sqrt
from pathlib import Path
from typing import Literal

from compiler.expressions.floats import FloatFormat, round_to, shortest
from compiler.expressions.values import Number
from compiler.language.definitions import Definition
from compiler.pipeline import Leniency, Spec, load_sources
from compiler.source.diagnostics import did_you_mean, fail
from compiler.source.extends import parsed_chain
from compiler.source.showing import short_repr
from compiler.sweeps.journal import Journal, opened_journal
from compiler.sweeps.plan import SweepPoint, SweptSpec, swept_spec
from compiler.sweeps.points import counted_point, point_verdict
from compiler.sweeps.results import PointQuestion, PointVerdict, SweepRow, point_key
from compiler.verifier.results import VerdictName
from compiler.verifier.verify import verify

REL = 1e-4  # values whose difference is at most this share of the larger one are close enough
VERDICTS = 40  # so many are asked for at most

ThresholdEnding = Literal["precise", "open", "verdicts", "interrupted"]


@dataclass(frozen=True)
class ValueVerdict:
    """What was found for one value, in so many `seconds`; `setting` is `NAME=VALUE`, and gives the same spec again.
    `known`: it was not verified now, as a journal has it."""

    value: int | float
    setting: str
    found: PointVerdict
    seconds: float
    known: bool

    __repr__ = short_repr

    @property
    def verdict(self) -> VerdictName:
        return self.found.verdict


@dataclass(frozen=True)
class Threshold:
    """The verdicts on the values of `name`, in the order in which they were found: first those of the two ends.

    `ending`: `precise` where the refuted and the proved value are as close as was asked for; `open` where values
    between them, or an end, are open, and no other value is to be tried; `verdicts` where there were enough;
    `interrupted` by a `KeyboardInterrupt`.
    """

    name: str
    values: tuple[ValueVerdict, ...]
    ending: ThresholdEnding

    __repr__ = short_repr

    @property
    def refuted(self) -> ValueVerdict | None:
        """The refuted value that is next to the proved ones."""
        return next((known for known in _turn(self.values) if known.verdict == "refuted"), None)

    @property
    def proved(self) -> ValueVerdict | None:
        """The proved value that is next to the refuted ones."""
        return next((known for known in _turn(self.values) if known.verdict == "proved"), None)

    @property
    def open(self) -> tuple[ValueVerdict, ...]:
        """The values between these two that are open, from the refuted one on."""
        return tuple(known for known in _turn(self.values) if known.verdict == "open")


def threshold(
    spec: Spec,
    name: str,
    between: tuple[int | float, int | float],
    *,
    budget: float = 60.0,
    rel: float = REL,
    verdicts: int = VERDICTS,
    integers: bool = False,
    journal: str | Path | None = None,
    restart: bool = False,
    progress: Callable[[ValueVerdict], None] | None = None,
    notice: Callable[[str], None] | None = None,
) -> Threshold:
    """Find where the verdict turns as `name` varies: a constant, a parameter, a derived value or a task size.

    One of the two values is to be refuted, the other one proved. Then values between them are verified, each in its
    `budget` of seconds, until the last refuted and the first proved one differ by no more than `rel` times the larger
    one. It is taken for granted that the verdict turns once. Where a value is open, only what lies between it and the
    refuted values, and between it and the proved ones, is tried further. At most so many `verdicts` are asked for. The
    values of a task size are integers, those of others with `integers`; then the two are neighbours in the end. Values
    of a parameter are numbers of the dtype. What is in the `journal`, which may be that of sweeps, is not verified
    again, unless it is to `restart`; each verdict is added to it. `progress` is called with each verdict, and
    `notice(text)` with what a person should know. A `KeyboardInterrupt` ends it with what is known.
    Raises `SpecError` where the two ends have the same verdict, for an unknown name, for ends that are no numbers or
    the same, for a value that makes no valid spec, for a journal that cannot be read and written, and as `verify` does.
    """
    numbers = _numbers(spec, name, integers=integers)
    ends = _ends(name, between, numbers)
    _check_limits(rel, verdicts)
    for value in (*ends, _middle(*ends, numbers)):  # what is no spec is said before a long search
        if value is not None:
            _variant(spec, name, value)
    path = None if journal is None else Path(journal)
    values: list[ValueVerdict] = []
    ending: ThresholdEnding = "interrupted"
    with opened_journal(path, notice or (lambda text: None)) as opened, suppress(KeyboardInterrupt):
        if restart:
            opened.results.clear()
        search = _Search(spec, name, budget, opened, progress or (lambda known: None), values)
        for value in _wanted(ends, values, numbers, rel):
            if len(values) == verdicts:
                ending = "verdicts"
                break
            search.ask(value)
            if len(values) == 2:
                _check_ends_differ(values)
        else:
            ending = "open" if any(known.verdict == "open" for known in _turn(values)) else "precise"
    return Threshold(name, tuple(values), ending)


@dataclass(frozen=True)
class _Search:
    """What is varied, for how long each value is verified, where verdicts are kept, and those that are known."""

    spec: Spec
    name: str
    budget: float
    journal: Journal
    progress: Callable[[ValueVerdict], None]
    values: list[ValueVerdict]

    def ask(self, value: int | float) -> None:
        """Add the verdict on a value to `values`, from the journal or to it. Raises `SpecError` as `verify` does, and
        `KeyboardInterrupt` where it was interrupted: then an open verdict says nothing, and is not added."""
        point = SweepPoint(
            0, self._swept, dict(text.split("=", 1) for text in (*self.spec.settings, _setting(self.name, value)))
        )
        key = point_key(point, PointQuestion(suites=(), budget=self.budget, leniency=_leniency(self.spec)))
        result, ending = self.journal.results.get(key), "complete"
        known = result is not None
        if result is None:
            variant = _variant(self.spec, self.name, value)
            found = verify(variant, budget=self.budget)
            ending = found.ending
            if ending == "interrupted" and found.verdict == "open":
                raise KeyboardInterrupt
            result = replace(counted_point(variant), verdict=point_verdict(found), seconds=found.seconds)
            self.journal.append(SweepRow(point, key, result, known))
        assert result.verdict is not None
        self.values.append(ValueVerdict(value, _setting(self.name, value), result.verdict, result.seconds, known))
        self.progress(self.values[-1])
        if ending == "interrupted":
            raise KeyboardInterrupt

    @cached_property
    def _swept(self) -> SweptSpec:
        return swept_spec(self.spec.path, parsed_chain(self.spec.sources))


@dataclass(frozen=True)
class _Numbers:
    """The values that a name can have: `integers`, or the numbers of a `dtype`, which None are those of float64."""

    integers: bool
    dtype: FloatFormat | None

    def nearest(self, value: float) -> float:
        """The nearest of the reals that can be told apart, by its shortest name."""
        return value if self.dtype is None else shortest(round_to(value, self.dtype), self.dtype)


def _numbers(spec: Spec, name: str, *, integers: bool) -> _Numbers:
    """Raises `SpecError` where the name has no values, or one that is set."""
    definitions = spec.resolved.definitions
    definition = definitions.get(name)
    if definition is None:
        hint = f"constants, parameters and sizes here: {', '.join(definitions)}" if 0 < len(definitions) <= 20 else None
        raise fail(
            "unknown-name", f"nothing is named '{name[:100]}' in this spec{did_you_mean(name, definitions)}", hint=hint
        )
    if not isinstance(definition.value, Number):
        raise fail("bad-value", f"'{name}' is no single number, so that there is nothing between two of its values")
    if any(setting.partition("=")[0].strip() == name for setting in spec.settings):
        raise fail(
            "bad-value", f"'{name}' is what is varied, and has a value of its own in --set", hint="leave that out"
        )
    return _Numbers(integers or definition.kind == "size", _dtype(spec, definition))


def _dtype(spec: Spec, definition: Definition) -> FloatFormat | None:
    return spec.resolved.dtype if definition.kind == "parameter" else None


def _ends(name: str, between: tuple[int | float, int | float], numbers: _Numbers) -> tuple[int | float, int | float]:
    """Raises `SpecError` where they are none."""
    first, second = (_end(name, value, numbers) for value in between)
    if first == second:
        raise fail("bad-value", f"both ends of '{name}' are {as_text(first)}: nothing lies between them")
    return first, second


def _end(name: str, value: int | float, numbers: _Numbers) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise fail("bad-value", f"the ends of '{name}' have to be numbers, not {str(value)[:100]}")
    if not numbers.integers:
        value = numbers.nearest(float(value))
        if numbers.dtype is not None and not isfinite(value):
            raise fail("bad-value", f"an end of '{name}' is too large for {numbers.dtype.name}")
        return value
    if value != int(value):
        raise fail("bad-value", f"the values of '{name}' are integers, and {value} is none")
    return int(value)


def _is_finite(value: int | float) -> bool:
    try:
        return isfinite(value)
    except OverflowError:  # an integer that no double can hold
        return False


def _check_limits(rel: float, verdicts: int) -> None:
    if not 0 <= rel < 1:
        raise fail("bad-value", f"the values come as close as a share from 0 to below 1, not {rel}")
    if verdicts < 2:
        raise fail("bad-value", f"there are two ends, so that {verdicts} verdicts are too few")


def _check_ends_differ(values: list[ValueVerdict]) -> None:
    first, second = values
    if first.verdict == second.verdict != "open":
        message = (
            f"{first.verdict} at both ends, {first.setting} and {second.setting}: the verdict turns nowhere between"
        )
        raise fail("bad-value", message, hint="choose ends of which one is proved, and one refuted")


def _variant(spec: Spec, name: str, value: int | float) -> Spec:
    return load_sources(spec.sources, (*spec.settings, _setting(name, value)), _leniency(spec))


def _leniency(spec: Spec) -> Leniency:
    return Leniency(allow_overflow=spec.resolved.allow_overflow)


def _setting(name: str, value: int | float) -> str:
    return f"{name}={as_text(value)}"


def as_text(value: int | float) -> str:
    """A short text that `--set` reads as this number: `0.05`, `9.59e6`, `12`."""
    plain = repr(value).removesuffix(".0")
    sign, digits = plain[: plain.startswith("-")], plain.removeprefix("-")
    if isinstance(value, int) or not digits.isdigit() or len(digits) < 5:
        return plain
    first, rest = digits[0], digits[1:].rstrip("0")
    scientific = f"{sign}{first}{'.' if rest else ''}{rest}e{len(digits) - 1}"
    return scientific if len(scientific) < len(plain) else plain


def _wanted(
    ends: tuple[int | float, int | float], values: list[ValueVerdict], numbers: _Numbers, rel: float
) -> Iterator[int | float]:
    """The values that are to be verified, each chosen when the verdicts on all others are among `values`."""
    yield from ends
    while True:
        gaps = [pair for pair in pairwise(_turn(values)) if pair[0].verdict != pair[1].verdict]
        wide = [gap for gap in map(_Gap.of, gaps) if gap.share > (0.0 if numbers.integers else rel)]
        middles = ((gap, _middle(gap.low, gap.high, numbers)) for gap in sorted(wide, key=lambda gap: -gap.share))
        middle = next((middle for _, middle in middles if middle is not None), None)
        if middle is None:
            return
        yield middle


@dataclass(frozen=True)
class _Gap:
    """Two values whose verdicts differ; none that lies between them is known."""

    low: int | float
    high: int | float

    @classmethod
    def of(cls, ends: tuple[ValueVerdict, ValueVerdict]) -> _Gap:
        first, second = (known.value for known in ends)
        return cls(min(first, second), max(first, second))

    @property
    def share(self) -> float:
        """The difference, as a share of the larger value."""
        size = max(abs(self.low), abs(self.high))
        return self.high / size - self.low / size


def _turn(values: list[ValueVerdict] | tuple[ValueVerdict, ...]) -> list[ValueVerdict]:
    """Those from the last refuted to the first proved one, in this order, with all that are open between them."""
    if len(values) < 2:
        return list(values)
    first, second = values[:2]
    rising = (first.value < second.value) == (first.verdict == "refuted" or second.verdict == "proved")
    ordered = sorted(values, key=lambda known: known.value, reverse=not rising)
    start = max((i for i, known in enumerate(ordered) if known.verdict == "refuted"), default=0)
    end = min((i for i, known in enumerate(ordered) if known.verdict == "proved"), default=len(ordered) - 1)
    return ordered[start : end + 1]


def _middle(first: int | float, second: int | float, numbers: _Numbers) -> int | float | None:
    """A value between two others, in the geometric sense where both have the same sign; None where there is none.

    A real has as few digits as do for the middle half.
    """
    low, high = min(first, second), max(first, second)
    if numbers.integers:
        low, high = int(low), int(high)
        between = isqrt(low * high) * (1 if low > 0 else -1) if low * high > 0 else (low + high) // 2
        return min(max(between, low + 1), high - 1) if high - low > 1 else None
    middle = _mean(low, high)
    least, most = _mean(low, middle), _mean(middle, high)
    rounded = (numbers.nearest(float(f"{middle:.{digits}e}")) for digits in range(17))
    return next((value for value in rounded if least <= value <= most and low < value < high), None)


def _mean(low: float, high: float) -> float:
    if low < 0 < high or not low or not high:
        return low / 2 + high / 2
    return copysign(sqrt(abs(low)) * sqrt(abs(high)), low)
