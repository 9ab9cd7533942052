"""A verdict on a spec over all inputs of its task."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np
import torch
from numpy.typing import NDArray

from compiler.diagnostics import fail
from compiler.elementary.model import translate
from compiler.elementary.program import NotFollowed, Program
from compiler.fast.demand import marked, pruned
from compiler.fast.fixed import with_fixed_patterns
from compiler.fast.folding import folded
from compiler.fast.magnitudes import check_magnitudes
from compiler.fast.measured import with_measured_tables
from compiler.pipeline import Spec
from compiler.reference import Reference, one_thread
from compiler.tasks.automaton import Automaton, paths
from compiler.tasks.task import TaskError
from compiler.verifier.bracket import failing
from compiler.verifier.cells import Cells
from compiler.verifier.model import Tail, tails
from compiler.verifier.results import Counterexample, Ending, Margin, StepResult, VerdictName, Verification
from compiler.verifier.search import search
from compiler.verifier.sequences import Sequences, sequences
from compiler.verifier.sweep import Sweep, sweep
from compiler.verifier.witness import Witnesses, place

Progress = Callable[[str, int, int], None]
SWEEPS = 0.8  # this share of the time is for sweeps, and what they leave for the search for an input that fails
PASSES = 5  # each on a finer grid: the last one is as fine as float64 is
ANY = "IEEE 754 arithmetic in any order of summation, fused or not; exp, erf, rsqrt, sin, cos to 2 units"
HERE = ANY + "; what depends on no token, or on one token alone, as the torch module computes it on this machine"


@dataclass
class _State:
    """What is known so far. It is true at any moment."""

    spec: Spec
    automaton: Automaton
    slots: dict[int, Sweep]
    why: list[str] = field(default_factory=list)
    here: bool = False  # whether anything was read off the module on this machine
    counterexamples: list[Counterexample] = field(default_factory=list)
    ending: Ending = "complete"

    @property
    def total(self) -> int:
        return paths(self.automaton)

    @property
    def open_slots(self) -> list[int]:
        return [slot for slot, one in self.slots.items() if one.open]


def verify(spec: Spec, *, budget: float = 60.0, progress: Progress | None = None) -> Verification:
    """Decide whether the module of a spec says the right answer to every input of its task, by greedy decoding.

    By induction, greedy decoding is right on an input where each token is right after the right ones before it. The
    inputs are never tried one by one: see docs/verify.md. It ends after about `budget` seconds, or at a
    `KeyboardInterrupt`, with what it has found by then. `progress(place, done, total)` tells of the answer's tokens.
    Raises `SpecError` for a task whose inputs no automaton describes.
    """
    began = time.perf_counter()
    deadline, swept_by = began + budget, began + SWEEPS * budget
    state = _State(spec, _automaton(spec), {})
    state.slots = {slot: Sweep(slot, open=state.total) for slot in spec.layout.predicted}
    witnesses = Witnesses(spec, state.automaton, Reference(spec))
    try:
        with torch.inference_mode(), one_thread():
            _follow(state, swept_by, progress or (lambda place, done, total: None))
            _confirm(state, witnesses)
            if not state.counterexamples and state.open_slots:
                state.counterexamples += search(
                    spec, witnesses, [state.slots[slot] for slot in state.open_slots], deadline
                )
    except KeyboardInterrupt:
        state.ending = "interrupted"
    return _verification(state, witnesses, time.perf_counter() - began)


def _automaton(spec: Spec) -> Automaton:
    task = spec.resolved.task
    try:
        found = task.automaton()
    except TaskError as error:
        raise fail("task", str(error)) from None
    if found is None:
        message = (
            f"the inputs of the task {task.kind} are not followed column by column, so nothing can be proved of them"
        )
        raise fail("task", message, hint="`eval --suite exhaustive` tries all of them where they are few enough")
    return found


def _follow(state: _State, deadline: float, progress: Progress) -> None:
    """Sweep the open tokens in rounds: first in any arithmetic, then in this machine's; each finer and finer."""
    spec = state.spec

    def stop() -> bool:
        if time.perf_counter() > deadline:
            state.ending = "budget"
        return state.ending == "budget"

    for here in (False, True):
        before = state.open_slots
        if not before or (here and any(found.wrong for found in state.slots.values())):
            return  # a refutation needs no other arithmetic
        try:
            followed = list(_tails(spec, state.automaton, here))
        except NotFollowed as error:
            state.why.append(str(error))
            return
        hard: dict[int, list[NDArray[np.bool_]]] = {slot: [] for slot in before}
        for _ in range(PASSES):
            again = []
            for tail, sequence in followed:
                if tail.slot in before and not stop():
                    done = len(state.slots) - len(state.open_slots)
                    progress(place(spec, state.automaton, tail.slot), done, len(state.slots))
                    found = _swept(state, tail, sequence, hard[tail.slot], stop, here)
                    if found.open and not found.is_limited:
                        hard[tail.slot].append(found.open_steps(len(state.automaton.columns), sequence.steps))
                        again.append(tail.slot)
            before = again


