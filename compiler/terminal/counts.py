"""The counts of specs: itemised by tensor, as JSON, and against what is claimed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import cast

from compiler.pipeline import Spec
from compiler.readers.counting.assertions import Assertion
from compiler.readers.counting.claims import ClaimResult, author_count
from compiler.readers.counting.counts import LISTING, PARTS, SHOWN_RULES, Counts, TensorCount, counted_tensors
from compiler.terminal import shapes
from compiler.terminal.console import console, file_and_line, first, table, text
from compiler.terminal.overview import asked_json, equation_json

SpecCounts = tuple[Spec, Counts]


def print_items(spec: Spec, counts: Counts) -> None:
    """The figures of one spec by tensor, down to its lines."""
    out = console()
    out.print()
    out.print(text(spec.title, "bold"))
    rows = table(
        "tensor", "shape", "dense", "nonzero", "distinct", "line", "", right=["dense", "nonzero", "distinct", "line"]
    )
    for group in counts.groups:
        for i, tensor in enumerate(group.tensors):
            distinct = str(group.distinct) if i == 0 else ""
            note = f"tied to {tensor.tie}" if tensor.tie else ("copies" if group.copies and i == 0 else "")
            shape = " × ".join(map(str, tensor.shape))
            rows.add_row(text(tensor.name), shape, str(tensor.dense), str(tensor.nonzero), distinct, "", text(note))
            for line in () if tensor.tie else first(tensor.lines, rows):
                where, equation = str(line.equation.span.line), text(str(line.equation), "dim")
                rows.add_row("", "", "", str(line.nonzero), "", where, equation)
    total = [str(counts.dense), str(counts.nonzero), str(counts.distinct)]
    rows.add_row(text("total", "bold"), "", *total, "", "")
    out.print(rows)
    out.print(text(f"dense: {', '.join(f'{part} {counts.by_rule(part)}' for part in PARTS)}"))
    if counts.free is not None:
        out.print(text(f"free: {', '.join(counts.free_names) or 'none'}"))


def counts_json(
    counted: Sequence[SpecCounts], claims: Sequence[Sequence[ClaimResult]], assertions: Sequence[Assertion] = ()
) -> list[shapes.Count]:
    """Everything in the table and its items; `free` is null where no parameters are declared."""
    return [
        shapes.filled(
            shapes.Count,
            counts,
            **asked_json(spec),
            **figures_json(spec, counts),
            tensors=[_tensor_json(tensor) for tensor in counted_tensors(counts)],
            claims=claims_json(results),
            assertions=[_assertion_json(assertion, counts) for assertion in assertions],
        )
        for (spec, counts), results in zip(counted, claims, strict=True)
    ]


def _tensor_json(tensor: TensorCount) -> shapes.CountedTensor:
    lines = [shapes.filled(shapes.CountedLine, line, **equation_json(line.equation)) for line in tensor.lines]
    return shapes.filled(shapes.CountedTensor, tensor, tied_to=tensor.tie, lines=lines)


def _assertion_json(assertion: Assertion, counts: Counts) -> shapes.Assertion:
    found, holds = counts.by_rule(assertion.figure), assertion.holds(counts)
    return shapes.filled(shapes.Assertion, assertion, assertion=str(assertion), found=found, holds=holds)


def figures_json(spec: Spec, counts: Counts) -> shapes.Counted:
    """The figures, the author's own count (null where there is none) and the listing, as every command prints them."""
    stated = author_count(spec)
    figures = {rule: counts.by_rule(rule) for rule in SHOWN_RULES if rule != LISTING}
    return shapes.filled(
        shapes.Counted,
        counts,
        counts=cast(shapes.Figures, figures),
        claimed=None if stated is None else stated.count,
        claimed_rule=None if stated is None else stated.rule or None,
        claimed_note=None if stated is None else stated.note or None,
        hard_coded=[shapes.filled(shapes.HardCoded, item, name=item.name or None) for item in counts.hard_coded],
    )


def print_claims(claims: Sequence[ClaimResult], call: Callable[..., str]) -> None:
    """Each claim of a spec, held, failed or not checked; `call(command, *options)` is the call that checks it."""
    if not claims:
        return
    styles = {"held": "green", "failed": "bold red"}
    rows = table("claim", "", "")
    checked = [claim for claim in claims if claim.status != "not checked"]
    for claim in checked:
        rows.add_row(text(claim.claim), text(claim.status, styles[claim.status]), text(claim.reason))
    out = console()
    if checked:
        out.print(rows)
    for claim in claims:
        if claim.status == "not checked" and claim.checked_by:
            out.print(text(f"not checked: {claim.claim}; `{call(*claim.checked_by)}` checks it", "dim"), soft_wrap=True)
    reasons = Counter(claim.reason for claim in claims if claim.status == "not checked" and not claim.checked_by)
    for reason, times in reasons.items():
        out.print(text(f"{times} {'claim' if times == 1 else 'claims'} not checked: {reason}", "dim"))


def claims_json(claims: Sequence[ClaimResult]) -> list[shapes.Claim]:
    return [shapes.filled(shapes.Claim, claim, **file_and_line(claim.span)) for claim in claims]
