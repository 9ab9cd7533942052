"""What measuring the claims of a spec changes in its text."""

from __future__ import annotations

from pathlib import Path

from compiler.report.claiming import RenewedClaims
from compiler.terminal import shapes
from compiler.terminal.console import print_diff
from compiler.terminal.counts import claims_json
from compiler.terminal.formats import text_diff
from compiler.terminal.plain import say


def print_renewed(path: Path, renewed: RenewedClaims, *, written: bool) -> None:
    """The difference, what became of it, and which claims do not hold, as the author has to decide about them."""
    print_diff(text_diff(path, renewed.source.text, renewed.text))
    told = "written" if written else "would change; --write writes it"
    say(f"{path}: {told if renewed.changed else 'unchanged'}")
    if renewed.measured.verdict == "open":
        say(f"{path}: undecided on all inputs, which is nothing to claim: {'; '.join(renewed.measured.why)}")
    for claim in renewed.claims:
        if claim.status == "failed":
            say(f"{path}:{claim.span.line}: claim failed: {claim.claim}; {claim.reason}", error=True)


def renewed_json(path: Path, renewed: RenewedClaims, *, written: bool) -> shapes.RenewedClaims:
    return shapes.filled(
        shapes.RenewedClaims,
        renewed,
        spec=str(path),
        written=written,
        diff=text_diff(path, renewed.source.text, renewed.text),
        verdict=renewed.measured.verdict,
        claims=claims_json(renewed.claims),
    )
