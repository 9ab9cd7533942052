"""Which token is said, and whether the plain module surely says the same."""

from __future__ import annotations

import math
from collections.abc import Sequence

from compiler.backends.bounds.arithmetic import SLACK, Arithmetic
from compiler.backends.bounds.bounded import Bounded, combined_shared, scaled_shared
from compiler.backends.bounds.large_term import roundings_beside_largest
from compiler.backends.bounds.quantities import Functions, Quantity, plus, times
from compiler.backends.elementary.program import Decision, Linear
from compiler.network.meanings import lead_sign

UNSURE = -1.0
ALIKE = 0.9  # the ratio of the smallest and the largest weight of a channel


def decide(a: Arithmetic, decision: Decision, inputs: Sequence[Bounded]) -> Quantity:
    """The class of the largest logit (smallest, where the decision is argmin), or `UNSURE`.

    The lead over a rival is certain where it exceeds what the inputs' errors can do to it, by the differences of the
    two logits' weights, plus the roundings of both: what all logits have in common cancels. Exact ties are unsure.
    """
    f = a.f
    sign = lead_sign(decision.decode)
    logits, lowered, raised = class_logits(a, decision, inputs, sign)
    best, index, best_lowered = logits[0], 0.0, lowered[0]
    for number in range(1, decision.classes):
        challenger = logits[number]
        index = f.name(f.if_less(best, challenger, float(number), index))
        best_lowered = f.name(f.if_less(best, challenger, lowered[number], best_lowered))
        best = f.name(f.if_less(best, challenger, challenger, best))
    if decision.classes == 1:
        return f.if_less(plus(f.absolute(best), best_lowered), math.inf, 0.0, UNSURE)
    weights = _weights(decision)
    chosen = [(f.name(f.pick(column, index)), column, inputs[channel]) for channel, column in weights.items()]
    worst: Quantity = -math.inf
    for rival in range(decision.classes):
        differences = [_scaled(f, x, f.name(weight - column[rival])) for weight, column, x in chosen]
        common = plus(*(x.error for x in differences), *(f.absolute(c) for c in combined_shared(differences).values()))
        behind = logits[rival] - best + SLACK * plus(common, raised[rival], best_lowered)
        worst = f.name(f.maximum(worst, f.if_less(f.absolute(index - float(rival)), 0.5, -math.inf, behind)))
    return f.if_less(worst, 0.0, index, UNSURE)


def leader(a: Arithmetic, decision: Decision, inputs: Sequence[Bounded], margin: Quantity) -> Quantity:
    """The class of the largest logit (smallest, where the decision is argmin) if it leads by more than the margin, else
    `UNSURE`. No margin is negative.

    All classes that do not lie behind the best one by more than the margin are added up, so that one sum tells whether
    that is a single one, and which. To subtract the margin rounds, but keeps the order of what is compared. A logit
    that is no number lies behind nothing.
    """
    f, classes, largest = a.f, decision.classes, lead_sign(decision.decode) > 0
    if classes == 1:  # it leads over nothing, and may be no number
        return UNSURE
    logits = class_logits(a, decision, inputs, 1.0)[0]
    best = logits[0]
    for challenger in logits[1:]:
        best = f.name(f.maximum(best, challenger) if largest else f.minimum(best, challenger))
    limit, codes = f.name(best - margin if largest else best + margin), []
    for number, x in enumerate(logits):
        behind = (x, limit) if largest else (limit, x)
        codes.append(f.if_less(*behind, 0.0, float(classes + number)))
    code = f.name(plus(*codes))
    return f.if_less(code, 2.0 * classes, code - float(classes), UNSURE)


def class_logits(
    a: Arithmetic, decision: Decision, inputs: Sequence[Bounded], sign: float
) -> tuple[list[Quantity], list[Quantity], list[Quantity]]:
    """The logits times the sign, and by how much each can be lowered and raised by itself: beside the errors of the
    inputs where they are a linear map."""
    if decision.linear is None:
        stream = inputs[: decision.classes]
        offs = [a.off(x) for x in stream]
        return [times(sign, x.value) for x in stream], offs, offs
    values, lowered, raised = [], [], []
    alike = have_most_in_common(decision.linear)
    for number, terms in enumerate(decision.linear.rows):
        bias = 0.0 if decision.linear.bias is None else decision.linear.bias[number]
        products = a.products(inputs, terms, bias)
        value, _, roundings = a.sum_in_parts(products)
        down, up = roundings_beside_largest(a, products, roundings) if alike else (roundings, roundings)
        scaled = [a.rounded_product(inputs[channel], weight) for channel, weight in terms]
        values.append(a.f.name(times(sign, value)))
        lowered.append(a.f.name(plus(*scaled, down)))
        raised.append(a.f.name(plus(*scaled, up)))
    return (values, lowered, raised) if sign > 0 else (values, raised, lowered)


def have_most_in_common(linear: Linear) -> bool:
    """Whether a term is nearly the same for all classes: its rounding may then be as large as what tells them apart."""
    columns = [*_columns(linear).values(), linear.bias or (0.0,)]
    return any(min(column) > ALIKE * max(column) > 0 or max(column) < ALIKE * min(column) < 0 for column in columns)


def _weights(decision: Decision) -> dict[int, list[float]]:
    """The weights of each channel that is read, by class."""
    if decision.linear is None:
        return {}
    return _columns(decision.linear)


def _columns(linear: Linear) -> dict[int, list[float]]:
    rows = [dict(terms) for terms in linear.rows]
    channels = sorted({channel for row in rows for channel in row})
    return {channel: [row.get(channel, 0.0) for row in rows] for channel in channels}


def _scaled(f: Functions, x: Bounded, factor: Quantity) -> Bounded:
    """The errors of x, times a factor."""
    return Bounded(0.0, times(f.absolute(factor), x.error), scaled_shared(x, factor))