def _swept(
    state: _State,
    tail: Tail,
    sequence: Sequences,
    hard: Sequence[NDArray[np.bool_]],
    stop: Callable[[], bool],
    here: bool,
) -> Sweep:
    found = Sweep(tail.slot, open=state.total)
    sweep(found, tail, sequence, hard, stop)
    if found.open < state.slots[tail.slot].open or not state.slots[tail.slot].cells:
        state.slots[tail.slot] = found
        state.here = state.here or here
    return found


def _tails(spec: Spec, automaton: Automaton, here: bool) -> Iterator[tuple[Tail, Sequences]]:
    for program in translate(spec.network, spec.layout):
        made = _prepared(program, spec, here)
        sequence = sequences(automaton, spec.layout, made.length)
        yield from ((tail, sequence) for tail in tails(made, sequence))


def _prepared(program: Program, spec: Spec, here: bool) -> Program:
    checked = check_magnitudes(marked(program))
    if not here:
        return pruned(checked)
    return with_measured_tables(folded(pruned(with_fixed_patterns(checked, spec.network))), spec.network)


def _confirm(state: _State, witnesses: Witnesses) -> None:
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


def _verification(state: _State, witnesses: Witnesses, seconds: float) -> Verification:
    sweeps = list(state.slots.values())
    least, most = failing(state.automaton, sweeps)
    distinct = len({found.inputs for found in state.counterexamples})
    verdict: VerdictName = "refuted" if state.counterexamples else "proved" if most == 0 else "open"
    steps = tuple(_step(state, witnesses, found) for found in sweeps)
    margins = [step.margin for step in steps if step.margin is not None]
    reasons = dict.fromkeys([*state.why, *(step.why_open for step in steps if step.why_open)])
    return Verification(
        verdict,
        "abstract interpretation" if any(found.cells for found in sweeps) else "none",
        state.total,
        (max(least, distinct), most),
        steps,
        min(margins, key=lambda margin: margin.proved, default=None),
        next(iter(state.counterexamples), None),
        tuple(reasons) if most > least else (),
        HERE if state.here else ANY,
        state.spec.network.dtype.name,
        torch.__version__,
        seconds,
        state.ending,
    )


def _step(state: _State, witnesses: Witnesses, found: Sweep) -> StepResult:
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


def _unfollowed(state: _State) -> str:
    """Why a token is open that no sweep has ended."""
    reasons = {"budget": "the time ran out", "interrupted": "it was interrupted", "complete": "no sweep has begun"}
    return state.why[-1] if state.why else reasons[state.ending]


def _margin(state: _State, witnesses: Witnesses, found: Sweep, cell: Cells) -> Margin:
    (inputs,) = witnesses.inputs(cell)
    text = state.spec.resolved.task.describe(inputs)
    return Margin(found.lowest, witnesses.lead(inputs, found.slot), found.rounding, found.slot, inputs, text)
