"""Rows of sweeps as columns with types: what CSV, Parquet and pandas have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Literal

from compiler.readers.counting.counts import LISTING, SHOWN_RULES
from compiler.source.extras import optional_module
from compiler.source.faults import no_rule
from compiler.sweeps.results import PointResult, SavedRow, SweepRow, result_of

if TYPE_CHECKING:
    from pandas import DataFrame

ColumnKind = Literal["integer", "number", "text"]
Cell = int | float | str | None

_FIGURES: Mapping[str, ColumnKind] = {rule: "integer" for rule in SHOWN_RULES if rule != LISTING}
_VERDICT: Mapping[str, ColumnKind] = {
    "verdict": "text",
    "inputs": "integer",
    "at_least": "integer",
    "at_most": "integer",
    "margin": "number",
    "lead": "number",
    "why": "text",
}
_BETWEEN = "; "  # what stands between the reasons of `why`
_LAST: Mapping[str, ColumnKind] = {**_VERDICT, "error": "text", "message": "text", "seconds": "number", "key": "text"}
_TYPES: Sequence[tuple[ColumnKind, re.Pattern[str], Callable[[str], Cell]]] = (  # of settings, by what their texts are
    ("integer", re.compile(r"[+-]?[0-9]{1,18}"), int),
    ("number", re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?"), float),
)


@dataclass(frozen=True)
class RowColumn:
    """A cell for each row: `int`, `float` or `str` by its kind, None where something is not known."""

    title: str
    kind: ColumnKind
    cells: tuple[Cell, ...]


def row_columns(rows: Sequence[SavedRow]) -> list[RowColumn]:
    """The spec, the settings as texts, figures, right answers and inputs of each suite, verdict, error, time and key.

    No two titles are the same: a later one gets spaces at its end.
    """
    columns = [RowColumn("spec", "text", tuple(row.spec for row in rows))]
    columns += [
        RowColumn(name, "text", tuple(row.settings.get(name) for row in rows))
        for name in dict.fromkeys(name for row in rows for name in row.settings)
    ]
    results = [row.result for row in rows]
    for figure, kind in _FIGURES.items():
        columns.append(RowColumn(figure, kind, tuple((result.counts or {}).get(figure) for result in results)))
    for name in dict.fromkeys(suite.suite for result in results for suite in result.suites):
        found = [next((suite for suite in result.suites if suite.suite == name), None) for result in results]
        columns.append(RowColumn(f"{name} right", "integer", tuple(suite.right if suite else None for suite in found)))
        columns.append(
            RowColumn(f"{name} inputs", "integer", tuple(suite.inputs if suite else None for suite in found))
        )
    last = zip(*map(_last_cells, rows), strict=True) if rows else ((),) * len(_LAST)
    columns += [RowColumn(*of, cells) for of, cells in zip(_LAST.items(), last, strict=True)]
    titles = set[str]()
    return [replace(column, title=_unlike(column.title, titles)) for column in columns]


def typed_columns(rows: Sequence[SavedRow]) -> list[RowColumn]:
    """The columns of rows, where settings whose values all are integers, or numbers, are those."""
    columns = row_columns(rows)
    names = {name for row in rows for name in row.settings}
    return [columns[0], *map(_typed, columns[1 : 1 + len(names)]), *columns[1 + len(names) :]]


def rows_of_table(titles: Sequence[str], lines: Sequence[Sequence[Cell]]) -> Iterator[SavedRow]:
    """The rows that `row_columns` or `typed_columns` were made of, but for the seeds of suites and the digest of the
    question. A line has a cell for each title, typed or as a text; "" is None. Raises `ValueError` for other titles."""
    known = [title.rstrip(" ") for title in titles]
    end = len(known) - len(_LAST)
    first = end
    while first > 1 and known[first - 2].endswith(" right") and known[first - 1].endswith(" inputs"):
        first -= 2
    settings = first - len(_FIGURES)
    if settings < 1 or [known[0], *known[settings:first], *known[end:]] != ["spec", *_FIGURES, *_LAST]:
        raise ValueError("these are no columns of a sweep")
    suites = [name.removesuffix(" right") for name in known[first:end:2]]
    for line in lines:
        cells = [None if cell == "" else cell for cell in line]
        values = zip(known[1:settings], cells[1:settings], strict=True)
        yield SavedRow(
            str(cells[0]),
            {name: _text(value) for name, value in values if value is not None},
            str(cells[-1]),
            _result(cells[settings:first], suites, cells[first:end], cells[end:]),
        )


def to_pandas(rows: Sequence[SavedRow | SweepRow]) -> DataFrame:
    """Rows of `sweep` or `read_rows` as a table of pandas, with the columns of `--out`.

    Settings that are numbers are numbers. What is not known is missing; integers that no int64 holds are objects.
    Raises `SpecError` where pandas is not installed.
    """
    pandas = optional_module("pandas", "pandas")
    saved = [row.saved if isinstance(row, SweepRow) else row for row in rows]
    series = {column.title: pandas.Series(column.cells, dtype=_pandas_type(column)) for column in typed_columns(saved)}
    table: DataFrame = pandas.DataFrame(series)
    return table


def _pandas_type(column: RowColumn) -> str:
    match column.kind:
        case "integer":
            return "Int64" if fits_int64(column) else "object"
        case "number":
            return "float64"
        case "text":
            return "string"
        case _:
            raise no_rule("kind of column", column.kind)


def fits_int64(column: RowColumn) -> bool:
    """Whether each cell of a column of integers is one of 64 bits."""
    return all(isinstance(cell, int) and abs(cell) < 1 << 63 for cell in column.cells if cell is not None)


def _last_cells(row: SavedRow) -> tuple[Cell, ...]:
    found = row.result.verdict
    verdict = [None] * len(_VERDICT) if found is None else [*astuple(found)[:-1], _BETWEEN.join(found.why) or None]
    error = [None, None] if row.result.error is None else astuple(row.result.error)
    return (*verdict, *error, row.result.seconds, row.key)


def _unlike(title: str, titles: set[str]) -> str:
    while title in titles:
        title += " "
    titles.add(title)
    return title


def _typed(column: RowColumn) -> RowColumn:
    texts = [str(cell) for cell in column.cells if cell is not None]
    for kind, pattern, read in _TYPES:
        if all(map(pattern.fullmatch, texts)):
            cells = (None if cell is None else read(str(cell)) for cell in column.cells)
            return RowColumn(column.title, kind, tuple(cells))
    return column


def _text(value: Cell) -> str:
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _result(
    figures: Sequence[Cell], suites: Sequence[str], answers: Sequence[Cell], last: Sequence[Cell]
) -> PointResult:
    """Raises `ValueError` or `TypeError` where the cells are none of a result."""
    counts = dict(zip(_FIGURES, map(_integer, figures), strict=True))
    found = zip(suites, map(_integer, answers[::2]), map(_integer, answers[1::2]), strict=True)
    cells = {title: _READ[kind](cell) for (title, kind), cell in zip(_LAST.items(), last, strict=True)}
    why = [] if cells["why"] is None else str(cells["why"]).split(_BETWEEN)
    return result_of(
        {
            "counts": None if all(count is None for count in counts.values()) else counts,
            "suites": [
                {"suite": name, "seed": None, "inputs": inputs, "right": right}
                for name, right, inputs in found
                if inputs is not None
            ],
            "verdict": None if cells["verdict"] is None else {**{name: cells[name] for name in _VERDICT}, "why": why},
            "error": None if cells["error"] is None else {"code": cells["error"], "message": cells["message"]},
            "seconds": cells["seconds"],
        }
    )


def _integer(cell: Cell) -> int | None:
    return None if cell is None else int(cell)


def _number(cell: Cell) -> float | None:
    return None if cell is None else float(cell)


_READ: Mapping[ColumnKind, Callable[[Cell], Cell]] = {"integer": _integer, "number": _number, "text": lambda cell: cell}
