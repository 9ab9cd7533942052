"""The specs that come with the package, found by name from anywhere."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"  # in a checkout a link to specs/


@cache
def examples() -> dict[str, Path]:
    """The file of each example by its name, which is that of the file."""
    return {path.stem: path.resolve() for path in sorted(EXAMPLES.rglob("*.yaml"))}


def example_or(path: Path) -> Path:
    """The file of the example that a path names, as `tiny95` does, unless there is such a file."""
    name = str(path)
    if os.sep in name or path.suffix or os.path.lexists(path):
        return path
    return examples().get(name, path)
