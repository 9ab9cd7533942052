"""The JSON that a page is made from, and that stands in it. What other commands print as JSON keeps its shape here."""

from __future__ import annotations

from typing import TypedDict

from compiler.terminal import shapes


class PageEquation(TypedDict):
    """A line that writes numbers. `anchor` is the `id` of the line in the page; null where it is in no file."""

    file: str
    line: int
    anchor: str | None
    equation: str


class PageCell(TypedDict):
    """A number that an equation writes. `row` and `column` are places among those that the tensor shows, `equation` is
    one in the `equations` of the model. `filled` is its right side with numbers in the place of their names, `names`
    are these names with their numbers, `part` says which part of the equation it is; all null where the page has too
    many cells to say so."""

    row: int
    column: int
    value: float
    equation: int
    part: str | None
    filled: str | None
    names: list[str] | None


class PageTensor(TypedDict):
    """A tensor of the state dict, as far as it is shown: the names of its rows and columns; a vector is one row without
    a name. What no cell gives is zero. `left_out` says what is not shown; empty where all is."""

    name: str
    step: str
    shape: list[int]
    nonzero: int
    tied_to: str | None
    rows: list[str]
    columns: list[str]
    cells: list[PageCell]
    equations: list[int]
    left_out: str


class PagePiece(TypedDict):
    kind: str
    text: str


class PageMade(TypedDict):
    tensor: str
    entries: int


class PageLine(TypedDict):
    """A line of a file, which is in the page by the `id` that is its `anchor`."""

    number: int
    anchor: str
    pieces: list[PagePiece]
    makes: list[PageMade]
    feeds: list[PageMade]


class PageSource(TypedDict):
    file: str
    lines: list[PageLine]


class PageModel(TypedDict):
    """All about one model. `prefix` begins each `id` that is its own; `calls` print its figures."""

    prefix: str
    title: str
    model: shapes.Model
    count: shapes.Count
    equations: list[PageEquation]
    tensors: list[PageTensor]
    sources: list[PageSource]
    calls: list[str]


class Page(TypedDict):
    """`rules` say what each figure counts. `call` makes the page."""

    title: str
    models: list[PageModel]
    rules: dict[str, str]
    findings: list[shapes.ReportFinding]
    call: str
