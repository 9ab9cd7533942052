"""Generated C as a function: compiled once, kept for the user by what it was made from, checked, run on rows."""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from compiler.backends.native.c_compiler import SCRATCH, CannotCompile, CCompiler, c_compiler, temporary_parent
from compiler.backends.native.columns import Columns
from compiler.source.files import scratch_folder
from compiler.source.user_cache import is_private, private_folder
from compiler.tasks.task import Words

_FORMAT = "weightspec native 1"  # changes when the same text would have to be compiled anew
_HEADER = Path(__file__).with_name("vector_math.h")
_MOST_KEPT = 200
_ROWS = 1 << 14  # in one call: Ctrl-C is heard between calls

Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True)
class NativeUnavailable:
    """Why there is no compiled code, in a line for the user."""

    reason: str


@dataclass(frozen=True)
class Native:
    """A loaded library. `compiler` names what made it; `kept` says that it came from the user's cache."""

    library: ctypes.CDLL
    compiler: str
    kept: bool

    def run(self, tokens: Tokens, said: Tokens) -> None:
        """Fill `said`, int32 [n, slots], from `tokens`, int32 [n, T], both C-contiguous.

        The code reads T tokens and writes `slots` of every row, and uses tokens as indices: both must be what it was
        generated for. Raises `ValueError` for arrays of another kind. Ctrl-C is heard between pieces of the rows.
        """
        for array in (tokens, said):
            if array.dtype != np.int32 or array.ndim != 2 or not array.flags.c_contiguous:
                raise ValueError("run: tokens and said are C-contiguous int32 matrices")
        if len(tokens) != len(said) or not said.flags.writeable:
            raise ValueError("run: said has a row to write for each row of tokens")
        read, written = (array.ctypes.data for array in (tokens, said))
        for row, rows in _pieces(len(tokens)):
            self.library.run(read + row * tokens.strides[0], written + row * said.strides[0], rows)

    def check(self, columns: Columns, words: Words) -> NDArray[np.bool_]:
        """Of each input whether it is surely answered right, by code that was generated with these columns."""
        addresses, arrays = columns.addresses(words)
        sure = np.empty(len(arrays[0]), dtype=np.bool_)
        read, written = addresses.ctypes.data, sure.ctypes.data
        for row, rows in _pieces(len(sure)):
            self.library.check(read, written, row, rows)
        return sure


def _pieces(count: int) -> Iterator[tuple[int, int]]:
    """The first of each of some rows, and how many they are."""
    return ((row, min(_ROWS, count - row)) for row in range(0, count, _ROWS))


def native(source: str) -> Native | NativeUnavailable:
    """Compiled C11 that defines `void run(const int32_t *tokens, int32_t *said, int64_t count)`, or why there is none.

    The text may use what `vector_math.h` defines, which is put before it; it includes no file of its own.
    A library is kept by a digest of all it was made from, its own digest being part of its name, so that a
    damaged one is compiled again. Without a safe cache it is compiled in a temporary folder each time.
    """
    try:
        text = _HEADER.read_text(encoding="utf-8") + source
        compiler = c_compiler()
        key = sha256("\0".join((_FORMAT, compiler.identity, text)).encode()).hexdigest()
        return _loaded(compiler, text, key)
    except CannotCompile as error:
        return NativeUnavailable(str(error))
    except OSError as error:
        return NativeUnavailable(f"the compiled code cannot be stored or loaded: {error.strerror or error}")


def _loaded(compiler: CCompiler, text: str, key: str) -> Native:
    """Raises `CannotCompile`, and `OSError` where not even a temporary folder lets it be stored and loaded."""
    folder = private_folder("native")
    if folder is not None:
        with suppress(OSError):
            for path in _kept(folder, key):
                return Native(_opened(path), compiler.version, kept=True)
        with suppress(OSError):  # a full disk, or one from which nothing may be run
            return _made(compiler, text, folder, key)
    return _made(compiler, text, None, key)


def _made(compiler: CCompiler, text: str, folder: Path | None, key: str) -> Native:
    """Compile in a new folder below `folder` and move the library there in one step; without one, keep nothing."""
    with scratch_folder(folder or temporary_parent(), SCRATCH) as making:
        library = compiler.library(text, making)
        if folder is not None:
            _drop_old(folder)
            digest = _digest(library)
            library.chmod(0o600)
            library = library.replace(folder / f"{key}-{digest}.so")
        return Native(_opened(library), compiler.version, kept=False)


def _kept(folder: Path, key: str) -> Iterator[Path]:
    """The whole, private libraries that are kept for a key; damaged ones are removed."""
    for path in folder.glob(f"{key}-*.so"):
        if is_private(path) and path.name == f"{key}-{_digest(path)}.so":
            os.utime(path)  # used last, dropped last
            yield path
        else:
            _remove(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _drop_old(folder: Path) -> None:
    """Leave room for one more library."""
    aged = []
    for path in folder.glob("*.so"):
        with suppress(OSError):  # another process may have removed it
            aged.append((path.lstat().st_mtime, path))
    for _, path in sorted(aged, reverse=True)[_MOST_KEPT - 1 :]:
        _remove(path)


def _remove(path: Path) -> None:
    with suppress(OSError):
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _opened(library: Path) -> ctypes.CDLL:
    """A library with `run`; ctypes lets other threads go on while it runs. Raises `OSError` or `CannotCompile`."""
    opened = ctypes.CDLL(str(library))
    if not hasattr(opened, "run"):
        raise CannotCompile("the C source defines no function `run`")
    opened.run.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    opened.run.restype = None
    if hasattr(opened, "check"):
        opened.check.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        opened.check.restype = None
    return opened
