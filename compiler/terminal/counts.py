"""The counts of one or several specs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from compiler.claims import ClaimResult
from compiler.counting import LISTING, RULES, Counts, HardCoded
from compiler.pipeline import Spec
from compiler.terminal.console import MAX_ROWS, console, first, number, table, text

Counted = tuple[Spec, Counts]


def print_counts(counted: Sequence[Counted], *, by_tensor: bool) -> None:
    """One table with a row for each spec; with `by_tensor`, each spec itemised down to its lines."""
    out = console()
    rows = table("spec", *RULES, right=RULES)
    for spec, counts in counted:
        dense = str(counts.dense)
        if counts.dense_untied != counts.dense:
            dense += f" ({counts.dense_untied} untied)"
        values = f"{counts.values} ({counts.values_with_zero} with 0)"
        free = "undeclared" if counts.free is None else str(counts.free)
        figures = [dense, str(counts.nonzero), str(counts.distinct), values, free, str(len(counts.hard_coded))]
        rows.add_row(text(spec.title), *figures)
    out.print(rows)
    for spec, counts in counted:
        if counts.hard_coded:
            listed = ", ".join(_hard_coded(spec, item) for item in counts.hard_coded[:MAX_ROWS])
            more = len(counts.hard_coded) - MAX_ROWS
            rest = f" and {more:,} more; see --json" if more > 0 else ""
            out.print(text(f"hard-coded in {spec.title}: {listed}{rest}"))
        if by_tensor:
            _print_items(spec, counts)


def _hard_coded(spec: Spec, item: HardCoded) -> str:
    """`base = 10 (line 21)`; the file too, where it is not the spec's own."""
    place = f"line {item.line}" if item.file == str(spec.path) else f"{Path(item.file).name}:{item.line}"
    return f"{item.name + ' = ' if item.name else ''}{number(item.value)} ({place})"


def _print_items(spec: Spec, counts: Counts) -> None:
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


def counts_json(counted: Sequence[Counted], claims: Sequence[Sequence[ClaimResult]]) -> list[dict[str, object]]:
    """Everything in the table and its items; `free` is null where no parameters are declared."""
    return [
        {
            "spec": str(spec.path),
            "name": spec.name,
            "settings": list(spec.settings),
            "counts": {rule: counts.by_rule(rule) for rule in RULES if rule != LISTING},
            "dense_untied": counts.dense_untied,
            "values_with_zero": counts.values_with_zero,
            "free_names": list(counts.free_names),
            "hard_coded": [
                {"name": item.name or None, "value": item.value, "file": item.file, "line": item.line}
                for item in counts.hard_coded
            ],
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
                for group in counts.groups
                for tensor in group.tensors
            ],
            "claims": claims_json(own),
        }
        for (spec, counts), own in zip(counted, claims, strict=True)
    ]


def print_claims(claims: Sequence[ClaimResult]) -> None:
    """Each claim of a spec, held, failed or not checked."""
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
    reasons = Counter(claim.reason for claim in claims if claim.status == "not checked")
    for reason, times in reasons.items():
        out.print(text(f"{times} {'claim' if times == 1 else 'claims'} not checked: {reason}", "dim"))


def claims_json(claims: Sequence[ClaimResult]) -> list[dict[str, object]]:
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
