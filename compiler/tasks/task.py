"""The interface of a task: what it asks, what is right, and which inputs are worth trying."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import ceil
from typing import TYPE_CHECKING, Protocol

from compiler.source.diagnostics import Diagnostic, SpecError
from compiler.source.text import Span
from compiler.tasks.automaton import Automaton

if TYPE_CHECKING:  # quick commands read specs without numpy
    import numpy as np
    from numpy.typing import NDArray

TRIED_IN_FULL = 10_000  # so many inputs are all tried by default
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

    `sized` is the default size, or gives it.
    """

    name: str
    summary: str
    sized: int | Callable[[], int]
    parts: Callable[[int, int], tuple[Part, ...]]
    sampled: bool = True  # whether another size may be asked for
    by_default: bool = True  # whether an evaluation runs it when no suite is named
    reported: bool | None = None  # whether a report runs it then; None: as an evaluation does

    @property
    def default_size(self) -> int:
        return self.sized if isinstance(self.sized, int) else self.sized()

    @property
    def in_report(self) -> bool:
        return self.by_default if self.reported is None else self.reported

    def size(self, inputs: int | None) -> int:
        """How many inputs it has where so many `inputs` are wanted of the suites that sample."""
        return inputs if inputs is not None and self.sampled else self.default_size


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


class Task(Protocol):
    """A task over words of symbols 0 … `symbols` - 1. A word is written most significant symbol first."""

    @property
    def kind(self) -> str: ...

    @property
    def symbols(self) -> int: ...

    @property
    def family(self) -> str:
        """The token family that stands for the symbols, where the vocabulary has several."""
        ...

    @property
    def operands(self) -> Mapping[str, int]:
        """The length of each operand's word, by the operand's name in a layout."""
        ...

    @property
    def answers(self) -> Mapping[str, int]:
        """The length of each answer word, by its name in a layout."""
        ...

    def solve(self, inputs: Inputs) -> dict[str, Symbols]:
        """The words of the operands and of the right answer."""
        ...

    def encode(self, inputs: Sequence[Inputs]) -> Words:
        """The words of many inputs: those that `solve` gives for each."""
        ...

    def inputs(self, words: Words, row: int) -> Inputs:
        """The input that a row of words stands for."""
        ...

    def read(self, texts: Sequence[str]) -> Inputs:
        """The inputs that a user typed. Raises `TaskError`."""
        ...

    def show(self, words: Mapping[str, Symbols]) -> str:
        """Answer words for people."""
        ...

    def describe(self, inputs: Inputs) -> str:
        """An input for people, such as `12 + 34`."""
        ...

    def suites(self) -> Mapping[str, Suite]:
        """Every suite of inputs, in the order in which they are run and shown."""
        ...

    def protocols(self) -> Mapping[str, EvaluationProtocol]:
        """The tests that others have fixed for this kind of task, whatever its sizes; their suites may refuse these."""
        ...

    def automaton(self) -> Automaton | None:
        """The inputs as the paths of an automaton, one for each; None: there is none that is small.

        Raises `TaskError` where the sizes make it too large to follow.
        """
        ...


def check_sizes(kind: str, example: Mapping[str, int], sizes: Mapping[str, int]) -> None:
    """Raise `TaskError` unless there is a size for each that the example has, and no other."""
    missing = [name for name in example if name not in sizes]
    unknown = [name for name in sizes if name not in example]
    if missing or unknown:
        problem = f"lacks {' and '.join(missing)}" if missing else f"has no size {', '.join(unknown)}"
        shown = ", ".join(f"{name}: {size}" for name, size in example.items())
        raise TaskError(f"{kind} {problem}; write {kind}: {{{shown}}}")
