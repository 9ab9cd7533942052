"""Rounds of sweeps: first in any arithmetic, then in this machine's, each on a finer grid where it is hard."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compiler.backends.bounds.passes import prepared
from compiler.backends.elementary.model import translate
from compiler.backends.elementary.program import NotFollowed
from compiler.pipeline import Spec
from compiler.source.faults import NoRule
from compiler.tasks.automaton import Automaton, drawn, paths
from compiler.verifier.alarms import check_probe
from compiler.verifier.attention import too_large
from compiler.verifier.cones import settle
from compiler.verifier.diagnosis import find_reasons
from compiler.verifier.model import OutOfTime, Stop, Tail, tails
from compiler.verifier.reasons import Ending, Reason, refused
from compiler.verifier.results import Counterexample
from compiler.verifier.sequences import Sequences, sequences
from compiler.verifier.sweep import Sweep, leads_of_paths, sweep
from compiler.verifier.witness import Witnesses, inputs_of_paths, lead_of, place

Progress = Callable[[str, int, int], None]
PASSES = 5  # each on a finer grid: the last one is as fine as float64 is
MAX_BYTES = 1 << 31  # of the forms of all tokens
PROBES = 2  # inputs that are followed by themselves too, and put to the module
MOST_PROBED = 32  # tokens for which this is done
GAIN = 0.8  # a finer pass that leaves more than this share of what was open is the last one


@dataclass
class State:
    """What is known so far. It is true at any moment."""

    spec: Spec
    automaton: Automaton
    slots: dict[int, Sweep]
    refused: Reason | None = None  # why the network was not followed, or not in this machine's arithmetic
    here: bool = False  # whether anything was read off the module on this machine
    counterexamples: list[Counterexample] = field(default_factory=list)
    ending: Ending = "complete"

    @property
    def total(self) -> int:
        return paths(self.automaton)

    @property
    def open_slots(self) -> list[int]:
        return [slot for slot, one in self.slots.items() if one.open]


def follow(state: State, witnesses: Witnesses, deadline: float, progress: Progress, end: float) -> None:
    """Sweep the open tokens in rounds: first in any arithmetic, then in this machine's; each finer and finer.

    At the `deadline` no sweep goes on. Why something is open is found out up to the `end`.
    """
    try:
        _follow(state, witnesses, deadline, progress, end)
    except NoRule as error:
        state.refused = refused(str(error))


def _follow(state: State, witnesses: Witnesses, deadline: float, progress: Progress, end: float) -> None:
    """Raises `NoRule`."""
    spec = state.spec

    def stop() -> bool:
        if time.perf_counter() > deadline:
            state.ending = "budget"
        return state.ending == "budget"

    hard: dict[int, list[NDArray[np.bool_]]] = {slot: [] for slot in state.slots}
    followed: list[tuple[Tail, Sequences]] = []
    swept: set[int] = set()  # in any arithmetic, as far as that goes
    for here in (False, True):
        before = state.open_slots
        if not before or (here and any(found.wrong for found in state.slots.values())):
            break  # a refutation needs no other arithmetic
        try:
            followed = list(tails_of(spec, state.automaton, before, here, stop))
        except NotFollowed as error:
            state.refused = refused(str(error))
            break
        except OutOfTime:
            for slot in before:
                state.slots[slot].late = True
            break
        _probe(state, followed, witnesses, stop)
        for _ in range(PASSES):
            again = []
            turn = [one for one in followed if one[0].slot in before]
            for number, (tail, sequence) in enumerate(turn):
                if stop():
                    state.slots[tail.slot].late = True
                else:
                    done = len(state.slots) - len(state.open_slots)
                    progress(place(spec, state.automaton, tail.slot), done, len(state.slots))
                    was = state.slots[tail.slot].open
                    found = _swept(state, tail, sequence, hard[tail.slot], _share(deadline, len(turn) - number), here)
                    finer = hard[tail.slot]
                    gains = not finer or found.open < GAIN * was
                    if found.may_be_finer and gains and len(finer) < PASSES - 1:
                        finer.append(found.open_steps(len(state.automaton.columns), sequence.steps))
                        again.append(tail.slot)
            before = again
        if here:
            _settle(state, followed, witnesses, stop)
        else:
            swept = {slot for slot in state.open_slots if not state.slots[slot].late}
    find_reasons(state.slots, followed, swept, lambda: time.perf_counter() > end)


def _probe(state: State, followed: Sequence[tuple[Tail, Sequences]], witnesses: Witnesses, stop: Stop) -> None:
    """Compare bounds with the module's leads, for a few inputs of each token. Raises `ToolFault`."""
    probes = drawn(state.automaton, PROBES)
    inputs = inputs_of_paths(state.spec, state.automaton, probes)
    for tail, sequence in followed[:MOST_PROBED]:
        if stop():
            break
        said = leads_of_paths(tail, sequence, probes)
        name = place(state.spec, state.automaton, tail.slot)
        for one, lowest, behind in zip(inputs, said.lowest.tolist(), said.behind.tolist(), strict=True):
            check_probe(name, lead_of(witnesses, one, tail.slot), lowest, behind=behind)


def _settle(state: State, followed: Sequence[tuple[Tail, Sequences]], witnesses: Witnesses, stop: Stop) -> None:
    """Let the module settle what is open of tokens that few positions decide."""
    for tail, sequence in followed:
        found = None if stop() else settle(state.slots[tail.slot], tail, sequence, witnesses, stop)
        if found is not None:
            state.slots[tail.slot] = found
            state.here = True


def _share(deadline: float, turns: int) -> Stop:
    """Whether the share of the time that one of so many turns has is over."""
    now = time.perf_counter()
    until = now + max(0.0, deadline - now) / turns
    return lambda: time.perf_counter() > until


def _swept(
    state: State,
    tail: Tail,
    sequence: Sequences,
    hard: Sequence[NDArray[np.bool_]],
    stop: Stop,
    here: bool,
) -> Sweep:
    found = Sweep(tail.slot, open=state.total)
    sweep(found, tail, sequence, hard, stop)
    if found.open < state.slots[tail.slot].open or not state.slots[tail.slot].cells:
        state.slots[tail.slot] = found
        state.here = state.here or here
    state.slots[tail.slot].late = found.late
    return found


def tails_of(
    spec: Spec, automaton: Automaton, wanted: Container[int], here: bool, stop: Stop
) -> Iterator[tuple[Tail, Sequences]]:
    """What is left to be swept for each wanted token. Raises `NotFollowed` and `OutOfTime`."""
    room = MAX_BYTES
    for program in translate(spec.network, spec.layout):
        if not any(slot in wanted for slot in program.slots):
            continue
        made = prepared(program, spec.network, "this machine" if here else "any arithmetic")
        sequence = sequences(automaton, spec.layout, made.length)
        for tail in tails(made, sequence, wanted, stop):
            room -= tail.attention.forms.tables.nbytes if tail.attention is not None else 0
            if room < 0:
                raise too_large()
            yield tail, sequence
