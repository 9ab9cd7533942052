"""A folder below the user's cache that nobody else can write: for compiled code and the progress of long runs."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

SETTING = "WEIGHTSPEC_CACHE"  # names the folder; empty: nothing is kept
_NAME = "weightspec"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def private_folder(*parts: str) -> Path | None:
    """The folder `parts` of this program's cache, made with mode 0700 where it is missing; None where none is safe.

    The cache is `$WEIGHTSPEC_CACHE` or `weightspec` in `$XDG_CACHE_HOME`, `~/.cache` or, on macOS, `~/Library/Caches`.
    From it down every folder is a real one, the user's own, and writable by no one else. So that nobody can put another
    in its place, each folder above belongs to the user or to root, and others can write to it only if it is sticky.
    """
    if os.name != "posix" or any(part in ("", ".", "..") or os.sep in part for part in parts):
        return None
    try:
        top = _top()
        if top is None:
            return None
        if not kept_from_others(top.parent):
            return None
        folder = Path(os.path.realpath(top.parent)) / top.name
        for part in (None, *parts):
            folder = folder if part is None else folder / part
            with suppress(FileExistsError):
                folder.mkdir(0o700)
            if not is_private(folder, stat.S_ISDIR):
                return None
    except (OSError, RuntimeError, ValueError):  # no home, no space, a read-only disk, a path with a null character
        return None
    return folder


def kept_from_others(folder: Path) -> bool:
    """Whether nobody but the user and root can put something else in the place of what lies in a folder."""
    real = Path(os.path.realpath(folder))
    return all(_is_kept(above) for above in (real, *real.parents))


def is_private(path: Path, is_kind: Callable[[int], bool] = stat.S_ISREG) -> bool:
    """Whether a path is a regular file (or of another kind) of the user that nobody else can write. No link is."""
    status = path.lstat()
    return is_kind(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & _OTHERS_WRITE


def _top() -> Path | None:
    """This program's cache folder, whose parent is there."""
    named = os.environ.get(SETTING)
    if named is not None:
        return Path(os.path.abspath(named)) if named else None
    caches = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(caches):  # the standard says to ignore it then
        home = Path.home()
        caches = str(home / "Library" / "Caches" if sys.platform == "darwin" else home / ".cache")
    if os.path.isdir(os.path.dirname(caches)):
        with suppress(FileExistsError):
            os.mkdir(caches, 0o700)
    return Path(caches) / _NAME


def _is_kept(folder: Path) -> bool:
    status = folder.lstat()
    safe = not status.st_mode & _OTHERS_WRITE or bool(status.st_mode & stat.S_ISVTX)
    return stat.S_ISDIR(status.st_mode) and status.st_uid in (0, os.geteuid()) and safe
