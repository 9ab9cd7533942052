"""Worlds with some ten thousand inputs, where the windows of a sweep are smaller than the whole input."""

from __future__ import annotations

import sys
from random import Random

from compiler.pipeline import Spec
from tests.verifier.truth import truth
from tests.verifier.worlds import ADDERS, OWN, VARIANTS, World, edge, loaded, write_found

FOUND = OWN / "larger.json"  # written by `python -m tests.verifier.larger SEEDS`
SIZES = ((10, 2), (5, 3), (4, 3), (3, 4), (2, 6))  # base and digits: from 4,096 to 15,625 inputs


def larger_world(seed: int) -> World:
    """A spec with a knob turned so far that few inputs fail, or as far as none was seen to fail."""
    name, key, spec = _start(seed)
    label, spec = edge(spec, key, FOUND)
    return World(f"{key}: {name}, {label}", "edge", spec, truth(spec))


def _start(seed: int) -> tuple[str, str, Spec]:
    """What a world is made of: in words, the seed of its knobs, and the spec."""
    random = Random(f"larger:{seed}")
    path, (base, digits) = random.choice(ADDERS), random.choice(SIZES)
    settings = {"base": base, "digits": digits, **random.choice(VARIANTS.get(path.stem, ({},)))}
    name = " ".join([path.stem, *(f"{key}={value}" for key, value in settings.items())])
    return name, f"larger {seed}", loaded(path, tuple(settings.items()))


if __name__ == "__main__":
    write_found(FOUND, (_start(seed)[1:] for seed in range(int(sys.argv[1]))))
