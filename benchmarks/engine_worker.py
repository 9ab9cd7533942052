"""Times the fast engine, and `eval`, in the source tree that PYTHONPATH names, for `benchmarks/engine_before.py`.

It reads requests from stdin, one a line, and answers each by a line. It runs in trees of other commits too, so it reads
only what all of them have.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from compiler.evaluation.evaluator import Evaluator
from compiler.evaluation.suite_runs import SuiteToRun, run_suite
from compiler.pipeline import Spec, load
from compiler.tasks.task import Part

SUITE = "uniform"
FIRST = 4096  # inputs that show how many there is time for


class Asked:
    """A spec with its engine, on one thread."""

    def __init__(self, path: str, settings: str) -> None:
        start = sum(os.times()[:4])  # with what the compiler takes
        self.spec: Spec = load(path, settings.split())
        self.evaluator = Evaluator(self.spec, inputs=sys.maxsize)
        self.seconds_to_start = sum(os.times()[:4]) - start
        self.sizes: dict[str, int] = {}

    def parts(self, inputs: int) -> tuple[Part, ...]:
        return self.spec.resolved.task.suites()[SUITE].parts(inputs, 0)

    def engine(self, inputs: int) -> tuple[float, int]:
        """Seconds of the processor for what is said to so many inputs, and how many are left to the plain module."""
        engine, spent, left = self.evaluator.engine, 0.0, 0
        for part in self.parts(inputs):
            for words in part.blocks(engine.block):
                prompts, answers = self.spec.layout.prompts(words), self.spec.layout.answers(words)
                start = time.process_time()
                sure = engine.surely_right(words) if hasattr(engine, "surely_right") else None
                rows = slice(None) if sure is None else ~sure
                said = engine.said(prompts[rows], answers[rows])
                spent += time.process_time() - start
                left += int((said < 0).any(1).sum())
        return spent, left

    def whole(self, inputs: int) -> tuple[float, int]:
        """The same for `eval`, which makes the inputs too, and asks the plain module."""
        start = time.process_time()
        run = run_suite(
            self.evaluator, SuiteToRun(SUITE, self.parts(inputs), None, 0), lambda done: None, lambda notice: None
        )
        return time.process_time() - start, sum(tally.close for tally in run.tallies)

    def rate(self, way: str, seconds: float) -> dict[str, float]:
        """Inputs a second of the processor, and the share of them that the plain module decides."""
        run: Callable[[int], tuple[float, int]] = self.engine if way == "engine" else self.whole
        if way not in self.sizes:
            size = FIRST
            while (spent := run(size)[0]) < seconds / 4:
                size *= 4
            self.sizes[way] = int(size * seconds / spent) + 1
        spent, left = run(self.sizes[way])
        return {"rate": self.sizes[way] / spent, "left": left / self.sizes[way]}


def main() -> None:
    """For each request the rate of the engine and of `eval`, and what it took until the engine could run."""
    torch.set_num_threads(1)
    asked: dict[tuple[str, str], Asked] = {}
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        key = request["spec"], request["settings"]
        if key not in asked:
            asked[key] = Asked(*key)
        spec = asked[key]
        found = {way: spec.rate(way, request["seconds"]) for way in ("engine", "eval")}
        print(json.dumps(found | {"start": spec.seconds_to_start}), flush=True)


if __name__ == "__main__":
    main()
