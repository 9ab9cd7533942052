"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from compiler.diagnostics import fail


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that readers see the old content or the new, and never a part. Raises `OSError`.

    Its permissions stay; a symbolic link stays one, and its target is written.
    """
    target = Path(os.path.realpath(path))
    old = target.stat() if target.exists() else None
    if old is not None and not os.access(target, os.W_OK):
        raise PermissionError(13, "Permission denied", str(target))
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if old is not None:
                with suppress(PermissionError):  # only root may give files away
                    os.chown(descriptor, old.st_uid, old.st_gid)
                os.chmod(descriptor, stat.S_IMODE(old.st_mode))
            os.fsync(descriptor)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def create(path: Path, data: bytes) -> None:
    """Write a file that does not exist yet; after an error or an interruption it does not. Raises `OSError`."""
    with path.open("xb") as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            path.unlink()
            raise


def check_place(path: Path) -> None:
    """Refuse a path that no file can be written to, as far as that is known before. Raises `SpecError`."""
    try:
        if not path.parent.is_dir():
            raise fail("missing-folder", f"cannot write {path}: there is no folder {path.parent}")
        if path.exists() and not path.is_file():
            raise fail("cannot-write", f"cannot write {path}: it is no regular file")
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a path with a null character
        raise fail("cannot-write", f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None


def save_text(path: Path, text: str, *, replace: bool = False) -> None:
    """Write a new file, or with `replace` in the place of an old one. Raises `SpecError` and leaves nothing behind."""
    check_place(path)
    try:
        (write_whole if replace else create)(path, text.encode())
    except FileExistsError:
        raise fail("file-exists", f"{path} exists and was not changed", hint="--force replaces it") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise fail("cannot-write", f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None
