"""What SIGINT does to a command: a `KeyboardInterrupt` while it computes, its end at once while it imports."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

EXIT_INTERRUPTED = 130
IMPORTING = "<frozen importlib._bootstrap>"


@contextmanager
def interruptible(outermost: Callable[..., Any]) -> Iterator[None]:
    """Interruptions are heard as above, from what `outermost` calls; afterwards as before.

    A library that is interrupted while it is imported can turn that into an error of its own, or lose it: numpy and
    torch do both. And nothing is to be cleaned up then.
    """

    def interrupted(_number: int, frame: FrameType | None) -> None:
        while frame is not None and frame.f_code is not outermost.__code__:
            if frame.f_code.co_filename == IMPORTING:
                end_at_once()
            frame = frame.f_back
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGINT, interrupted)
    except ValueError:  # not in the main thread, where no signal arrives
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def end_at_once() -> NoReturn:
    """The end of the process, with the line that any interruption has."""
    os.write(2, b"interrupted\n")
    os._exit(EXIT_INTERRUPTED)
