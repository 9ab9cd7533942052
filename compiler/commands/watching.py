"""Checks that are made again when a file changes: `validate --watch`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from compiler.source.examples import example_or
from compiler.source.extends import files_read
from compiler.source.saved import is_saved
from compiler.terminal.plain import say

SECONDS = 0.3  # between two looks at the files
State = Mapping[Path, tuple[int, ...] | None]  # of each file what changes when it is written; None where it is gone


def pause() -> None:
    """What passes between two looks at the files."""
    time.sleep(SECONDS)


def watch(specs: Sequence[Path], check: Callable[[], object], wait: Callable[[], None]) -> None:
    """Check, and check again whenever a file that the specs are made of has changed, until `wait` raises.

    These are the specs, what they extend, and task files and cases that they name. One that is not there is waited for.
    """
    while True:
        before = _state(watched(specs))
        if watched(specs) != tuple(before):
            continue  # a spec was written between the two
        check()
        say(f"watching {len(before)} file{'s' * (len(before) != 1)}; Ctrl-C ends")
        while not (changed := _changed(before)):
            wait()
        say()
        say(f"{time.strftime('%H:%M:%S')} {', '.join(map(str, changed))} changed")


def watched(specs: Iterable[Path]) -> tuple[Path, ...]:
    """The files that specs are made of, each once."""
    paths = map(example_or, specs)
    return tuple(dict.fromkeys(file for path in paths for file in ((path,) if is_saved(path) else files_read(path))))


def _state(files: Iterable[Path]) -> State:
    return {file: _stamp(file) for file in files}


def _changed(before: State) -> list[Path]:
    return [file for file, stamp in before.items() if _stamp(file) != stamp]


def _stamp(file: Path) -> tuple[int, ...] | None:
    try:
        status = os.stat(file)
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
