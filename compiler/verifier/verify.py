"""A verdict on a spec over all inputs of its task."""

from __future__ import annotations

import time
from math import inf

import numpy as np
import torch

from compiler.diagnostics import fail
from compiler.elementary.program import FUNCTION_UNITS
from compiler.fast.bounds import GELU_UNITS, SILU_UNITS
from compiler.pipeline import Spec
from compiler.reference import Reference, one_thread
from compiler.tasks.automaton import Automaton
from compiler.tasks.task import TaskError
from compiler.torch_settings import as_assumed
from compiler.verifier.bracket import failing
from compiler.verifier.cells import Cells
from compiler.verifier.enumeration import Tried, try_all
from compiler.verifier.results import Ending, Margin, Method, StepResult, VerdictName, Verification
from compiler.verifier.rounds import Progress, State, follow
from compiler.verifier.search import search
from compiler.verifier.sweep import LATE, Sweep
from compiler.verifier.witness import Witnesses, place

SWEEPS = 0.8  # this share of the time is for sweeps, and what they leave for the search for an input that fails
FUNCTIONS = f"exp, erf, rsqrt, sin, cos to {FUNCTION_UNITS} units, silu to {SILU_UNITS}, gelu to {GELU_UNITS}"
ANY = f"IEEE 754 arithmetic in any order of summation, fused or not; {FUNCTIONS}"
HERE = ANY + "; what depends on no token, or on few positions alone, as the torch module computes it on this machine"
RUN = "the torch module on this machine, CPU, one thread, one sequence at a time; the fast engine where that is sure"
ENDINGS: dict[Ending, str] = {"budget": LATE, "interrupted": "it was interrupted", "complete": "no sweep has begun"}
TRIED = 100_000  # so many inputs can be tried one by one


@as_assumed()
def verify(spec: Spec, *, budget: float = 60.0, tried: int = TRIED, progress: Progress | None = None) -> Verification:
    """Decide whether the module of a spec says the right answer to every input of its task, by greedy decoding.

    By induction, greedy decoding is right on an input where each token is right after the right ones before it. The
    inputs are followed all at once: see docs/verify.md. Only where that leaves some open, or no automaton describes
    the inputs, and there are no more than `tried`, they are tried one by one. It ends after about `budget` seconds, or
    at a `KeyboardInterrupt`, with what it has found by then. `progress(place, done, total)` tells of the answer's
    tokens. Raises `SpecError` for a task whose inputs can be neither followed nor tried.
    """
    began = time.perf_counter()
    deadline, swept_by = began + budget, began + SWEEPS * budget
    automaton = _automaton(spec)
    if automaton is None:
        every = try_all(spec, tried, deadline)
        if every is None:
            message = f"the inputs of the task {spec.resolved.task.kind} cannot be followed column by column"
            message += f", and they are more than the {tried:,} that are tried one by one"
            raise fail("task", message, hint="`eval --suite exhaustive` tries up to 10^8 inputs, `eval` a sample")
        return _enumerated(spec, every, time.perf_counter() - began)
    state = State(spec, automaton, {})
    state.slots = {slot: Sweep(slot, open=state.total) for slot in spec.layout.predicted}
    witnesses = Witnesses(spec, automaton, Reference(spec))
    with torch.inference_mode(), one_thread():
        try:
            follow(state, witnesses, swept_by, progress or (lambda place, done, total: None))
        except KeyboardInterrupt:
            state.ending = "interrupted"
        if state.ending == "complete" and any(state.slots[slot].why_open == LATE for slot in state.open_slots):
            state.ending = "budget"
        _confirm(state, witnesses)
        every = None
        if state.open_slots and state.ending != "interrupted":
            try:
                every = _try_or_search(state, witnesses, tried, deadline)
            except KeyboardInterrupt:
                state.ending = "interrupted"
        return _verification(state, witnesses, every, began)


