"""What a verification finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from compiler.source.showing import html_table, short_repr
from compiler.tasks.task import Inputs
from compiler.verifier.reasons import Ending, Reason

VerdictName = Literal["proved", "refuted", "open"]
Method = Literal["abstract interpretation", "enumeration", "none", "several"]
Counts = Literal["exact", "bounds"]

VERSION = 7  # of the engine: raised when a verdict can change


@dataclass(frozen=True)
class Margin:
    """The right token in `slot` leads every other by at least `proved`, in units of the logits, on all inputs that are
    right. `rounding` is by how much rounding may change the lead where the least was proved; it is taken off."""

    proved: float
    rounding: float
    slot: int


@dataclass(frozen=True)
class Lead:
    """By how much the torch module's logit of the right token in `slot` is ahead of all others, for one input, whose
    description is `text`."""

    lead: float
    slot: int
    inputs: Inputs
    text: str


@dataclass(frozen=True)
class Counterexample:
    """An input that the torch module answers wrong by greedy decoding. `slot` of the answer is its first wrong token,
    `said` where `expected` is right; `answer` and `right` are whole answers for people."""

    inputs: Inputs
    text: str
    slot: int
    place: str
    expected: str
    said: str
    answer: str
    right: str


@dataclass(frozen=True)
class StepResult:
    """One predicted token of the answer, after the right ones before it: exact numbers of inputs, which sum to all.

    `slot` is its place in the answer, `place` names it for people (`sum[3], 10^7`). `cells` is how many sets of inputs
    were looked at, `window` how many columns of the input had to be told apart. `reason`: why some are open, None where
    none is. `seen`: the smallest lead that was met, where it is right on all inputs.
    """

    slot: int
    place: str
    right: int
    wrong: int
    open: int
    cells: int
    window: int
    margin: Margin | None
    reason: Reason | None
    seen: Lead | None = None

    __repr__ = short_repr

    @property
    def why_open(self) -> str | None:
        """The reason as a sentence."""
        return None if self.reason is None else self.reason.text


@dataclass(frozen=True)
class Verification:
    """`failing`: at least and at most so many of all `inputs` are answered wrong.

    `steps` are in the order of the answer; `reasons`: why inputs are undecided, where some are. `margin` is the
    smallest one, `seen` the smallest lead that the torch module had, over all tokens that are right on all inputs, when
    `tried` inputs were looked at. `assumptions`: one line. `ending` says whether the time ran out, or a person did not
    want to wait. `counts` are `bounds` where `only` excludes some of the inputs that were followed, and it is not known
    how many: then there are at most so many `inputs`, and the numbers of the steps are of what was followed.
    `cross_checked`: for so many inputs equations were compared with columns; None where there are not both. `by_size`:
    what was found for each choice of sizes, where these are ranges; then there are no steps of the whole.
    """

    verdict: VerdictName
    method: Method
    inputs: int
    failing: tuple[int, int]
    steps: tuple[StepResult, ...]
    margin: Margin | None
    counterexample: Counterexample | None
    reasons: tuple[Reason, ...]
    assumptions: str
    dtype: str
    torch_version: str
    seconds: float
    ending: Ending
    seen: Lead | None = None
    tried: int = 0
    counts: Counts = "exact"
    cross_checked: int | None = None
    by_size: tuple[SizeResult, ...] = ()

    __repr__ = short_repr

    def _repr_html_(self) -> str:
        """The verdict, and each token of the answer, for a notebook."""
        rows = [(step.place, step.right, step.wrong, step.open, step.why_open) for step in self.steps]
        rows += [(part.title, *_sums(part.verification), part.verification.verdict) for part in self.by_size]
        least, most = self.failing
        wrong = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        caption = f"{self.verdict.upper()}: {wrong} of {self.inputs:,} inputs are answered wrong"
        if self.counterexample is not None:
            caption += f"; {self.counterexample.text} gives {self.counterexample.answer}"
        return html_table(caption, ("token", "right", "wrong", "open", "why"), rows)

    @property
    def why(self) -> tuple[str, ...]:
        """The reasons as sentences."""
        return tuple(reason.text for reason in self.reasons)

    def place(self, known: Margin | Lead) -> str:
        """The place of the answer that a margin or a lead is of, for people."""
        for part in self.by_size:
            if known in (part.verification.margin, part.verification.seen):
                return f"{part.verification.place(known)}, {part.title}"
        return next((step.place for step in self.steps if step.slot == known.slot), f"answer[{known.slot}]")


def _sums(found: Verification) -> tuple[int, int, int]:
    """Right, wrong and open inputs, at least so many of the first two."""
    least, most = found.failing
    return found.inputs - most, least, most - least


@dataclass(frozen=True)
class SizeResult:
    """What was found for one choice of the sizes that are ranges."""

    sizes: Mapping[str, int]
    verification: Verification

    @property
    def title(self) -> str:
        """`length 3`."""
        return ", ".join(f"{name} {size}" for name, size in self.sizes.items())
