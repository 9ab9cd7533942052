"""The columns of the tables of a report. A new figure becomes a column by one more line here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.network.dimensions import HeadSizes
from compiler.readers.counting.counts import BESIDE, SHOWN_RULES
from compiler.report.markdown.text import Anchors, Title, code, figure, inline, link, markdown_table, one_line, relative
from compiler.report.reporting import Group, Report, ReportedModel, ReportedSuite, first_failure

if TYPE_CHECKING:  # it imports torch
    from compiler.evaluation.evaluation import SuiteResult

LONGEST_CELL = 120
MAX_LAYERS = 8  # whose sizes are shown in a cell


@dataclass(frozen=True)
class PageEntry:
    """A model as a page shows it: `title` is plain text, `spec` and `section` are links with that label."""

    model: ReportedModel
    title: str
    spec: str
    section: str


CellText = Callable[[PageEntry], str]


@dataclass(frozen=True)
class TableColumn:
    title: str
    cell: CellText
    right: bool = False


def page_entries(report: Report, folder: Path, headings: Sequence[str]) -> list[PageEntry]:
    """The models of a page in `folder`. The headings are those before the models' own, in order."""
    anchors = Anchors()
    for heading in headings:
        anchors.of(heading)
    rows = []
    titles = [model.spec.title for model in report.models]
    for model, title in zip(report.models, titles, strict=True):
        place = "" if titles.count(title) == 1 else f" ({relative(model.spec.path, folder)})"
        unique = one_line(title + place, LONGEST_CELL)
        label = inline(unique)
        rows.append(PageEntry(model, unique, link(label, model.spec.path, folder), f"[{label}]({anchors.of(unique)})"))
    return rows


def columns_table(columns: Sequence[TableColumn], rows: Sequence[PageEntry]) -> list[str]:
    """The lines of a table."""
    titles = [Title(column.title, column.right) for column in columns]
    return markdown_table(titles, ([column.cell(row) for column in columns] for row in rows))


def _layers(row: PageEntry) -> str:
    layers = row.model.dimensions.layers
    stored = f"{layers.attention} attention, {layers.ffn} ffn"
    if (layers.attention_runs, layers.ffn_runs) == (layers.attention, layers.ffn):
        return stored
    return f"{stored} (run: {layers.attention_runs}, {layers.ffn_runs})"


def _sizes(sizes: Sequence[object], between: str) -> str:
    shown = [str(size) for size in sizes[:MAX_LAYERS]]
    return between.join([*shown, *(["…"] if len(sizes) > MAX_LAYERS else [])]) or "–"


def _heads(sizes: HeadSizes) -> str:
    keys = "" if sizes.kv_heads == sizes.heads else f" (kv: {sizes.kv_heads})"
    values = "" if sizes.value_dim == sizes.head_dim else f" (values: {sizes.value_dim})"
    return f"{sizes.heads} × {sizes.head_dim}{keys}{values}"


def _lines(row: PageEntry) -> str:
    lines = row.model.lines
    return f"{lines.own} + {lines.extended}" if lines.extended else str(lines.own)


MODELS = (
    TableColumn("model", lambda row: row.spec),
    TableColumn("layers", _layers),
    TableColumn("stream", lambda row: _sizes(row.model.dimensions.residual, " → "), right=True),
    TableColumn("heads × dim", lambda row: _sizes([_heads(sizes) for sizes in row.model.dimensions.heads], ", ")),
    TableColumn("hidden", lambda row: _sizes(row.model.dimensions.hidden, ", "), right=True),
    TableColumn("dtype", lambda row: row.model.spec.network.dtype.name),
    TableColumn("YAML lines", _lines, right=True),
    TableColumn("source", lambda row: inline(row.model.spec.resolved.source, LONGEST_CELL)),
)


def _author_count(row: PageEntry) -> str:
    author = row.model.author_count
    return "–" if author is None else figure(author.count)


def _author_rule(row: PageEntry) -> str:
    author, agreeing = row.model.author_count, row.model.agreeing
    if author is None:
        return "–"
    if author.rule:
        return code(author.rule) if author.rule in agreeing else f"not {code(author.rule)}"
    return f"as {code(agreeing[0])}" if agreeing else "none"


def _figure(rule: str) -> CellText:
    """The figure by a rule, and the one that stands beside it where that is another number."""
    beside, words = BESIDE.get(rule, (rule, ""))

    def cell(row: PageEntry) -> str:
        number, other_number = row.model.counts.by_rule(rule), row.model.counts.by_rule(beside)
        if number is None:
            return "undeclared"
        return figure(number) if other_number == number else f"{figure(number)} ({figure(other_number)} {words})"

    return cell


COUNT_COLUMNS = (
    TableColumn("model", lambda row: row.section),
    TableColumn("author", _author_count, right=True),
    TableColumn("by", _author_rule),
    *(TableColumn(rule, _figure(rule), right=True) for rule in SHOWN_RULES),
)


def _right(suite: ReportedSuite) -> CellText:
    def cell(row: PageEntry) -> str:
        result = row.model.result(suite)
        return "–" if result is None else right_of(result.right, result.inputs)

    return cell


def right_of(right: int, inputs: int) -> str:
    """`9 of 9`; bold where it is not all."""
    shown = f"{figure(right)} of {figure(inputs)}"
    return shown if right == inputs else f"**{shown}**"


def verdict_of(model: ReportedModel) -> str:
    """What is known of all inputs; bold where one is answered wrong."""
    verdict = model.verdict
    return "–" if verdict is None else f"**{verdict}**" if verdict == "refuted" else verdict


def _first_failure(row: PageEntry) -> str:
    return next(map(failure_text, row.model.failed), "")


def evaluation_columns(group: Group) -> tuple[TableColumn, ...]:
    """The columns about what the models of one task answer."""
    return (
        TableColumn("model", lambda row: row.section),
        *(TableColumn(code(suite.name), _right(suite), right=True) for suite in group.suites),
        *(
            [TableColumn("all inputs", lambda row: verdict_of(row.model))]
            if any(model.verdict for model in group.models)
            else []
        ),
        TableColumn("first failure", _first_failure),
    )


def failure_text(result: SuiteResult) -> str:
    """The first failure of a suite: `1 + 2 = 4`, not `3`."""
    failure = first_failure(result)
    if failure is None:
        return ""
    return f"{code(f'{failure.text} = {failure.got}')}, not {code(failure.expected)}"
