"""Sizes that are ranges: each choice is decided by itself, and there is one verdict for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch

from compiler.pipeline import Spec
from compiler.verifier.reasons import Ending, distinct, ended
from compiler.verifier.results import SizeResult, Verification

Decide = Callable[[Spec, float], Verification]


def by_size(choices: Sequence[Spec], budget: float, decide: Decide) -> Verification:
    """What `decide(choice, seconds)` finds of each, in an equal share of the time that is left then.

    All are proved where each of them is, and refuted where one is.
    """
    began, parts = time.perf_counter(), list[SizeResult]()
    ending: Ending = "complete"  # what ended it before the choice at hand
    for number, choice in enumerate(choices):
        left = began + budget - time.perf_counter()
        if ending == "complete" and left <= 0:
            ending = "budget"
        found = _undecided(choice, ending)
        if ending == "complete":
            try:
                found = decide(choice, left / (len(choices) - number))
            except KeyboardInterrupt:  # before there was anything to be known
                if not parts:
                    raise
                found = _undecided(choice, "interrupted")
        if found.ending == "interrupted":
            ending = "interrupted"
        (asked,) = choice.resolved.asked
        parts.append(SizeResult(dict(asked.choice), found))
    return _whole(parts, time.perf_counter() - began)


def _undecided(spec: Spec, ending: Ending) -> Verification:
    """Of a choice of sizes that there was no time for."""
    task = spec.resolved.task
    return Verification(
        "open",
        "none",
        task.combinations,
        (0, task.combinations),
        (),
        None,
        None,
        (ended(ending),),
        "none",
        spec.network.dtype.name,
        torch.__version__,
        0.0,
        ending,
        counts="bounds" if task.is_restricted else "exact",
    )


def _whole(parts: Sequence[SizeResult], seconds: float) -> Verification:
    every = [part.verification for part in parts]
    verdicts, endings = {found.verdict for found in every}, {found.ending for found in every}
    methods = {found.method for found in every}
    margins = [found.margin for found in every if found.margin is not None]
    leads = [found.seen for found in every if found.seen is not None]
    checked = [found.cross_checked for found in every if found.cross_checked is not None]
    return Verification(
        "refuted" if "refuted" in verdicts else "open" if "open" in verdicts else "proved",
        every[0].method if len(methods) == 1 else "several",
        sum(found.inputs for found in every),
        (sum(found.failing[0] for found in every), sum(found.failing[1] for found in every)),
        (),
        min(margins, key=lambda margin: margin.proved, default=None),
        next((found.counterexample for found in every if found.counterexample is not None), None),
        distinct(reason for found in every for reason in found.reasons),
        "; or ".join(dict.fromkeys(found.assumptions for found in every)),
        every[0].dtype,
        every[0].torch_version,
        seconds,
        next((ending for ending in ("interrupted", "budget") if ending in endings), "complete"),
        min(leads, key=lambda lead: lead.lead, default=None),
        sum(found.tried for found in every),
        "bounds" if any(found.counts == "bounds" for found in every) else "exact",
        sum(checked) if checked else None,
        tuple(parts),
    )
