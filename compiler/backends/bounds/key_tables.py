"""What each key adds to the sums of a softmax, where its score and value depend on one token: tables.

All weights of a query are relative to one fixed score, which no score is above.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from compiler.backends.bounds.arithmetic import ENGINE_UNIT, Arithmetic
from compiler.backends.bounds.attention import NEGLIGIBLE
from compiler.backends.bounds.bounded import Bounded
from compiler.backends.elementary.program import FUNCTION_UNITS, Attended


@dataclass(frozen=True, eq=False)
class KeyWeights:
    """The `weight` of each key and by how much `more` or less it may be, [queries, keys, tokens], and that of `nothing`
    [queries]. So many keys at `most` have one. `one`: whether for each query some key's weight is exactly 1, and no
    larger one is possible, whatever the tokens are."""

    weight: Tensor
    more: Tensor
    nothing: Tensor
    most: int
    one: bool

    def products(self, v: Bounded) -> tuple[Tensor, Tensor, Tensor]:
        """Those with a value [1, keys, tokens] or less, what they are off by, and their sizes."""
        most, shape = self.weight + self.more, self.weight.shape
        off = self.more * abs(v.value) + most * v.error
        size = most * (abs(v.value) + v.error)
        return (self.weight * v.value).expand(shape), off.expand(shape), size.expand(shape)


def key_weights(
    a: Arithmetic, operation: Attended, scores: Bounded, visible: Tensor, shape: tuple[int, int, int], beside: int = 0
) -> KeyWeights:
    """Relative to the largest score, of one head. So many keys `beside` these have a weight too, below theirs.

    With the standard softmax the module takes the largest score from all, which rounds them once more.
    """
    f, unit, tiny, most = a.f, a.rounding.unit, a.rounding.tiny, beside + int(visible.sum(1).max())
    value, error = (torch.as_tensor(part, dtype=torch.float64).expand(shape) for part in (scores.value, scores.error))
    top = torch.where(visible, value, -math.inf).amax((1, 2), keepdim=True)
    top = top.clamp(min=0.0) if operation.plus_one else top
    most_off = torch.where(visible, error, 0.0).amax((1, 2), keepdim=True)
    t = value - top
    both = a.rounding.plain_unit + ENGINE_UNIT
    if operation.plus_one:
        d = error + torch.where(top == 0, 0.0, ENGINE_UNIT * t.abs())
    else:
        d = error + 4 * unit * most_off + both * t.abs()
        rounded = _rounded(a, t)
        if rounded is not None:  # of known scores, and of the largest where it is so for all inputs, all is known
            surely = torch.where(visible, value, -math.inf).amin(2, keepdim=True).amax(1, keepdim=True)
            known = (most_off == 0) & (surely == top)
            t, d = torch.where(known, rounded, t), torch.where(known, 0.0, d)
    exponential = FUNCTION_UNITS * both * (1.0 + 2.0 * d)  # e^d ≤ 1 + 2 d where d ≤ 1
    weight = torch.exp(t)
    lost = f.if_less(t + d, NEGLIGIBLE, tiny, math.inf)
    more = f.if_less(d, 1.0, weight * (d * (1.0 + d) + exponential) + a.rounding.lost_weight(most), lost)
    # exp(0) is 1; with a weight for no key, the module takes the exponential of the score itself
    more = torch.where((t == 0) & (d == 0) & ((top == 0) | (not operation.plus_one)), 0.0, more)
    weight, more = (torch.where(visible, part, 0.0) for part in (weight, more))
    nothing = torch.zeros(shape[0], dtype=torch.float64)
    if operation.plus_one:  # 1 where it is exactly that
        nothing = torch.where(top == 0, 1.0, torch.exp(-top).clamp(max=1 - ENGINE_UNIT)).flatten()
    weight, more = weight.expand(shape), more.expand(shape)
    one = ((weight == 1) & (more == 0)).all(2).any(1).all()
    return KeyWeights(weight, more, nothing, most, bool(one) and (not operation.plus_one or bool((top >= 0).all())))


def _rounded(a: Arithmetic, x: Tensor) -> Tensor | None:
    """As the plain module rounds it; None where that is not known here."""
    if a.rounding.plain_unit == 2.0**-53:
        return x
    return x.float().double() if a.rounding.plain_unit == 2.0**-24 else None
