"""The JSON that a page is made from, and that stands in it. What other commands print as JSON keeps its shape here."""

from __future__ import annotations

from typing import TypedDict

from compiler.terminal import shapes


class ComparedFigure(TypedDict):
    """What is said of each model; `differs` where that is not what is said of the first one."""

    name: str
    values: list[str]
    differs: list[bool]


class ComparedText(TypedDict):
    """What is written otherwise, cut to where it differs, with the `id` of the line in each model."""

    section: str
    path: str
    before: str
    after: str
    anchor_before: str | None
    anchor_after: str | None


class ComparedLine(TypedDict):
    """Names, numbers, ties or counts that differ, as `diff` prints them."""

    kind: str
    text: str
    examples: list[str]


class ComparedWith(TypedDict):
    """What sets a model apart from the first one. `left_out` counts what is not listed."""

    before: str
    after: str
    equal: bool
    alike: str | None
    texts: list[ComparedText]
    lines: list[ComparedLine]
    left_out: int


class Marks(TypedDict):
    """What is marked in a model: the `id`s of lines, and numbers, by tensor and place, with what the others have."""

    lines: list[str]
    numbers: dict[str, dict[str, str]]


class PageComparison(TypedDict):
    """Models side by side. `others` are compared with the first one; `marks` has each of them."""

    figures: list[ComparedFigure]
    tensors: list[ComparedFigure]
    others: list[ComparedWith]
    marks: list[Marks]


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


class PageScores(TypedDict):
    """How the weight of a key comes about. A score is the sum of `size` coordinates of the query times those of the
    key, each times `scale`, which `group` heads share; to some heads something is `added`. `weight` says the rest."""

    size: int
    group: int
    scale: float
    added: list[bool]
    weight: str


class PageStep(TypedDict):
    """A step in the diagram. `rail` says what becomes of the stream: `starts`, `adds`, `replaces`, `repeats`, `ends`.
    `reads` and `writes` are dimensions of the stream, in short; `before` and `after` all of them, likewise, `before`
    null where there are none. `again` are steps that are repeated; `equations` are places in those of the model."""

    name: str
    rail: str
    summary: str
    reads: list[str]
    writes: list[str]
    heads: list[str]
    again: list[str]
    before: str | None
    after: str
    tensors: list[str]
    equations: list[int]
    scores: PageScores | None


PageTerm = list[object]
"""`[coefficient, step, inside, position, dimension]` of a value in the trace that is read: `inside` counts what the
step computes on the way, -1 is the stream after it; `position` is null for the same one. Or `[coefficient, name,
value]`."""


class PageForm(TypedDict):
    """How a value is computed, as in `trace --why`. `more` further terms that are not zero have the sum `rest`."""

    function: str
    terms: list[PageTerm]
    more: int
    rest: float
    equations: list[int]


class StepForms(TypedDict):
    """For each dimension a place in `forms`, or one for each position."""

    stream: list[int | list[int]]
    inside: list[list[int | list[int]]]


class PagePass(TypedDict):
    """One pass of a model, as `trace --json` prints it. `slots` are the tokens of the answer, from 0, that are read at
    its `read_at`. `forms` is empty where the pass has too many values."""

    slots: list[int]
    trace: shapes.TracedPass
    forms: list[PageForm]
    steps: list[StepForms]


class PageExample(TypedDict):
    """An input that is looked at step by step, in the passes that say its answer; without a task, tokens. `why` says
    why it was chosen. `in_place`: the answer is read at the prompt, so that each pass has all of it. `length`: how many
    tokens the answer has."""

    title: str
    why: str
    in_place: bool
    length: int
    passes: list[PagePass]


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
    """A file that was read for a spec; `left_out` is how many lines behind these are not shown."""

    file: str
    lines: list[PageLine]
    left_out: int


class PageModel(TypedDict):
    """All about one model. `prefix` begins each `id` that is its own; `calls` print its figures. `not_shown` says which
    inputs are not looked at step by step, and why. `spelling` is what people call each token, where that is less."""

    prefix: str
    title: str
    model: shapes.Model
    count: shapes.Count
    equations: list[PageEquation]
    margins: list[shapes.Margin]
    steps: list[PageStep]
    tensors: list[PageTensor]
    spelling: dict[str, str]
    examples: list[PageExample]
    not_shown: list[str]
    sources: list[PageSource]
    calls: list[str]


class Page(TypedDict):
    """`rules` say what each figure counts. `call` makes the page. One model is compared with none."""

    title: str
    models: list[PageModel]
    comparison: PageComparison | None
    rules: dict[str, str]
    findings: list[shapes.ReportFinding]
    call: str
