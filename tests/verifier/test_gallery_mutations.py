"""Specs with one constant a little larger or smaller: nothing is proved where an input is known that fails."""

from __future__ import annotations

from collections import Counter
from math import inf, log, sqrt
from pathlib import Path

import pytest

from compiler.evaluation.evaluation import answer
from compiler.pipeline import Spec
from compiler.tasks.task import Inputs
from compiler.verifier.results import StepResult, Verification
from tests.verifier.adversary import Close, closest, drawn
from tests.verifier.looks import verify_in
from tests.verifier.mutations import PATHS, SIZES, Edge, edges, mutant, names
from tests.verifier.truth import likely_failure, wrong_tokens

SOME = (("zcbtrak_6p", "edge"), ("kiguli_7p_relu", "amplitude"), ("Lokimorty_12p", "bend"))
LOOKS = 300  # at the clock, for one mutant
ENOUGH = 100_000  # for a proof
DRAWN = 300
SURE = sqrt(log(2 / 1e-9) / (2 * DRAWN))  # Hoeffding: a share in a sample is off by more once in 10^9 times


def check_mutant(name: str, spec: Spec, looks: int) -> Verification:
    """Against inputs that fail or nearly do, those that the verification itself names, and random ones."""
    found = verify_in(looks, spec)
    assert all(step.right + step.wrong + step.open == found.inputs for step in found.steps), name
    close = closest(spec, given=_named(spec, found))
    failing = {inputs for inputs in {one.inputs for one in close if one.lead <= 0} if not answer(spec, inputs).right}
    assert len(failing) <= found.failing[1], (name, failing)
    assert not (failing and found.verdict == "proved"), (name, failing)
    if found.counterexample is not None:
        assert not answer(spec, found.counterexample.inputs).right, name
    for step in found.steps:
        _check_step(name, found, step, [one for one in close if one.slot == step.slot])
    _check_shares(name, spec, found)
    return found


def _named(spec: Spec, found: Verification) -> list[Inputs]:
    given = [step.seen.inputs for step in found.steps if step.seen is not None]
    given += [found.counterexample.inputs] if found.counterexample is not None else []
    likely = likely_failure(spec)
    return given if likely is None else [*given, likely]


def _check_step(name: str, found: Verification, step: StepResult, close: list[Close]) -> None:
    """No more is right or wrong than can be, and no lead is below what was proved of all inputs that are right."""
    wrong = {one.inputs for one in close if -inf < one.lead < 0}
    assert step.right <= found.inputs - len(wrong), (name, step, wrong)
    assert step.wrong <= found.inputs - sum(one.lead > 0 for one in close), (name, step)
    if step.margin is not None and step.right == found.inputs:
        assert step.margin.proved <= min(one.lead for one in close), (name, step)


def _check_shares(name: str, spec: Spec, found: Verification) -> None:
    """The numbers are those of a random sample, up to chance. Of what is all right or all open it would say nothing."""
    if all(step.open == found.inputs or step.right == found.inputs for step in found.steps):
        return
    wrong = wrong_tokens(spec, [spec.resolved.task.encode(drawn(spec, DRAWN, seed=1))])
    share = float(wrong.any(1).mean())
    least, most = (count / found.inputs for count in found.failing)
    assert least - SURE <= share <= most + SURE, (name, found.failing, share)
    for step, seen in zip(found.steps, wrong.mean(0).tolist(), strict=True):
        assert step.wrong / found.inputs - SURE <= seen <= 1 - step.right / found.inputs + SURE, (name, step, seen)


def checked(edge: Edge, factor: float | None, looks: int = LOOKS) -> str | None:
    """The verdict on a mutant, which is checked; None where there is no such spec."""
    spec = None if factor is None else mutant(edge.path, edge.name, factor)
    if spec is None:
        return None
    name = f"{edge.path.stem}: {edge.name} times {factor!r}"
    verdict = check_mutant(name, spec, looks).verdict
    print(f"{name}: {verdict}", flush=True)
    return verdict


@pytest.mark.parametrize(("stem", "name"), [SOME[0], *(pytest.param(*one, marks=pytest.mark.long) for one in SOME[1:])])
def test_some_mutants(stem: str, name: str) -> None:
    """Smaller beyond what makes a spec fail, and half of the way there, where it is still proved."""
    edge = next(edge for edge in edges() if (edge.path.stem, edge.name) == (stem, name) and (edge.above or 1) < 1)
    assert checked(edge, edge.above) in ("refuted", "open")
    assert checked(edge, edge.between, ENOUGH) == "proved"


def test_every_constant_has_mutants() -> None:
    """`python -m tests.verifier.mutations NAMES` brings the list of specs of these names up to date."""
    listed = {(edge.path.stem, edge.name) for edge in edges()}
    for stem, path in PATHS.items():
        for name in names(path):
            known = (stem, name) in listed
            assert known or all(mutant(path, name, 1 + sign * SIZES[0]) is None for sign in (1, -1)), (stem, name)


@pytest.mark.long
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())
def test_all_mutants(path: Path) -> None:
    """Beyond what makes it fail, just before that, and half of the way there."""
    chosen = [edge for edge in edges() if edge.path == path]
    verdicts = Counter(checked(edge, factor) for edge in chosen for factor in (edge.above, edge.below, edge.between))
    print(f"{path.stem}: {dict(verdicts)}", flush=True)
    assert verdicts["proved"] + verdicts["refuted"] + verdicts["open"] >= len(chosen)
