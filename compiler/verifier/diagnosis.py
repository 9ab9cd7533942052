"""Why sweeps that had time enough have left inputs open: asked of an input of the largest open cell of each token."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from compiler.backends.elementary.program import Program
from compiler.expressions.proportions import amount
from compiler.tasks.automaton import Automaton, complete, drawn_paths, ways
from compiler.verifier.head import Leads
from compiler.verifier.model import OutOfTime, Stop, Tail, tails, unknown_shares
from compiler.verifier.reasons import Reason, joined_cells, lost_at, refused, within_rounding
from compiler.verifier.sequences import sequences
from compiler.verifier.sweep import Sweep, leads_of_paths, values_of_paths, weights

DRAWN = 200  # inputs that show what is known after each step of a tail
SURELY_KNOWN = 2.0**-20  # a share that is not known, which rounding does not reach
InputPath = NDArray[np.int64]  # of one input, [1, columns]


@dataclass(frozen=True, eq=False)
class _Alone:
    """One input, all of whose tokens are known: what is left to be computed for each slot."""

    path: InputPath
    program: Program
    tails: Mapping[int, Tail]

    def leads(self, slot: int) -> Leads:
        return leads_of_paths(self.tails[slot], np.zeros_like(self.path))


@dataclass(frozen=True, eq=False)
class _ByThemselves:
    """Inputs that are followed by themselves, for the slots that are `wanted`."""

    wanted: Container[int]
    stop: Stop
    inputs: list[_Alone]

    def open_input(self, tail: Tail, path: InputPath) -> _Alone:
        """One that is open: one that was followed before, or else that of the path. Raises `OutOfTime`."""
        for alone in self.inputs:
            if alone.program is tail.program and not _decided(leads_of_paths(tail, alone.path)):
                return alone
        automaton = _one_path(tail.sequences.automaton, path[0])
        only = sequences(automaton, tail.sequences.layout, tail.program.positions)
        by_slot = {its.slot: its for its in tails(tail.program, only, self.wanted, self.stop)}
        self.inputs.append(_Alone(path, tail.program, by_slot))
        return self.inputs[-1]


def find_reasons(sweeps: Mapping[int, Sweep], followed: Sequence[Tail], in_time: Container[int], stop: Stop) -> None:
    """Write down why each token is open that there was time enough for.

    For those `in_time` there was time enough in one arithmetic: another one does not help against an error of a step.
    """
    asked = [
        tail
        for tail in followed
        if (swept := sweeps[tail.slot]).open_cells is not None and (not swept.late or tail.slot in in_time)
    ]
    by_themselves = _ByThemselves({tail.slot for tail in asked}, stop, [])
    for tail in asked:
        reason = _why_open(sweeps[tail.slot], tail, by_themselves)
        if reason.kind == "step" or not sweeps[tail.slot].late:
            sweeps[tail.slot].reason = reason


def _why_open(swept: Sweep, tail: Tail, by_themselves: _ByThemselves) -> Reason:
    """Three questions, each of which knows more of an input than the one before.

    With what the last attention mixes known exactly, is it decided? Then it was joined with others. With all of its
    tokens known, at every position? Then a step loses what it reads from other columns. Else only rounding is left.
    """
    assert swept.open_cells is not None
    inputs = weights(swept.open_cells, ways(tail.sequences.automaton))
    largest = max(range(len(inputs)), key=inputs.__getitem__)
    cell = swept.open_cells.chosen(np.array([largest]))
    path = complete(tail.sequences.automaton, cell.first, cell.witness.astype(np.int64))
    if _decided(leads_of_paths(tail, path)):
        return joined_cells(amount(inputs[largest]))
    try:
        by_itself = by_themselves.open_input(tail, path).leads(tail.slot)
    except OutOfTime:  # then what is known after each step has to tell
        unknown = any(share > SURELY_KNOWN for share in tail.unknown.values())
        return _losing_step(tail) if unknown else _rounding(leads_of_paths(tail, path))
    return _losing_step(tail) if _decided(by_itself) else _rounding(by_itself)


def _rounding(leads: Leads) -> Reason:
    bound = float(leads.within[0])
    return within_rounding(bound) if np.isfinite(bound) else refused("values may overflow, or are no numbers")


def _decided(leads: Leads) -> bool:
    return bool(leads.lowest[0] > 0 or leads.behind[0])


def _one_path(automaton: Automaton, path: NDArray[np.int64]) -> Automaton:
    """The automaton of one input."""
    columns = tuple(
        replace(
            column,
            before=column.before[[step]],
            after=column.after[[step]],
            letters={place: symbols[[step]] for place, symbols in column.letters.items()},
        )
        for column, step in zip(automaton.columns, path, strict=True)
    )
    return replace(automaton, columns=columns)


def _losing_step(tail: Tail) -> Reason:
    """The step after which the share that is not known has grown most."""
    paths = drawn_paths(tail.sequences.automaton, DRAWN)
    later = unknown_shares(tail.program, values_of_paths(tail, paths))
    shares = [("", 0.0), *tail.unknown.items(), *((step, x) for step, x in later.items() if step not in tail.unknown)]
    (_, before), (step, after) = max(pairwise(shares), key=lambda pair: pair[1][1] - pair[0][1])
    return lost_at(step, before, after)
