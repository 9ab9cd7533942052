"""Why inputs stay undecided: a closed set of kinds, each with its sentence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, assert_never

ReasonKind = Literal["time", "joined", "step", "rounding", "refused", "too many", "only"]
Ending = Literal["complete", "budget", "interrupted"]


@dataclass(frozen=True)
class Reason:
    """Why inputs are undecided; `text` is a sentence for people.

    `time`: it ran out, or a person ended it. `joined`: cells were joined, and an input of them is decided by itself.
    `step`: an error grows too much at the `step` of that name; `number` is the share of its result that is not known,
    from 0 to 1. `rounding`: `number` is by how much it may change a lead, 0 in a tie. `refused`: the network, its
    values or the inputs cannot be followed. `too many`: the inputs are more than are tried one by one. `only`: what is
    wrong may be no input.
    """

    kind: ReasonKind
    text: str
    step: str | None = None
    number: float | None = None

    @property
    def short(self) -> str:
        """In a table."""
        match self.kind:
            case "time":
                return "time"
            case "joined":
                return "joined cells"
            case "step":
                return f"error at {self.step}"
            case "rounding":
                return "rounding"
            case "refused":
                return "not followed"
            case "too many":
                return "too many inputs"
            case "only":
                return "`only`"
            case _:
                assert_never(self.kind)


def ended(ending: Ending) -> Reason:
    """There was no time for more."""
    match ending:
        case "budget":
            return Reason("time", "the time ran out")
        case "interrupted":
            return Reason("time", "it was interrupted")
        case "complete":
            return Reason("time", "no sweep has begun")
        case _:
            assert_never(ending)


def joined_cells(inputs: str) -> Reason:
    """`inputs` are those of one cell, as a text."""
    return Reason("joined", f"inputs that differ were joined in cells: one of {inputs}, each right or wrong by itself")


def lost_at(step: str, before: float, after: float) -> Reason:
    """Of the channel that is known least, these shares are not known before and after the step."""
    shares = f"{_percent(before)} of a channel is not known before it, {_percent(after)} after it"
    return Reason("step", f"an error grows at {step}: {shares}", step, after)


def within_rounding(bound: float) -> Reason:
    """The lead of an input by itself is not above `bound`, by which rounding may change it."""
    return Reason(
        "rounding", f"rounding may decide: it can change a lead by {bound:.3g}, which is no less", None, bound
    )


def tied(inputs: int, every: int) -> Reason:
    """So many inputs are right in a tie, which another rounding may break."""
    text = f"{inputs:,} of {every:,} inputs are right by a token's id alone, in a tie of logits"
    return Reason("rounding", text, None, 0.0)


def refused(why: str) -> Reason:
    """The engine cannot follow the network; `why` is a sentence about it."""
    return Reason("refused", why)


def too_many(most: int, looked_at: int, *, by_equations: bool) -> Reason:
    """Inputs that cannot be followed are more than `most`; of so many that were looked at, none fails.

    `by_equations`: nothing follows them as they are stated, and columns might.
    """
    searched = f"; none of {looked_at:,} that were looked at fails" if looked_at else ""
    advice = "; where `columns` of the task say what is right, more can be followed" if by_equations else ""
    return Reason("too many", f"there are more than the {most:,} inputs that are tried one by one{searched}{advice}")


def perhaps_excluded(place: str) -> Reason:
    """What is wrong at a place of the answer was not seen to be an input."""
    return Reason("only", f"what is followed is wrong in part at {place}, and `only` may exclude all of that")


def distinct(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """One for each kind and step, that with the largest number; in the order in which they come."""
    by_kind: dict[tuple[ReasonKind, str | None, str | None], Reason] = {}
    for reason in reasons:
        key = reason.kind, reason.step, None if reason.number is not None else reason.text
        if key not in by_kind or (reason.number or 0.0) > (by_kind[key].number or 0.0):
            by_kind[key] = reason
    return tuple(by_kind.values())


def _percent(share: float) -> str:
    return f"{float(f'{100 * share:.2g}'):g} %"
