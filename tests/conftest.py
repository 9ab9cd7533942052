"""What holds for every test."""

from __future__ import annotations

import gc
import os
import signal
import sys

from hypothesis import settings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as cli.py does, before torch is imported
os.environ.setdefault("WEIGHTSPEC_CHECK_PROGRAMS", "1")  # every program of every test is legal after each pass
# Commands that tests start would compile every module again and again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a shell's background job: tests interrupt processes
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("any machine", deadline=None)  # an example may take as long as it takes
settings.load_profile("any machine")


def pytest_collection_finish() -> None:
    """The garbage collector need not look at all modules and tests again and again: that took a twelfth of the time."""
    gc.collect()
    gc.freeze()
