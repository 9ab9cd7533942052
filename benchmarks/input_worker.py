"""Makes the inputs of specs in the source tree that PYTHONPATH names, for `benchmarks/task_inputs.py`.

It reads requests from stdin, one a line, and answers each by a line. It runs in trees of other commits too, so it reads
only what all of them have.
"""

from __future__ import annotations

import json
import sys
import time
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.pipeline import Spec, load


def tokens_of(spec: Spec, request: dict[str, Any]) -> Iterator[NDArray[np.int32]]:
    """The prompts and the answers of so many inputs of a suite, in blocks."""
    for part in spec.resolved.task.suites()[request["suite"]].parts(request["inputs"], 0):
        for words in part.blocks(request["block"]):
            yield spec.layout.prompts(words)
            yield spec.layout.answers(words)


def main() -> None:
    """For each request, the processor time in seconds, and a checksum of the tokens where it is asked for."""
    specs: dict[tuple[str, str], Spec] = {}
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        key = request["spec"], request["settings"]
        if key not in specs:
            specs[key] = load(key[0], key[1].split())
        start, checksum = time.process_time(), 0
        for tokens in tokens_of(specs[key], request):
            if request["checked"]:
                checksum = zlib.crc32(tokens.tobytes(), checksum)
        print(json.dumps({"seconds": time.process_time() - start, "checksum": checksum}), flush=True)


if __name__ == "__main__":
    main()
