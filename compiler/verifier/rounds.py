"""Rounds of sweeps: first in any arithmetic, then in this machine's, each on a finer grid where it is hard."""

from __future__ import annotations

import time
from collections.abc import Container, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compiler.backends.bounds.passes import prepared
from compiler.backends.elementary.model import translate_wanted
from compiler.backends.elementary.program import NotFollowed
from compiler.pipeline import Spec
from compiler.source.faults import NoRule
from compiler.tasks.automaton import Automaton, drawn_paths, paths
from compiler.verifier.alarms import check_probe
from compiler.verifier.attention import too_large
from compiler.verifier.cones import settle
from compiler.verifier.diagnosis import find_reasons
from compiler.verifier.enumeration import Progress
from compiler.verifier.measured import with_measured_tables
from compiler.verifier.model import OutOfTime, Stop, Tail, tails
from compiler.verifier.reasons import Ending, Reason, refused
from compiler.verifier.results import Counterexample
from compiler.verifier.sequences import sequences
from compiler.verifier.sharing import Divided, shared_out
from compiler.verifier.sweep import Sweep, leads_of_paths, sweep_cells
from compiler.verifier.witness import Witnesses, inputs_of_paths, lead_of, place

MOST_SWEEPS = 5  # each on a finer grid: the last one is as fine as float64 is
MAX_BYTES = 1 << 31  # of the forms of all tokens
PROBED_INPUTS = 2  # inputs that are followed by themselves too, and put to the module
MOST_PROBED = 32  # tokens for which this is done
WORTH_FORKS = 50_000  # pairs of steps of two columns, over all tokens that are swept
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
        return [slot for slot, swept in self.slots.items() if swept.open]


@dataclass(frozen=True, eq=False)
class _Rounds:
    """What all rounds share. `hard`: of each slot, the steps that each sweep but the last left open, for the next.
    So many `processes` share the work."""

    state: State
    witnesses: Witnesses
    deadline: float
    progress: Progress
    hard: dict[int, list[NDArray[np.bool_]]]
    processes: int

    def stop(self) -> bool:
        if time.perf_counter() > self.deadline:
            self.state.ending = "budget"
        return self.state.ending == "budget"


def follow(
    state: State, witnesses: Witnesses, deadline: float, progress: Progress, end: float, number: int = 1
) -> None:
    """Sweep the open tokens in rounds: first in any arithmetic, then in this machine's; each finer and finer.

    At the `deadline` no sweep goes on. Why something is open is found out up to the `end`. This `number` of processes
    share the work, and find the same as one.
    """
    try:
        _follow(_Rounds(state, witnesses, deadline, progress, {slot: [] for slot in state.slots}, number), end)
    except NoRule as error:
        state.refused = refused(str(error))


def _follow(rounds: _Rounds, end: float) -> None:
    """Raises `NoRule`."""
    state, followed = rounds.state, list[Tail]()
    swept: set[int] = set()  # in any arithmetic, as far as that goes
    for here in (False, True):
        if not state.open_slots or (here and any(swept.wrong for swept in state.slots.values())):
            break  # a refutation needs no other arithmetic
        open_tails = _open_tails(rounds, here)
        if open_tails is None:
            break
        followed = open_tails
        _probe(rounds, followed)
        _sweep_finer(rounds, followed, here)
        if here:
            _settle(rounds, followed)
        else:
            swept = {slot for slot in state.open_slots if not state.slots[slot].late}
    find_reasons(state.slots, followed, swept, lambda: time.perf_counter() > end)


def _open_tails(rounds: _Rounds, here: bool) -> list[Tail] | None:
    """What is left to be swept of the open tokens; None where the network is refused, or the time is over."""
    state = rounds.state
    try:
        return list(tails_of(state.spec, state.automaton, state.open_slots, here, rounds.stop))
    except NotFollowed as error:
        state.refused = refused(str(error))
    except OutOfTime:
        for slot in state.open_slots:
            state.slots[slot].late = True
    return None


def _sweep_finer(rounds: _Rounds, followed: Sequence[Tail], here: bool) -> None:
    """Sweep all open tokens, and again, on a finer grid, those for which it may help."""
    slots = rounds.state.open_slots
    for _ in range(MOST_SWEEPS):
        turn = [tail for tail in followed if tail.slot in slots]
        slots = _sweep_each(rounds, turn, here)


