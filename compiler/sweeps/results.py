"""What is found out about one point of a sweep, and what is asked about each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace

from compiler.pipeline import Leniency
from compiler.source.version import installed_version
from compiler.sweeps.plan import SweepPoint
from compiler.verifier.results import VERSION, VerdictName

RESULT_FORMAT = 1  # of what is hashed and kept: raised when a result gets other fields
PASSING = ("memory", "process", "system")  # codes of errors that another run may not meet


@dataclass(frozen=True)
class PointQuestion:
    """What is asked about each point: `suites` (None: those that the task runs by default), the size `inputs` and the
    `seed` of those that sample, and for how many seconds the point may be verified; None: not at all."""

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
    seen. Both in units of the logits, None where they are not known.
    """

    verdict: VerdictName
    inputs: int
    at_least: int
    at_most: int
    margin: float | None
    lead: float | None


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
class SweepRow:
    """A point and its result. `key` is the hash of the variant's text, of what is asked about it and of the versions
    that answer. `known`: it was not computed, as a journal has it."""

    point: SweepPoint
    key: str
    result: PointResult
    known: bool


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
        VERSION,
        installed_version(),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def result_json(result: PointResult) -> dict[str, object]:
    """A result as JSON, to be read by `result_of`."""
    return asdict(result)


def result_of(value: object) -> PointResult:
    """The result that JSON stands for. Raises `ValueError` or `TypeError` where it is none."""
    if not isinstance(value, dict):
        raise ValueError("a result is an object")
    made = PointResult(**value)
    numbers = [made.seconds, *(made.counts or {}).values()]
    if not all(isinstance(number, int | float | None) for number in numbers):
        raise ValueError("a figure is a number")
    verdict, error = value["verdict"], value["error"]
    return replace(
        made,
        suites=tuple(_suite(suite) for suite in value["suites"]),
        verdict=None if verdict is None else PointVerdict(**verdict),
        error=None if error is None else PointError(**error),
    )


def _suite(value: dict[str, object]) -> PointSuite:
    made = PointSuite(**value)  # type: ignore[arg-type]
    if not isinstance(made.inputs, int) or not isinstance(made.right, int):
        raise ValueError("a suite has numbers of inputs")
    return made
