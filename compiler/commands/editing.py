"""The schema as a file that editors find from anywhere, and the line with which a spec names it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from compiler.source.diagnostics import SpecError, fail
from compiler.source.files import cannot_write, save_text
from compiler.source.schema import schema_text

FILE = "weightspec.schema.json"


def schema_line() -> str:
    """The first line of a spec that editors check: it names the installed schema, or that of this package."""
    path = Path(str(files("compiler"))).resolve() / FILE
    with suppress(SpecError, OSError, ValueError):  # no home, or what is installed cannot be read
        installed = (_data_folder() / FILE).absolute()
        if installed.is_file() and installed.read_text(encoding="utf-8") == schema_text():  # not by another version
            path = installed
    return f"# yaml-language-server: $schema={path.as_uri()}\n"


def install_schema() -> Path:
    """Write the schema for editors into the user's folder for data. Raises `SpecError`."""
    path = _data_folder() / FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise cannot_write(path, error) from None
    save_text(path, schema_text(), replace=True)
    return path


def _data_folder() -> Path:
    """`weightspec` in `$XDG_DATA_HOME`, `~/.local/share` or, on macOS, `~/Library/Application Support`."""
    data = os.environ.get("XDG_DATA_HOME", "")
    if os.path.isabs(data):  # the standard says to ignore others
        return Path(data) / "weightspec"
    try:
        home = Path.home()
    except RuntimeError:
        hint = "name a folder in the environment variable XDG_DATA_HOME"
        raise fail("missing-folder", "this user has no home folder", hint=hint) from None
    parts = ("Library", "Application Support") if sys.platform == "darwin" else (".local", "share")
    return home.joinpath(*parts, "weightspec")
