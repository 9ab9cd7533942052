"""Time that is counted in looks at the clock, so that what a verification finds does not depend on the machine."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import count
from types import SimpleNamespace
from unittest.mock import patch

from compiler.pipeline import Spec
from compiler.verifier.results import Verification
from compiler.verifier.verify import TRIED, verify

MODULES = ("verify", "rounds", "search", "enumeration", "closest")  # of the verifier, that look at the clock


def verify_in(looks: int, spec: Spec, *, tried: int = TRIED) -> Verification:
    """What `verify` finds before it has looked at the clock so often."""
    clock = SimpleNamespace(perf_counter=count().__next__)
    with ExitStack() as stack:
        for module in MODULES:
            stack.enter_context(patch(f"compiler.verifier.{module}.time", clock))
        return verify(spec, budget=looks, tried=tried)
