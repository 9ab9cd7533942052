"""Small worlds of tasks that are stated: by columns with ends, by columns whose states lead nowhere, by equations."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from random import Random
from typing import Literal

from compiler.pipeline import Spec
from tests.helpers import SPECS
from tests.verifier.knobs import Knob, any_knob
from tests.verifier.truth import inputs_of, seen_leads, truth
from tests.verifier.worlds import OWN, World, loaded

FOUND = OWN / "stated.json"  # written by `python -m tests.verifier.stated_worlds SEEDS`
NUMBERS = [{"base": base, "digits": digits} for base, digits in product((2, 3, 4, 5), (1, 2, 3))]
TWO_NUMBERS = [sizes for sizes in NUMBERS if sizes["base"] ** (2 * sizes["digits"]) <= 4096]
KNOBS_TRIED = 12
STEPS = 16
Kind = Literal["right", "edge", "spoiled"]


@dataclass(frozen=True)
class Asked:
    """A spec that is right in all of these sizes, and whether its inputs are followed by columns."""

    path: Path
    sizes: list[dict[str, int]]
    followed: bool = True


ASKED = (
    Asked(SPECS / "tasks" / "subtraction.yaml", TWO_NUMBERS),
    Asked(SPECS / "tasks" / "comparison.yaml", TWO_NUMBERS),
    Asked(SPECS / "tasks" / "increment.yaml", NUMBERS),
    Asked(OWN / "mod9.yaml", NUMBERS),
    Asked(OWN / "brackets.yaml", [{"length": length} for length in range(1, 8)]),
    Asked(OWN / "distinct.yaml", [{"symbols": symbols, "length": n} for symbols in (3, 4, 5) for n in (1, 2, 3)]),
    Asked(OWN / "total.yaml", [{"base": base} for base in (2, 3, 4, 5)], followed=False),
)


def worlds(seeds: range) -> Iterator[tuple[World, bool]]:
    """One for each seed, in turn of each task; and whether its inputs are followed."""
    for seed in seeds:
        asked, sizes, kind, spec = _start(seed)
        label = "as it is"
        if kind != "right":
            number, share = _found(FOUND).get(seed) or _search(spec, seed, kind)
            knob = _knobs(spec, seed)[number]
            label, spec = f"{knob.label}: {share!r} of it", replace(spec, network=knob.turn(share))
        named = " ".join(f"{name}={size}" for name, size in sizes.items())
        yield World(f"{seed}: {asked.path.stem} {named}, {label}", kind, spec, truth(spec)), asked.followed


def _start(seed: int) -> tuple[Asked, Mapping[str, int], Kind, Spec]:
    random = Random(f"stated:{seed}")
    asked = ASKED[seed % len(ASKED)]
    kinds: tuple[Kind, ...] = ("right", "edge", "spoiled")
    kind = random.choices(kinds, (1, 6, 1))[0]
    specs = [(sizes, loaded(asked.path, tuple(sizes.items()))) for sizes in random.sample(asked.sizes, 2)]
    few = random.random() < 0.15
    sizes, spec = sorted(specs, key=lambda one: inputs_of(one[1]))[0 if few else -1]
    return asked, sizes, kind, spec


def _knobs(spec: Spec, seed: int) -> list[Knob]:
    random = Random(f"stated knobs:{seed}")
    return [any_knob(spec.network, random) for _ in range(KNOBS_TRIED)]


def _search(spec: Spec, seed: int, kind: Kind) -> tuple[int, float]:
    """The number of a knob that makes inputs fail, and how far it is turned: at an edge just as far as needed, or not
    quite; there the knob of a few at whose edge the fewest inputs fail."""

    def failing(knob: Knob, share: float) -> int:
        return int((seen_leads(replace(spec, network=knob.turn(share))) < 0).sum())

    edges: list[tuple[int, int, float, float]] = []
    for number, knob in enumerate(_knobs(spec, seed)):
        right, wrong = 0.0, 1.0
        fail = failing(knob, wrong)
        for _ in range(STEPS if kind == "edge" and fail else 0):
            middle = (right + wrong) / 2
            fails = failing(knob, middle)
            right, wrong, fail = (right, middle, fails) if fails else (middle, wrong, fail)
        edges += [(fail, number, right, wrong)] if fail else []
        if len(edges) == (3 if kind == "edge" else 1):
            break
    if not edges:
        return 0, 0.0
    _, number, right, wrong = min(edges)
    return number, right if kind == "edge" and Random(f"side:{seed}").random() < 0.4 else wrong


@cache
def _found(path: Path) -> Mapping[int, tuple[int, float]]:
    """For seeds, what `_search` found: it takes longer than all else."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8") as file:
        return {seed: (number, share) for seed, number, share in json.load(file)}


if __name__ == "__main__":
    begun = ((seed, *_start(seed)) for seed in range(int(sys.argv[1])))
    rows = [json.dumps([seed, *_search(spec, seed, kind)]) for seed, _, _, kind, spec in begun if kind != "right"]
    FOUND.write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")
