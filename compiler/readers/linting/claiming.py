"""Rules about what a spec claims under `expect`: a count, and how many answers are right."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from compiler.expressions.proportions import share
from compiler.readers.counting.claims import check_claims
from compiler.readers.counting.counts import count
from compiler.readers.linting.rule import Examined, Finding
from compiler.readers.linting.spans import top_level
from compiler.source.document import Mapping
from compiler.source.text import Span

COUNT_CLAIMS = ("count", "claimed")  # the keys of `expect` that state one


def counts_hold(examined: Examined) -> Iterator[Finding]:
    """Every count that a spec claims is what the rule gives."""
    for claim in check_claims(examined.spec, count(examined.spec), None):
        if claim.status == "failed":
            yield Finding(f"the spec claims that the {claim.claim}; {claim.reason}", claim.span)


def count_is_claimed(examined: Examined) -> Iterator[Finding]:
    """A spec says what its count is."""
    if all(top_level(examined.spec, "expect", key) is None for key in COUNT_CLAIMS):
        yield Finding("the spec claims no count", _expect(examined))


def accuracy_suffices(protocol: str) -> Callable[[Examined], Iterator[Finding]]:
    """A rule: where a suite of that protocol is claimed, enough answers are right."""

    def check(examined: Examined) -> Iterator[Finding]:
        resolved = examined.spec.resolved
        test = resolved.task.protocols().get(protocol) if resolved.asked else None
        if test is None or examined.spec.settings:  # claims are about the spec as written, not a variant
            return
        for claim in resolved.expect.evals:
            if claim.suite in test.suites and claim.right < test.needed(claim.inputs):
                right = share(claim.right, claim.inputs, up=False)
                needed = f"{test.share} of {claim.suite}"
                yield Finding(f"{claim.right:,} of {claim.inputs:,} right is {right}; needed is {needed}", claim.span)

    return check


def accuracy_is_claimed(protocol: str) -> Callable[[Examined], Iterator[Finding]]:
    """A rule: a spec says how many answers of each suite of that protocol are right."""

    def check(examined: Examined) -> Iterator[Finding]:
        resolved = examined.spec.resolved
        test = resolved.task.protocols().get(protocol) if resolved.asked else None
        claimed = {claim.suite for claim in examined.spec.resolved.expect.evals}
        for suite in test.suites if test is not None else ():
            if suite not in claimed:
                yield Finding(f"the spec claims nothing about the suite {suite}", _expect(examined))

    return check


def _expect(examined: Examined) -> Span | None:
    document = examined.spec.resolved.document
    key = document.key("expect") if isinstance(document.get("expect"), Mapping) else document.key("name")
    return None if key is None else key.span
