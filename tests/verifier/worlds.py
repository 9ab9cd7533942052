"""Small worlds: specs so small that all their inputs can be tried, many of them just beyond what makes them fail."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from random import Random

import numpy as np

from compiler.pipeline import Spec, load, load_source
from compiler.source.diagnostics import SpecError
from compiler.source.text import Source
from tests.fast.changed import changed
from tests.fast.networks import random_network
from tests.helpers import DATA, SPECS
from tests.verifier.knobs import Knob, any_knob, entry_knob, tensor_knob
from tests.verifier.truth import RARE, Truth, inputs_of, seen_leads, truth

OWN = DATA / "worlds"
FOUND = OWN / "edges.json"  # written by `python -m tests.verifier.worlds SEEDS`
ADDERS = (
    *(
        SPECS / "gallery" / f"{name}.yaml"
        for name in (
            "Lokimorty_10p",
            "Lokimorty_12p",
            "SeuperHakkerJa_93p",
            "Wonderfall_130p",
            "Wonderfall_139p",
            "Wonderfall_27p",
            "alexlitz_36p",
            "fblissjr_33p",
            "kiguli_7p_relu",
            "prasannakotyal_116p",
            "yieldthought_20p",
            "zcbtrak_6p",
        )
    ),
    *(SPECS / f"{name}.yaml" for name in ("tiny95", "tiny95-exact")),
    *(OWN / f"{name}.yaml" for name in ("column", "running", "telescope", "fetched") * 2),
)
REWRITERS = (SPECS / "reverse.yaml", OWN / "copy.yaml", OWN / "table.yaml")
VARIANTS = {  # settings to vary a spec of our own by; each is right with the first one at least
    "column": (
        {},
        {"dtype": "float64"},
        {"far": -60},
        {"defaults.activation": "silu"},
        {"defaults.activation": "gelu"},
    ),
    "running": ({}, {"dtype": "float32"}, {"depth": -18}, {"depth": -60}),
    "telescope": ({}, {"depth": -12}, {"dtype": "float32"}, {"depth": -36.7}),
    "fetched": ({}, {"sharp": 38}, {"sharp": "inf"}, {"steep": 60}, {"head.norm": None}),
    "copy": ({}, {"dtype": "float64"}, {"sharp": 15}),
    "table": ({}, {"dtype": "float64"}, {"ffn.activation": "gelu"}, {"sharp": 14}),
    "reverse": ({}, {"dtype": "float64"}),
}
STEPS = 24
KNOBS_TRIED = 3
FACTORS = tuple(sign * size for size in (1e-12, 1e-9, 1e-7, 1e-6, 1e-4, 1e-3, 1e-2, 0.1, 0.5) for sign in (1, -1))


@dataclass(frozen=True)
class World:
    """A spec, how it was made, and what is so of its inputs."""

    name: str
    kind: str
    spec: Spec
    truth: Truth


def worlds(seeds: Iterable[int]) -> Iterator[World]:
    """One for each seed. The same seeds give the same worlds."""
    for seed in seeds:
        yield world(seed)


def world(seed: int) -> World:
    kind, name, spec, random = _start(seed)
    if kind == "near":
        label, spec = _near(spec, random)
    elif kind == "edge":
        label, spec = edge(spec, seed, FOUND)
    elif kind == "changed":
        label, spec = "changed", replace(spec, network=changed(spec.network, random))
    else:
        label, spec = "any steps and numbers", _random(random)
    return World(f"{seed}: {name}, {label}", kind, spec, truth(spec))


def _start(seed: int) -> tuple[str, str, Spec, Random]:
    """The kind of a world, what it is made of, and what decides all else."""
    random = Random(f"world:{seed}")
    kind = random.choices(("edge", "near", "changed", "random"), (11, 6, 2, 1))[0]
    path, settings = _adder(random, large=kind == "edge") if random.random() < 0.9 else _rewriter(random)
    name = " ".join([path.stem, *(f"{key}={value}" for key, value in settings.items())])
    return kind, name, loaded(path, tuple(settings.items())), random


def _adder(random: Random, *, large: bool) -> tuple[Path, dict[str, object]]:
    path = random.choice(ADDERS)
    sizes = (5, 2) if large and random.random() < 0.85 else random.choice(list(product((2, 3, 4, 5), (1, 2))))
    return path, {"base": sizes[0], "digits": sizes[1], **random.choice(VARIANTS.get(path.stem, ({},)))}


def _rewriter(random: Random) -> tuple[Path, dict[str, object]]:
    path = random.choice(REWRITERS)
    sizes = random.choice(((5, 4), (5, 4), (4, 4), (3, 4), (2, 4), (5, 2), (3, 2)))
    return path, {"symbols": sizes[0], "length": sizes[1], **random.choice(VARIANTS[path.stem])}


@cache
def loaded(path: Path, settings: tuple[tuple[str, object], ...]) -> Spec:
    return load(path, dict(settings), ignore=["no-claims"])


def _random(random: Random) -> Spec:
    """A network of random steps and numbers."""
    while True:
        text = random_network(random, random.choice(("float64", "float32")))
        try:
            return load_source(Source("random", text))
        except SpecError:
            continue


def _near(spec: Spec, random: Random) -> tuple[str, Spec]:
    """A spec with one to three numbers or tensors a little larger or smaller."""
    labels, network = [], spec.network
    for _ in range(random.choice((1, 1, 2, 3))):
        knob = random.choice((tensor_knob, entry_knob))(network, random)
        share = abs(random.choice(FACTORS))
        labels.append(f"{knob.label}: {share:g} of it")
        network = knob.turn(share)
    return ", ".join(labels), replace(spec, network=network)


@cache
def _found(path: Path) -> Mapping[str, tuple[int, float]]:
    """For seeds of worlds at an edge, what `_search` found: it takes longer than all else."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8") as file:
        return {str(seed): (int(knob), float(share)) for seed, knob, share in json.load(file)}


