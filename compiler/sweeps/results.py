"""What is found out about one point of a sweep, and what is asked about each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import UnionType
from typing import get_args

from compiler.pipeline import Leniency
from compiler.source.version import own_code, package_version
from compiler.sweeps.plan import SweepPoint
from compiler.verifier.results import VerdictName

RESULT_FORMAT = 2  # of what is hashed and kept: raised when a result gets other fields
PASSING = ("memory", "process", "system")  # codes of errors that another run may not meet


@dataclass(frozen=True)
class PointQuestion:
    """What is asked about each point: `suites` (None: those that the task runs by default; (): none), the size `inputs`
    and the `seed` of those that sample, and for how many seconds the point may be verified; None: not at all."""

    suites: tuple[str, ...] | None = None
    inputs: int | None = None
    seed: int | None = None
    budget: float | None = None
    leniency: Leniency = field(default_factory=Leniency)


@dataclass(frozen=True)
class PointSuite:
    """So many of the inputs of a suite are answered right. `seed` is None where it draws nothing."""

    suite: str
    seed: int | None
    inputs: int
    right: int


@dataclass(frozen=True)
class PointVerdict:
    """The verdict on all inputs: `at_least` and `at_most` so many are answered wrong.

    `margin`: by how much the right token leads on all inputs that are proved right. `lead`: the smallest lead that was
    seen. Both in units of the logits, None where they are not known. `why`: why inputs are open, in a word or two each.
    """

    verdict: VerdictName
    inputs: int
    at_least: int
    at_most: int
    margin: float | None
    lead: float | None
    why: tuple[str, ...] = ()

    @property
    def failing(self) -> tuple[int, int]:
        """At least and at most so many inputs are answered wrong."""
        return self.at_least, self.at_most


@dataclass(frozen=True)
class PointError:
    """Why there is no more: the code of a diagnostic, `fault`, or one of `PASSING`, and a sentence."""

    code: str
    message: str


ENDED = PointError("process", "the process that computed it was ended from outside, perhaps for want of memory")


@dataclass(frozen=True)
class PointResult:
    """What was found out about a point. `question` is the digest of what its task asks. `seconds` is a timing; all else
    is the same on each run, but for a verdict whose time ran out. After an `error`, what was found before it is kept.
    """

    counts: Mapping[str, int | None] | None = None
    question: str | None = None
    suites: tuple[PointSuite, ...] = ()
    verdict: PointVerdict | None = None
    error: PointError | None = None
    seconds: float = 0.0

    @property
    def inputs(self) -> int:
        """Those of all suites together."""
        return sum(suite.inputs for suite in self.suites)

    @property
    def right(self) -> int:
        return sum(suite.right for suite in self.suites)

    @property
    def is_kept(self) -> bool:
        """Whether another run would find the same."""
        return self.error is None or self.error.code not in PASSING


@dataclass(frozen=True)
class SavedRow:
    """What files have of a row: `spec` as it was named, the text of each setting by its name, and the result."""

    spec: str
    settings: Mapping[str, str]
    key: str
    result: PointResult


@dataclass(frozen=True)
class SweepRow:
    """A point and its result. `key` is the hash of the variant's text, of what is asked about it and of the versions
    that answer. `known`: it was not computed, as a journal has it."""

    point: SweepPoint
    key: str
    result: PointResult
    known: bool

    @property
    def saved(self) -> SavedRow:
        """The row as files have it."""
        return SavedRow(str(self.point.spec.path), self.point.values, self.key, self.result)


KeyedPoint = tuple[SweepPoint, str]  # a point and its key
Computing = Callable[[Iterator[KeyedPoint], PointQuestion], Iterator[tuple[KeyedPoint, PointResult]]]  # as they end


def point_key(point: SweepPoint, asked: PointQuestion) -> str:
    """The SHA-256 of all that the result depends on, but the machine.

    The text of a variant says what its task asks, so that the same key never means another question.
    """
    parts = [
        RESULT_FORMAT,
        point.spec.variant_text(point.settings),
        asdict(asked),
        own_code(),
        package_version("torch"),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def result_json(result: PointResult) -> dict[str, object]:
    """A result as JSON, to be read by `result_of`."""
    return asdict(result)


def result_of(value: object) -> PointResult:
    """The result that JSON stands for. Raises `ValueError` or `TypeError` where it is none."""
    if not isinstance(value, dict):
        raise ValueError("a result is an object")
    verdict, error = value["verdict"], value["error"]
    made = PointResult(**value)
    made = replace(
        made,
        suites=tuple(PointSuite(**suite) for suite in value["suites"]),
        verdict=None if verdict is None else PointVerdict(**{**verdict, "why": tuple(verdict.get("why", ()))}),
        error=None if error is None else PointError(**error),
    )
    _check([made.seconds], int | float)
    _check([*(made.counts or {}).values(), *(suite.seed for suite in made.suites)], int | None)
    _check([number for suite in made.suites for number in (suite.inputs, suite.right)], int)
    _check([made.question], str | None)
    _check([suite.suite for suite in made.suites], str)
    if made.verdict is not None:
        _check([made.verdict.inputs, made.verdict.at_least, made.verdict.at_most], int)
        _check([made.verdict.margin, made.verdict.lead], int | float | None)
        _check(made.verdict.why, str)
        if made.verdict.verdict not in get_args(VerdictName):
            raise ValueError("the verdict is proved, refuted or open")
    if made.error is not None:
        _check([made.error.code, made.error.message], str)
    return made


def _check(values: Sequence[object], kind: type | UnionType) -> None:
    for value in values:
        if not isinstance(value, kind):
            raise ValueError(f"{str(value)[:50]!r} stands where none such can be")
