"""Tables that a command writes into a page, between comments that name them; and the machine that they are from."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from compiler.source.files import write_whole
from compiler.source.printable import printable

TableWriter = Callable[[Sequence[str], Sequence[Sequence[str]]], str]


class NoSection(ValueError):
    """A page that has no place for a table; the message says so, for people."""


def put(page: Path, section: str, text: str) -> None:
    """Replace a section of the page, as `with_section` does.

    Raises `NoSection`, and `OSError` where the page cannot be read or written.
    """
    try:
        new = with_section(page.read_text(encoding="utf-8"), section, text)
    except NoSection as error:
        raise NoSection(f"{page} has {error}") from None
    write_whole(page, new.encode())


def with_section(page: str, section: str, text: str) -> str:
    """A page with this between `<!-- begin: SECTION -->` and `<!-- end: SECTION -->`. Raises `NoSection`."""
    begin, end = (f"<!-- {which}: {section} -->\n" for which in ("begin", "end"))
    pattern = re.compile(f"(?<={re.escape(begin)}).*?(?={re.escape(end)})", re.DOTALL)
    if len(pattern.findall(page)) != 1:
        raise NoSection(f"no section '{section}': a line {begin.strip()} and then a line {end.strip()}")
    return pattern.sub(lambda _: f"\n{text.strip()}\n\n", page)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column is text, the others are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *([*map(printable, row)] for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same for a terminal."""
    rows = [[*map(printable, row)] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for first, *rest in (header, *rows):
        numbers = (f"{cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True))
        lines.append("  ".join((f"{first:<{widths[0]}}", *numbers)).rstrip() + "\n")
    return "".join(lines)


def cpu() -> str:
    """Such as `AMD EPYC`; without a name, the architecture."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def cores() -> int:
    """How many this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
