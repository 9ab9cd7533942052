"""What holds for every test."""

from __future__ import annotations

import gc
import os
import resource
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

gc.disable()  # to look again and again for what a test leaves behind took a fifteenth of the time
PLENTY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 13  # KiB, an eighth of the machine's memory


def pytest_collection_finish() -> None:
    """All modules and tests stay."""
    gc.freeze()


def pytest_runtest_teardown() -> None:
    """Whatever has taken so much memory looks for what can be given back from now on."""
    if not gc.isenabled() and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > PLENTY:
        gc.enable()


def pytest_sessionfinish() -> None:
    """The end of the process gives everything back."""
    gc.freeze()
