"""What `verify` finds of each spec, and how long it takes: `.venv/bin/python -m benchmarks.verify_speed [SPEC]...`"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import click
import torch

from benchmarks.engine_speed import ROOT, every_spec
from benchmarks.page import NoSection, TableWriter, cores, cpu, markdown_table, put, text_table
from compiler import Spec, SpecError, load, verify
from compiler.expressions.proportions import amount, shares, three_figures
from compiler.readers.counting.claims import check_verdict
from compiler.terminal.plain import say
from compiler.verifier.results import VERSION, Verification
from compiler.verifier.sharing import processes

TINY = "specs/tiny95.yaml"
VARIANTS = (  # just below and just above where the failures end; overflow; other bases and lengths
    (TINY, ("v_scale=1e8",)),
    (TINY, ("v_scale=9.59e6",)),
    (TINY, ("v_scale=9.601e6",)),
    (TINY, ("v_scale=1e294",)),
    (TINY, ("base=5", "digits=16")),
    (TINY, ("base=16", "digits=8")),
    ("specs/tiny95-exact.yaml", ("base=5", "digits=16")),
    ("specs/tiny95-exact.yaml", ("base=16", "digits=8")),
    ("specs/gallery/Lokimorty_12p.yaml", ("base=5", "digits=16")),
    ("specs/gallery/Lokimorty_12p.yaml", ("base=16", "digits=8")),
)
NONE = "–"
ABOUT = (
    "seconds, sweeps in {processes} processes, with torch {torch}, engine {engine}; {cpu}, {cores} cores; at most"
    " {budget:g} s for each"
)


@dataclass(frozen=True)
class Verified:
    """A spec, or a variant of one, and what was found."""

    spec: Spec
    found: Verification

    @property
    def cells(self) -> int:
        return sum(step.cells for step in self.found.steps)

    @property
    def as_claimed(self) -> bool:
        """Whether nothing was found that the spec denies."""
        claim = check_verdict(self.spec, self.found.verdict)
        return claim is None or claim.status != "failed"


@click.command(context_settings={"max_content_width": 110})
@click.argument("specs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Verify this variant of each SPEC.")
@click.option(
    "--budget",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="For each of them at most so long.",
)
@click.option("--json", "printed_as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--page",
    type=click.Path(path_type=Path),
    metavar="FILE.md",
    help="Verify all specs and variants, and write both tables into the page; `make verdicts` does.",
)
def main(
    specs: tuple[Path, ...], settings: tuple[str, ...], budget: float, printed_as_json: bool, page: Path | None
) -> None:
    """Verify every SPEC; if none is given, all in specs/ and specs/gallery/, and then variants of some of them.

    Prints the verdict, between which shares of all inputs those lie that are answered wrong, the smallest lead of a
    right token that is proved, seconds, how many sets of inputs were looked at, and how many columns had to be told
    apart. Run nothing else meanwhile.

    Exit codes: 0 all as the specs claim; 1 a claim is refuted; 2 a spec or the call is wrong.

    \b
    .venv/bin/python -m benchmarks.verify_speed
    .venv/bin/python -m benchmarks.verify_speed specs/tiny95.yaml --set v_scale=1e8
    """
    if page is not None and (specs or settings or printed_as_json):
        raise click.UsageError("--page takes no SPEC, and none of --set, --json")
    if settings and not specs:
        raise click.UsageError("--set needs a SPEC")
    calls: dict[str, Sequence[tuple[Path, tuple[str, ...]]]] = {
        "verdicts": [(path, settings) for path in specs or every_spec()],
        "variants": [] if specs else [(ROOT / name, changes) for name, changes in VARIANTS],
    }
    loaded = {section: [_loaded(*call) for call in own] for section, own in calls.items() if own}
    found = {section: list(_verified(own, budget)) for section, own in loaded.items()}
    every = list(chain.from_iterable(found.values()))
    if printed_as_json:
        click.echo(json.dumps({"machine": machine(budget), "verified": list(map(as_json, every))}, indent=2))
    else:
        _show(found, budget, page)
    wrong = [one.spec.title for one in every if not one.as_claimed]
    for title in wrong:
        say(f"{title}: not what the spec claims", error=True)
    sys.exit(1 if wrong else 0)


def _loaded(path: Path, settings: Sequence[str]) -> Spec:
    try:
        return load(path, tuple(settings), allow_overflow=True)
    except SpecError as error:
        raise click.UsageError(str(error)) from None


def _verified(specs: Sequence[Spec], budget: float) -> Iterator[Verified]:
    for spec in specs:
        say(f"{spec.title} ...", error=True)
        try:
            found = verify(spec, budget=budget)
        except SpecError as error:
            raise click.UsageError(f"{spec.title}: {error}") from None
        if found.ending == "interrupted":
            raise KeyboardInterrupt
        yield Verified(spec, found)


def _show(found: dict[str, list[Verified]], budget: float, page: Path | None) -> None:
    about = ABOUT.format(**machine(budget))
    for section, own in found.items():
        text = f"{about}\n\n{table(own, text_table if page is None else markdown_table)}"
        if page is None:
            click.echo(text)
            continue
        try:
            put(page, section, text)
        except (OSError, NoSection) as error:
            raise click.UsageError(str(error)) from None


def machine(budget: float) -> dict[str, Any]:
    number = processes(torch.get_num_threads())
    shown = {"cpu": cpu(), "cores": cores(), "processes": number, "torch": torch.__version__}
    return {**shown, "engine": VERSION, "budget": budget}


def table(rows: Sequence[Verified], write: TableWriter) -> str:
    header = ["spec", "verdict", "answered wrong", "of", "smallest margin", "seconds", "cells", "columns"]
    return write(header, [_row(one) for one in rows])


def _row(one: Verified) -> list[str]:
    found = one.found
    margin = NONE if found.margin is None else three_figures(found.margin.proved, up=False)
    seconds = f"{found.seconds:.1f}" + ("" if found.ending == "complete" else "+")
    window = max((step.window for step in found.steps), default=0)
    failing = shares(*found.failing, found.inputs)
    counts = [f"{one.cells:,}", str(window)]
    return [one.spec.title, found.verdict.upper(), failing, amount(found.inputs), margin, seconds, *counts]


def as_json(one: Verified) -> dict[str, Any]:
    """The same for scripts; `python cli.py verify --json` says more."""
    found = one.found
    return {
        "spec": os.path.relpath(one.spec.path, ROOT),
        "settings": list(one.spec.settings),
        "verdict": found.verdict,
        "failing": {"at_least": found.failing[0], "at_most": found.failing[1]},
        "inputs": found.inputs,
        "margin": None if found.margin is None else found.margin.proved,
        "seconds": found.seconds,
        "ending": found.ending,
        "cells": one.cells,
        "columns": max((step.window for step in found.steps), default=0),
        "wrong": {step.place: step.wrong for step in found.steps if step.wrong},
        "open": {step.place: step.open for step in found.steps if step.open},
    }


if __name__ == "__main__":
    main()
