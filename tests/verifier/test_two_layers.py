"""Two layers that mix columns: what is proved of them, against every input of small ones, and variants that fail."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compiler.network import ir
from compiler.pipeline import Spec, load
from compiler.verifier.verify import verify
from tests.fast.changed import fit, with_tensors
from tests.helpers import SPECS
from tests.verifier.mutations import PATHS, Edge, edges, mutant
from tests.verifier.test_gallery_mutations import check_mutant
from tests.verifier.truth import truth
from tests.verifier.verdicts import check

pytestmark = pytest.mark.machine

NAMES = ("bingbangboom-lab_87p", "xangma_177p")
FIRST = NAMES[0]
SPOILED = [edge for edge in edges() if edge.path.stem == FIRST and edge.above is not None]


def shortened(name: str, digits: int) -> Spec:
    return load(SPECS / "gallery" / f"{name}.yaml", {"digits": digits})


def with_digits(edge: Edge, factor: float, digits: int) -> Spec:
    """A mutant for short numbers."""
    found = mutant(edge.path, edge.name, factor)
    assert found is not None
    if edge.name in found.resolved.definitions:
        text = load(edge.path).resolved.definitions[edge.name].text
        return load(edge.path, {edge.name: f"({text}) * {factor!r}", "digits": digits})
    spec = load(edge.path, {"digits": digits})

    def change(tensor: ir.Tensor) -> tuple[ir.Entry, ...]:
        if tensor.name != edge.name:
            return tensor.entries
        return tuple(replace(entry, value=fit(factor * entry.value, spec.network.dtype)) for entry in tensor.entries)

    return replace(spec, network=replace(spec.network, steps=tuple(with_tensors(spec.network, change))))


@pytest.mark.parametrize(("name", "digits"), [(FIRST, 1), pytest.param(NAMES[1], 2, marks=pytest.mark.long)])
def test_short_numbers_are_proved(name: str, digits: int) -> None:
    spec = shortened(name, digits)
    found = verify(spec, tried=0, budget=600)
    check(name, spec, found, truth(spec))
    assert found.verdict == "proved"
    assert found.method == "abstract interpretation"
    assert found.assumptions.startswith("IEEE 754 arithmetic in any order")
    assert found.margin is not None
    assert found.margin.proved > 0.3


@pytest.mark.parametrize(
    ("edge", "digits"),
    [
        pytest.param(edge, 2 if i % 5 == 1 else 1, id=f"{edge.name} {edge.above}", marks=[pytest.mark.long] * (i > 0))
        for i, edge in enumerate(SPOILED)
    ],
)
def test_small_worlds(edge: Edge, digits: int) -> None:
    """Just beyond what some long numbers fail with, far beyond that, and without it where short ones are right."""
    assert edge.above is not None
    failing = 0
    for factor in (edge.above, 1 + 30 * (edge.above - 1), 0.0):
        if factor == 0.0 and failing:
            break
        spec = with_digits(edge, factor, digits)
        so = truth(spec)
        check(f"{edge.name} times {factor}", spec, verify(spec, tried=0, budget=600), so)
        failing += so.failing
    assert failing


@pytest.mark.long
@pytest.mark.parametrize("edge", SPOILED, ids=lambda edge: f"{edge.name} {edge.above}")
def test_what_fails_is_not_proved(edge: Edge) -> None:
    """With all ten digits."""
    assert edge.above is not None
    spec = mutant(edge.path, edge.name, edge.above)
    assert spec is not None
    assert check_mutant(edge.name, spec, 300).verdict != "proved"


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_published_models_are_proved(name: str) -> None:
    found = verify(load(PATHS[name]), budget=600)
    assert found.verdict == "proved"
    assert found.margin is not None
    assert found.margin.proved > 0.4
