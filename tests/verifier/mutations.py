"""Specs whose constants are a little larger or smaller, up to where the first likely inputs fail."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from compiler.network import ir
from compiler.pipeline import Spec, load
from compiler.source.diagnostics import SpecError
from tests.fast.changed import fit, with_tensors
from tests.helpers import DATA, SPECS
from tests.verifier.truth import likely_failure

PATHS = {path.stem: path for path in sorted([*SPECS.glob("*.yaml"), *(SPECS / "gallery").glob("*.yaml")])}
FOUND = DATA / "worlds" / "mutants.json"
SIZES = (1e-9, 1e-6, 1e-4, 1e-3, 1e-2, 0.05, 0.3)
HALVINGS = 4  # between two of these sizes


@dataclass(frozen=True)
class Edge:
    """Factors for one constant or parameter of a spec: `below` is the largest change, up or down, that no likely input
    was seen to fail with, and `above` the smallest that one fails with; None where there is none."""

    path: Path
    name: str
    below: float | None
    above: float | None

    @property
    def between(self) -> float | None:
        """A change half as large as the largest that nothing was seen to fail with."""
        return None if self.below is None else (1 + self.below) / 2


def names(path: Path) -> list[str]:
    """The constants and parameters of a spec, where a vector or matrix is changed as a whole; where it has none but
    its sizes, its tensors."""
    spec = load(path)
    definitions = spec.resolved.definitions.values()
    found = [one.name for one in definitions if one.kind != "size" and any(number.value for number in one.numbers)]
    return found or _tensors(spec)


def mutant(path: Path, name: str, factor: float) -> Spec | None:
    """With a constant, parameter or tensor times a factor. None where there is no such spec: some constants have to be
    integers."""
    spec = load(path)
    if name not in spec.resolved.definitions:
        return _with_tensor(spec, name, factor)
    try:
        return load(path, {name: f"({spec.resolved.definitions[name].text}) * {factor!r}"})
    except SpecError:
        return None


def edges() -> list[Edge]:
    """What `python -m tests.verifier.mutations` found."""
    rows = json.loads(FOUND.read_text(encoding="utf-8"))
    return [Edge(PATHS[stem], name, below, above) for stem, name, below, above in rows if stem in PATHS]


def _tensors(spec: Spec) -> list[str]:
    names: list[str] = []

    def seen(tensor: ir.Tensor) -> tuple[ir.Entry, ...]:
        names.append(tensor.name)
        return tensor.entries

    with_tensors(spec.network, seen)
    return names


def _with_tensor(spec: Spec, name: str, factor: float) -> Spec:
    def change(tensor: ir.Tensor) -> tuple[ir.Entry, ...]:
        if tensor.name != name:
            return tensor.entries
        values = (fit(factor * entry.value, spec.network.dtype) for entry in tensor.entries)
        return tuple(replace(entry, value=value) for entry, value in zip(tensor.entries, values, strict=True))

    return replace(spec, network=replace(spec.network, steps=tuple(with_tensors(spec.network, change))))


def _search(path: Path, name: str, sign: int) -> Edge:
    """See `Edge`."""
    below: float | None = None
    above: float | None = None
    sizes = list(SIZES)
    if _fails(path, name, 1 + sign * sizes[0]):
        return Edge(path, name, None, 1 + sign * sizes[0])
    while sizes:  # those between the largest that is right and the smallest that is wrong
        middle = sizes[-1] if above is None else sizes[len(sizes) // 2]
        if _fails(path, name, 1 + sign * middle):
            above = 1 + sign * middle
            sizes = [size for size in sizes if size < middle]
        else:
            below = 1 + sign * middle
            sizes = [size for size in sizes if size > middle]
    if below is None or above is None:
        return Edge(path, name, below, above)
    for _ in range(HALVINGS):
        middle = (below + above) / 2
        if _fails(path, name, middle):
            above = middle
        else:
            below = middle
    return Edge(path, name, below, above)


def _fails(path: Path, name: str, factor: float) -> bool:
    spec = mutant(path, name, factor)
    return spec is None or likely_failure(spec) is not None


def _found_of(path: Path) -> list[Edge]:
    signs = [(name, sign) for name in names(path) for sign in (1, -1)]
    return [_search(path, name, sign) for name, sign in signs if mutant(path, name, 1 + sign * SIZES[0]) is not None]


def _write_found(stems: list[str]) -> None:
    """For the specs of these names; what was found for others is kept, as far as there are such specs."""
    known = edges() if FOUND.exists() else []
    found: list[Edge] = []
    for stem, path in PATHS.items():
        found += _found_of(path) if stem in stems else [edge for edge in known if edge.path == path]
        print(stem, len(found), flush=True)
    rows = [json.dumps([edge.path.stem, edge.name, edge.below, edge.above]) for edge in found]
    FOUND.write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    _write_found(sys.argv[1:] or list(PATHS))
