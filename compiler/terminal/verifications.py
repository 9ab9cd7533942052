"""What a verification finds, for people."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.expressions.proportions import amount, share, shares, three_figures
from compiler.pipeline import Spec
from compiler.terminal.console import console, table, text
from compiler.terminal.layout import Rows
from compiler.verifier.results import VERSION, Margin, SizeResult, StepResult, Verification

_STYLES = {"proved": "bold green", "refuted": "bold red", "open": "bold yellow"}


def print_verification(spec: Spec, verification: Verification, budget: float) -> None:
    """The verdict and what it means, the smallest margin, the counterexample, the steps, and what all this rests on."""
    out = console()
    out.print(text(f"{spec.title}: "), text(verification.verdict.upper(), _STYLES[verification.verdict]), sep="")
    out.print(text(meaning(verification)))
    for reason in verification.why:
        out.print(text(reason))
    for part in (
        _facts(verification),
        _sizes(verification.by_size),
        _steps(verification.steps),
        _basis(verification, budget),
    ):
        if part.row_count:
            out.print()
            out.print(part)


def print_verdicts(verified: Sequence[tuple[Spec, Verification]]) -> None:
    """One line for each of several specs."""
    rows = table("spec", "verdict", "failing inputs", "of", "smallest margin", "seconds", right=["seconds"])
    for spec, verification in verified:
        margin = "–" if verification.margin is None else three_figures(verification.margin.proved, up=False)
        rows.add_row(
            text(spec.title),
            text(verification.verdict.upper(), _STYLES[verification.verdict]),
            shares(*verification.failing, verification.inputs),
            amount(verification.inputs),
            margin,
            f"{verification.seconds:.1f}",
        )
    console().print(rows)


def meaning(verification: Verification) -> str:
    """What the verdict says of all inputs, in a line with exact numbers."""
    low, high = verification.failing
    every, shown = amount(verification.inputs), shares(low, high, verification.inputs)
    if verification.counts == "bounds":
        every = f"at most {every}"
    if verification.verdict == "proved":
        return f"every one of {every} inputs is answered right"
    if verification.counts == "bounds" and verification.verdict == "open":
        undecided = _counted(high - low, verification.inputs, up=True)
        return f"of {every} inputs: at most {undecided} are not surely right"
    if verification.verdict == "open":
        parts = (("right", verification.inputs - high), ("wrong", low), ("undecided", high - low))
        said = ", ".join(
            f"{_counted(number, verification.inputs, up=name == 'undecided')} {name}" for name, number in parts
        )
        return f"of {every} inputs: {said}"
    if low == high:
        return f"{amount(low)} of {every} inputs are answered wrong ({shown})"
    return f"between {amount(low)} and {amount(high)} of {every} inputs are answered wrong ({shown})"


def _facts(verification: Verification) -> Rows:
    """The counterexample and the smallest margin, as far as there are any."""
    rows = table("", "")
    if (example := verification.counterexample) is not None:
        rows.add_row("counterexample", text(example.text))
        rows.add_row("right answer", text(example.right))
        rows.add_row("torch module", text(f"{example.answer}, by greedy decoding"))
        rows.add_row("first wrong", text(f"{example.place}: {example.said} instead of {example.expected}"))
    if (margin := verification.margin) is not None:
        name = "smallest margin" if verification.verdict == "proved" else "margin where right"
        rows.add_row(name, text(f"{_least(margin)}, at {verification.place(margin)}"))
    if (seen := verification.seen) is not None:
        rows.add_row("smallest seen", text(f"{seen.lead:.3g} for {seen.text}, at {verification.place(seen)}"))
        rows.add_row(
            "",
            text(
                f"the smallest lead of the torch module on {verification.tried:,} inputs, over {_tokens(verification)}"
            ),
        )
    return rows


def _least(margin: Margin) -> str:
    least = f"at least {three_figures(margin.proved, up=False)}"
    if not margin.rounding:
        return least
    return f"{least}, with {three_figures(margin.rounding, up=True)} taken off for rounding"


def _tokens(verification: Verification) -> str:
    if verification.by_size:
        return "the tokens that are right on all inputs"
    right = sum(step.seen is not None for step in verification.steps)
    if right == len(verification.steps):
        return "all tokens"
    return f"the {right} of {len(verification.steps)} tokens that are right on all inputs"


def _sizes(by_size: Sequence[SizeResult]) -> Rows:
    """A row for each choice of sizes, where these are ranges."""
    right = ("inputs", "margin", "seconds")
    rows = table("size", "verdict", "inputs", "wrong", "margin", "method", "seconds", right=right)
    for part in by_size:
        found = part.verification
        rows.add_row(
            text(part.title),
            text(found.verdict.upper(), _STYLES[found.verdict]),
            f"{'at most ' if found.counts == 'bounds' else ''}{amount(found.inputs)}",
            shares(*found.failing, found.inputs),
            "–" if found.margin is None else three_figures(found.margin.proved, up=False),
            found.method,
            f"{found.seconds:.1f}",
        )
    return rows


def _steps(steps: Sequence[StepResult]) -> Rows:
    """A row for each predicted token: shares of the inputs, exact numbers of those that are not right."""
    figures = ("right", "wrong", "open", "cells", "columns", "margin")
    whys = ["" if step.reason is None else step.reason.short for step in steps]
    why = [""] if len({*whys} - {""}) > 1 else []  # one reason is stated above
    rows = table("token", *figures, *why, right=figures)
    for step, reason in zip(steps, whys, strict=True):
        every = step.right + step.wrong + step.open
        rows.add_row(
            text(step.place),
            share(step.right, every, up=False),
            text(_counted(step.wrong, every, up=False), "red" if step.wrong else ""),
            text(_counted(step.open, every, up=True), "yellow" if step.open else ""),
            f"{step.cells:,}",
            str(step.window),
            "–" if step.margin is None else three_figures(step.margin.proved, up=False),
            *[text(reason) for _ in why],
        )
    return rows


def _basis(verification: Verification, budget: float) -> Rows:
    """How it was found, and what it rests on."""
    ends = {
        "complete": "",
        "budget": f"; ended by the budget of {budget:g} s, --budget gives more",
        "interrupted": "; interrupted",
    }
    rows = table("", "")
    method = "several, by size" if verification.method == "several" else verification.method
    rows.add_row("method", f"{method}, engine {VERSION}")
    if verification.counts == "bounds":
        rows.add_row("counts", "bounds: `only` excludes inputs that are counted")
    if verification.cross_checked is not None:
        rows.add_row("equations", f"say what the columns say, of {verification.cross_checked:,} inputs")
    rows.add_row("arithmetic", f"{verification.dtype}, torch {verification.torch_version}")
    rows.add_row("assumptions", text(verification.assumptions))
    rows.add_row("time", f"{verification.seconds:.1f} s{ends[verification.ending]}")
    return rows


def _counted(number: int, every: int, *, up: bool) -> str:
    """An exact number with its share: `22,500,000,000,000 (2.25e-7)`."""
    return "0" if not number else f"{amount(number)} ({share(number, every, up=up)})"
