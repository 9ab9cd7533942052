"""A token that few positions decide: the module itself settles what is open of it, once for each of their tokens.

Let the weights of the only attention depend on no token. Then all keys without a weight add exact zeros. So the module
says the same, to the last bit, to all inputs that agree at the query and at the keys that have a weight.
"""

from __future__ import annotations

import numpy as np

from compiler.backends.bounds.demand import live_heads
from compiler.backends.elementary.program import Mixed, reads_keys
from compiler.tasks.automaton import ways
from compiler.verifier.cells import Cells, Labels, column_cells, joined, merged
from compiler.verifier.forms import forms
from compiler.verifier.model import Stop, Tail
from compiler.verifier.sequences import CONSTANT
from compiler.verifier.sweep import Sweep, weights
from compiler.verifier.witness import Witnesses

MAX_ASKED_CELLS = 5_000  # that the module is asked about


def settle(swept: Sweep, tail: Tail, witnesses: Witnesses, stop: Stop) -> Sweep | None:
    """The sweep with nothing left open; None where this does not decide all of it."""
    positions = _read(tail)
    if positions is None or swept.wrong or not swept.open:
        return None
    cells = _told_apart(swept, tail, positions)
    if cells is None:
        return None
    leads = np.zeros(len(cells))
    for i, inputs in enumerate(witnesses.inputs(cells)):
        if stop():
            return None
        leads[i] = witnesses.lead(inputs, tail.slot)
    if not (np.abs(leads) > 0).all():  # a tie, or no number
        return None
    fails, closest = leads < 0, int(np.where(leads > 0, leads, np.inf).argmin())
    nearer = 0 < leads[closest] < swept.lowest
    counts = ways(tail.sequences.automaton)
    wrong = cells.chosen(fails)
    count = sum(weights(wrong, counts))
    return Sweep(
        tail.slot,
        right=sum(counts[0][-1]) - count,  # no other input was open, or wrong
        wrong=count,
        cells=swept.cells + len(cells),
        window=swept.window,
        wrong_cells=[wrong] if count else [],
        lowest=float(leads[closest]) if nearer else swept.lowest,
        lowest_cell=cells.chosen(np.array([closest])) if nearer else swept.lowest_cell,
        rounding=swept.rounding,
    )


def _read(tail: Tail) -> list[int] | None:
    """The positions whose tokens decide the token; None where that is not known."""
    nodes = tail.program.nodes
    attentions = [node for node in nodes if reads_keys(node.operation)]
    if len(attentions) != 1 or not isinstance(attentions[0].operation, Mixed):
        return None
    operation = attentions[0].operation
    seen = [operation.visible_to(head)[tail.position] for head in live_heads(operation, attentions[0].live)]
    return sorted({tail.position, *np.flatnonzero(np.any(seen, axis=0)).tolist()})


def _told_apart(swept: Sweep, tail: Tail, positions: list[int]) -> Cells | None:
    """Cells that hold all open inputs, by the right token and those at the positions; None where they are too many."""
    sequences, automaton = tail.sequences, tail.sequences.automaton
    hard = swept.open_steps(len(automaton.columns), sequences.steps)
    target, _ = sequences.right(tail.slot)
    columns = sorted(({sequences.columns[position] for position in positions} | {target}) - {CONSTANT})
    if not columns:
        return None
    tokens = np.zeros((2, len(automaton.columns), sequences.steps, 1, len(positions)))
    for i, position in enumerate(positions):
        if sequences.columns[position] != CONSTANT:
            tokens[:, sequences.columns[position], :, 0, i] = sequences.tokens[:, position]
    every = forms(automaton, np.zeros((2, 1, len(positions))), tokens)
    grid = np.ones((1, len(positions)))
    cells: Cells | None = None
    for number in range(columns[0], columns[-1] + 1):
        size = len(automaton.columns[number].before)
        zero = np.zeros(size, np.int64)
        labels = Labels(sequences.expected(tail.slot, number), zero, zero)
        column = column_cells(automaton.columns[number], number, every, labels, sequences.steps)
        column = merged(column.chosen(hard[number, :size]), grid)
        cells = column if cells is None else joined(cells, column, grid)
        if len(cells) > MAX_ASKED_CELLS:
            return None
    return cells
