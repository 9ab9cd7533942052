"""Python processes in which something happens at a certain point, so that a test need not guess when that is."""

from __future__ import annotations

import os
from pathlib import Path

# Python imports `sitecustomize` before anything else, in every process that inherits the environment.
_AFTER_IMPORT = """
import importlib.abc, importlib.machinery, os, signal, sys

class AfterImport(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module
        def execute_and_act(module):
            execute(module)
            act(module)
        spec.loader.exec_module = execute_and_act
        return spec

sys.meta_path.insert(0, AfterImport())
"""


def after_import(folder: Path, module: str, act: str, **variables: str) -> dict[str, str]:
    """The environment of processes that call `act(module)`, a function in Python text, once they have imported a
    module. `folder` is for the test alone; the text knows `os`, `signal` and `sys`."""
    (folder / "sitecustomize.py").write_text(f"MODULE = {module!r}\n{_AFTER_IMPORT}\n{act}\n", encoding="utf-8")
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **variables}
