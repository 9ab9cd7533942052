"""State dicts of other programs: names and tensors, without a spec. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.source.document import open_file
from compiler.source.saved import is_saved, read_header

if TYPE_CHECKING:
    from torch import Tensor

TORCH_SUFFIXES = (".pt", ".pth", ".bin")


@dataclass(frozen=True, eq=False)
class StateDict:
    """Tensors by name, in the order in which they are stored; `path` is the file, or what to call it."""

    path: Path
    tensors: Mapping[str, Tensor]

    @property
    def title(self) -> str:
        return self.path.name


def is_state_dict(path: Path) -> bool:
    """Whether a path names a state dict, and neither a spec nor a saved model with one inside.

    Raises `SpecError` where a safetensors file cannot be read.
    """
    if path.suffix in TORCH_SUFFIXES:
        return True
    return is_saved(path) and not _holds_spec(path)


def _holds_spec(path: Path) -> bool:
    with open_file(path) as file:
        metadata = read_header(path, file)[0].get("__metadata__")
    return isinstance(metadata, dict) and "spec" in metadata