def edge(spec: Spec, seed: int | str, found: Path) -> tuple[str, Spec]:
    """A spec with a knob turned so far that few inputs fail, or as far as none was seen to fail; see `write_found`."""
    number, share = _found(found).get(str(seed)) or _search(spec, seed)
    knob = _knobs(spec, seed)[number]
    return f"{knob.label}: {share!r} of it", replace(spec, network=knob.turn(share))


def _knobs(spec: Spec, seed: int | str) -> list[Knob]:
    random = Random(f"knobs:{seed}")
    return [any_knob(spec.network, random) for _ in range(KNOBS_TRIED)]


def _search(spec: Spec, seed: int | str) -> tuple[int, float]:
    """The number of a knob and how far it is to be turned."""
    random = Random(f"edge:{seed}")
    for number, knob in enumerate(_knobs(spec, seed)):
        right, wrong = _between(spec, knob)
        if wrong is not None:
            return number, wrong if random.random() < 0.85 else right
    return number, right


def _between(spec: Spec, knob: Knob) -> tuple[float, float | None]:
    """A share of a knob where no input is seen to fail, and one where few are: None where that was not found.

    The zero of the lead that only few inputs do not have, by false position (the Illinois rule).
    """
    few = max(1, (inputs_of(spec) - 1) // RARE)

    def lead(share: float) -> tuple[int, float]:
        leads = np.sort(seen_leads(replace(spec, network=knob.turn(share))))
        return int((leads < 0).sum()), float(leads[few // 2])

    right, wrong = 0.0, 1.0
    failing, under = lead(wrong)
    if not failing:
        return 1.0, None
    if failing <= few:
        return 0.0, wrong
    failing, above = lead(right)
    if failing:
        return 1.0, None
    for _ in range(STEPS):
        middle = right + (wrong - right) * above / (above - under)
        if not right < middle < wrong:
            middle = (right + wrong) / 2
        failing, found = lead(middle)
        if 0 < failing <= few:
            return right, middle
        if failing:
            wrong, under, above = middle, found, above / 2
        else:
            right, above, under = middle, found, under / 2
    return right, None


def write_found(path: Path, starts: Iterable[tuple[int | str, Spec]]) -> None:
    """To a file, the edges of these specs with their seeds, where they are not in it yet."""
    rows = [json.dumps([seed, *(_found(path).get(str(seed)) or _search(spec, seed))]) for seed, spec in starts]
    path.write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    begun = ((seed, *_start(seed)) for seed in range(int(sys.argv[1])))
    write_found(FOUND, ((seed, spec) for seed, kind, _, spec, _ in begun if kind == "edge"))
