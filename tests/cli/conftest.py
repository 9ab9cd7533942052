"""Workers of commands that start in little time."""

from __future__ import annotations

import multiprocessing
import sys

import pytest


@pytest.fixture
def forked_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of this process are forks of one that has imported torch, which takes longer than what these tests ask
    of them. Tests of the command as a process of its own have them started as ever."""
    if sys.platform == "linux":  # libraries of macOS may not survive a fork
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["torch"])
        monkeypatch.setattr(multiprocessing, "get_context", lambda _: context)
