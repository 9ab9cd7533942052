"""What is done with the specs of a report."""

from __future__ import annotations

from dataclasses import dataclass

BUDGET_FACTORS = (1, 4, 16)  # for a verdict that is claimed: a busy machine gets more time to reach it


@dataclass(frozen=True)
class RunPlan:
    """What is done with a spec: the suites to run, perhaps none, the size and the seed of those that sample, and how
    many seconds it may take to verify the spec; no `budget` where that is not wanted."""

    suites: tuple[str, ...] = ()
    inputs: int | None = None
    seed: int | None = None
    budget: float | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The options of `report` that ask for it."""
        options = {"--inputs": self.inputs, "--seed": self.seed}
        numbers = [word for name, number in options.items() if number is not None for word in (name, str(number))]
        verified = [] if self.budget is None else ["--verify", f"{self.budget:g}"]
        return (*(word for suite in self.suites for word in ("--suite", suite)), *numbers, *verified)
