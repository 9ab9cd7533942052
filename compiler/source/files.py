"""Files that are written whole or not at all, or line by line. Each file that this program writes is written here.

A file gets its content under another name in the same folder, and then its own name in one step. Meanwhile its writer
holds a lock on it, which the system drops when a writer is killed. So what has such a name and no lock is a left-over,
and goes when the same file is written again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from compiler.source.diagnostics import SpecError, fail

_END = ".tmp"
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def write_whole(path: Path, data: bytes, *, replace: bool = True, mode: int = 0o666) -> None:
    """Write a file so that readers see the old content or the new, and never a part.

    Without `replace` nothing may be there yet, not even a link. A file that is replaced keeps its permissions, and a
    symbolic link stays one: its target is written. A new file gets `mode`, less the umask.
    Raises `OSError`, also for what is no regular file, and leaves what was there as it was.
    """
    target = Path(os.path.realpath(path)) if replace else path
    remove_left_overs(path)
    old = _replaceable(target) if replace else None
    if not replace and os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    temporary, descriptor = _locked_file(target, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if old is not None:
                with suppress(PermissionError):  # only root may give files away
                    os.chown(descriptor, old.st_uid, old.st_gid)
                os.chmod(descriptor, stat.S_IMODE(old.st_mode))
            os.fsync(descriptor)
            if replace:
                _replaceable(target)  # something else may be there by now
                os.replace(temporary, target)
            else:
                _name_anew(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def check_place(path: Path) -> None:
    """Refuse a path that no file can be written to, as far as that is known before. Raises `SpecError`."""
    try:
        if not path.parent.is_dir():
            raise fail("missing-folder", f"cannot write {path}: there is no folder {path.parent}")
        _replaceable(Path(os.path.realpath(path)))
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a path with a null character
        raise cannot_write(path, error) from None


def save_text(path: Path, text: str, *, replace: bool = False) -> None:
    """Write a new file, or with `replace` in the place of an old one. Raises `SpecError` and leaves nothing behind."""
    save_data(path, text.encode(), replace=replace)


def save_data(path: Path, data: bytes, *, replace: bool = False) -> None:
    """The same as `save_text`, for bytes."""
    check_place(path)
    try:
        write_whole(path, data, replace=replace)
    except FileExistsError:
        raise fail("file-exists", f"{path} exists and was not changed", hint="--force replaces it") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise cannot_write(path, error) from None


def cannot_write(path: Path, error: Exception) -> SpecError:
    """The error for a file that could not be written, to be raised by the caller."""
    return fail("cannot-write", f"cannot write {path}: {getattr(error, 'strerror', None) or error}")


@contextmanager
def appended_file(path: Path, in_use: str) -> Iterator[FileIO]:
    """A regular file to be read and appended to without a buffer, made where it is missing.

    Nobody else has it meanwhile: `in_use` is the hint for those who want to. Raises `SpecError`.
    """
    check_place(path)
    try:
        file = open(path, "a+b", buffering=0)  # noqa: SIM115 - it is closed below
    except OSError as error:
        raise cannot_write(path, error) from None
    with file:
        if _lock(file.fileno()) is False:
            raise fail("in-use", f"{path} is in use", hint=in_use)
        yield file
        with suppress(OSError):
            os.fsync(file.fileno())


def remove_left_overs(path: Path) -> None:
    """Remove what was left beside a file by writers of it that were killed."""
    target = Path(os.path.realpath(path))
    _remove_unlocked(target.parent, stat.S_ISREG, _start(target), _END)


def remove_all_left_overs(folder: Path) -> None:
    """Remove what killed writers left in a folder that holds nothing but files of this program."""
    _remove_unlocked(folder, stat.S_ISREG, ".", _END)


def remove_oldest(files: Iterable[Path], most: int) -> None:
    """Remove files that were written longest ago, until all together have at most so many bytes. What somebody writes
    to stays."""
    aged = []
    for path in files:
        with suppress(OSError):  # another process may have removed it
            status = path.lstat()
            aged.append((status.st_mtime_ns, status.st_size, path))
    room = most
    for _, size, path in sorted(aged, reverse=True):
        room -= size
        if room < 0:
            with suppress(OSError):
                _remove_if_unlocked(path, stat.S_ISREG)


@contextmanager
def scratch_folder(parent: Path, start: str) -> Iterator[Path]:
    """A new folder, which is removed at the end, or by the next caller with this `start` where this one is killed."""
    _remove_unlocked(parent, stat.S_ISDIR, start, "")
    while True:
        folder = tempfile.mkdtemp(prefix=start, dir=parent)
        descriptor = os.open(folder, os.O_RDONLY)
        if _is_locked_here(descriptor, folder):
            break
        os.close(descriptor)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _replaceable(target: Path) -> os.stat_result | None:
    """The status of the file that is to be replaced; None where there is none. Raises `OSError`."""
    try:
        status = target.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise OSError(errno.EINVAL, f"it is no regular file but {kind}", str(target))
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    return status


def _name_anew(temporary: Path, target: Path) -> None:
    """Give a file the name `target`, which nothing may have. Raises `OSError`."""
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))  # takes the name from everybody else
        try:
            os.replace(temporary, target)
        except BaseException:
            os.unlink(target)
            raise
    else:
        with suppress(OSError):  # it is a left-over then
            os.unlink(temporary)


def _start(target: Path) -> str:
    return f".weightspec-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}-"


def _locked_file(target: Path, mode: int) -> tuple[Path, int]:
    """A new file beside the target, and a descriptor of it that holds its lock."""
    while True:
        temporary = target.with_name(f"{_start(target)}{secrets.token_hex(8)}{_END}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        if _is_locked_here(descriptor, temporary):
            return temporary, descriptor
        os.close(descriptor)


def _is_locked_here(descriptor: int, path: str | Path) -> bool:
    """Lock what was just made at a path; whether it is still there: it was without a lock for a moment.

    Where a file system has no locks, nothing is ever taken for a left-over.
    """
    if _lock(descriptor) is False:
        return False
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    return False


def _lock(descriptor: int) -> bool | None:
    """Whether the lock was free and is now ours; None where there are no locks."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _remove_unlocked(folder: Path, is_kind: Callable[[int], bool], start: str, end: str) -> None:
    """Remove from a folder what is of a kind, has such a name and no lock."""
    with suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(start) and name.endswith(end):
                with suppress(OSError):
                    _remove_if_unlocked(folder / name, is_kind)


def _remove_if_unlocked(path: Path, is_kind: Callable[[int], bool]) -> None:
    """Remove a file or folder that belongs to the user; for root, any file."""
    status = path.lstat()
    if sys.platform == "win32" or not is_kind(status.st_mode) or os.geteuid() not in (0, status.st_uid):
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not os.path.samestat(status, os.fstat(descriptor)) or not _lock(descriptor):
            return
        if stat.S_ISDIR(status.st_mode):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
    finally:
        os.close(descriptor)