def _sweep_each(rounds: _Rounds, turn: Sequence[Tail], here: bool) -> list[int]:
    """Sweep these tokens, each in its share of the time. Those for which a finer sweep may help."""
    state, again = rounds.state, list[int]()
    columns, pairs = len(state.automaton.columns), sum(tail.sequences.steps**2 for tail in turn)
    number = rounds.processes if pairs > WORTH_FORKS else 1

    def sweep(piece: int) -> Sweep | None:
        if rounds.stop():
            return None
        tail, turns = turn[piece], -(-(len(turn) - piece) // number)
        swept = Sweep(tail.slot, open=state.total)
        sweep_cells(swept, tail, rounds.hard[tail.slot], _share(rounds.deadline, turns))
        return swept

    def tell(piece: int) -> None:
        done = len(state.slots) - len(state.open_slots)
        rounds.progress(place(state.spec, state.automaton, turn[piece].slot), done, len(state.slots))

    with closing(shared_out(Divided(len(turn), sweep, tell), number)) as found:
        for piece, swept in found:
            slot = turn[piece].slot
            if swept is None:
                state.slots[slot].late = True
                continue
            hard, was = rounds.hard[slot], state.slots[slot].open
            _keep(rounds, swept, here)
            gains = not hard or swept.open < GAIN * was
            if swept.may_be_finer and gains and len(hard) < MOST_SWEEPS - 1:
                hard.append(swept.open_steps(columns, turn[piece].sequences.steps))
                again.append(slot)
    return again


def _keep(rounds: _Rounds, swept: Sweep, here: bool) -> None:
    """What a sweep has found, where it leaves fewer inputs open than what was known."""
    state, slot = rounds.state, swept.slot
    if swept.open < state.slots[slot].open or not state.slots[slot].cells:
        state.slots[slot] = swept
        state.here = state.here or here
    state.slots[slot].late = swept.late


def _probe(rounds: _Rounds, followed: Sequence[Tail]) -> None:
    """Compare bounds with the module's leads, for a few inputs of each token. Raises `ToolFault`."""
    state = rounds.state
    probes = drawn_paths(state.automaton, PROBED_INPUTS)
    inputs = inputs_of_paths(state.spec, state.automaton, probes)
    for tail in followed[:MOST_PROBED]:
        if rounds.stop():
            break
        said = leads_of_paths(tail, probes)
        name = place(state.spec, state.automaton, tail.slot)
        for probe, lowest, behind in zip(inputs, said.lowest.tolist(), said.behind.tolist(), strict=True):
            check_probe(name, lead_of(rounds.witnesses, probe, tail.slot), lowest, behind=behind)


def _settle(rounds: _Rounds, followed: Sequence[Tail]) -> None:
    """Let the module settle what is open of tokens that few positions decide."""
    state, stop = rounds.state, rounds.stop
    for tail in followed:
        settled = None if stop() else settle(state.slots[tail.slot], tail, rounds.witnesses, stop)
        if settled is not None:
            state.slots[tail.slot] = settled
            state.here = True


def _share(deadline: float, turns: int) -> Stop:
    """Whether the share of the time that one of so many turns has is over."""
    now = time.perf_counter()
    until = now + max(0.0, deadline - now) / turns
    return lambda: time.perf_counter() > until


def tails_of(spec: Spec, automaton: Automaton, wanted: Container[int], here: bool, stop: Stop) -> Iterator[Tail]:
    """What is left to be swept for each wanted token. Raises `NotFollowed` and `OutOfTime`."""
    room = MAX_BYTES
    for program in translate_wanted(spec.network, spec.layout, wanted):
        made = prepared(program, spec.network, "this machine" if here else "any arithmetic")
        if here:
            made = with_measured_tables(made, spec.network)
        for alone in made.at_each_start():
            if not any(slot in wanted for slot in alone.slots):
                continue
            for tail in tails(alone, sequences(automaton, spec.layout, alone.positions), wanted, stop):
                room -= tail.attention.forms.tables.nbytes if tail.attention is not None else 0
                if room < 0:
                    raise too_large()
                yield tail
