"""What became of the answers without each unit of a model."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from compiler.pipeline import Spec
from compiler.terminal import shapes
from compiler.terminal.console import console, first, table, text
from compiler.terminal.overview import of_spec

if TYPE_CHECKING:  # it imports torch
    from compiler.evaluation.ablation import AblatedUnit, Ablation

KIND_NAMES = {"head": "heads", "hidden": "hidden units", "stream": "stream, after every step"}


def print_ablation(ablation: Ablation) -> None:
    """The units by step and kind, with what is right without each; those without which nothing changes are named."""
    rows = table("without", "unit", "right", "of", "changed", right=["right", "of", "changed"])
    rows.add_row(text("nothing"), "", f"{ablation.right:,}", f"{ablation.inputs:,}", "")
    for _, group in groupby(first(ablation.units, rows), key=_heading):
        for number, ablated in enumerate(group):
            figures = f"{ablated.right:,}", f"{ablation.inputs:,}", f"{ablated.changed:,}"
            style = "" if ablated.changed else "yellow"
            rows.add_row(text("" if number else _heading(ablated)), text(ablated.unit.name, style), *figures)
    out = console()
    out.print(rows)
    out.print()
    for line in _lines(ablation):
        out.print(text(line))


def _heading(ablated: AblatedUnit) -> str:
    kind = KIND_NAMES[ablated.unit.kind]
    return kind if ablated.unit.step is None else f"{ablated.unit.step}, {kind}"


def _lines(ablation: Ablation) -> list[str]:
    """What changes no answer, and how that was found."""
    unneeded, total = ablation.unneeded, len(ablation.units)
    found = f"{len(unneeded)} of {total:,} units change no answer"
    named = f"{found}: {', '.join(map(str, unneeded))}" if unneeded else f"each of {total:,} units changes an answer"
    seed = "" if ablation.seed is None else f", seed {ablation.seed}"
    by = "zero" if ablation.by == "zero" else "its value for another input"
    return [named, f"each unit replaced by {by}; {', '.join(ablation.suites)}{seed}; in batches"]


def ablation_json(spec: Spec, ablation: Ablation) -> shapes.Ablation:
    """All figures."""
    units = [
        shapes.filled(shapes.AblatedUnit, ablated, kind=unit.kind, step=unit.step, name=unit.name)
        for ablated in ablation.units
        for unit in (ablated.unit,)
    ]
    return shapes.filled(shapes.Ablation, ablation, **of_spec(spec), suites=list(ablation.suites), units=units)
