"""Reads tables of specs with mistakes, each a small patch to a spec that is valid.

    @@ -    query look: eq
    name-unknown: unknown-name did you mean 'special'?
    +    query look: 2 * »spcial

A case is a line `NAME: CODE TEXT` with a patch below it. CODE is a diagnostic that the spec has to give, TEXT a part of
its message or its hint; without TEXT, any will do. A spec with several has a line for each, all with the same NAME: the
first `»` in the patched text is the place of the first, the second of the second, and so on. A diagnostic in another
file has its place before TEXT, as `parts/base.yaml:3:4`.

In a patch, a `-` line is taken out, a ` ` line stays (to carry a `»`, or to say where the next line goes), and a `+`
line comes in below the line above it. The lines after `@@` start the patch of each case down to the next `@@`. They
patch `parts/base.yaml`; after `@@ of NAME`, `parts/NAME.yaml`; after `@@ of nothing`, an empty text. Empty lines and
lines that start with `#` are comments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

MARK = "»"
_HEADER = re.compile(
    r"(?P<name>[a-z0-9-]+): (?P<code>[a-z-]+)(?: (?P<file>\S+):(?P<line>\d+):(?P<column>\d+))?(?: (?P<text>.+))?"
)


@dataclass(frozen=True)
class Expected:
    """A diagnostic. `file` is empty where it is the spec itself; `text` occurs in the message or the hint."""

    code: str
    file: str
    line: int
    column: int
    text: str


@dataclass(frozen=True)
class Case:
    """A spec, and every error that it has."""

    name: str
    text: str
    expected: tuple[Expected, ...]


def read_table(table: str, base: Callable[[str], str]) -> tuple[Case, ...]:
    """The cases of a table; `base` gives the text that is patched by its name.

    Raises ValueError for a line that cannot be read, and for a patch that does not fit.
    """
    start, shared = base("base"), list[str]()
    headers = list[str]()
    cases = []
    for kind, group in groupby((line for line in table.split("\n") if line[:1] not in ("", "#")), _kind):
        lines = list(group)
        if (kind == "patch") != bool(headers):
            raise ValueError(f"a name without a patch, or a patch without a name: {[*headers, *lines][0]!r}")
        if kind == "patch":
            cases.append(_case(headers, start, [*shared, *lines]))
            headers = []
        elif kind == "header":
            headers = lines
        else:
            first, *rest = lines
            name = first.removeprefix("@@ of ") if first.startswith("@@ of ") else ""
            start = "" if name == "nothing" else base(name or "base")
            shared = [line.removeprefix("@@ ") for line in (rest if name else lines) if line != "@@"]
    if headers:
        raise ValueError(f"a name without a patch: {headers[0]!r}")
    return tuple(cases)


def _kind(line: str) -> str:
    return "section" if line.startswith("@@") else "patch" if line[0] in "-+ " else "header"


def _case(headers: Sequence[str], base: str, patch: Sequence[str]) -> Case:
    name = headers[0].partition(":")[0]
    try:
        *before, rest = _patched(base, patch).split(MARK)
        # The text above each mark ends at its place.
        places = [(text.count("\n") + 1, len(text) - text.rfind("\n")) for text in accumulate(before)]
        expected = tuple(_expected(name, header, places) for header in headers)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    if places:
        raise ValueError(f"{name}: {len(places)} more {MARK} than diagnostics")
    return Case(name, "".join([*before, rest]), expected)


def _expected(name: str, header: str, places: list[tuple[int, int]]) -> Expected:
    """What a header says; takes the first of the places unless it names one in another file."""
    match = _HEADER.fullmatch(header)
    if match is None or match["name"] != name:
        raise ValueError(f"not `NAME: CODE TEXT` of the same case: {header!r}")
    if not match["file"] and not places:
        raise ValueError(f"no {MARK} in the patch for {header!r}")
    line, column = (int(match["line"]), int(match["column"])) if match["file"] else places.pop(0)
    return Expected(match["code"], match["file"] or "", line, column, match["text"] or "")


def _patched(base: str, patch: Sequence[str]) -> str:
    lines = base.split("\n")[:-1]
    at = 0  # where a new line goes
    for line in patch:
        content = line[1:]
        if line[0] == "+":
            lines.insert(at, content)
            at += 1
            continue
        known = content.replace(MARK, "")
        if line[0] not in "- " or lines.count(known) != 1:
            raise ValueError(f"{lines.count(known)} lines are {known!r}, for {line!r}")
        at = lines.index(known)
        lines[at : at + 1] = [] if line[0] == "-" else [content]
        at += line[0] == " "
    return "".join(f"{line}\n" for line in lines)
