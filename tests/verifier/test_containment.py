"""What is computed of any input lies inside the verifier's abstract values, however it is rounded.

At each position after each step of its column, and in the cells of sweeps; each number by itself, and together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from compiler.backends.elementary.program import NotFollowed
from compiler.expressions.floats import FORMATS
from compiler.pipeline import Spec, load
from compiler.source.diagnostics import SpecError
from tests.fast.changed import changed
from tests.fast.networks import random_network
from tests.fast.test_bounds import MODELS, SMALL
from tests.helpers import each, load_text
from tests.verifier.checks import Found, check_positions, check_tails, some_inputs
from tests.verifier.rounding import WIDE

pytestmark = [
    pytest.mark.machine,
    pytest.mark.skipif(not WIDE, reason="long doubles are no wider than doubles here"),
    pytest.mark.filterwarnings("error::RuntimeWarning"),  # a person who runs verify would see it
]

DTYPES = tuple(FORMATS)
SIZES: tuple[dict[str, object], ...] = ({"base": 3, "digits": 2}, {"digits": 1}, {})
CHUNK = 12  # networks of one test


def check(spec: Spec, seed: object, *, count: int = 6, plain: int = 1, slots: int = 2, rounds: int = 3) -> Found:
    """Positions and cells of one spec, the cells in any arithmetic and in this machine's; what became of it."""
    inputs = some_inputs(spec, count, seed)
    if inputs is None:
        return Found({"no automaton": 1})
    predicted = spec.layout.predicted
    chosen = inputs.random.sample(predicted, min(slots, len(predicted)))
    try:
        found = check_positions(inputs, plain)
        for here in (False, True):
            found += check_tails(inputs, chosen, here=here, rounds=rounds)
    except NotFollowed:
        return Found({"not followed": 1})
    return found + Found({"followed": 1})


def sized(path: Path, dtype: str | None = None) -> Spec | None:
    """The spec for few and short numbers, as far as it allows it; None where its numbers do not fit the dtype."""
    for size in SIZES:
        overrides: Mapping[str, object] = size if dtype is None else {**size, "dtype": dtype}
        try:
            return load(path, overrides)
        except SpecError:
            continue
    return None


@pytest.mark.parametrize("path", each(MODELS))
def test_models_for_short_numbers(path: Path) -> None:
    spec = sized(path)
    assert spec is not None
    found = check(spec, path.stem)
    assert found["known"] > 0.7 * found["numbers"] > 0
    assert found["plain"] > 0
    assert found["leads"] > 0


@pytest.mark.parametrize("start", [pytest.param(i, marks=[pytest.mark.long] * (i > 0)) for i in range(4)])
def test_every_kind_of_step(start: int) -> None:
    found = Found()
    for path in SMALL[start::4]:
        found += check(load(path), path.stem, count=5)
    assert found["known"] > 0.7 * found["numbers"] > 0
    assert found["decided"] > 0.3 * found["leads"]
    assert found["failing"] > 0


@pytest.mark.parametrize("start", [pytest.param(i, marks=[pytest.mark.long] * (i > 0)) for i in range(4)])
def test_in_other_dtypes(start: int) -> None:
    """Each spec in one dtype, the dtypes by turns."""
    found = Found()
    for i, path in enumerate(SMALL):
        spec = sized(path, DTYPES[(i + i // 4) % 4]) if i % 4 == start else None
        if spec is not None:
            found += check(spec, f"{path.stem}:dtype", count=4, slots=1, rounds=2)
    assert found["followed"] > 10
    assert found["decided"] > 0.2 * found["leads"]


def check_networks(folder: Path, first: int, networks: int, **sizes: int) -> Found:
    found = Found()
    for seed in range(first, first + networks):
        try:
            spec = load_text(folder, random_network(Random(f"network:{seed}")), name=f"random{seed}")
        except SpecError:
            found["refused"] += 1
            continue
        found += check(spec, seed, **sizes)
    return found


@pytest.mark.parametrize("chunk", [pytest.param(i, marks=[pytest.mark.long] * (i > 0)) for i in range(4)])
def test_random_networks(tmp_path: Path, chunk: int) -> None:
    found = check_networks(tmp_path, chunk * CHUNK, CHUNK, count=5)
    assert found["followed"] > 0.4 * CHUNK
    assert found["known"] > 0.7 * found["numbers"]
    assert found["decided"] > 0.3 * found["leads"]


def check_changes(path: Path, changes: int, *, full: bool = False) -> Found:
    found = Found()
    spec = load(path) if full else sized(path)
    assert spec is not None
    for number in range(changes):
        name = f"{path.stem}:{number}"
        found += check(replace(spec, network=changed(spec.network, Random(name))), name, count=4, slots=1)
    return found


@pytest.mark.long
@pytest.mark.parametrize("start", range(4))
def test_changed_models(start: int) -> None:
    found = Found()
    for path in [*MODELS, *SMALL][start::4]:
        found += check_changes(path, 1)
    assert found["followed"] > found["not followed"]
    assert found["decided"] > 0.3 * found["leads"]


@pytest.mark.long
@pytest.mark.parametrize("path", each(MODELS))
def test_models_as_they_are(path: Path) -> None:
    found = check(load(path), path.stem, count=20, plain=3, slots=4, rounds=12)
    assert found["followed"]
    assert found["known"] > 0.7 * found["numbers"]


@pytest.mark.long
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("path", [*MODELS, *SMALL], ids=lambda path: path.stem)
def test_every_spec_in_every_dtype(path: Path, dtype: str) -> None:
    spec = sized(path, dtype)
    if spec is not None:
        check(spec, f"{path.stem}:{dtype}", count=20, plain=3, slots=3, rounds=9)


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(4, 104))
def test_many_random_networks(tmp_path: Path, chunk: int) -> None:
    found = check_networks(tmp_path, chunk * CHUNK, CHUNK, count=12, plain=2, slots=3, rounds=9)
    assert found["followed"] > 0


@pytest.mark.long
@pytest.mark.parametrize("path", [*MODELS, *SMALL], ids=lambda path: path.stem)
def test_models_changed_often(path: Path) -> None:
    assert check_changes(path, 20)["followed"] > 0
