"""Leads that suffice for a token to be sure, whatever the input is: the bounds of `deciding`, over all inputs at once.

The formulas that follow a bound for each input are computed on intervals. The inputs are taken apart into cells: by the
token at the position itself, and by what the last attention mixes by fixed weights, in up to `BINS` parts of what it
can. All later bounds are of one cell alone, and the largest of them is the margin.

A class that is ahead is ahead of all others: what the logits read is cut down to that. An error that is followed from
some node on is taken to be as large as it can be in the cell, so that it cancels in differences.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from compiler.backends.bounds.arithmetic import ENGINE_UNIT, SLACK, Arithmetic
from compiler.backends.bounds.bounded import Bounded, Channels, combined_shared, scaled_shared
from compiler.backends.bounds.cost import operations
from compiler.backends.bounds.deciding import class_logits
from compiler.backends.bounds.intervals import Interval, high_end
from compiler.backends.bounds.linear_tables import with_errors_of_linear_tables
from compiler.backends.bounds.quantities import plus, times
from compiler.backends.bounds.static_values import compute_next, for_all_inputs, in_bins
from compiler.backends.bounds.tensors import Running, each_quantity, each_tensor
from compiler.backends.elementary.program import Array, Attended, Decision, Lookup, Node, Program, reads_keys
from compiler.network.meanings import lead_sign

BINS = (1, 4, 24)  # of each channel at most: the more, the more is known, and the longer it takes
MAX_OPERATIONS = 1 << 23  # on numbers, before there are bins: a second at most


def sufficient_leads(program: Program, bins: int) -> Array:
    """[slots]: what the value of the logit of the class that is ahead has to lead by, so that the plain module surely
    says it; infinite where nothing suffices. The program is `prepared` for the fast engine."""
    if _costs_too_much(program) or program.decision.classes == 1 or any(_is_hard(node) for node in program.nodes):
        return np.full(len(program.slots), math.inf)
    static = for_all_inputs(with_errors_of_linear_tables(program))
    last = max((n for n, node in enumerate(program.nodes) if reads_keys(node.operation)), default=-1)
    with torch.inference_mode():
        for number, node in enumerate(program.nodes):
            compute_next(static, node)
            if number == last:
                static = in_bins(static, number, bins)
        decision = program.decision
        return _margins(static, static.at(decision.node, decision.reads))


def with_known_errors(program: Program) -> Program | None:
    """The same program, where what attention mixes is off by as much as it can be for any input; None where that is not
    known, or there is no attention."""
    if _costs_too_much(program) or any(_is_hard(node) for node in program.nodes):
        return None
    static = for_all_inputs(program)
    last = max((n for n, node in enumerate(program.nodes) if isinstance(node.operation, Attended)), default=-1)
    nodes, known = list(program.nodes), set[int]()
    with torch.inference_mode():
        for number, node in enumerate(program.nodes[: last + 1]):
            compute_next(static, node)
            if isinstance(node.operation, Attended):
                off = np.zeros((program.length, program.vocabulary, node.channels))
                for c in node.live:
                    high = high_end(static.arithmetic.off(static.values[number][c]))
                    high = high.expand(len(node.positions), program.vocabulary)  # it may be one number
                    off[list(node.positions), :, c] = SLACK * high.numpy()
                if not np.isfinite(off).all():
                    return None
                nodes[number] = replace(node, operation=replace(node.operation, off=off))
                known.add(number)
    for number, node in enumerate(nodes):
        readers = {i for i, other in enumerate(nodes) if number in other.inputs}
        if isinstance(node.operation, Lookup) and readers <= known and number != program.decision.node:
            exact = Lookup(node.operation.value, np.zeros_like(node.operation.error))
            nodes[number] = replace(node, operation=exact)
    return replace(program, nodes=tuple(nodes)) if known else None


def _costs_too_much(program: Program) -> bool:
    cells = program.vocabulary * max(1, program.length)  # without any bins
    return cells * (operations(program, MAX_OPERATIONS // cells) + program.decision.classes**2) > MAX_OPERATIONS


def _is_hard(node: Node) -> bool:
    return isinstance(node.operation, Attended) and node.operation.ties is not None


def _margins(static: Running, inputs: Channels) -> Array:
    """For any class that is ahead, the most that the bounds on a rival take, in any cell in which that may matter: not
    where the lead is always more than that, and no more than the lead can be."""
    a, decision = static.arithmetic, static.program.decision
    classes, shape = range(decision.classes), (len(decision.reads), len(static.tokens))
    logits, lowered, raised = class_logits(a, decision, inputs, lead_sign(decision.decode))
    floor = torch.stack([Interval.of(logit).low.expand(shape) for logit in logits]).amax(0)
    found = torch.zeros(len(decision.reads), dtype=torch.float64)
    for best in classes:
        slots, cells = (~(high_end(logits[best]) < floor)).nonzero(as_tuple=True)

        def some(end: Tensor, slots: Tensor = slots, cells: Tensor = cells) -> Tensor:
            return end.expand(shape)[slots, cells] if end.dim() else end

        rivals = {rival: [each_tensor(x[rival], some) for x in (logits, raised)] for rival in classes if rival != best}
        own, down = (each_tensor(x[best], some) for x in (logits, lowered))
        ahead, possible = where_ahead(a, decision, [each_quantity(x, some) for x in inputs], best)
        needed = torch.zeros(len(slots), dtype=torch.float64)
        for rival, (logit, up) in rivals.items():
            difference = lead_over(a, decision, ahead, best, rival)
            lead = Interval.of(own - logit if difference is None else difference.value)
            common = 0.0 if difference is None else a.off(difference)
            bound = high_end(SLACK * plus(common, up, down))
            matters = torch.where(lead.low > bound, 0.0, torch.minimum(bound, lead.high.clamp(min=0.0)))
            needed, possible = torch.maximum(needed, matters), possible & ~(lead.high < 0)
        needed = torch.where(possible, needed, 0.0).nan_to_num(math.inf, math.inf)
        found = found.scatter_reduce(0, slots, needed, "amax")
    return found.numpy()


def where_ahead(a: Arithmetic, decision: Decision, inputs: Channels, best: int) -> tuple[Channels, Tensor]:
    """The inputs with the values that they can have where this class is ahead of all others, and in which cells they
    have any: what a channel takes off a lead is no more than all else can give to it."""
    values, possible = [Bounded(x.value, 0.0) for x in inputs], torch.tensor(True)
    for rival in (number for number in range(decision.classes) if number != best):
        lead = lead_over(a, decision, values, best, rival)
        for channel, factor in _factors(decision, best, rival).items():
            x = values[channel].value
            if lead is not None and isinstance(x, Interval) and factor != 0:
                end = Interval.of((high_end(times(factor, x)) - high_end(lead.value)) / factor).outward()
                low = torch.maximum(x.low, end.low) if factor > 0 else x.low
                high = x.high if factor > 0 else torch.minimum(x.high, end.high)
                values[channel], possible = Bounded(Interval(low, high), 0.0), possible & ~(low > high)
    return [replace(x, value=known.value) for x, known in zip(inputs, values, strict=True)], possible


def _factors(decision: Decision, best: int, rival: int) -> dict[int, float]:
    """What the lead over a rival multiplies each channel by."""
    if decision.linear is None:
        return {}
    sign, rows = lead_sign(decision.decode), [dict(decision.linear.rows[number]) for number in (best, rival)]
    return {c: sign * (rows[0].get(c, 0.0) - rows[1].get(c, 0.0)) for c in rows[0] | rows[1]}


def lead_over(a: Arithmetic, decision: Decision, inputs: Channels, best: int, rival: int) -> Bounded | None:
    """How far a logit is ahead of another one, with what the errors of the inputs can do to that; None where logits are
    the inputs themselves."""
    if decision.linear is None:
        return None
    sign, rows = lead_sign(decision.decode), [dict(decision.linear.rows[number]) for number in (best, rival)]
    factors = _factors(decision, best, rival)
    biases = decision.linear.bias or (0.0,) * decision.classes
    scaled = [
        Bounded(times(factor, inputs[c].value), times(abs(factor), inputs[c].error), scaled_shared(inputs[c], factor))
        for c, factor in factors.items()
    ]
    value = Interval.of(plus(*(x.value for x in scaled), sign * (biases[best] - biases[rival])))
    sizes = [times(abs(row.get(c, 0.0)), a.f.absolute(inputs[c].value)) for row in rows for c in factors]
    size = plus(*sizes, abs(biases[best]), abs(biases[rival]))
    rounded = high_end(times((len(factors) + 4) * 4 * ENGINE_UNIT, size))  # the engine's two logits, and the difference
    value = Interval(value.low - rounded, value.high + rounded)
    return Bounded(value, plus(*(x.error for x in scaled)), combined_shared(scaled))