def _automaton(spec: Spec) -> Automaton | None:
    try:
        return spec.resolved.task.automaton()
    except TaskError as error:
        raise fail("task", str(error)) from None


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
    """Ask the module about an input of a wrong cell of each token."""
    for found in state.slots.values():
        if found.wrong_cells:
            (inputs,) = witnesses.inputs(found.wrong_cells[0].chosen(np.array([0])))
            failure = witnesses.fails(inputs)
            if failure is None:
                shown = state.spec.resolved.task.describe(inputs)
                state.why.append(f"the verifier and the torch module disagree on {shown}: please report this")
                found.open, found.wrong, found.wrong_cells = found.open + found.wrong, 0, []
            else:
                state.counterexamples.append(failure)


def _verification(state: State, witnesses: Witnesses, every: Tried | None, began: float) -> Verification:
    """With what was found by trying `every` input, if they were tried."""
    sweeps = list(state.slots.values())
    settled = every is not None and not every.failing and not every.tied
    if every is not None:
        state.counterexamples += [every.failure] if every.failure is not None else []
        if settled:
            for found in sweeps:
                if found.open:  # of what was only tried, no lead is known
                    found.lowest_cell = None
                found.right, found.open = found.right + found.open, 0
    least, most = failing(state.automaton, sweeps) if every is None else _failing(every)
    distinct = len({found.inputs for found in state.counterexamples})
    verdict: VerdictName = "refuted" if state.counterexamples else "proved" if most == 0 else "open"
    steps = tuple(_step(state, witnesses, found) for found in sweeps)
    margins = [step.margin for step in steps if step.margin is not None and not settled]
    reasons = dict.fromkeys([*state.why, *(step.why_open for step in steps if step.why_open)])
    if every is not None and every.tied:
        reasons = dict.fromkeys(_undecided(every))
    followed: Method = "abstract interpretation" if any(found.cells for found in sweeps) else "none"
    return Verification(
        verdict,
        "enumeration" if every is not None else followed,
        state.total,
        (max(least, distinct), most),
        steps,
        min(margins, key=lambda margin: margin.proved, default=None),
        next(iter(state.counterexamples), None),
        tuple(reasons) if most > least else (),
        RUN if every is not None else HERE if state.here else ANY,
        state.spec.network.dtype.name,
        torch.__version__,
        time.perf_counter() - began,
        "complete" if every is not None else state.ending,
    )


def _enumerated(spec: Spec, every: Tried, seconds: float) -> Verification:
    """Of a task without an automaton: what was found by trying inputs, every one if there was time."""
    reasons = _undecided(every)
    steps = tuple(
        StepResult(
            slot,
            place(spec, None, slot),
            every.inputs - wrong - tied - every.untried,
            wrong,
            tied + every.untried,
            0,
            0,
            None,
            " and ".join(reasons) if tied + every.untried else None,
        )
        for (slot, wrong), tied in zip(every.first_wrong.items(), every.first_tied.values(), strict=True)
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
        seconds,
        every.ending,
    )


def _failing(every: Tried) -> tuple[int, int]:
    """At least, and at most, so many inputs fail: a tie may end otherwise where sums are rounded otherwise."""
    return every.failing, every.failing + every.tied + every.untried


def _undecided(every: Tried) -> tuple[str, ...]:
    """Why inputs that were to be tried are undecided."""
    tied = f"{every.tied:,} of {every.inputs:,} inputs are right by a token's id alone, in a tie of logits"
    return (*([tied] if every.tied else []), *([ENDINGS[every.ending]] if every.untried else []))


def _step(state: State, witnesses: Witnesses, found: Sweep) -> StepResult:
    margin = None
    if found.lowest_cell is not None and found.lowest < inf:
        margin = _margin(state, witnesses, found, found.lowest_cell)
    return StepResult(
        found.slot,
        place(state.spec, state.automaton, found.slot),
        found.right,
        found.wrong,
        found.open,
        found.cells,
        found.window,
        margin,
        (found.why_open or _unfollowed(state)) if found.open else None,
    )


def _unfollowed(state: State) -> str:
    """Why a token is open that no sweep has ended."""
    return state.why[-1] if state.why else ENDINGS[state.ending]


def _margin(state: State, witnesses: Witnesses, found: Sweep, cell: Cells) -> Margin:
    (inputs,) = witnesses.inputs(cell)
    text = state.spec.resolved.task.describe(inputs)
    return Margin(found.lowest, witnesses.lead(inputs, found.slot), found.rounding, found.slot, inputs, text)
