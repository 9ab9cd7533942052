"""The user's C compiler: found, asked what it makes for this machine, and run within bounds."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from math import ceil
from pathlib import Path

from compiler.source.files import scratch_folder
from compiler.source.user_cache import kept_from_others

SCRATCH = ".weightspec-scratch-"  # what the folders are called that something is compiled in
_NAMES = ("cc", "gcc", "clang")
_SECONDS = 30.0
_SECONDS_ASKED = 10.0
_MOST_SOURCE = 16 << 20
_MOST_WRITTEN = 64 << 20  # bytes in any one file
_MOST_MEMORY = 4 << 30
_MOST_PRINTED = 1 << 20
_LONGEST_REASON = 300

# Errors and traps of floating point are not looked at, so loops may compute what a branch would not. What the numbers
# are stays as written: NaN, infinities, the order of operations, but that a product may be added without being rounded.
FLAGS = ("-std=c11", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast", "-fPIC", "-pipe", "-w")
_THIS_MACHINE = (("-march=native",), ("-mcpu=native",), ())  # the first one that is understood
TARGET = "WEIGHTSPEC_C_TARGET"  # names another processor to compile for, such as x86-64 or x86-64-v3
_TARGET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")

# The limits reach what the compiler starts; a system that lacks one of them goes on without it.
_LIMITED = """
{ ulimit -c 0; ulimit -t "$1"; ulimit -f "$2"; ulimit -v "$3"; } 2>/dev/null
shift 3
exec "$@"
"""


class CannotCompile(Exception):
    """Why there is no library; the message is one line that can be shown."""


class TooSlow(CannotCompile):
    """A command that did not end in time, and would not with other flags."""


@dataclass(frozen=True)
class CCompiler:
    """A compiler that answered. `identity` changes when it, or the machine it compiles for, may make other code."""

    command: tuple[str, ...]
    flags: tuple[str, ...]
    identity: str
    version: str

    def library(self, source: str, folder: Path) -> Path:
        """Compile C11 text to a shared library in a folder that only the user can write. Raises `CannotCompile`."""
        if len(source) > _MOST_SOURCE:
            raise CannotCompile(f"the C source is longer than {_MOST_SOURCE >> 20} MiB")
        made = folder / "library.so"
        _run(
            (*self.command, *self.flags, "-shared", "-x", "c", "-", "-o", str(made)), source.encode(), folder, _SECONDS
        )
        if not made.is_file():
            raise CannotCompile(f"{self.command[0]} wrote no library")
        return made


def find_compiler() -> tuple[str, ...] | None:
    """The command of a C compiler that works, or None: `$CC` where that is set, else cc, gcc or clang."""
    try:
        return c_compiler().command
    except CannotCompile:
        return None


def c_compiler() -> CCompiler:
    """The compiler to use. Raises `CannotCompile` where there is none or it does not work."""
    asked = (os.environ.get(name, "").strip() for name in ("CC", TARGET))
    return _found(*asked, os.environ.get("PATH", os.defpath))


def temporary_parent() -> Path:
    """The folder for temporary folders. Raises `CannotCompile` where others could exchange what lies in it."""
    folder = Path(tempfile.gettempdir())
    if not kept_from_others(folder):
        raise CannotCompile(f"others can write to the temporary folder {folder}")
    return folder


@lru_cache(maxsize=8)
def _found(named: str, target: str, path: str) -> CCompiler:
    """Commands are absolute paths: a `PATH` that holds the current folder does not start what lies there."""
    machines = _machines(target)
    try:
        candidates = [tuple(shlex.split(named))] if named else [(name,) for name in _NAMES]
    except ValueError as error:
        raise CannotCompile(f"$CC cannot be read: {error}") from None
    reason = f"no C compiler was found ({', '.join(_NAMES)}; $CC names another)"
    for name, *more in candidates:
        executable = shutil.which(name, path=path)
        if executable is None or not os.path.isabs(executable):
            if named:
                raise CannotCompile(f"there is no {name}, which $CC names")
            continue
        try:
            return _asked((executable, *more), machines)
        except CannotCompile as error:
            reason = str(error)
    raise CannotCompile(reason)


def _machines(target: str) -> tuple[tuple[str, ...], ...]:
    """Flags that name the processor to compile for, of which the first that the compiler understands is taken."""
    if not target:
        return _THIS_MACHINE
    if not _TARGET_NAME.fullmatch(target):
        raise CannotCompile(f"${TARGET} is the name of a processor, such as x86-64-v3")
    return (f"-march={target}",), (f"-mcpu={target}",)


def _asked(command: tuple[str, ...], machines: tuple[tuple[str, ...], ...]) -> CCompiler:
    """A compiler with the flags it understands and all that it defines for this machine, its instructions included."""
    reason = ""
    for machine in machines:
        flags = (*FLAGS, *machine)
        try:
            with scratch_folder(temporary_parent(), SCRATCH) as folder:
                defined = _run((*command, *flags, "-dM", "-E", "-x", "c", "-"), b"", folder, _SECONDS_ASKED)
        except OSError as error:
            raise CannotCompile(f"no temporary folder: {error.strerror}") from None
        except TooSlow:
            raise
        except CannotCompile as error:
            reason = str(error)
            continue
        lines = sorted(line for line in defined.decode(errors="replace").splitlines() if line.startswith("#define "))
        if any(line.startswith("#define __STDC_VERSION__ ") for line in lines):
            executable = os.stat(command[0])
            about = [os.path.realpath(command[0]), executable.st_size, executable.st_mtime_ns, *command, *flags, *lines]
            identity = sha256("\n".join(map(str, about)).encode()).hexdigest()
            return CCompiler(command, flags, identity, _version(command, lines))
        reason = f"{command[0]} is no C compiler"
    raise CannotCompile(reason)


def _version(command: tuple[str, ...], defined: list[str]) -> str:
    """Such as `gcc 12.2.0`, from what a compiler defines; commands such as `cc` do not tell."""
    split = (line.split(" ", 2) for line in defined if line.count(" ") > 1)
    macros = {name: value.strip('" ') for _, name, value in split}
    name = "clang" if "__clang__" in macros else "gcc" if "__GNUC__" in macros else os.path.basename(command[0])
    version = macros.get("__clang_version__", macros.get("__VERSION__", "")).split("(")[0].strip()
    return f"{name} {version}".strip()


def _run(command: tuple[str, ...], text: bytes, folder: Path, seconds: float) -> bytes:
    """What a command prints, given a text. All it writes goes to `folder`; what it leaves running is ended.

    Raises `CannotCompile` where it cannot be run, fails or takes longer, and `OSError` where the folder takes no files.
    """
    limits = (str(ceil(2 * seconds)), str(_MOST_WRITTEN // 512), str(_MOST_MEMORY // 1024))
    given, printed, said = (folder / name for name in ("given", "printed", "said"))
    given.write_bytes(text)
    with given.open("rb") as source, printed.open("xb") as out, said.open("xb") as errors:
        process = subprocess.Popen(
            ("/bin/sh", "-c", _LIMITED, "sh", *limits, *command),
            stdin=source,
            stdout=out,
            stderr=errors,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C", "TMPDIR": str(folder)},
            start_new_session=True,
        )
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise TooSlow(f"{command[0]} took longer than {seconds:g} seconds") from None
    finally:
        with suppress(ProcessLookupError, PermissionError):  # it has ended, and on macOS so has its group
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if status:
        raise CannotCompile(f"{command[0]} failed: {_first_line(said) or f'exit code {status}'}")
    with printed.open("rb") as file:
        return file.read(_MOST_PRINTED)


def _first_line(said: Path) -> str:
    """The first error, or else the first line, of what a command said; fit to be shown."""
    with said.open("rb") as file:
        text = file.read(_MOST_PRINTED).decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = next((line for line in lines if "error" in line), lines[0] if lines else "")
    return "".join(c for c in first if c.isprintable())[:_LONGEST_REASON]
