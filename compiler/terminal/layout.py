"""Lines and tables for terminals of any width: no number is broken, and what does not fit gets lines of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from rich.cells import cell_len, get_character_cell_size
from rich.console import Console, ConsoleOptions
from rich.text import Text

from compiler.source.printable import printable

GAPS = (2, 1)  # columns between two columns of a table; fewer where they do not fit
READABLE = 40  # columns that a long text needs beside others
SHORTEST_NAME = 16  # columns that are left to the names in front
MARGIN = 4  # of what stands below a row
_NUMBER = re.compile(r"[-+−]?\d+(?:[.,^_:/]\d+|e[-+]?\d+)*", re.IGNORECASE)
_ENDS_A_PART = "./_-,:;=([])}"  # where a long word is broken rather than elsewhere


def fold_lines(line: Text, width: int) -> list[Text]:
    """A text in lines of at most a width, broken at spaces, else inside a word, but not inside a number that fits.

    Further lines have the indentation of the first one.
    """
    lines: list[Text] = []
    width = max(1, width)
    for part in line.split("\n", allow_blank=True):
        indent = len(part.plain) - len(part.plain.lstrip(" "))
        margin = indent if 3 * indent <= width else 0
        start = 0
        while True:
            room = width if start == 0 else width - margin
            end = _break(part.plain, start, max(1, room))
            shown = part[start:end] if start == 0 else Text(" " * margin) + part[start:end]
            shown.rstrip()
            lines.append(shown)
            start = end + len(part.plain[end:]) - len(part.plain[end:].lstrip(" ")) if end < len(part.plain) else end
            if start >= len(part.plain):
                break
    return lines


def _break(line: str, start: int, width: int) -> int:
    """Where a line that begins at `start` ends."""
    end, room = start, width
    while end < len(line) and (room := room - get_character_cell_size(line[end])) >= 0:
        end += 1
    if end == len(line) or line[end] == " ":
        return end
    space = line.rfind(" ", start, end)
    if space >= 0 and line[start:space].strip(" "):
        return space
    word = line[start : end + max(width, 1)]  # more of it says nothing about a break before `end`
    inside = {i for number in _NUMBER.finditer(word) for i in range(number.start() + 1, number.end())}
    places = [i for i in range(1, end - start + 1) if i not in inside and word[:i].strip(" ")]
    good = [i for i in places if word[i - 1] in _ENDS_A_PART and 3 * i >= width]
    return start + max(good or places, default=max(1, end - start))


@dataclass
class Rows:
    """A table without lines, which is laid out when it is printed. The columns in `right` are aligned to the right, and
    folded at spaces only. `least` is how wide columns are at least, where there is room."""

    titles: tuple[str, ...]
    right: frozenset[int] = frozenset()
    least: Sequence[int] = ()
    cells: list[list[Text]] = field(default_factory=list)

    def add_row(self, *cells: str | Text) -> None:
        """A row with a cell for each column, or a single one for all of them."""
        self.cells.append([cell if isinstance(cell, Text) else Text(printable(cell, kept="\n")) for cell in cells])

    @property
    def row_count(self) -> int:
        return len(self.cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        for line in self.lines(options.max_width):
            line.no_wrap, line.overflow = True, "ignore"
            yield line

    def lines(self, width: int) -> Iterator[Text]:
        """The lines that are printed at a width."""
        layout, header = _layout(self, width), [Text(title, "bold") for title in self.titles]
        if any(self.titles):
            yield from layout.beside(header)
            yield from () if layout.labelled else layout.below(header, width)
        for cells in self.cells:
            if len(cells) < len(self.titles):
                yield from fold_lines(cells[0], width)
            else:
                yield from layout.beside(cells)
                yield from layout.below(cells, width)


@dataclass(frozen=True)
class _Layout:
    """How wide the columns are that stand side by side, and which stand below them, with their titles if `labelled`."""

    rows: Rows
    widths: dict[int, int]
    gap: int

    @property
    def moved(self) -> list[int]:
        return [i for i in range(len(self.rows.titles)) if i not in self.widths]

    @property
    def labelled(self) -> bool:
        """A single text says by itself what it is."""
        return len(self.moved) > 1 or not self.rows.right.isdisjoint(self.moved)

    def beside(self, cells: Sequence[Text]) -> Iterator[Text]:
        columns = [fold_lines(cells[i], size) for i, size in self.widths.items()]
        for parts in zip_longest(*columns, fillvalue=Text()):
            line = Text()
            for (i, size), part in zip(self.widths.items(), parts, strict=True):
                blank = Text(" " * (size - cell_len(part.plain)))
                line += blank + part if i in self.rows.right else part + blank
                line += Text(" " * self.gap)
            line.rstrip()
            yield line

    def below(self, cells: Sequence[Text], width: int) -> Iterator[Text]:
        for i in self.moved:
            if cells[i].plain:
                title = f"{self.rows.titles[i]}: " if self.labelled and self.rows.titles[i] else ""
                yield from (Text(" " * MARGIN) + part for part in fold_lines(Text(title) + cells[i], width - MARGIN))


def _layout(rows: Rows, width: int) -> _Layout:
    """The widest layout that fits. Long texts are the first to stand below the others, then the widest column."""
    columns = [_Column.of(rows, i) for i in range(len(rows.titles))]
    kept = list(range(len(columns)))

    def widest(i: int) -> int:
        return columns[i].natural

    while True:
        for gap in GAPS:
            room = max(1, width - gap * (len(kept) - 1))
            if len(kept) == 1 or sum(columns[i].floor for i in kept) <= room:
                wanted = {i: max(columns[i].natural, rows.least[i] if rows.least else 0) for i in kept}
                return _Layout(rows, _shrunk(wanted, columns, room), gap)
        texts = [i for i in kept[1:] if i not in rows.right]
        moved = [i for i in texts if columns[i].natural > READABLE] or [max(texts or kept[1:], key=widest)]
        kept = [i for i in kept if i not in moved]


@dataclass(frozen=True)
class _Column:
    """How wide a column is by itself, and how narrow it can be."""

    natural: int
    floor: int

    @classmethod
    def of(cls, rows: Rows, i: int) -> _Column:
        cells = [row[i].plain for row in rows.cells if len(row) == len(rows.titles)]
        title = rows.titles[i]
        widest = max((cell_len(line) for cell in cells for line in cell.split("\n")), default=0)
        if i in rows.right:
            whole = [word for cell in cells for word in cell.split()]
        else:
            whole = [number[0] for cell in cells for number in _NUMBER.finditer(cell)]
        readable = 0 if i in rows.right else min(widest, READABLE if i else SHORTEST_NAME)
        return cls(max(widest, cell_len(title)), max(readable, *map(cell_len, [*whole, *title.split()]), 0))


def _shrunk(wanted: dict[int, int], columns: Sequence[_Column], room: int) -> dict[int, int]:
    """The widths, the widest ones made narrower until they fit; the floors do."""
    widths = {i: min(size, room) for i, size in wanted.items()}  # which is all for a single column
    while sum(widths.values()) > room:
        widths[max((i for i in widths if widths[i] > columns[i].floor), key=lambda i: widths[i])] -= 1
    return widths
