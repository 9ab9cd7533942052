"""A verdict on a spec over all inputs of its task."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
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
from compiler.tasks.automaton import Automaton, complete
from compiler.tasks.task import Inputs, TaskError
from compiler.verifier.alarms import check_counterexample, check_right, check_tried, check_wrong
from compiler.verifier.bracket import failing
from compiler.verifier.closest import closest
from compiler.verifier.cross_check import cross_check
from compiler.verifier.enumeration import Progress, Tried, inputs_allowed, try_all, untried, with_failure
from compiler.verifier.reasons import Ending, Reason, distinct, ended, perhaps_excluded, refused, tied, too_many
from compiler.verifier.results import Counterexample, Lead, Margin, Method, StepResult, VerdictName, Verification
from compiler.verifier.rounds import State, follow
from compiler.verifier.search import Searched, search
from compiler.verifier.sharing import processes
from compiler.verifier.sizes import by_size
from compiler.verifier.sweep import Sweep
from compiler.verifier.witness import Witnesses, inputs_of_paths, lead_of, place

SWEEPS = 0.8  # this share of the time is for sweeps, and what they leave for the search for an input that fails
_ACTIVATION_ERRORS = "".join(f", {kind} to {units}" for kind in ACTIVATIONS if (units := activation(kind).units))
FUNCTION_ERRORS = f"exp, erf, rsqrt, sin, cos to {FUNCTION_UNITS} units{_ACTIVATION_ERRORS}"
ANY = f"IEEE 754 arithmetic in any order of summation, fused or not; {FUNCTION_ERRORS}"
HERE = ANY + "; what depends on no token, or on few positions alone, as the torch module computes it on this machine"
RUN = "the torch module on this machine, CPU, one thread, one sequence at a time; the fast engine where that is sure"
TRIED = 10_000_000  # so many inputs can be tried one by one
SOON_TRIED = 100_000  # so many are tried before a search for one that fails
OF_CELLS = 300  # inputs of each token's open cells that are put to the module
OF_WRONG_CELLS = 300  # inputs of each token's wrong cells that are looked at where `only` may exclude them


@as_assumed()
def verify(spec: Spec, *, budget: float = 60.0, tried: int = TRIED, progress: Progress | None = None) -> Verification:
    """Decide whether the module of a spec says the right answer to every input of its task, by greedy decoding.

    By induction, greedy decoding is right on an input where each token is right after the right ones before it. The
    inputs are followed all at once: see docs/verify.md. Only where that leaves some open, or no automaton describes
    the inputs, and there are no more than `tried`, they are tried one by one. It ends after about `budget` seconds
    (infinity: no limit), or at a `KeyboardInterrupt`, with what it has found by then. Where sizes are ranges, each
    choice of them is decided by itself, in its share of the budget. `progress(what, done, total)` tells of the answer's
    tokens, or of `inputs`. Raises `SpecError` for a task with an input that has no right answer, or whose equations
    contradict its columns, and `ToolFault` where what is proved contradicts what the torch module says to inputs that
    are asked for this purpose.
    """
    if not budget > 0:  # which NaN is not either
        raise fail("bad-value", f"the budget is a number of seconds above 0, not {budget}")
    check_weights(spec)
    report = progress or (lambda what, done, total: None)
    if len(spec.choices) > 1:
        return by_size(spec.choices, budget, lambda choice, share: _decided(choice, share, tried, report))
    return _decided(spec, budget, tried, report)


def _decided(spec: Spec, budget: float, tried: int, progress: Progress) -> Verification:
    """For one choice of sizes."""
    began = time.perf_counter()
    deadline, swept_by = began + budget, began + SWEEPS * budget
    automaton, reason = _automaton(spec)
    cross_checked = cross_check(spec, automaton)
    if automaton is None:
        found = _without_automaton(spec, reason, tried, deadline, progress)
        return replace(found, seconds=time.perf_counter() - began, cross_checked=cross_checked)
    state = State(_followed(spec), automaton, {})
    state.slots = {slot: Sweep(slot, open=state.total) for slot in spec.layout.predicted}
    witnesses = Witnesses(state.spec, automaton, Reference(spec))
    asked = _Asked(spec, state, witnesses, tried, deadline, progress)
    every, number = None, processes(torch.get_num_threads())
    with torch.inference_mode(), one_thread():
        with _interruptible(state):
            follow(state, witnesses, swept_by, progress, deadline, number)
        if state.ending == "complete" and any(state.slots[slot].late for slot in state.open_slots):
            state.ending = "budget"
        with _interruptible(state):
            _confirm(asked)
        if _is_undecided(asked) and state.ending != "interrupted":
            with _interruptible(state):
                every = _try_or_search(asked)
        _compare(asked, every)
        seen = _Seen()
        with _interruptible(state):
            _look(asked, seen)
        found = _verification(asked, seen, every, began)
        with _interruptible(state):
            found = _counted(asked, found)
    ending = state.ending if state.ending == "interrupted" else found.ending
    return replace(found, seconds=time.perf_counter() - began, ending=ending, cross_checked=cross_checked)


@dataclass(frozen=True, eq=False)
class _Asked:
    """A spec, and what is known of the inputs that are followed: all paths, with those that `only` excludes.

    `tried`: so many inputs may be tried one by one.
    """

    spec: Spec
    state: State
    witnesses: Witnesses
    tried: int
    deadline: float
    progress: Progress

    @property
    def exact(self) -> bool:
        """Whether each path is an input."""
        return self.spec.resolved.task.statement.only is None

    @property
    def inputs(self) -> int | None:
        """How many inputs there are; None where that is not known."""
        return self.state.total if self.exact else None

    def is_input(self, inputs: Inputs) -> bool:
        task = self.spec.resolved.task
        return self.exact or bool(task.allowed(task.given_words([inputs]))[0])


def _followed(spec: Spec) -> Spec:
    """The spec whose task has all paths of the automaton as its inputs."""
    (asked,) = spec.resolved.asked
    if asked.task.statement.only is None:
        return spec
    task = replace(asked.task, statement=replace(asked.task.statement, only=None))
    return replace(spec, resolved=replace(spec.resolved, asked=(replace(asked, task=task),)))


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


def _automaton(spec: Spec) -> tuple[Automaton | None, Reason | None]:
    """The automaton; None where there is none, and why it was not made, if there is more to say."""
    try:
        return spec.resolved.task.automaton(), None
    except TaskError as error:
        return None, refused(error.message)


def _is_undecided(asked: _Asked) -> bool:
    """Whether trying inputs could tell more: always where what is wrong may be no input."""
    state = asked.state
    wrong = any(swept.wrong for swept in state.slots.values())
    return bool(state.open_slots) or (wrong and not asked.exact)


def _try_or_search(asked: _Asked) -> Tried | None:
    """Try every input, after a search for one that fails where they are many, before it where there was no time for
    all. What was found by trying, if that is more than the sweeps have found."""
    state = asked.state
    inputs = asked.inputs if asked.inputs is not None else asked.spec.resolved.task.combinations
    if inputs > SOON_TRIED:
        _search(asked)
        if state.counterexamples:
            return None
    every = try_all(asked.spec, asked.tried, asked.deadline, inputs=asked.inputs, progress=asked.progress)
    if every is not None and not every.untried:
        return every
    if every is not None:
        state.counterexamples += [every.failure] if every.failure is not None else []
        state.ending = every.ending
    if inputs <= SOON_TRIED and state.ending != "interrupted":
        _search(asked)
    if every is None:
        return None
    left_open = min(state.total, sum(swept.open + swept.wrong for swept in state.slots.values()))
    return every if not state.counterexamples and every.untried + every.tied < left_open else None


def _search(asked: _Asked) -> None:
    """Look for an input that fails, unless one is known."""
    state = asked.state
    if state.counterexamples:
        return
    found = search(asked.spec, asked.witnesses.reference, asked.deadline, _of_open_cells(asked))
    state.counterexamples += [found.failure] if found.failure is not None else []
    if found.failure is None and time.perf_counter() > asked.deadline:
        state.ending = "budget"


def _of_open_cells(asked: _Asked) -> Iterator[Inputs]:
    """Inputs of open cells that the module answers wrong."""
    state, witnesses = asked.state, asked.witnesses
    for swept in (state.slots[slot] for slot in state.open_slots):
        if swept.open_cells is None:
            continue
        first = swept.open_cells.chosen(np.arange(min(OF_CELLS, len(swept.open_cells))))
        for inputs in filter(asked.is_input, witnesses.inputs(first)):
            if time.perf_counter() > asked.deadline:
                return
            if not witnesses.lead(inputs, swept.slot) > 0:
                yield inputs


def _confirm(asked: _Asked) -> None:
    """Ask the module about an input of a wrong cell of each token. Raises `ToolFault`."""
    state, witnesses = asked.state, asked.witnesses
    for swept in state.slots.values():
        if swept.wrong_cells:
            (inputs,) = witnesses.inputs(swept.wrong_cells[0].chosen(np.array([0])))
            failure = witnesses.fails(inputs)
            check_wrong(swept, _place(state, swept.slot), lead_of(witnesses, inputs, swept.slot), failure)
            if failure is not None and not asked.is_input(inputs):
                failure = _failing_input(asked, swept)
            state.counterexamples += [failure] if failure is not None else []


def _failing_input(asked: _Asked, swept: Sweep) -> Counterexample | None:
    """An input in a wrong cell of a token that `only` does not exclude; None where none is met. Raises `ToolFault`."""
    random = np.random.default_rng(0)
    task, automaton = asked.spec.resolved.task, asked.state.automaton
    for cells in swept.wrong_cells:
        rows = random.integers(0, len(cells), OF_WRONG_CELLS)
        chosen = complete(automaton, cells.first, cells.witness[rows].astype(np.int64), random)
        met = list(dict.fromkeys(inputs_of_paths(asked.spec, automaton, chosen)))
        for row in np.flatnonzero(task.allowed(task.given_words(met))):
            failure = asked.witnesses.fails(met[row])
            # a cell's ways through its window may differ from its witness: only the module's word counts
            if failure is not None:
                return failure
        if time.perf_counter() > asked.deadline:
            break
    return None


def _compare(asked: _Asked, every: Tried | None) -> None:
    """What was tried with what was proved. Raises `ToolFault`."""
    state = asked.state
    for failure in state.counterexamples:
        check_counterexample(state.slots[failure.slot], failure)
    if every is None:
        return
    for swept in state.slots.values():
        check_tried(swept, _place(state, swept.slot), every, exact=asked.exact)
    if _settled(every):
        for swept in state.slots.values():
            if swept.right < state.total:  # of what was only tried, no lead is known
                swept.lowest_cell = None
            swept.right, swept.wrong, swept.open = state.total, 0, 0


def _settled(every: Tried) -> bool:
    return not every.failing and not every.tied and not every.untried


def _look(asked: _Asked, seen: _Seen) -> None:
    """Compare what is proved with the module's leads: for inputs of the lowest cells, and in a search for the smallest.
    Raises `ToolFault`."""
    state, witnesses = asked.state, asked.witnesses
    given = []
    for swept in state.slots.values():
        if swept.lowest_cell is not None and swept.lowest < inf:
            (inputs,) = witnesses.inputs(swept.lowest_cell)
            lead = lead_of(witnesses, inputs, swept.slot)
            check_right(_place(state, swept.slot), lead, swept.lowest)
            if not asked.is_input(inputs):
                continue
            given.append(inputs)
            if swept.right == state.total:
                seen.add(lead)
    seen.tried = len(set(given))
    right = {slot: swept for slot, swept in state.slots.items() if swept.right == state.total}
    if right and time.perf_counter() < asked.deadline:
        leads, seen.tried = closest(asked.spec, witnesses.reference, list(right), given, asked.deadline)
        for lead in leads:
            swept = right[lead.slot]
            check_right(_place(state, lead.slot), lead, swept.lowest if swept.lowest_cell is not None else 0.0)
            seen.add(lead)


def _counted(asked: _Asked, found: Verification) -> Verification:
    """What is proved of more than the inputs, for the inputs themselves where they are soon counted."""
    if found.verdict != "proved" or found.counts == "exact":
        return found
    inputs = inputs_allowed(asked.spec.resolved.task, asked.tried, asked.deadline)
    if inputs is None:
        return found
    steps = tuple(replace(step, right=inputs) for step in found.steps)
    return replace(found, inputs=inputs, steps=steps, counts="exact")


def _place(state: State, slot: int) -> str:
    return place(state.spec, state.automaton, slot)


def _verification(asked: _Asked, seen: _Seen, every: Tried | None, began: float) -> Verification:
    """With what was found by trying `every` input, if they were tried."""
    state = asked.state
    sweeps = list(state.slots.values())
    if every is not None:
        state.counterexamples += [every.failure] if every.failure is not None else []
    least, most = _bracket(asked, sweeps) if every is None else _failing(every)
    distinct_inputs = len({failure.inputs for failure in state.counterexamples})
    verdict: VerdictName = "refuted" if state.counterexamples else "proved" if most == 0 else "open"
    tried_out = every is not None and _settled(every)
    steps = tuple(_step(state, seen, swept) for swept in sweeps)
    reasons = distinct([step.reason for step in steps if step.reason is not None] + _excluded(asked))
    if every is not None and (every.untried or not asked.exact):  # the sweeps know less, or of other inputs
        steps = _tried_steps(state.spec, every, seen, state.automaton, _undecided(every))
    if every is not None and (every.tied or every.untried):
        reasons = _undecided(every)
    margins = [step.margin for step in steps if step.margin is not None and not tried_out]
    followed: Method = "abstract interpretation" if any(swept.cells for swept in sweeps) else "none"
    return Verification(
        verdict,
        "enumeration" if every is not None else followed,
        state.total if every is None else every.inputs,
        (max(least, distinct_inputs), most),
        steps,
        min(margins, key=lambda margin: margin.proved, default=None),
        next(iter(state.counterexamples), None),
        reasons if most > least else (),
        RUN if every is not None else HERE if state.here else ANY,
        state.spec.network.dtype.name,
        torch.__version__,
        time.perf_counter() - began,
        state.ending if every is None or state.ending == "interrupted" else every.ending,
        _smallest(seen),
        seen.tried,
        "exact" if (asked.exact if every is None else every.exact) else "bounds",
    )


def _excluded(asked: _Asked) -> list[Reason]:
    """Where something is wrong that may be no input."""
    state = asked.state
    if asked.exact or state.counterexamples:
        return []
    return [perhaps_excluded(_place(state, swept.slot)) for swept in state.slots.values() if swept.wrong]


def _bracket(asked: _Asked, sweeps: list[Sweep]) -> tuple[int, int]:
    """At least, and at most, so many inputs fail."""
    least, most = failing(asked.state.automaton, sweeps)
    return (least if asked.exact else 0), most


def _smallest(seen: _Seen) -> Lead | None:
    return min(seen.leads.values(), key=lambda lead: lead.lead, default=None)


def _without_automaton(
    spec: Spec, refusal: Reason | None, tried: int, deadline: float, progress: Progress
) -> Verification:
    """What is found by trying inputs: every one, if they are few and there is time."""
    began, reference, task = time.perf_counter(), Reference(spec), spec.resolved.task
    searched, seen = Searched(None, 0), _Seen()
    every: Tried | None = None
    ending: Ending = "complete"
    reasons: tuple[Reason, ...]
    try:
        if task.combinations > SOON_TRIED:  # what fails often is found before all are tried
            share = 1.0 if task.combinations > tried else 1 - SWEEPS
            searched = search(spec, reference, began + share * (deadline - began))
        every = try_all(spec, tried, deadline, progress=progress)
        if every is not None and _settled(every):
            leads, seen.tried = closest(spec, reference, spec.layout.predicted, (), deadline)
            for lead in leads:
                check_right(place(spec, None, lead.slot), lead, 0.0)
                seen.add(lead)
    except KeyboardInterrupt:
        ending = "interrupted"
    if every is not None:
        reasons = _undecided(every)
        ending = ending if ending != "complete" else every.ending
    elif ending == "complete":
        looked_at = searched.looked_at if searched.failure is None else 0
        by_equations = refusal is None and task.statement.transducer is None and not task.cases
        many = too_many(tried, looked_at, by_equations=by_equations)
        reasons = (*([refusal] if refusal is not None else []), many)
    else:
        reasons = (ended(ending),)
    return _enumerated(spec, with_failure(every or untried(spec, ending), searched.failure), seen, reasons, ending)


def _enumerated(spec: Spec, every: Tried, seen: _Seen, reasons: tuple[Reason, ...], ending: Ending) -> Verification:
    """Of a task without an automaton: what was found by trying inputs."""
    least, most = _failing(every)
    return Verification(
        "refuted" if every.failure is not None else "proved" if most == 0 else "open",
        "enumeration" if every.decided > (every.failure is not None) else "none",
        every.inputs,
        (least, most),
        _tried_steps(spec, every, seen, None, reasons),
        None,
        every.failure,
        reasons if most > least else (),
        RUN,
        spec.network.dtype.name,
        torch.__version__,
        0.0,
        ending,
        _smallest(seen),
        seen.tried,
        "exact" if every.exact else "bounds",
    )


def _tried_steps(
    spec: Spec, every: Tried, seen: _Seen, automaton: Automaton | None, reasons: tuple[Reason, ...]
) -> tuple[StepResult, ...]:
    """The tokens, of each of which `wrong` are the inputs whose first wrong token it is."""
    return tuple(
        StepResult(
            slot,
            place(spec, automaton, slot),
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
