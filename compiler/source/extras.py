"""Packages that only some commands need, and that not everybody installs."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from compiler.source.diagnostics import fail


def optional_module(name: str, install: str) -> ModuleType:
    """A module of an optional package; `install` is what pip is to be told. Raises `SpecError` where it is missing."""
    try:
        return import_module(name)
    except ImportError:
        message = f"this needs {name.partition('.')[0]}, which is not installed"
        raise fail("missing-package", message, hint=f"pip install '{install}'") from None
