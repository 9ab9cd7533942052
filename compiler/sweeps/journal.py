"""The journal of sweeps: a line for each result, appended when it is known; nothing in it is ever changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any

from compiler.source.diagnostics import fail
from compiler.source.files import appended_file, cannot_write, remove_oldest
from compiler.source.user_cache import private_folder
from compiler.source.version import own_code
from compiler.sweeps.plan import SweptSpec
from compiler.sweeps.results import PointResult, SavedRow, SweepRow, result_json, result_of

JOURNAL_FORMAT = 1
MOST_KEPT = 1 << 30  # bytes of journals in the user's cache, beside the one that is in use
JOURNAL_NAME = "weightspec sweep"
_FIRST = {"journal": JOURNAL_NAME, "format": JOURNAL_FORMAT}
_IN_USE = "another process writes to it now; wait for its end, or name another file with --journal"


@dataclass
class Journal:
    """Results by their keys, in a file that only this process writes to; without a file nothing is kept."""

    path: Path | None = None
    file: FileIO | None = None
    results: dict[str, PointResult] = field(default_factory=dict)

    def append(self, row: SweepRow) -> None:
        """Keep a result. Raises `SpecError` where it cannot be written; what is there is whole in any case."""
        if self.file is None or self.path is None or not row.result.is_kept:
            return
        saved = row.saved
        about = {"key": saved.key, "spec": saved.spec, "settings": saved.settings}
        self._write({**about, "result": result_json(saved.result)})
        self.results[row.key] = row.result

    def _write(self, value: object) -> None:
        assert self.file is not None
        assert self.path is not None
        end = self.file.seek(0, 2)
        line = memoryview(json.dumps(value).encode() + b"\n")
        try:
            while line:
                line = line[self.file.write(line) or 0 :]
        except OSError as error:
            self.file.truncate(end)
            raise cannot_write(self.path, error) from None


def usual_journal(specs: Sequence[SweptSpec]) -> Path | None:
    """The journal of these specs and this code in the user's cache; None where there is no safe place for one.

    Where the others there take up more than `MOST_KEPT`, the oldest are removed.
    """
    folder = private_folder("sweeps")
    if folder is None:
        return None
    texts = "\0".join([own_code(), *(source.text for spec in specs for source in spec.sources)])
    path = folder / f"{hashlib.sha256(texts.encode()).hexdigest()[:32]}.jsonl"
    remove_oldest([other for other in folder.glob("*.jsonl") if other != path], MOST_KEPT)
    return path


@contextmanager
def opened_journal(path: Path | None, notice: Callable[[str], None]) -> Iterator[Journal]:
    """The journal in a file, which is made where there is none. `notice` is told what in it cannot be read.

    A last line that was cut short, by a kill or a full disk, is taken off. Raises `SpecError` for a file that is no
    journal, that cannot be read and written, or that another process writes to.
    """
    if path is None:
        yield Journal()
        return
    with appended_file(path, _IN_USE) as file:
        journal = Journal(path, file)
        end = _read(journal, notice)
        if end < file.seek(0, 2):
            if end:
                notice(f"{path}: the last line was cut short; its point is computed again")
            file.truncate(end)
        if not end:
            journal._write(_FIRST)
        yield journal


def _read(journal: Journal, notice: Callable[[str], None]) -> int:
    """Take up the results in a journal. How many bytes its whole lines have. Raises `SpecError`."""
    assert journal.file is not None
    end = damaged = 0
    journal.file.seek(0)
    with open(journal.file.fileno(), "rb", closefd=False) as lines:
        for number, line in enumerate(lines):
            if number == 0:
                _check_first(journal.path, line)
            if not line.endswith(b"\n"):
                break
            end += len(line)
            try:
                entry = json.loads(line)
                if number:
                    saved = row_of_entry(entry)
                    journal.results[saved.key] = saved.result
            except (ValueError, KeyError, TypeError, RecursionError):
                damaged += 1
    if damaged:
        how_many = "a line is" if damaged == 1 else f"{damaged} lines are"
        notice(f"{journal.path}: {how_many} damaged, and left out; such points are computed again")
    return end


def row_of_entry(entry: Mapping[str, Any]) -> SavedRow:
    """The row in a line of a journal. Raises `ValueError`, `KeyError` or `TypeError` where it is none."""
    settings = {str(name): str(value) for name, value in dict(entry["settings"]).items()}
    return SavedRow(str(entry["spec"]), settings, str(entry["key"]), result_of(entry["result"]))


def _check_first(path: Path | None, line: bytes) -> None:
    """Refuse what is no journal. Raises `SpecError`."""
    if not line.endswith(b"\n") and (json.dumps(_FIRST).encode() + b"\n").startswith(line):
        return  # cut short when it was made
    try:
        first = json.loads(line)
    except (ValueError, RecursionError):
        first = None
    if not isinstance(first, dict) or first.get("journal") != JOURNAL_NAME:
        raise fail("bad-value", f"{path} is no journal of sweeps, and was not changed", hint="name a new file")
    if first.get("format") != JOURNAL_FORMAT:
        raise fail("newer-format", f"{path} was written by another weightspec", hint="name a new file")
