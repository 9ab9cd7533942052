"""The house: rooms in order, each importing only from itself and from rooms before it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.helpers import ROOT

ROOMS = (
    "source",
    "expressions",
    "tasks",
    "network",
    "language",
    "lowering",
    "pipeline",
    "backends.torch",
    "backends.elementary",
    "backends.bounds",
    "backends.native",
    "readers",
    "evaluation",
    "verifier",
    "sweeps",
    "report",
    "terminal",
    "pictures",
    "page",
    "__init__",
    "commands",
    "__main__",
)
READERS = {"diffing": {"counting"}, "linting": {"counting"}}  # no other reader imports another one
WITH_TORCH = {  # the tensors of files are compared by torch; a state dict holds them
    "source.state_dicts",
    *(f"readers.diffing.{name}" for name in ("comparing", "tensor_diffing", "tensor_matching")),
}
WITHOUT_TORCH = ("source", "expressions", "tasks", "network", "language", "lowering", "pipeline", "readers")
FILES = sorted((ROOT / "compiler").rglob("*.py"))


def place(module: str) -> tuple[str, str]:
    """The room of a module, and the part of the room that it is in."""
    parts = [*module.split(".")[1:], ""]
    if parts[0] == "backends" and parts[1]:
        return ".".join(parts[:2]), ""
    return parts[0] or "__init__", "".join(parts[1:2])


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def wrong(path: Path) -> Iterator[str]:
    """What a module imports that it may not."""
    own, (room, part) = module_of(path), place(module_of(path))
    for name in imported(path):
        if name.startswith("compiler."):
            other, its_part = place(name)
            if other not in ROOMS:  # `from compiler import load`
                other = "__init__"
            if ROOMS.index(other) > ROOMS.index(room):
                yield f"{own}: {name} is in a later room"
            if room == other == "readers" and its_part not in {part, *READERS.get(part, ())}:
                yield f"{own}: the reader {part} imports {its_part}"
        elif name.split(".")[0] == "torch" and room in WITHOUT_TORCH and own.partition(".")[2] not in WITH_TORCH:
            yield f"{own}: {room} knows no torch"


def test_a_module_imports_only_from_its_room_and_those_before_it() -> None:
    assert [message for path in FILES for message in wrong(path)] == []


def test_every_room_is_there() -> None:
    assert {place(module_of(path))[0] for path in FILES} == set(ROOMS) | {"backends"}  # whose file says what it is for
