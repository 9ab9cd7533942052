"""Where the engine and the torch module contradict each other: an alarm, never a verdict."""

from __future__ import annotations

from compiler.source.faults import ToolFault
from compiler.verifier.enumeration import Tried
from compiler.verifier.results import Counterexample, Lead
from compiler.verifier.sweep import Sweep


def check_wrong(swept: Sweep, place: str, lead: Lead, failure: Counterexample | None) -> None:
    """Of an input of a cell that is called wrong: its lead, and how greedy decoding fails. Raises `ToolFault`."""
    if failure is None or not lead.lead < 0:
        said = "and the whole answer is right" if failure is None else "and something else is wrong"
        raise ToolFault(
            f"verify finds {place} wrong on {swept.wrong:,} inputs, one of them {lead.text}; the torch module's lead of"
            f" the right token is {lead.lead!r} there, {said}"
        )


def check_right(place: str, lead: Lead, least: float) -> None:
    """Of an input that is called right, with a lead of at least `least`, where that is above 0. Raises `ToolFault`.

    A lead is a difference that was rounded once, to nearest: no bound that is proved can be above it.
    """
    if not (lead.lead > 0 and lead.lead >= least):
        raise ToolFault(
            f"verify finds {place} right on {lead.text}, by a lead of {least!r} at least; the torch module's lead of"
            f" the right token is {lead.lead!r} there"
        )


def check_probe(place: str, lead: Lead, lowest: float, *, behind: bool) -> None:
    """Of any input: the engine's bound on the lead, and whether it finds it surely below 0. Raises `ToolFault`."""
    if (lowest > 0 and not lead.lead >= lowest) or (behind and not lead.lead < 0):
        said = "wrong" if behind else f"right by a lead of {lowest!r} at least"
        raise ToolFault(
            f"verify finds {place} {said} on {lead.text}, followed by itself; the torch module's lead of the right"
            f" token is {lead.lead!r} there"
        )


def check_counterexample(swept: Sweep, failure: Counterexample) -> None:
    """Of an input that the torch module answers wrong. Raises `ToolFault`."""
    if not swept.wrong and not swept.open:
        raise ToolFault(
            f"verify finds {failure.place} right on every input; on {failure.text} the torch module says {failure.said}"
            f" instead of {failure.expected}"
        )


def check_tried(swept: Sweep, place: str, every: Tried, *, exact: bool) -> None:
    """Of a token, where every input was tried; `exact`: whether what was swept are inputs alone. Raises `ToolFault`."""
    wrong = every.first_wrong[swept.slot]
    if not every.untried and wrong > swept.wrong + swept.open:
        raise ToolFault(
            f"verify finds {place} wrong on at most {swept.wrong + swept.open:,} of {every.inputs:,} inputs; the torch"
            f" module says it wrong first on {wrong:,}"
        )
    if exact and not every.untried and every.failing < swept.wrong:
        raise ToolFault(
            f"verify finds {place} wrong on {swept.wrong:,} of {every.inputs:,} inputs; the torch module answers only"
            f" {every.failing:,} wrong"
        )
