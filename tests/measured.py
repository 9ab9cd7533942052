"""Runs a command and says what it took: `python -S tests/measured.py SECONDS COMMAND…` prints one line of JSON.

The command is ended after so many seconds of a processor: that is the same on a machine that does other things too.
A process of its own: a child's peak memory starts with what its parent had, which for pytest with torch is a lot.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time

MEGABYTE = 1 << 20
_UNIT = 1 if sys.platform == "darwin" else 1024  # of `ru_maxrss`, in bytes


def main() -> None:
    limit, command = int(sys.argv[1]), sys.argv[2:]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.monotonic()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, preexec_fn=lambda: _limit(limit)
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - start
        said: list[str] = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read(64 * MEGABYTE).decode("utf-8", "replace"))
    assert isinstance(usage, resource.struct_rusage)
    measured = {
        "exit_code": os.waitstatus_to_exitcode(status),
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "megabytes": usage.ru_maxrss * _UNIT / MEGABYTE,
        "stdout": said[0],
        "stderr": said[1],
    }
    print(json.dumps(measured))


def _limit(seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


if __name__ == "__main__":
    main()
