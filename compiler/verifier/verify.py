"""A verdict on a spec over all inputs of its task."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf

import numpy as np
import torch

from compiler.backends.bounds.activations import activation
from compiler.backends.elementary.program import FUNCTION_UNITS
from compiler.backends.torch.reference import Reference, one_thread
from compiler.backends.torch.saving import check_weights
from compiler.backends.torch.settings import as_assumed
from compiler.network.ir import ACTIVATIONS
from compiler.pipeline import Spec
from compiler.source.diagnostics import fail
from compiler.tasks.automaton import Automaton
from compiler.verifier.alarms import check_counterexample, check_right, check_tried, check_wrong
from compiler.verifier.bracket import failing
from compiler.verifier.closest import closest
from compiler.verifier.enumeration import Tried, try_all
from compiler.verifier.reasons import Reason, distinct, ended, tied
from compiler.verifier.results import Lead, Margin, Method, StepResult, VerdictName, Verification
from compiler.verifier.rounds import Progress, State, follow
from compiler.verifier.search import search
from compiler.verifier.sweep import Sweep
from compiler.verifier.witness import Witnesses, lead_of, place

SWEEPS = 0.8  # this share of the time is for sweeps, and what they leave for the search for an input that fails
_ACTIVATION_ERRORS = "".join(f", {kind} to {units}" for kind in ACTIVATIONS if (units := activation(kind).units))
FUNCTION_ERRORS = f"exp, erf, rsqrt, sin, cos to {FUNCTION_UNITS} units{_ACTIVATION_ERRORS}"
ANY = f"IEEE 754 arithmetic in any order of summation, fused or not; {FUNCTION_ERRORS}"
HERE = ANY + "; what depends on no token, or on few positions alone, as the torch module computes it on this machine"
RUN = "the torch module on this machine, CPU, one thread, one sequence at a time; the fast engine where that is sure"
TRIED = 100_000  # so many inputs can be tried one by one


@as_assumed()
def verify(spec: Spec, *, budget: float = 60.0, tried: int = TRIED, progress: Progress | None = None) -> Verification:
    """Decide whether the module of a spec says the right answer to every input of its task, by greedy decoding.

    By induction, greedy decoding is right on an input where each token is right after the right ones before it. The
    inputs are followed all at once: see docs/verify.md. Only where that leaves some open, or no automaton describes
    the inputs, and there are no more than `tried`, they are tried one by one. It ends after about `budget` seconds
    (infinity: no limit), or at a `KeyboardInterrupt`, with what it has found by then. `progress(place, done, total)`
    tells of the answer's tokens. Raises `SpecError` for a task whose inputs can be neither followed nor tried, and
    `ToolFault` where what is proved contradicts what the torch module says to inputs that are asked for this purpose.
    """
    if not budget > 0:  # which NaN is not either
        raise fail("bad-value", f"the budget is a number of seconds above 0, not {budget}")
    check_weights(spec)
    if len(spec.choices) > 1:
        name, size = next(iter(spec.choices[-1].resolved.asked[0].choice.items()))
        message = (
            f"{spec.name} is asked {len(spec.choices)} tasks of different sizes, and one of them is decided at a time"
        )
        raise fail("task", message, hint=f"choose one, as in --set {name}={size}")
    began = time.perf_counter()
    deadline, swept_by = began + budget, began + SWEEPS * budget
    automaton = _automaton(spec)
    if automaton is None:
        every = try_all(spec, tried, deadline)
        if every is None:
            message = f"the inputs of the task {spec.resolved.task.name} cannot be followed column by column"
            message += f", and they are more than the {tried:,} that are tried one by one"
            raise fail("task", message, hint="`eval --suite exhaustive` tries up to 10^8 inputs, `eval` a sample")
        return _enumerated(spec, every, began, deadline)
    state = State(spec, automaton, {})
    state.slots = {slot: Sweep(slot, open=state.total) for slot in spec.layout.predicted}
    witnesses = Witnesses(spec, automaton, Reference(spec))
    every = None
    with torch.inference_mode(), one_thread():
        with _interruptible(state):
            follow(state, witnesses, swept_by, progress or (lambda place, done, total: None), deadline)
        if state.ending == "complete" and any(state.slots[slot].late for slot in state.open_slots):
            state.ending = "budget"
        with _interruptible(state):
            _confirm(state, witnesses)
        if state.open_slots and state.ending != "interrupted":
            with _interruptible(state):
                every = _try_or_search(state, witnesses, tried, deadline)
        _compare(state, every)
        seen = _Seen()
        with _interruptible(state):
            _look(state, witnesses, seen, deadline)
    return _verification(state, seen, every, began)


@dataclass
class _Seen:
    """The smallest leads of the torch module by slot, and how many inputs were looked at for them."""

    leads: dict[int, Lead] = field(default_factory=dict)
    tried: int = 0

    def add(self, lead: Lead) -> None:
        if lead.slot not in self.leads or not lead.lead >= self.leads[lead.slot].lead:
            self.leads[lead.slot] = lead


@contextmanager
def _interruptible(state: State) -> Iterator[None]:
    """What is known stands after a `KeyboardInterrupt`."""
    try:
        yield
    except KeyboardInterrupt:
        state.ending = "interrupted"


def _automaton(spec: Spec) -> Automaton | None:
    if spec.resolved.task.is_restricted:
        return None  # its paths are not the inputs
    return spec.resolved.task.automaton()


def _try_or_search(state: State, witnesses: Witnesses, tried: int, deadline: float) -> Tried | None:
    """Try every input where they are few; else, or where there was no time for all, look for one that fails. What was
    found by trying, if it is all of them."""
    every = try_all(state.spec, tried, deadline)
    if every is not None and not every.untried:
        return every
    if every is not None:
        state.counterexamples += [every.failure] if every.failure is not None else []
        state.ending = every.ending
    if not state.counterexamples and state.ending != "interrupted":
        undecided = [state.slots[slot] for slot in state.open_slots]
        state.counterexamples += search(state.spec, witnesses, undecided, deadline)
        if not state.counterexamples and time.perf_counter() > deadline:
            state.ending = "budget"
    return None


def _confirm(state: State, witnesses: Witnesses) -> None:
    """Ask the module about an input of a wrong cell of each token. Raises `ToolFault`."""
    for swept in state.slots.values():
        if swept.wrong_cells:
            (inputs,) = witnesses.inputs(swept.wrong_cells[0].chosen(np.array([0])))
            failure = witnesses.fails(inputs)
            check_wrong(swept, _place(state, swept.slot), lead_of(witnesses, inputs, swept.slot), failure)
            state.counterexamples += [failure] if failure is not None else []


def _compare(state: State, every: Tried | None) -> None:
    """What was tried with what was proved. Raises `ToolFault`."""
    for failure in state.counterexamples:
        check_counterexample(state.slots[failure.slot], failure)
    if every is None:
        return
    for swept in state.slots.values():
        check_tried(swept, _place(state, swept.slot), every)
    if _settled(every):
        for swept in state.slots.values():
            if swept.open:  # of what was only tried, no lead is known
                swept.lowest_cell = None
            swept.right, swept.open = swept.right + swept.open, 0


def _settled(every: Tried) -> bool:
    return not every.failing and not every.tied and not every.untried


def _look(state: State, witnesses: Witnesses, seen: _Seen, deadline: float) -> None:
    """Compare what is proved with the module's leads: for inputs of the lowest cells, and in a search for the smallest.
    Raises `ToolFault`."""
    given = []
    for swept in state.slots.values():
        if swept.lowest_cell is not None and swept.lowest < inf:
            (inputs,) = witnesses.inputs(swept.lowest_cell)
            lead = lead_of(witnesses, inputs, swept.slot)
            check_right(_place(state, swept.slot), lead, swept.lowest)
            given.append(inputs)
            if swept.right == state.total:
                seen.add(lead)
    seen.tried = len(set(given))
    right = {slot: swept for slot, swept in state.slots.items() if swept.right == state.total}
    if right and time.perf_counter() < deadline:
        leads, seen.tried = closest(state.spec, witnesses.reference, list(right), given, deadline)
        for lead in leads:
            swept = right[lead.slot]
            check_right(_place(state, lead.slot), lead, swept.lowest if swept.lowest_cell is not None else 0.0)
            seen.add(lead)


def _place(state: State, slot: int) -> str:
    return place(state.spec, state.automaton, slot)


def _verification(state: State, seen: _Seen, every: Tried | None, began: float) -> Verification:
    """With what was found by trying `every` input, if they were tried."""
    sweeps = list(state.slots.values())
    if every is not None:
        state.counterexamples += [every.failure] if every.failure is not None else []
    least, most = failing(state.automaton, sweeps) if every is None else _failing(every)
    distinct_inputs = len({failure.inputs for failure in state.counterexamples})
    verdict: VerdictName = "refuted" if state.counterexamples else "proved" if most == 0 else "open"
    steps = tuple(_step(state, seen, swept) for swept in sweeps)
    tried_out = every is not None and _settled(every)
    margins = [step.margin for step in steps if step.margin is not None and not tried_out]
    reasons = distinct(step.reason for step in steps if step.reason is not None)
    if every is not None and every.tied:
        reasons = _undecided(every)
    followed: Method = "abstract interpretation" if any(swept.cells for swept in sweeps) else "none"
    return Verification(
        verdict,
        "enumeration" if every is not None else followed,
        state.total,
        (max(least, distinct_inputs), most),
        steps,
        min(margins, key=lambda margin: margin.proved, default=None),
        next(iter(state.counterexamples), None),
        reasons if most > least else (),
        RUN if every is not None else HERE if state.here else ANY,
        state.spec.network.dtype.name,
        torch.__version__,
        time.perf_counter() - began,
        state.ending if every is None or state.ending == "interrupted" else "complete",
        _smallest(seen),
        seen.tried,
    )


def _smallest(seen: _Seen) -> Lead | None:
    return min(seen.leads.values(), key=lambda lead: lead.lead, default=None)


def _enumerated(spec: Spec, every: Tried, began: float, deadline: float) -> Verification:
    """Of a task without an automaton: what was found by trying inputs, every one if there was time."""
    seen, ending = _Seen(), every.ending
    if _settled(every):
        try:
            leads, seen.tried = closest(spec, Reference(spec), spec.layout.predicted, (), deadline)
        except KeyboardInterrupt:
            leads, ending = [], "interrupted"
        for lead in leads:
            check_right(place(spec, None, lead.slot), lead, 0.0)
            seen.add(lead)
    reasons = _undecided(every)
    steps = tuple(
        StepResult(
            slot,
            place(spec, None, slot),
            every.inputs - wrong - even - every.untried,
            wrong,
            even + every.untried,
            0,
            0,
            None,
            reasons[-1] if even + every.untried else None,
            seen.leads.get(slot),
        )
        for (slot, wrong), even in zip(every.first_wrong.items(), every.first_tied.values(), strict=True)
    )
    least, most = _failing(every)
    return Verification(
        "refuted" if every.failure is not None else "proved" if most == 0 else "open",
        "enumeration" if every.untried < every.inputs else "none",
        every.inputs,
        (least, most),
        steps,
        None,
        every.failure,
        reasons,
        RUN,
        spec.network.dtype.name,
        torch.__version__,
        time.perf_counter() - began,
        ending,
        _smallest(seen),
        seen.tried,
    )


def _failing(every: Tried) -> tuple[int, int]:
    """At least, and at most, so many inputs fail: a tie may end otherwise where sums are rounded otherwise."""
    return every.failing, every.failing + every.tied + every.untried


def _undecided(every: Tried) -> tuple[Reason, ...]:
    """Why inputs that were to be tried are undecided."""
    return (
        *([tied(every.tied, every.inputs)] if every.tied else []),
        *([ended(every.ending)] if every.untried else []),
    )


def _step(state: State, seen: _Seen, swept: Sweep) -> StepResult:
    margin = None
    if swept.lowest_cell is not None and swept.lowest < inf:
        margin = Margin(swept.lowest, swept.rounding, swept.slot)
    return StepResult(
        swept.slot,
        _place(state, swept.slot),
        swept.right,
        swept.wrong,
        swept.open,
        swept.cells,
        swept.window,
        margin,
        _reason(state, swept) if swept.open else None,
        seen.leads.get(swept.slot),
    )


def _reason(state: State, swept: Sweep) -> Reason:
    """Why a token is open."""
    if swept.reason is not None:
        return swept.reason
    if state.refused is not None and not swept.cells:
        return state.refused
    return ended("budget" if swept.late and state.ending == "complete" else state.ending)
