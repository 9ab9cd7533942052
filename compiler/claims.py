"""The claims of a spec (`expect`) against what was counted and evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from compiler.counting import Counts
from compiler.expectations import AuthorCount
from compiler.pipeline import Spec
from compiler.source import Span

Status = Literal["held", "failed", "not checked"]


class SuiteOutcome(Protocol):
    """What a claim needs to know of an evaluated suite."""

    @property
    def suite(self) -> str: ...
    @property
    def seed(self) -> int | None: ...
    @property
    def pairs(self) -> int: ...
    @property
    def right(self) -> int: ...
    @property
    def batched(self) -> int: ...


@dataclass(frozen=True)
class ClaimResult:
    """A claim with its verdict; `reason` says what was found, or why it was not checked."""

    claim: str
    status: Status
    reason: str
    span: Span


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
        found = None if counts is None else counts.by_rule(claim.rule)
        shown = "undeclared" if found is None else str(found)
        results.append(_result(spec, text, counts is not None, found == claim.count, shown, "not counted", claim.span))
    author = spec.resolved.expect.claimed
    if author is not None:
        text = f"author's count is {author.count}" + (f", by the rule {author.rule}" if author.rule else "")
        found = None if counts is None or not author.rule else counts.by_rule(author.rule)
        shown = "undeclared" if found is None else str(found)
        why = "not counted" if author.rule else f"by no rule: {author.note}"
        checked = counts is not None and bool(author.rule)
        results.append(_result(spec, text, checked, found == author.count, shown, why, author.span))
    known = spec.resolved.task.suites() if spec.resolved.expect.evals else {}
    for eval_claim in spec.resolved.expect.evals:
        seed = f" (seed {eval_claim.seed})" if known[eval_claim.suite].sampled else ""
        text = f"{eval_claim.suite}: {eval_claim.right:,} of {eval_claim.pairs:,} right{seed}"
        outcome = next((suite for suite in suites or () if suite.suite == eval_claim.suite), None)
        same = outcome is not None and outcome.pairs == eval_claim.pairs and outcome.seed in (None, eval_claim.seed)
        checked = same and outcome is not None and not outcome.batched
        held = outcome is not None and outcome.right == eval_claim.right
        shown = "" if outcome is None else f"{outcome.right:,} of {outcome.pairs:,}"
        why = "suite not run" if outcome is None else "run in batches" if same else "run with another size or seed"
        results.append(_result(spec, text, checked, held, shown, why, eval_claim.span))
    stated = check_verdict(spec, verdict)
    return tuple(results) if stated is None else (*results, stated)


def check_verdict(spec: Spec, verdict: str | None) -> ClaimResult | None:
    """The claim about all inputs, where the spec has one, against what a verification found: `proved`, `refuted` or
    `open`; None where none was run. An open verdict leaves the claim unchecked."""
    claim = spec.resolved.expect.verdict
    if claim is None:
        return None
    why = "no proof was run" if verdict is None else "undecided"
    checked, found = verdict in ("proved", "refuted"), f"{verdict}"
    return _result(spec, f"{claim.verdict} over all inputs", checked, claim.verdict == verdict, found, why, claim.span)


def _result(spec: Spec, text: str, checked: bool, held: bool, found: str, why: str, span: Span) -> ClaimResult:
    if spec.settings:
        return ClaimResult(text, "not checked", "about the spec as written, not this variant", span)
    if not checked:
        return ClaimResult(text, "not checked", why, span)
    return ClaimResult(text, "held" if held else "failed", f"found {found}", span)
