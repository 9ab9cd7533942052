"""What all printing shares: consoles, plain tables, numbers, lines, differences, diagnostics."""

from __future__ import annotations

import codecs
import io
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.text import Text

from compiler.expressions.arithmetic import as_figure
from compiler.expressions.floats import FloatFormat
from compiler.source.diagnostics import Diagnostic, render
from compiler.source.printable import printable, printable_json
from compiler.source.text import Span
from compiler.terminal import shapes
from compiler.terminal.figures import measured
from compiler.terminal.layout import Rows, fold_lines

PIPED_WIDTH = 160
SOURCE_WIDTH, GUTTER = 100, 8  # characters of a source line that are shown, and of what stands before it
MAX_WARNINGS = 100  # that are printed
MAX_ROWS = 1000  # of one list that are printed
_DIFF_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
T = TypeVar("T")


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command, whose exit code is not that of a failed claim."""
        raise BrokenPipeError

    def render_str(self, text: str, **options: Any) -> Text:
        """A plain text in a cell is no markup either, and steers nothing."""
        return super().render_str(printable(text, kept="\n"), **{**options, "markup": False, "emoji": False})

    def print(self, *objects: Any, sep: str = " ", soft_wrap: bool | None = None, **options: Any) -> None:
        """Texts are folded so that no number is broken, unless the terminal is to do it."""
        is_soft = self.soft_wrap if soft_wrap is None else soft_wrap
        if objects and not is_soft and all(isinstance(part, Text) for part in objects):
            objects = (Text("\n").join(fold_lines(Text(sep).join(objects), self.width)),)
            options |= {"no_wrap": True, "overflow": "ignore"}
        super().print(*objects, sep=sep, soft_wrap=soft_wrap, **options)


def console(*, error: bool = False) -> Console:
    """A console for standard output (or error) as it is now; wide and without colour when piped."""
    stream = (sys.stderr if error else sys.stdout) or io.StringIO()  # None where the user closed it
    width = None if stream.isatty() else PIPED_WIDTH
    return _Console(file=stream, width=width, highlight=False, soft_wrap=not stream.isatty())


def table(*columns: str, right: Iterable[str] = ()) -> Rows:
    """A table without lines; the columns named in `right` are aligned to the right."""
    aligned = set(right)
    return Rows(columns, frozenset(i for i, column in enumerate(columns) if column in aligned))


def first(items: Sequence[T], rows: Rows) -> Iterator[T]:
    """The items, each to become a row. Of very many only the first come, and a row says how many are left out."""
    yield from islice(items, MAX_ROWS)
    if len(items) > MAX_ROWS:
        rows.add_row(text(f"and {len(items) - MAX_ROWS:,} more; see --json", "dim"))


def text(content: str, style: str = "") -> Text:
    """Text on one line, in which brackets are brackets, not markup, and what would steer the terminal is escaped."""
    return Text(printable(content), style)


def multiline(content: str, style: str = "") -> Text:
    """The same for a text of several lines."""
    return Text(printable(content, kept="\n"), style)


def number_text(value: int | float | None, dtype: FloatFormat | None = None) -> str:
    """A figure, or a number of a `dtype`; a dash where there is none."""
    return "–" if value is None else as_figure(value, dtype)


def line_of(spec_file: str, file: str, line: int) -> str:
    """A line of a spec whose file is `spec_file`; the file too, where it is another one."""
    return str(line) if file == spec_file else f"{Path(file).name}:{line}"


def print_diff(differences: Iterable[str]) -> None:
    """A unified diff, in colours on a terminal."""
    out = console()
    for line in differences:
        out.print(text(line, _DIFF_COLOURS.get(line[:1], "")), soft_wrap=True)


def print_json(value: object) -> None:
    """Print to standard output; in ASCII where that does not take UTF-8."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(json_text(value, only_ascii=codecs.lookup(encoding).name != "utf-8"))


def json_text(value: object, *, only_ascii: bool = False) -> str:
    """Strict JSON: what it lacks becomes a text, inf, -inf or nan."""
    return printable_json(json.dumps(_strict(value), indent=2, ensure_ascii=only_ascii, allow_nan=False))


def compact_json(value: object) -> str:
    """The same on one line, in ASCII, without blanks."""
    return json.dumps(_strict(value), separators=(",", ":"), allow_nan=False)


def _strict(value: object) -> object:
    match value:
        case dict():
            return {key: _strict(item) for key, item in value.items()}
        case list() | tuple():
            return [_strict(item) for item in value]
        case float() if not math.isfinite(value):
            return str(value)
        case _:
            return value


def print_diagnostics(diagnostics: Iterable[Diagnostic]) -> None:
    """Print to standard error, each with its line and caret, but only the first of very many warnings."""
    out = console(error=True)
    warnings = 0
    for diagnostic in diagnostics:
        warnings += diagnostic.severity == "warning"
        if diagnostic.severity == "error":
            print_diagnostic(out, diagnostic, "red")
        elif warnings <= MAX_WARNINGS:
            print_diagnostic(out, diagnostic, "yellow")
    if warnings > MAX_WARNINGS:
        out.print(text(f"and {warnings - MAX_WARNINGS} more warnings", "yellow"))


def print_diagnostic(out: Console, diagnostic: Diagnostic, style: str) -> None:
    """A diagnostic; on a narrow terminal a shorter part of the source line, so that the caret stands below it."""
    width = SOURCE_WIDTH if out.soft_wrap else max(20, min(SOURCE_WIDTH, out.width - GUTTER))
    out.print(multiline(render(diagnostic, width), style))


def file_and_line(span: Span | None) -> dict[str, object]:
    """The fields of a place in a text; null where there is none."""
    return {"file": None if span is None else span.source.name, "line": None if span is None else span.line}


def diagnostic_json(diagnostic: Diagnostic) -> shapes.Diagnostic:
    notes = [
        shapes.filled(shapes.Note, note, **file_and_line(note.span), column=note.span.column)
        for note in diagnostic.notes
    ]
    column = None if diagnostic.span is None else diagnostic.span.column
    return shapes.filled(shapes.Diagnostic, diagnostic, **file_and_line(diagnostic.span), column=column, notes=notes)


def diagnostics_json(diagnostics: Iterable[Diagnostic]) -> list[shapes.Diagnostic]:
    return [diagnostic_json(diagnostic) for diagnostic in diagnostics]


@contextmanager
def suite_progress() -> Iterator[Callable[[str, int, int | None], None] | None]:
    """A function (suite, done, total) that draws progress bars on standard error; none when piped.

    A total that is not known is None: it may become known, and change.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn

    class Figures(ProgressColumn):
        def render(self, task: Task) -> Text:
            rate = f", {measured(task.speed)} per second" if task.speed is not None and task.speed >= 1 else ""
            if task.total is None:
                return text("")
            return text(f"{task.completed:,.0f} of {task.total:,.0f}{rate}")

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), Figures(), TimeRemainingColumn())
    with Progress(*columns, console=console(error=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def report(suite: str, done: int, total: int | None) -> None:
            if suite not in tasks:
                named = printable(suite)
                tasks[suite] = bars.add_task(named, total=total, completed=done)  # the rate begins to count here
            bars.update(tasks[suite], completed=done, total=total)

        yield report
