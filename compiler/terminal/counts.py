"""The counts of specs: itemised by tensor, as JSON, and against what is claimed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import cast

from compiler.pipeline import Spec
from compiler.readers.counting.assertions import Assertion
from compiler.readers.counting.claims import ClaimResult, author_count
from compiler.readers.counting.counts import LISTING, SHOWN_RULES, Counts, counted_tensors
from compiler.terminal import shapes
from compiler.terminal.console import console, first, table, text
from compiler.terminal.overview import of_spec

Counted = tuple[Spec, Counts]


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
    if counts.free is not None:
        out.print(text(f"free: {', '.join(counts.free_names) or 'none'}"))


def counts_json(
    counted: Sequence[Counted], claims: Sequence[Sequence[ClaimResult]], assertions: Sequence[Assertion] = ()
) -> list[shapes.Count]:
    """Everything in the table and its items; `free` is null where no parameters are declared."""
    return [
        {
            **of_spec(spec),
            **figures_json(spec, counts),
            "free_names": list(counts.free_names),
            "tensors": [
                {
                    "name": tensor.name,
                    "shape": list(tensor.shape),
                    "dense": tensor.dense,
                    "nonzero": tensor.nonzero,
                    "tied_to": tensor.tie,
                    "lines": [
                        {
                            "file": line.equation.span.source.name,
                            "line": line.equation.span.line,
                            "equation": str(line.equation),
                            "written": line.written,
                            "nonzero": line.nonzero,
                        }
                        for line in tensor.lines
                    ],
                }
                for tensor in counted_tensors(counts)
            ],
            "claims": claims_json(own),
            "assertions": [
                {
                    "assertion": str(one),
                    "figure": one.figure,
                    "found": counts.by_rule(one.figure),
                    "holds": one.holds(counts),
                }
                for one in assertions
            ],
        }
        for (spec, counts), own in zip(counted, claims, strict=True)
    ]


def figures_json(spec: Spec, counts: Counts) -> shapes.Counted:
    """The figures, the author's own count (null where there is none) and the listing, as every command prints them."""
    stated = author_count(spec)
    return {
        "counts": cast(shapes.Figures, {rule: counts.by_rule(rule) for rule in SHOWN_RULES if rule != LISTING}),
        "dense_untied": counts.dense_untied,
        "values_with_zero": counts.values_with_zero,
        "claimed": None if stated is None else stated.count,
        "claimed_rule": None if stated is None else stated.rule or None,
        "claimed_note": None if stated is None else stated.note or None,
        "hard_coded": [
            {"name": item.name or None, "value": item.value, "whole": item.whole, "file": item.file, "line": item.line}
            for item in counts.hard_coded
        ],
    }


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
    return [
        {
            "claim": claim.claim,
            "status": claim.status,
            "reason": claim.reason,
            "file": claim.span.source.name,
            "line": claim.span.line,
        }
        for claim in claims
    ]
