"""Files of rows: written whole as CSV or Parquet; read back, lines of JSON and journals too."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from compiler.source.diagnostics import fail
from compiler.source.extras import optional_module
from compiler.source.faults import no_rule
from compiler.sweeps.journal import JOURNAL_NAME, row_of_entry
from compiler.sweeps.results import SavedRow, result_of
from compiler.sweeps.tables import RowColumn, fits_int64, row_columns, rows_of_table, typed_columns

MAX_ROWS_BYTES = 1 << 30  # of a file that is read back
_EXTRA = "weightspec[parquet]"
_PARQUET_START = b"PAR1"
_DECIMAL_DIGITS = 38  # of the longest integers that have a type in Parquet


def read_rows(path: str | Path) -> tuple[SavedRow, ...]:
    """The rows of a file that `--out` wrote, or of a journal; which of them it is, its content says.

    Of a journal these are all points that it has, each as it was computed last; lines that are damaged, or being
    written, are left out. CSV and Parquet lack the seeds of suites and the digest of the question. Raises `SpecError`
    for a file that cannot be read, or that has no such rows.
    """
    data = _content(Path(path))
    try:
        if not data:
            raise ValueError("it is empty")
        if data.startswith(_PARQUET_START):
            return tuple(_parquet_rows(data))
        if data.startswith(b"{"):
            return tuple(_line_rows(data))
        titles, *lines = csv.reader(io.StringIO(data.decode(), newline=""))
        return tuple(rows_of_table(titles, lines))
    except KeyError as error:
        message = f"a line has no field {error}"
    except (ValueError, TypeError, RecursionError, csv.Error) as error:
        message = next(iter(str(error).splitlines()), type(error).__name__)
    hint = "name a file that `sweep --out` wrote, or a journal"
    raise fail("bad-value", f"{path} has no rows of a sweep: {message[:200]}", hint=hint)


def _content(path: Path) -> bytes:
    """Raises `SpecError`."""
    try:
        if path.exists() and not path.is_file():
            raise fail("cannot-read", f"cannot read {path}: it is no regular file")
        with path.open("rb") as file:
            data = file.read(MAX_ROWS_BYTES + 1)
    except FileNotFoundError:
        raise fail("missing-file", f"there is no file {path}") from None
    except (OSError, ValueError) as error:
        raise fail("cannot-read", f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > MAX_ROWS_BYTES:
        raise fail("too-large", f"{path} has more than {MAX_ROWS_BYTES:,} bytes")
    return data


def csv_text(rows: Sequence[SavedRow]) -> str:
    """A row in each line, below the titles of the columns; empty where something is not known."""
    columns = row_columns(rows)
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(column.title for column in columns)
    writer.writerows(zip(*(column.cells for column in columns), strict=True))
    return written.getvalue()


def parquet_data(rows: Sequence[SavedRow]) -> bytes:
    """A Parquet file with a typed column for each of `csv_text`.

    Integers are int64; those with more bits decimals, or texts where they have more digits than these. Raises
    `SpecError` where pyarrow is not installed.
    """
    pyarrow = optional_module("pyarrow", _EXTRA)
    parquet = optional_module("pyarrow.parquet", _EXTRA)
    arrays = {column.title: _array(pyarrow, column) for column in typed_columns(rows)}
    written = io.BytesIO()
    parquet.write_table(pyarrow.table(arrays), written)
    return written.getvalue()


def _array(pyarrow: Any, column: RowColumn) -> Any:
    match column.kind:
        case "text":
            return pyarrow.array(column.cells, pyarrow.string())
        case "number":
            return pyarrow.array(column.cells, pyarrow.float64())
        case "integer" if fits_int64(column):
            return pyarrow.array(column.cells, pyarrow.int64())
        case "integer":
            texts = [None if cell is None else str(cell) for cell in column.cells]
            made = pyarrow.array(texts, pyarrow.string())
            fits = all(len(text.lstrip("-")) <= _DECIMAL_DIGITS for text in texts if text is not None)
            return made.cast(pyarrow.decimal128(_DECIMAL_DIGITS, 0)) if fits else made
        case _:
            raise no_rule("kind of column", column.kind)


def _parquet_rows(data: bytes) -> Iterator[SavedRow]:
    """Raises `ValueError` for other columns, and `SpecError` where pyarrow is not installed."""
    parquet = optional_module("pyarrow.parquet", _EXTRA)
    table = parquet.read_table(io.BytesIO(data))  # what it raises is a ValueError, or an OSError
    columns = [column.to_pylist() for column in table.columns]
    return rows_of_table(table.column_names, list(zip(*columns, strict=True)))


def _line_rows(data: bytes) -> Iterator[SavedRow]:
    """Rows of lines of JSON. Raises `ValueError`, `KeyError` or `TypeError` for a line that is none."""
    first, *lines = data.splitlines()
    if (entry := json.loads(first)).get("journal") != JOURNAL_NAME:
        yield _row_of_json(entry)
        for line in lines:
            yield _row_of_json(json.loads(line))
        return
    known: dict[str, SavedRow] = {}
    for line in lines:
        try:
            row = row_of_entry(json.loads(line))
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        known[row.key] = row
    yield from known.values()


def _row_of_json(entry: Mapping[str, Any]) -> SavedRow:
    """What a row of `--json` says, as `compiler.terminal.shapes.SweepRow` describes it."""
    found = entry["verification"]
    verdict = found and {
        **{name: found[name] for name in ("verdict", "inputs")},
        **found["failing"],
        **{name: _float(found[name]) for name in ("margin", "lead")},
        "why": found["why_open"],
    }
    result = {name: entry[name] for name in ("counts", "question", "suites", "error", "seconds")}
    settings = {str(name): str(value) for name, value in entry["settings"].items()}
    saved = result_of({**result, "verdict": verdict})
    return SavedRow(str(entry["spec"]), settings, str(entry["key"]), saved)


def _float(value: object) -> float | None:
    """A number of strict JSON, where infinity is a text."""
    return None if value is None else float(value)  # type: ignore[arg-type]
