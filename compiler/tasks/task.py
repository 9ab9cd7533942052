"""The interface of a task: what it asks, what is right, and which inputs are worth trying."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import ceil
from typing import TYPE_CHECKING

from compiler.source.diagnostics import Diagnostic, SpecError
from compiler.source.text import Span

if TYPE_CHECKING:  # quick commands read specs without numpy
    import numpy as np
    from numpy.typing import NDArray

TRIED_IN_FULL = 10_000  # so many inputs are all tried by default
SAMPLED = 10_000  # inputs that are drawn of each length, where nobody says how many
Inputs = tuple[int, ...]
Symbols = tuple[int, ...]
Words = Mapping[str, "NDArray[np.uint16]"]  # of many inputs: each word [inputs, length] by its name


class TaskError(SpecError):
    """Sizes, inputs or a suite that the task cannot serve; the message is for the user, `span` the formula at fault."""

    def __init__(self, message: str, span: Span | None = None, code: str = "task", hint: str | None = None) -> None:
        self.message = message
        super().__init__([Diagnostic(code, message, span, hint)])


@dataclass(frozen=True)
class Part:
    """Inputs of a suite that are counted apart, such as those of one operand length.

    `generate` says which. `direct(size, start)`, where there is one, makes the same blocks without a tuple for each.
    """

    label: str
    size: int
    generate: Callable[[], Iterator[Inputs]]
    encode: Callable[[Sequence[Inputs]], Words]
    direct: Callable[[int, int], Iterator[Words]] | None = None

    def blocks(self, size: int, start: int = 0) -> Iterator[Words]:
        """The words of the inputs in their order, from input number `start` on, at most `size` at once."""
        if self.direct is not None:
            yield from self.direct(size, start)
            return
        inputs = islice(self.generate(), start, None)
        while block := list(islice(inputs, size)):
            yield self.encode(block)


@dataclass(frozen=True)
class Suite:
    """A reproducible set of inputs. `parts(size, seed)` raises `TaskError` where there is no such set.

    `sized` is the default size, or gives it. `most` gives how many inputs there are to draw from, at most.
    """

    name: str
    summary: str
    sized: int | Callable[[], int]
    parts: Callable[[int, int], tuple[Part, ...]]
    sampled: bool = True  # whether another size may be asked for
    by_default: bool = True  # whether an evaluation runs it when no suite is named
    reported: bool | None = None  # whether a report runs it then; None: as an evaluation does
    most: Callable[[], int] | None = None  # None: as many as its default size

    @property
    def default_size(self) -> int:
        return self.sized if isinstance(self.sized, int) else self.sized()

    @property
    def in_report(self) -> bool:
        return self.by_default if self.reported is None else self.reported

    def size(self, inputs: int | None) -> int:
        """How many inputs it has where so many `inputs` are wanted of the suites that sample."""
        return inputs if inputs is not None and self.sampled else self.default_size

    @property
    def drawn_from(self) -> int:
        """How many different inputs it can have, at most."""
        return self.default_size if self.most is None else self.most()


def sizes(suite: Sequence[Suite], inputs: int | None) -> list[int]:
    """How many inputs one suite has in each choice of sizes, where so many `inputs` are wanted in all.

    Of a suite that samples, each choice has an equal share of the total, but no more than it has different inputs; the
    choices that have more share the rest. Without `inputs` the total is the default: at most `SAMPLED`.
    """
    if len(suite) == 1 or not all(one.sampled for one in suite):
        return [one.size(inputs) for one in suite]
    most = [one.drawn_from for one in suite]
    default = sum(min(one.default_size, limit) for one, limit in zip(suite, most, strict=True))
    return split_total(min(SAMPLED, default) if inputs is None else inputs, most)


def split_total(total: int, most: Sequence[int]) -> list[int]:
    """A total in equal shares of at most so many each; the largest takes what is left when all have as many."""
    found = [0] * len(most)
    ascending = sorted(range(len(most)), key=lambda position: most[position])
    for done, position in enumerate(ascending):
        share = total // (len(most) - done)
        found[position] = share if done == len(most) - 1 else min(share, most[position])
        total -= found[position]
    return found


@dataclass(frozen=True)
class EvaluationProtocol:
    """A test that others have fixed: suites, nothing of which can be varied, and the share that has to be right.

    `asked_by` is who asks for it, as the subject of a sentence: `the leaderboard`.
    """

    name: str
    summary: str
    asked_by: str
    suites: tuple[str, ...]
    threshold: Fraction

    @property
    def share(self) -> str:
        """The share that has to be right, for people: `99 %`."""
        return f"{float(100 * self.threshold):g} %"

    def needed(self, inputs: int) -> int:
        """How many of so many inputs have to be answered right."""
        return ceil(self.threshold * inputs)
