"""What became of a report, and the report as JSON."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.report.markdown.page import findings
from compiler.report.reporting import Report, ReportedModel
from compiler.terminal import shapes
from compiler.terminal.console import console, diagnostics_json, print_diff, text
from compiler.terminal.counts import claims_json, figures_json
from compiler.terminal.evaluations import failures_json
from compiler.terminal.overview import asked_json

if TYPE_CHECKING:  # it imports torch
    from compiler.evaluation.evaluation import SuiteResult

MAX_DIFFERENCES = 40  # lines of a diff that are printed
LONGEST_LINE = 2000  # characters of one of them; a page for a browser has its JSON in one line


def print_stale(path: Path, before: str, after: str, command: str) -> None:
    """What differs between a file and the report that it should be, and what renews it."""
    out = console()
    lines = _differences(path, _unpadded(before), _unpadded(after)) or _differences(path, before, after)
    print_diff(lines[:MAX_DIFFERENCES])
    if len(lines) > MAX_DIFFERENCES:
        out.print(text(f"and {len(lines) - MAX_DIFFERENCES:,} more lines", "dim"))
    out.print(text(f"{path} is stale. This renews it:", "bold red"))
    out.print(text(f"  {command}"), soft_wrap=True)


def _differences(path: Path, before: str, after: str) -> list[str]:
    names = (str(path), f"{path} as it should be")
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), *names, n=0, lineterm="")
    return [line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} …" for line in lines]


def _unpadded(page: str) -> str:
    """Tables without what makes their columns equally wide, which one long cell changes in every row."""
    return re.sub(r"^\|.*$", lambda row: re.sub(r" +|(?<=--)-+", " ", row[0]), page, flags=re.MULTILINE)


def report_json(report: Report, file: Path | None, *, stale: bool | None) -> shapes.Report:
    """Everything in the report; `stale` is null where no file was checked."""
    names = {id(model): model.spec.title for model in report.models}
    return {
        "file": None if file is None else str(file),
        "stale": stale,
        "models": [_model_json(model) for group in report.groups for model in group.models],
        "findings": [{"about": heading, "sentences": sentences} for heading, sentences in findings(report, names)],
    }


def _model_json(model: ReportedModel) -> shapes.Model:
    spec = model.spec
    return shapes.filled(
        shapes.Model,
        model.dimensions,
        **asked_json(spec),
        summary=spec.resolved.summary,
        source=spec.resolved.source,
        dtype=spec.network.dtype.name,
        stream=list(model.dimensions.residual),
        lines=model.lines.own,
        lines_extended=model.lines.extended,
        **figures_json(spec, model.counts),
        agreeing=list(model.agreeing),
        suites=[_suite_json(result) for result in model.results],
        verdict=model.verdict,
        reason=model.reason or None,
        by_size=[{"size": size, "verdict": verdict} for size, verdict in model.by_size.items()],
        claims=claims_json(model.claims),
        disclosures=diagnostics_json(model.disclosures),
    )


def _suite_json(result: SuiteResult) -> shapes.ModelSuite:
    failures = [failure for part in result.parts for failure in failures_json(part)]
    parts = [shapes.filled(shapes.ModelPart, part) for part in result.parts]
    return shapes.filled(shapes.ModelSuite, result, failures=failures, parts=parts)
