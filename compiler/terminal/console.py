"""What all printing shares: consoles, plain tables, numbers, lines, differences, diagnostics."""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.table import Table
from rich.text import Text

from compiler.diagnostics import Diagnostic, as_json, render
from compiler.expressions.arithmetic import as_figure
from compiler.terminal.figures import measured

PIPED_WIDTH = 160
MAX_WARNINGS = 100  # that are printed
MAX_ROWS = 1000  # of one list that are printed
_DIFF_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
T = TypeVar("T")


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command, whose exit code is not that of a failed claim."""
        raise BrokenPipeError


def console(*, error: bool = False) -> Console:
    """A console for standard output (or error) as it is now; wide and without colour when piped."""
    stream = (sys.stderr if error else sys.stdout) or io.StringIO()  # None where the user closed it
    width = None if stream.isatty() else PIPED_WIDTH
    return _Console(file=stream, width=width, highlight=False, soft_wrap=not stream.isatty())


def table(*columns: str, right: Iterable[str] = ()) -> Table:
    """A table without lines; the columns named in `right` are aligned to the right."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0), show_header=any(columns))
    aligned = set(right)
    for i, column in enumerate(columns):
        made.add_column(column, justify="right" if column in aligned else "left", overflow="fold", no_wrap=i == 0)
    return made


def first(items: Sequence[T], rows: Table) -> Iterator[T]:
    """The items, each to become a row; of very many the first, and a row that says how many are left out."""
    yield from islice(items, MAX_ROWS)
    if len(items) > MAX_ROWS:
        rows.add_row(text(f"and {len(items) - MAX_ROWS:,} more; see --json", "dim"))


def text(content: str, style: str = "") -> Text:
    """Text in which brackets are brackets, not markup; a sign that would steer the terminal is shown as a code."""
    clear = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in content)
    return Text(clear, style)


def number(value: int | float | None) -> str:
    """A weight or a figure; a dash where there is none."""
    return "–" if value is None else as_figure(value)


def line_of(own: str, file: str, line: int) -> str:
    """A line of a spec whose file is `own`; the file too, where it is another one."""
    return str(line) if file == own else f"{Path(file).name}:{line}"


def print_diff(lines: Iterable[str]) -> None:
    """A unified diff, in colours on a terminal."""
    out = console()
    for line in lines:
        out.print(text(line, _DIFF_COLOURS.get(line[:1], "")), soft_wrap=True)


def print_json(value: object) -> None:
    print(json_text(value))


def json_text(value: object) -> str:
    """Strict JSON: what it lacks becomes a text, inf, -inf or nan."""
    return json.dumps(_strict(value), indent=2, ensure_ascii=False, allow_nan=False)


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
    """To standard error, each with its line and caret; of very many warnings the first."""
    out = console(error=True)
    warnings = 0
    for diagnostic in diagnostics:
        warnings += diagnostic.severity == "warning"
        if diagnostic.severity == "error":
            out.print(text(render(diagnostic), "red"), soft_wrap=True)
        elif warnings <= MAX_WARNINGS:
            out.print(text(render(diagnostic), "yellow"), soft_wrap=True)
    if warnings > MAX_WARNINGS:
        out.print(text(f"and {warnings - MAX_WARNINGS} more warnings", "yellow"))


def diagnostics_json(diagnostics: Iterable[Diagnostic]) -> list[dict[str, object]]:
    return [as_json(diagnostic) for diagnostic in diagnostics]


@contextmanager
def suite_progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """A function (suite, done, total) that draws progress bars on standard error; none when piped."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn

    class Figures(ProgressColumn):
        def render(self, task: Task) -> Text:
            rate = f", {measured(task.speed)} per second" if task.speed is not None and task.speed >= 1 else ""
            return text(f"{task.completed:,.0f} of {task.total or 0:,.0f}{rate}")

    columns = (TextColumn("{task.description}"), BarColumn(), Figures(), TimeRemainingColumn())
    with Progress(*columns, console=console(error=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def report(suite: str, done: int, total: int) -> None:
            if suite not in tasks:
                tasks[suite] = bars.add_task(suite, total=total, completed=done)  # the rate begins to count here
            bars.update(tasks[suite], completed=done)

        yield report
