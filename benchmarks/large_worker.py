"""What `benchmarks/large_speed.py` measures, in a process of its own: one part of it, on one core; prints JSON.

`python -m benchmarks.large_worker say FILE PROMPT STEPS` says tokens; `… pass FILE` reads the tokens of a sequence, as
JSON, from standard input, and says what one pass over it says after each of them.
"""

from __future__ import annotations

import json
import os
import sys
import time

import torch

import compiler
from compiler.backends.torch.decode import choose
from compiler.backends.torch.reference import alone


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    what, path, *rest = sys.argv[1:]
    spec = compiler.load(path)
    started = time.perf_counter(), time.process_time()
    if what == "say":
        said = [step.token for step in compiler.generate(spec, rest[0], steps=int(rest[1]))]
    else:
        model = compiler.build(spec).eval()
        started = time.perf_counter(), time.process_time()
        with alone():
            said = choose(model(torch.tensor([json.load(sys.stdin)]))[0], spec.network.decode).tolist()
    seconds = {"seconds": time.perf_counter() - started[0], "cpu_seconds": time.process_time() - started[1]}
    print(json.dumps({**seconds, "tokens": said}))


if __name__ == "__main__":
    main()
