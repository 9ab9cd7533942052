"""Commands load each spec of the repository once, with the same options: loading has tests of its own."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import compiler
from compiler.pipeline import Spec, load
from tests.helpers import SPECS


@cache
def _known(folder: str, path: Path, settings: tuple[str, ...], options: tuple[tuple[str, Any], ...]) -> Spec:
    """`folder` is the current one: a spec is shown with its path as it was given."""
    return load(path, settings, **dict(options))


def _load(path: str | Path, settings: Any = (), **options: Any) -> Spec:
    if isinstance(settings, tuple) and Path(path).is_file() and Path(path).resolve().is_relative_to(SPECS):
        return _known(os.getcwd(), Path(path), settings, tuple(options.items()))
    return load(path, settings, **options)


@pytest.fixture(autouse=True, scope="package")
def specs_are_loaded_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiler, "load", _load)
        yield


@pytest.fixture
def forked_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of this process are forks of one that has imported torch, which takes longer than what these tests ask
    of them. Tests of the command as a process of its own have them started as ever."""
    if sys.platform == "linux":  # libraries of macOS may not survive a fork
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["torch"])
        monkeypatch.setattr(multiprocessing, "get_context", lambda _: context)
