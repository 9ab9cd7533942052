"""The claims of a spec (`expect`) against what was counted and evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from compiler.language.expectations import AuthorCount, EvalClaim
from compiler.pipeline import Spec
from compiler.readers.counting.counts import Counts
from compiler.source.text import Span

VARIANT = "about the spec as written, not this variant: leave out --set to check"
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
    @property
    def right_by_part(self) -> Mapping[str, int]: ...


@dataclass(frozen=True)
class ClaimResult:
    """A claim with its verdict; `reason` says what was found, or why it was not checked.

    `checked_by` are the command and its options that check one that was not, empty where none would.
    """

    claim: str
    status: Status
    reason: str
    span: Span
    checked_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Found:
    """What is known about a claim: whether it was `checked` and `held`, what was found, or why it was not checked."""

    checked: bool
    held: bool
    shown: str
    why: str
    checked_by: tuple[str, ...] = ()


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
        by_none = _Found(False, False, "", f"no rule gives it: {author.note}")
        known = _counted(counts, author.rule, author.count) if author.rule else by_none
        results.append(_result(spec, text, author.span, known))
    task_suites = {name: suite for choice in spec.choices for name, suite in choice.resolved.task.suites().items()}
    for eval_claim in spec.resolved.expect.evals:
        sampled = task_suites[eval_claim.suite].sampled
        seed = f" (seed {eval_claim.seed})" if sampled else ""
        text = f"{eval_claim.suite}: {eval_claim.right:,} of {eval_claim.pairs:,} right{seed}"
        results.append(_result(spec, text, eval_claim.span, _evaluated(suites or (), eval_claim, sampled)))
    stated = check_verdict(spec, verdict)
    return tuple(results) if stated is None else (*results, stated)


def check_verdict(spec: Spec, verdict: str | None) -> ClaimResult | None:
    """The claim about all inputs, where the spec has one, against what a verification found: `proved`, `refuted` or
    `open`; None where none was run. An open verdict leaves the claim unchecked."""
    claim = spec.resolved.expect.verdict
    if claim is None:
        return None
    known = _Found(verdict in ("proved", "refuted"), claim.verdict == verdict, f"{verdict}", "undecided")
    if verdict is None:
        known = _Found(False, False, "", "no proof was run", ("verify",))
    return _result(spec, f"{claim.verdict} over all inputs", claim.span, known)


def _counted(counts: Counts | None, rule: str, claimed: int) -> _Found:
    if counts is None:
        return _Found(False, False, "", "not counted", ("count",))
    figure = counts.by_rule(rule)
    return _Found(True, figure == claimed, "undeclared" if figure is None else str(figure), "")


def _evaluated(suites: Sequence[SuiteOutcome], claim: EvalClaim, sampled: bool) -> _Found:
    drawn = ("--pairs", str(claim.pairs), "--seed", str(claim.seed)) if sampled else ()
    checked_by = ("eval", "--suite", claim.suite, *drawn)
    outcome = next((suite for suite in suites if suite.suite == claim.suite), None)
    if outcome is None:
        return _Found(False, False, "", "suite not run", checked_by)
    same = outcome.pairs == claim.pairs and outcome.seed in (None, claim.seed)
    shown = f"{outcome.right:,} of {outcome.pairs:,}"
    if same and outcome.batched:
        return _Found(False, False, shown, "run in batches", checked_by)
    for label, right in claim.parts.items():
        part = outcome.right_by_part.get(label)
        if same and part != right:
            return _Found(True, False, f"{label}: {'no such part' if part is None else f'{part:,}'}, not {right:,}", "")
    why = "run with another size or seed" if sampled else f"the suite has {outcome.pairs:,} inputs"
    return _Found(same, outcome.right == claim.right, shown, why, checked_by if sampled else ())


def _result(spec: Spec, text: str, span: Span, known: _Found) -> ClaimResult:
    if spec.settings:
        return ClaimResult(text, "not checked", VARIANT, span)
    if not known.checked:
        return ClaimResult(text, "not checked", known.why, span, known.checked_by)
    return ClaimResult(text, "held" if known.held else "failed", f"found {known.shown}", span)
