"""The program of another commit, or of this one, asked in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parent.parent


class TreeProcess:
    """A process that runs a worker with the program in a source tree, on one thread. The worker answers each line of
    JSON with one."""

    def __init__(self, tree: Path, worker: Path, variables: Mapping[str, str] | None = None) -> None:
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._tree = tree
        self._process = subprocess.Popen(
            [sys.executable, str(worker)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=tree,
            env={**os.environ, **one_thread, "PYTHONPATH": str(tree), **(variables or {})},
        )

    def __enter__(self) -> TreeProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def answer(self, request: Mapping[str, object], title: str) -> dict[str, Any]:
        """What the worker answers to a request that has such a title. Raises `click.ClickException`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request, default=str) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise click.ClickException(f"the program in {self._tree} ended at {title}")
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def tree_of(commit: str) -> Iterator[Path]:
    """The source tree of a commit, in a worktree that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="weightspec-") as folder:
        tree = Path(folder) / "tree"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), commit], check=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)
