"""Files of rows: what `--out` writes is read back; tables have types; what is no such file is refused."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pandas
import pyarrow.parquet
import pytest

import compiler
from compiler.source.diagnostics import SpecError
from compiler.sweeps.results import PointError, PointResult, PointSuite, PointVerdict, SavedRow
from compiler.sweeps.tables import typed_columns
from compiler.terminal.sweeps import ROW_FILES
from tests.helpers import SPECS

FIGURES = {"dense": 5, "nonzero": 4, "distinct": 3, "values": 2, "free": None}
SUITES = (PointSuite("edges", None, 8, 7), PointSuite("uniform", 3, 100, 0))
PROVED = PointVerdict("proved", 10**20, 0, 10**20 - 1, float("inf"), None)
OPEN = PointVerdict("open", 5, 0, 3, None, 0.5, ("rounding", "joined cells"))
ROWS = (  # names that figures and verdicts have too, long integers, nothing, texts that would break a line
    SavedRow("a,b.yaml", {"dense": "2", "gain": "0.5"}, "k1", PointResult(FIGURES, "q", SUITES, PROVED, None, 1.5)),
    SavedRow("é.yaml", {"dense": "3", "gain": "10000"}, "k2", PointResult(FIGURES, "q", SUITES[1:], None, None, 0.1)),
    SavedRow("a,b.yaml", {"dense": "1", "gain": "-2.25"}, "k3", PointResult(error=PointError("bad", '"\n,'))),
    SavedRow(
        "other",
        {"dense": "4", "gain": "3", "dtype": "float32"},
        "k4",
        PointResult(FIGURES, None, (), OPEN, seconds=2.0),
    ),
)


def as_tables_have(row: SavedRow) -> SavedRow:
    suites = tuple(replace(suite, seed=None) for suite in row.result.suites)
    return replace(row, result=replace(row.result, question=None, suites=suites))


@pytest.mark.parametrize("rows", [ROWS, ROWS[2:3]], ids=["all", "error"])
@pytest.mark.parametrize("ending", ROW_FILES)
def test_what_was_written_is_read_back(ending: str, rows: tuple[SavedRow, ...], tmp_path: Path) -> None:
    path = tmp_path / f"rows{ending}"
    path.write_bytes(ROW_FILES[ending](rows))
    assert compiler.read_rows(path) == (rows if ending == ".jsonl" else tuple(map(as_tables_have, rows)))


def test_all_files_and_the_journal_have_the_rows_of_a_sweep(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    rows = list(compiler.sweep(SPECS / "reverse.yaml", ["symbols=1..2", "length=2"], journal=journal, budget=60))
    saved = tuple(row.saved for row in rows)
    for ending, data in ROW_FILES.items():
        path = tmp_path / f"rows{ending}"
        path.write_bytes(data(saved))
        assert tuple(map(as_tables_have, compiler.read_rows(path))) == tuple(map(as_tables_have, saved)), ending
    assert compiler.read_rows(journal) == saved
    again = list(
        compiler.sweep(SPECS / "reverse.yaml", ["symbols=2..1..-1", "length=2"], journal=journal, restart=True)
    )
    with journal.open("ab") as file:
        file.write(b'{"key": 1}\n{"key": "half a li')
    by_key = {row.key: row for row in [*saved, *(row.saved for row in again)]}
    assert compiler.read_rows(journal) == tuple(by_key.values())


def test_columns_have_types(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(ROW_FILES[".parquet"](ROWS))
    schema = pyarrow.parquet.read_schema(path)
    found = dict(zip(schema.names, map(str, schema.types), strict=True))
    assert found == {
        **{"spec": "string", "dense": "int64", "gain": "double", "dtype": "string"},
        **dict.fromkeys(["dense ", "nonzero", "distinct", "values", "free"], "int64"),
        **dict.fromkeys(["edges right", "edges inputs", "uniform right", "uniform inputs"], "int64"),
        **{"verdict": "string", "inputs": "decimal128(38, 0)", "at_least": "int64", "at_most": "decimal128(38, 0)"},
        **{
            "margin": "double",
            "lead": "double",
            "why": "string",
            "error": "string",
            "message": "string",
            "seconds": "double",
        },
        "key": "string",
    }


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1", "-20", "+3"], "integer"),
        (["1", "1e4", ".5"], "number"),
        (["1", "1/3"], "text"),
        (["1", "true"], "text"),
        (["9" * 30], "number"),
        (["1_000"], "text"),
        (["inf"], "text"),
    ],
)
def test_settings_are_numbers_where_all_are(texts: list[str], kind: str) -> None:
    rows = [SavedRow("s", {"x": text}, text, PointResult()) for text in texts]
    assert typed_columns(rows)[1].kind == kind


def test_a_table_of_pandas_has_the_same_columns() -> None:
    table = compiler.to_pandas(ROWS)
    assert list(table.columns) == [column.title for column in typed_columns(ROWS)]
    assert table["dense"].tolist() == [2, 3, 1, 4]
    assert table["gain"].mean() == pytest.approx((0.5 + 10000 - 2.25 + 3) / 4)
    assert table["at_most"][0] == 10**20 - 1
    assert table["free"].isna().all()
    assert (table["uniform right"].isna().tolist(), table["uniform right"].dtype) == (
        [False, False, True, True],
        pandas.Int64Dtype(),
    )
    (row,) = compiler.sweep(SPECS / "reverse.yaml", ["symbols=2", "length=1"])
    assert compiler.to_pandas([row])["symbols"].tolist() == [2]


@pytest.mark.parametrize("package", ["pyarrow", "pandas"])
def test_a_missing_package_is_said(package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(ROW_FILES[".parquet"](ROWS))
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"{package}.parquet", raising=False)
    with pytest.raises(SpecError, match=f"this needs {package}, which is not installed") as wrong:
        compiler.to_pandas(ROWS) if package == "pandas" else compiler.read_rows(path)
    assert [one.code for one in wrong.value.diagnostics] == ["missing-package"]


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, "missing-file", "there is no file"),
        (b"", "bad-value", "no rows of a sweep: it is empty"),
        (b"a,b\n1,2\n", "bad-value", "these are no columns of a sweep"),
        (b"{}\n", "bad-value", "a line has no field 'verification'"),
        (b'{"spec": "s"}\n', "bad-value", "verification"),
        (b"{\n", "bad-value", "no rows of a sweep"),
        (b"PAR1 and no more", "bad-value", "no rows of a sweep"),
        (b"\xff\xfe,\n", "bad-value", "no rows of a sweep"),
        (ROW_FILES[".csv"](ROWS).replace(b",7,8,", b",7.5,8,"), "bad-value", "7.5"),
        (ROW_FILES[".csv"](ROWS).replace(b",7,8,", b",7,"), "bad-value", "no rows of a sweep"),
        (ROW_FILES[".csv"](ROWS).replace(b"proved", b"proven"), "bad-value", "proved, refuted or open"),
    ],
)
def test_what_has_no_rows_is_refused(content: bytes | None, code: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "rows"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SpecError, match=message) as wrong:
        compiler.read_rows(path)
    assert [one.code for one in wrong.value.diagnostics] == [code]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/zero")):
        with pytest.raises(SpecError, match="no regular file") as wrong:
            compiler.read_rows(path)
        assert [one.code for one in wrong.value.diagnostics] == ["cannot-read"]


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rows.csv").write_bytes(ROW_FILES[".csv"](ROWS))
    monkeypatch.setattr("compiler.sweeps.row_files.MAX_ROWS_BYTES", 100)
    with pytest.raises(SpecError, match="more than 100 bytes"):
        compiler.read_rows(tmp_path / "rows.csv")
