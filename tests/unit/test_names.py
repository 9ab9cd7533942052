"""One name, one meaning: a public name that two modules define is in a list, with what it means in both."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.helpers import ROOT

SHAPES = "terminal.shapes"  # an object of JSON is called as the value that it shows
SAME = {
    "a step of the network, or a part of one, and the torch module of it": (
        *("Attention", "Embedding", "Factor", "FeedForward", "Head", "Linear"),
        *("Mix", "Norm", "Position", "Repeat", "Scale"),
    ),
    "a function of the library, and the command that calls it": (
        *("ablate", "build", "count", "diff", "lint", "sweep", "threshold", "trace", "verify"),
    ),
    "a value times a number, in the network and in a program of elementary operations": ("Scaled",),
    "what there is to see of a spec, in a notebook and on a terminal": ("show",),
    "the score of a query and a key, in bounds and exactly": ("score",),
}


def public_names(path: Path) -> Iterator[str]:
    """The functions and classes at the top of a module."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name


def test_a_name_that_two_modules_define_means_the_same_in_both() -> None:
    modules: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "compiler").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT / "compiler").with_suffix("").parts)
        for name in public_names(path) if module != SHAPES else ():
            modules[name].append(module)
    listed = {name for names in SAME.values() for name in names}
    assert {name: where for name, where in modules.items() if len(where) > 1 and name not in listed} == {}
