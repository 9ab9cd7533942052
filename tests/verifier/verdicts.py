"""Whether a verification agrees with what is so, and how often which verdict was reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from compiler.evaluation.evaluation import answer
from compiler.pipeline import Spec
from compiler.verifier.results import Verification
from tests.verifier.looks import verify_in
from tests.verifier.truth import Truth, smallest_lead
from tests.verifier.worlds import World

LOOKS = 50  # at the clock, for one small world


def check(name: str, spec: Spec, found: Verification, so: Truth) -> None:
    """Raise `AssertionError` where a verification says anything that is not so."""
    failing, predicted = so.failing, spec.layout.predicted
    exact = found.counts == "exact"
    assert found.inputs == so.inputs if exact else found.inputs >= so.inputs, name
    assert found.verdict != "proved" or failing == 0, f"{name}: proved, but {failing} inputs fail"
    assert found.verdict != "refuted" or failing > 0, f"{name}: refuted, but no input fails"
    assert found.failing[0] <= failing <= found.failing[1], f"{name}: {failing} is not in {found.failing}"
    for step in found.steps:
        wrong = so.steps[predicted.index(step.slot)]
        assert step.right + step.wrong + step.open == found.inputs, (name, step)
        if found.method != "enumeration" or found.verdict == "proved":  # which counts the first wrong token alone
            assert wrong <= step.wrong + step.open, f"{name}: {wrong} are wrong in {step}"
            assert step.wrong <= wrong or not exact, f"{name}: {wrong} are wrong in {step}"
    if found.verdict == "proved":
        assert found.failing == (0, 0), name
        assert found.method != "none", name
        assert found.ending == "complete", name
        assert found.margin is None or 0 < found.margin.proved <= smallest_lead(spec), name
        if found.method == "abstract interpretation":
            assert {step.slot for step in found.steps} == set(predicted), name
            assert all(step.right == found.inputs for step in found.steps), name
    if found.verdict == "refuted":
        assert found.counterexample is not None, name
        assert not answer(spec, found.counterexample.inputs).right, (name, found.counterexample)
    if found.verdict == "open":
        assert found.counterexample is None, name
        assert found.reasons, f"{name}: open, and no reason is named"
        assert all(step.reason is not None for step in found.steps if step.open), name


def verified(world: World) -> Verification:
    """What the engine says of a world, which is checked."""
    found = verify_in(LOOKS, world.spec, tried=0)
    check(world.name, world.spec, found, world.truth)
    return found


def kind_of_truth(so: Truth) -> str:
    if not so.failing:
        return "right"
    return "rarely wrong" if so.rare else "often wrong"


class Rates:
    """How many worlds of each kind got which verdict."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def add(self, so: Truth, found: Verification) -> None:
        self.counts[kind_of_truth(so), found.verdict] += 1

    def of(self, truths: Iterable[str], verdicts: Iterable[str] = ("proved", "refuted", "open")) -> int:
        wanted = tuple(verdicts)
        return sum(self.counts[kind, verdict] for kind in truths for verdict in wanted)

    @property
    def total(self) -> int:
        return self.counts.total()

    def lines(self) -> list[str]:
        """The table, as Markdown."""
        rows = ["| so | worlds | PROVED | REFUTED | OPEN |", "|---|---:|---:|---:|---:|"]
        for kind in ("right", "rarely wrong", "often wrong"):
            numbers = [self.of([kind]), *(self.of([kind], [verdict]) for verdict in ("proved", "refuted", "open"))]
            rows.append(f"| {kind} | {' | '.join(map(str, numbers))} |")
        return rows
