"""The test of AdderBoard, the public leaderboard of small adders: github.com/anadim/AdderBoard, `verify.py`.

Ten edge cases and then 10,000 pairs, all drawn from one generator of a fixed seed. All 10,010 count alike, and 99 % of
them have to be right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from compiler.tasks.task import EvaluationProtocol, Inputs, Part, Suite, TaskError

NAME = "adderboard"
BASE, DIGITS = 10, 10
LARGEST = BASE**DIGITS - 1
SEED = 2025
RANDOM_PAIRS = 10_000
EDGE_CASES: tuple[Inputs, ...] = (
    (0, 0),
    (0, 1),
    (LARGEST, 0),
    (LARGEST, 1),
    (LARGEST, LARGEST),
    (5_000_000_000, 5_000_000_000),
    (1_111_111_111, 8_888_888_889),
    (1_234_567_890, 9_876_543_210),
    (LARGEST, LARGEST),  # the board has this one twice
    (1, LARGEST),
)

PROTOCOL = EvaluationProtocol(
    NAME,
    "the test for an entry in AdderBoard: the suite of that name, 99 % of it right",
    "the leaderboard",
    (NAME,),
    Fraction(99, 100),
)


def suite(
    base: int,
    digits: int,
    listed: Callable[[str, Sequence[Inputs]], Part],
    drawn: Callable[[str, int, int, int, int], Part],
) -> Suite:
    """The inputs of the board, in its order; its `parts` raise `TaskError` for a task of other sizes.

    `listed(label, pairs)` makes a part of these pairs, `drawn(label, pairs, seed, low, high)` one of so many pairs of
    numbers that a generator of this seed draws from low to high - 1.
    """

    fits = (base, digits) == (BASE, DIGITS)

    def parts(size: int, seed: int) -> tuple[Part, ...]:
        if not fits:
            message = f"adderboard asks for sums of {DIGITS} digits in base {BASE}, and this task has {digits} digits"
            raise TaskError(f"{message} in base {base}. Use the suites uniform, edges and near_carry")
        return listed("edge cases", EDGE_CASES), drawn("random pairs", RANDOM_PAIRS, SEED, 0, LARGEST + 1)

    total = len(EDGE_CASES) + RANDOM_PAIRS
    summary = f"what the leaderboard AdderBoard runs: {len(EDGE_CASES)} edge cases, {RANDOM_PAIRS:,} random pairs"
    return Suite(NAME, summary, total, parts, sampled=False, by_default=False, reported=fits)
