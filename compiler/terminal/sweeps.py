"""The rows of a sweep: as a table, best and worst first, as JSON, and as files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import cast

from compiler.sweeps.results import PointResult, PointSuite, SavedRow, SweepRow
from compiler.sweeps.row_files import csv_text, parquet_data
from compiler.terminal import shapes
from compiler.terminal.console import console, json_text, number_text, table, text
from compiler.terminal.figures import measured

SHOWN_ROWS = 20  # of more, the best and the worst are printed
SHOWN_SUITES = 3  # of more, only the sum is printed
_RANKS: Mapping[str | None, int] = {"proved": 0, "open": 1, None: 1, "refuted": 2}


def print_sweep(rows: Sequence[SweepRow]) -> None:
    """A row for each point, the best first; of many, the best and the worst."""
    ordered = sorted(rows, key=_rank)
    columns = {name: cells for name, cells in _columns(ordered).items() if any(cells)}
    printed = table(*columns, right=set(columns) - {"spec", "verdict", "error"})
    lines = list(zip(*columns.values(), strict=True))
    half = SHOWN_ROWS // 2
    is_cut = len(lines) > SHOWN_ROWS
    for cells in lines[:half] if is_cut else lines:
        printed.add_row(*map(text, cells))
    if is_cut:
        printed.add_row(text(f"… {len(lines) - 2 * half:,} more", "dim"))
        for cells in lines[-half:]:
            printed.add_row(*map(text, cells))
    console().print(printed)


def _rank(row: SweepRow) -> tuple[object, ...]:
    """Errors last; by verdict, by the share of right answers, by how many may be wrong, by margin, by size."""
    result = row.result
    verdict = result.verdict
    return (
        result.error is not None,
        _RANKS[None if verdict is None else verdict.verdict],
        -Fraction(result.right, result.inputs) if result.inputs else 0,
        0 if verdict is None else verdict.at_most,
        -(verdict.margin or 0.0) if verdict is not None else 0.0,
        (result.counts or {}).get("dense") or 0,
        row.point.number,
    )


def _columns(rows: Sequence[SweepRow]) -> dict[str, list[str]]:
    """Titles with a cell for each row; a column whose cells are all empty is not to be shown."""
    specs = {row.point.spec.path for row in rows}
    columns = {"spec": [str(row.point.spec.path) if len(specs) > 1 else "" for row in rows]}
    for name in rows[0].point.values:
        columns[_unlike(name, columns)] = [row.point.values[name] for row in rows]
    results = [row.result for row in rows]
    names = _suites(results)
    for name in names if len(names) <= SHOWN_SUITES else ():
        columns[_unlike(name, columns)] = [_right(result, name) for result in results]
    if len(names) > SHOWN_SUITES:
        columns["right"] = [f"{result.right:,} of {result.inputs:,}" if result.inputs else "" for result in results]
    verdicts = [result.verdict for result in results]
    columns["verdict"] = ["" if verdict is None else verdict.verdict for verdict in verdicts]
    columns["wrong"] = ["" if verdict is None else _bracket(verdict.at_least, verdict.at_most) for verdict in verdicts]
    columns["margin"] = [
        "" if verdict is None or verdict.margin is None else measured(verdict.margin) for verdict in verdicts
    ]
    for figure in ("dense", "nonzero"):
        columns[figure] = [number_text(result.counts[figure]) if result.counts else "" for result in results]
    columns["error"] = ["" if result.error is None else result.error.message for result in results]
    return columns


def _unlike(name: str, columns: Mapping[str, object]) -> str:
    """A title that no other column has."""
    return name if name not in columns else _unlike(f"{name} ", columns)


def _suites(results: Sequence[PointResult]) -> list[str]:
    return list(dict.fromkeys(suite.suite for result in results for suite in result.suites))


def _suite(result: PointResult, name: str) -> PointSuite | None:
    return next((suite for suite in result.suites if suite.suite == name), None)


def _right(result: PointResult, name: str) -> str:
    suite = _suite(result, name)
    return "" if suite is None else f"{suite.right:,} of {suite.inputs:,}"


def _bracket(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def row_json(row: SavedRow) -> shapes.SweepRow:
    """A row as `--json` and files have it."""
    result = row.result
    verdict = result.verdict
    return shapes.filled(
        shapes.SweepRow,
        result,
        spec=row.spec,
        settings=dict(row.settings),
        counts=None if result.counts is None else cast(shapes.Figures, dict(result.counts)),
        verification=None
        if verdict is None
        else shapes.filled(
            shapes.SweptVerdict,
            verdict,
            failing={"at_least": verdict.at_least, "at_most": verdict.at_most},
            why_open=list(verdict.why),
        ),
        key=row.key,
    )


def sweep_json(rows: Sequence[SweepRow]) -> shapes.Sweep:
    return {
        "points": len(rows),
        "known": sum(row.known for row in rows),
        "errors": sum(row.result.error is not None for row in rows),
        "rows": [row_json(row.saved) for row in rows],
    }


def lines_text(rows: Sequence[SavedRow]) -> str:
    """A row as JSON in each line."""
    return "".join(f"{json.dumps(json.loads(json_text(row_json(row))))}\n" for row in rows)


ROW_FILES: Mapping[str, Callable[[Sequence[SavedRow]], bytes]] = {  # what writes them, by the ending of the file
    ".csv": lambda rows: csv_text(rows).encode(),
    ".jsonl": lambda rows: lines_text(rows).encode(),
    ".parquet": parquet_data,
}
