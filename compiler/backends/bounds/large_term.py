"""What a sum's own roundings can do to it where one term outweighs all others.

Between two powers of two the numbers of a dtype are the multiples of a step. A small number that is added to one of
them is in effect rounded to a multiple itself: what is lost is its offset from the nearest, which is known, and not
half a step, which may be as much as what tells two logits apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from compiler.backends.bounds.arithmetic import ENGINE_UNIT, Arithmetic
from compiler.backends.bounds.bounded import Bounded, is_zero_value
from compiler.backends.bounds.quantities import Quantity, plus, times

FINE_UNIT = 2.0**-40  # of a dtype that is not much coarser than the engine's own
WIDE_UNIT = 2.0**-24  # of the dtype that shorter ones are summed in
TO_WHOLE = 1.5 * 2.0**52  # the doubles near it are the whole numbers


def roundings_beside_largest(a: Arithmetic, terms: Sequence[Bounded], otherwise: Quantity) -> tuple[Quantity, Quantity]:
    """By how much the additions of a sum can lower and raise it, in any order, where all partial sums with the largest
    term lie between two powers of two; elsewhere twice `otherwise`, which is right anyway.

    The largest term may be a product that is rounded with the first sum that it is in: its own rounding counts for
    that. The others are added to it in groups, and a group that is f above a multiple of the step, at most half a step,
    lowers the sum by f. Let the offsets of terms above a multiple come to A, of those below one to B. A group's offset
    is the sum of its terms', with their signs, unless that is half a step below or more; then it counts for at most
    half a step above, and has used up as much of B. So no more than A is lost where B is less than half a step, and no
    more than A + B in any case. A term that may be halfway counts as half a step above: were it below, it would be half
    a step that B has more for one such group.
    """
    f, terms = a.f, [term for term in terms if not is_zero_value(term)]
    count, unit = len(terms), a.rounding.plain_unit
    if count < 2 or unit < FINE_UNIT:
        return otherwise, otherwise
    sizes = [f.absolute(term.value) for term in terms]
    largest = sizes[0]
    for size in sizes[1:]:
        largest = f.name(f.maximum(largest, size))
    total = f.name(times(1 + 4 * count * unit, plus(*(a.size(term) for term in terms))))
    power = f.name(f.power_floor(f.maximum(2.0 * largest - total, 0.0)))  # of the smallest partial sum
    if isinstance(power, float):
        return otherwise, otherwise
    half = f.name(unit * power)
    # what is added to the largest may have been summed, and rounded, before
    before = plus(times(count - 2.0, a.rounded(f.name(total - largest))), count * a.rounding.tiny)
    # sums of a short dtype may be made in a wider one, and rounded at the end; the engine's own round in float64
    before = plus(before, times(count * (WIDE_UNIT if unit > WIDE_UNIT else ENGINE_UNIT), total))
    above = below = f.name(before)
    halves: Quantity = 0.0
    for term, size in zip(terms, sizes, strict=True):
        offset, off = _offset(a, term.value, half), a.off(term)
        known = f.name(f.if_less(plus(f.absolute(offset), off), half, 1.0, 0.0))
        beside = f.name(f.if_less(size, largest, 1.0, 0.0))
        above = f.name(plus(above, beside * known * f.maximum(plus(offset, off), 0.0)))
        below = f.name(plus(below, beside * known * f.maximum(plus(times(-1.0, offset), off), 0.0)))
        halves = plus(halves, beside * (1.0 - known))
    halves = f.name(times(half, halves))

    def lost(offsets: Quantity, opposite: Quantity) -> Quantity:
        rounded = plus(offsets, halves, f.if_less(opposite, half, 0.0, opposite))
        return f.if_less(total, 2.0 * power, f.minimum(rounded, otherwise), otherwise)

    return lost(above, below), lost(below, above)


def _offset(a: Arithmetic, x: Quantity, half: Quantity) -> Quantity:
    """From the nearest multiple of a step, of which `half` is a power of two; |x| is less than 2^51 steps."""
    count = a.f.name(x / (2.0 * half))
    nearest = a.f.name(count + TO_WHOLE)
    return a.f.name((count - (nearest - TO_WHOLE)) * (2.0 * half))
