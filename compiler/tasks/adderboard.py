"""The test of AdderBoard, the public leaderboard of small adders: github.com/anadim/AdderBoard, `verify.py`.

Ten edge cases and then 10,000 pairs, all drawn from one generator of a fixed seed. All 10,010 count alike, and 99 % of
them have to be right.
"""

from __future__ import annotations

from fractions import Fraction

from compiler.tasks.task import EvaluationProtocol, Inputs

NAME = "adderboard"
LARGEST = 10**10 - 1
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

TOTAL = len(EDGE_CASES) + RANDOM_PAIRS
SUMMARY = f"what the leaderboard AdderBoard runs: {len(EDGE_CASES)} edge cases, {RANDOM_PAIRS:,} random pairs"
