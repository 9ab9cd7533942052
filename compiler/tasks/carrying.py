"""The automaton of addition: columns of digits from the least significant up, and the carry as the state."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from compiler.tasks.automaton import Automaton, Column
from compiler.tasks.task import TaskError

MAX_COLUMN = 20_000  # steps of one column
CARRIES = 2


def adding(base: int, digits: int) -> Automaton:
    """Of `a + b = sum`, operands of `digits` digits: a column for each place, and one for the last carry alone.

    Column k has a step for each (a, b, carry), in this order of significance; into column 0 there is no carry. Raises
    `TaskError` where a column would have more steps than `MAX_COLUMN`.
    """
    steps = base**2 * CARRIES
    if steps > MAX_COLUMN:
        message = f"a column of two digits in base {base} has {steps:,} cases; at most {MAX_COLUMN:,} are followed"
        raise TaskError(f"{message}. Set a smaller base")
    first, inner = _digits(base, digits, 1), _digits(base, digits, CARRIES)
    return Automaton(CARRIES, (first(0), *(inner(k) for k in range(1, digits)), _last(base, digits)))


def _digits(base: int, digits: int, carries: int) -> Callable[[int], Column]:
    """How to make column k of two digits and one of so many carries into it; all columns share their arrays."""
    a, b, carry = np.indices((base, base, carries)).reshape(3, -1).astype(np.int64)
    after, digit = np.divmod(a + b + carry, base)

    def column(k: int) -> Column:
        place = digits - 1 - k
        return Column(f"{base}^{k}", carry, after, {("a", place): a, ("b", place): b, ("sum", place + 1): digit})

    return column


def _last(base: int, digits: int) -> Column:
    carry = np.arange(CARRIES, dtype=np.int64)
    return Column(f"{base}^{digits}", carry, np.zeros_like(carry), {("sum", 0): carry})
