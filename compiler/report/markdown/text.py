"""Pieces of GitHub's Markdown. What comes out of a spec may hold any character, and is shown as these characters."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from compiler.source.printable import printable

LONGEST_TEXT = 2000  # characters of one text out of a spec
LONGEST_CODE = 100
MAX_LISTED = 24
_SPECIAL = re.compile(
    r"""[\\`*\[\]<~$]              # everywhere
    | (?<![^\W_])_ | _(?![^\W_])  # not inside a word
    | &(?=[\w#])                  # not where it is a sign by itself
    | ^[-+=>!:] | (?<!\S)\#       # what a block starts with, or a heading ends with
    """,
    re.VERBOSE,
)
_NUMBERED = re.compile(r"^(\d+)([.)])")  # which would start a list


def one_line(text: str, longest: int = LONGEST_TEXT) -> str:
    """A text on one line, cut in the middle where it is too long, without signs that are not printed."""
    line = " ".join(text.split())
    shown = printable(line)
    return shown if len(shown) <= longest else f"{shown[: longest // 2]} … {shown[-(longest // 2 - 3) :]}"


def inline(text: str, longest: int = LONGEST_TEXT) -> str:
    """A text that is read as it is written, in a paragraph, a heading or a table."""
    escaped = _SPECIAL.sub(r"\\\g<0>", one_line(text, longest)).replace("|", "&#124;")
    return _NUMBERED.sub(r"\1\\\2", escaped)


def code(text: str) -> str:
    """A text as code. A back quote or a bar, which would end it or the cell of a table, is written another way."""
    shown = one_line(text, LONGEST_CODE)
    if not shown or any(c in shown for c in "`|"):
        return f"<code>{inline(shown, LONGEST_CODE)}</code>"
    return f"`{shown}`"


def relative(target: Path, folder: Path) -> str:
    """The path of a file as seen from a folder."""
    return Path(os.path.relpath(target, folder)).as_posix()


def link(label: str, target: Path, folder: Path) -> str:
    """A link to a file, from a page in `folder`. The label is Markdown."""
    return f"[{label}]({quote(os.fsencode(relative(target, folder)), safe='/')})"


def figure(number: int | None) -> str:
    """A count: `1,376`; a dash where there is none."""
    return "–" if number is None else f"{number:,}"


def several(number: int, one: str, many: str = "") -> str:
    """`1 model`, `2 models`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def listing(items: Iterable[str], word: str = "and") -> str:
    """`a, b and c`, but only the first of very many."""
    every = list(items)
    if len(every) > MAX_LISTED:
        return f"{', '.join(every[:MAX_LISTED])} {word} {len(every) - MAX_LISTED:,} more"
    return f" {word} ".join(filter(None, (", ".join(every[:-1]), *every[-1:])))


@dataclass(frozen=True)
class Title:
    """A column of a table."""

    text: str
    right: bool = False


def markdown_table(titles: Sequence[Title], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table, whose cells stand below one another in the text too."""
    every = [[title.text for title in titles], *map(list, rows)]
    widths = [max(3, *(len(row[i]) for row in every)) for i in range(len(titles))]
    widths[-1] = 3  # the last one may be long in one row only
    rule = [
        "-" * (width - 1) + ":" if title.right else "-" * width for title, width in zip(titles, widths, strict=True)
    ]
    lines = [
        [
            cell.rjust(width) if title.right else cell.ljust(width)
            for cell, title, width in zip(row, titles, widths, strict=True)
        ]
        for row in (every[0], rule, *every[1:])
    ]
    return [f"| {' | '.join(line)} |" for line in lines]


class Anchors:
    """The targets of links to headings, as GitHub makes them: repeated ones are numbered."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def of(self, heading: str) -> str:
        """The target of the next heading, whose text this is, not as Markdown."""
        slug = unique = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        while unique in self._seen:
            self._seen[slug] += 1
            unique = f"{slug}-{self._seen[slug]}"
        self._seen[unique] = 0
        return f"#{unique}"
