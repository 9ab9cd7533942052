"""What a verification finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from compiler.tasks.task import Inputs

VerdictName = Literal["proved", "refuted", "open"]
Method = Literal["abstract interpretation", "enumeration", "none"]
Ending = Literal["complete", "budget", "interrupted"]

VERSION = 3  # of the engine: raised when a verdict can change


@dataclass(frozen=True)
class Margin:
    """The smallest lead of the right token over any other, in units of the logits.

    It is at least `proved` on all inputs that are right; `found` is what the torch module's lead is on `inputs`, the
    one with the smallest lead that was met. `rounding` is by how much rounding may change a lead there.
    """

    proved: float
    found: float
    rounding: float
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
    were looked at, `window` how many columns of the input had to be told apart. `why_open`: None where nothing is open.
    """

    slot: int
    place: str
    right: int
    wrong: int
    open: int
    cells: int
    window: int
    margin: Margin | None
    why_open: str | None


@dataclass(frozen=True)
class Verification:
    """`failing`: at least and at most so many of all `inputs` are answered wrong.

    `steps` are in the order of the answer; `why`: reasons in sentences where inputs are undecided. `assumptions`: one
    line. `ending` says whether the time ran out, or a person did not want to wait.
    """

    verdict: VerdictName
    method: Method
    inputs: int
    failing: tuple[int, int]
    steps: tuple[StepResult, ...]
    margin: Margin | None
    counterexample: Counterexample | None
    why: tuple[str, ...]
    assumptions: str
    dtype: str
    torch_version: str
    seconds: float
    ending: Ending

    def place(self, slot: int) -> str:
        """A place of the answer for people."""
        return next((step.place for step in self.steps if step.slot == slot), f"answer[{slot}]")
