"""The claims of a spec (`expect`) against what was counted and evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from compiler.language.expectations import AuthorCount, EvalClaim
from compiler.pipeline import Spec
from compiler.readers.counting.counts import Counts
from compiler.source.text import Span
from compiler.tasks.suites import sampling_by_name

VARIANT = "about the spec as written, not this variant: leave out --set to check"
Status = Literal["held", "failed", "not checked"]


class SuiteOutcome(Protocol):
    """What a claim needs to know of an evaluated suite."""

    @property
    def suite(self) -> str: ...
    @property
    def seed(self) -> int | None: ...
    @property
    def inputs(self) -> int: ...
    @property
    def right(self) -> int: ...
    @property
    def batched(self) -> int: ...
    @property
    def right_by_part(self) -> Mapping[str, int]: ...


@dataclass(frozen=True)
class ClaimResult:
    """A claim with its verdict; `reason` says what was found, or why the claim was not checked.

    `checked_by` are the words of a call that checks it, where it was not checked; empty where none does.
    """

    claim: str
    status: Status
    reason: str
    span: Span
    checked_by: tuple[str, ...] = ()


_Check = tuple[Status, str, tuple[str, ...]]  # status, reason and checked_by of a result


def author_count(spec: Spec) -> AuthorCount | None:
    """The count that the author publishes; none for a variant made with `--set`, which is another model."""
    return None if spec.settings else spec.resolved.expect.claimed


def check_claims(
    spec: Spec, counts: Counts | None, suites: Sequence[SuiteOutcome] | None, verdict: str | None = None
) -> tuple[ClaimResult, ...]:
    """Every claim of a spec, in file order. Pass None for what was not counted, evaluated or verified.

    A variant made with `--set` is another model than the one that the claims are about: they are not checked.
    """
    results: list[ClaimResult] = []
    for claim in spec.resolved.expect.counts:
        text = f"{claim.rule} count is {claim.count}"
        results.append(_result(spec, text, claim.span, _counted(counts, claim.rule, claim.count)))
    author = spec.resolved.expect.claimed
    if author is not None:
        text = f"author's count is {author.count}" + (f", by the rule {author.rule}" if author.rule else "")
        by_none: _Check = ("not checked", f"no rule gives it: {author.note}", ())
        check = _counted(counts, author.rule, author.count) if author.rule else by_none
        results.append(_result(spec, text, author.span, check))
    sampling = {
        name: sampled for choice in spec.choices for name, sampled in sampling_by_name(choice.resolved.task).items()
    }
    for eval_claim in spec.resolved.expect.evals:
        sampled = sampling[eval_claim.suite]
        seed = f" (seed {eval_claim.seed})" if sampled else ""
        text = f"{eval_claim.suite}: {eval_claim.right:,} of {eval_claim.inputs:,} right{seed}"
        results.append(_result(spec, text, eval_claim.span, _evaluated(suites or (), eval_claim, sampled)))
    stated = check_verdict(spec, verdict)
    return tuple(results) if stated is None else (*results, stated)


def check_verdict(spec: Spec, verdict: str | None) -> ClaimResult | None:
    """The claim about all inputs, where the spec has one, against what a verification found: `proved`, `refuted` or
    `open`; None where none was run. An open verdict leaves the claim unchecked."""
    claim = spec.resolved.expect.verdict
    if claim is None:
        return None
    check: _Check = ("not checked", "undecided", ())
    if verdict is None:
        check = ("not checked", "no proof was run", ("verify",))
    elif verdict in ("proved", "refuted"):
        check = _compared(claim.verdict == verdict, verdict)
    return _result(spec, f"{claim.verdict} over all inputs", claim.span, check)


def _counted(counts: Counts | None, rule: str, claimed: int) -> _Check:
    if counts is None:
        return "not checked", "not counted", ("count",)
    figure = counts.by_rule(rule)
    return _compared(figure == claimed, "undeclared" if figure is None else str(figure))


def _evaluated(suites: Sequence[SuiteOutcome], claim: EvalClaim, sampled: bool) -> _Check:
    drawn = ("--inputs", str(claim.inputs), "--seed", str(claim.seed)) if sampled else ()
    checked_by = ("eval", "--suite", claim.suite, *drawn)
    outcome = next((suite for suite in suites if suite.suite == claim.suite), None)
    if outcome is None:
        return "not checked", "suite not run", checked_by
    if outcome.inputs != claim.inputs or outcome.seed not in (None, claim.seed):
        if sampled:
            return "not checked", "run with another size or seed", checked_by
        return "not checked", f"the suite has {outcome.inputs:,} inputs", ()
    if outcome.batched:
        return "not checked", "run in batches", checked_by
    for label, right in claim.parts.items():
        part = outcome.right_by_part.get(label)
        if part != right:
            return _compared(False, f"{label}: {'no such part' if part is None else f'{part:,}'}, not {right:,}")
    return _compared(outcome.right == claim.right, f"{outcome.right:,} of {outcome.inputs:,}")


def _compared(held: bool, found: str) -> _Check:
    return "held" if held else "failed", f"found {found}", ()


def _result(spec: Spec, text: str, span: Span, check: _Check) -> ClaimResult:
    status, reason, checked_by = ("not checked", VARIANT, ()) if spec.settings else check
    return ClaimResult(text, status, reason, span, checked_by)
