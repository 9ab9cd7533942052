"""What is checked of one spec: that its abstract values contain what is computed, however it is rounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray

from compiler.pipeline import Spec
from compiler.tasks.automaton import Automaton
from compiler.verifier import sweep as sweeping
from compiler.verifier.cells import Cells
from compiler.verifier.forms import Forms, Ranges
from compiler.verifier.head import leads
from compiler.verifier.model import Tail, local_values
from compiler.verifier.rounds import tails_of
from compiler.verifier.sequences import CONSTANT, sequences
from compiler.verifier.sweep import Sweep, box, sweep_cells
from tests.verifier.containment import Box, after_steps, of_cells, plain_leads, plain_values, whole_programs
from tests.verifier.rounding import computed
from tests.verifier.samples import Paths, random_paths, sequences_of
from tests.verifier.watched import stop_after, watched

FINENESS = (2.0**-2, 2.0**-4, 2.0**-8, 2.0**-16)
Found = Counter[str]
Forms64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Inputs:
    """Some inputs of a spec: paths [inputs, columns], sequences of tokens [inputs, time]."""

    spec: Spec
    automaton: Automaton
    paths: Paths
    tokens: NDArray[np.int64]
    random: Random
    numbers: np.random.Generator


def some_inputs(spec: Spec, count: int, seed: object) -> Inputs | None:
    """None for a task without an automaton."""
    automaton = spec.resolved.task.automaton()
    if automaton is None:
        return None
    random = Random(f"inputs:{seed}")
    paths = random_paths(automaton, count, random)
    tokens = sequences_of(automaton, spec.layout, paths)
    return Inputs(spec, automaton, paths, tokens, random, np.random.default_rng(random.getrandbits(32)))


def check_positions(inputs: Inputs, plain: int) -> Found:
    """Each node at each position, after each step of its column: numbers that are rounded in any way, and for so many
    of the inputs, what the torch module shows. Raises `NotFollowed`."""
    spec, found = inputs.spec, Found()
    for which, program in whole_programs(spec.network, spec.layout):
        sequence = sequences(inputs.automaton, spec.layout, program.positions)
        tokens = inputs.tokens[:, program.positions]
        with torch.inference_mode():
            values = local_values(program, sequence).values
        own = np.array([[path[c] if c != CONSTANT else 0 for c in sequence.columns] for path in inputs.paths])
        rounded = computed(program, tokens, inputs.numbers)
        boxes = [Box.of(value, after_steps(program.length, own)) for value in values]
        for number, (node, one) in enumerate(zip(program.nodes, boxes, strict=True)):
            about = (spec.title, which, number, type(node.operation).__name__)
            found["known"] += one.check(rounded[number], inputs.numbers, about)
            found["numbers"] += rounded[number].size
        for i in range(plain):
            shown = plain_values(spec.network, spec.layout, program, which, tokens[i])
            for number, position, value in shown:
                one = boxes[number]
                at = Box(one.value[i, position], one.error[i, position], one.shared[:, i, position])
                found["plain"] += at.check(value, inputs.numbers, (spec.title, "the module", which, number, position))
    return found


def check_tails(inputs: Inputs, slots: Sequence[int], *, here: bool, rounds: int) -> Found:
    """For these tokens of the answer, what the last attention mixes and all that is made of it, in the cells of so many
    rounds of a sweep; and that the torch module's lead is what the verifier says. Raises `NotFollowed`."""
    found = Found()
    with torch.inference_mode():
        followed = list(tails_of(inputs.spec, inputs.automaton, inputs.spec.layout.predicted, here, lambda: False))
    for tail in followed:
        if tail.slot in slots:
            with torch.inference_mode():
                _check_tail(inputs, tail, rounds, found)
    return found


def _check_tail(inputs: Inputs, tail: Tail, rounds: int, found: Found) -> None:
    program = tail.program
    rounded = computed(program, inputs.tokens[:, program.positions], inputs.numbers)
    right = inputs.spec.layout.answer[tail.slot]
    start = len(inputs.spec.layout.prompt)
    expected = inputs.tokens[:, start + tail.slot]
    module = plain_leads(inputs.spec, inputs.tokens, tail.slot, expected)
    about = (inputs.spec.title, right)
    state = Sweep(tail.slot)

    def seen(cells: Cells, which: NDArray[np.int64], inside: NDArray[np.int64]) -> None:
        chosen, paths = cells.chosen(inside), inputs.paths[which]
        assert (chosen.expected == expected[which]).all()
        forms = _forms_of(tail)
        none = np.zeros((len(which), 0))
        ranges = box(forms, chosen) if forms is not None else Ranges(chosen.case, none, none)
        _check_sums(forms, paths, chosen.case, ranges.low, ranges.high)
        values = tail.values(ranges)
        for number, value in enumerate(values):
            live = program.nodes[number].live
            if value and live:
                box_of = Box.of([value[c] for c in live], of_cells(len(which)))
                own = rounded[number][which, tail.position][:, list(live)]
                found["known"] += box_of.check(own, inputs.numbers, (*about, number))
                found["numbers"] += own.size
        said = leads(tail.arithmetic, program.decision, values[program.decision.node], chosen.expected, [])
        for i, path in enumerate(which):
            lead = module[path]  # a NaN is no lead, and no answer
            assert not said.lowest[i] > 0 or lead >= said.lowest[i], (*about, lead, said.lowest[i])
            assert not (said.behind[i] and lead >= 0), (*about, lead)
            found["leads"] += 1
            found["decided"] += bool(said.lowest[i] > 0 or said.behind[i])
            found["failing"] += bool(said.behind[i])

    shape = len(inputs.automaton.columns), tail.sequences.steps
    hard = [inputs.numbers.random(shape) < 0.7 for _ in range(inputs.random.choice((0, 0, 1, 3)))]
    with watched(inputs.paths, seen), patch.object(sweeping, "COARSE", inputs.random.choice(FINENESS)):
        sweep_cells(state, tail, hard, stop_after(rounds))


def _forms_of(tail: Tail) -> Forms | None:
    return tail.attention.forms if tail.attention is not None else None


def _check_sums(forms: Forms | None, paths: Paths, case: NDArray[np.int64], low: Forms64, high: Forms64) -> None:
    """That the forms of paths are in boxes [paths, forms]."""
    if forms is not None:
        tables = forms.tables.astype(np.longdouble)
        sums = forms.constant.astype(np.longdouble)[:, case]
        for column, steps in enumerate(paths.T):
            sums = sums + tables[:, column, steps, case]
        room = 2.0**-58 * (np.abs(forms.constant).max() + np.abs(tables).max((0, 2, 3)).sum(0))  # of these sums here
        with np.errstate(invalid="ignore"):
            assert not ((sums[0] < low - room) | (sums[1] > high + room)).any()
