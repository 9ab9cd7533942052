"""A report as a page of Markdown. It has no times, so that the same specs give the same bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from compiler.expressions.arithmetic import as_figure
from compiler.readers.counting.claims import ClaimResult
from compiler.readers.counting.counts import FIGURES, HardCoded
from compiler.report.again import Caller, model_calls, page_call
from compiler.report.markdown.columns import (
    COUNT_COLUMNS,
    MODELS,
    PageEntry,
    columns_table,
    evaluation_columns,
    failure_text,
    page_entries,
    right_of,
    verdict_of,
)
from compiler.report.markdown.sentences import (
    count_sentences,
    evaluation_sentences,
    length_sentences,
    rank_sentences,
    verdict_sentences,
)
from compiler.report.markdown.text import Title, code, figure, inline, listing, markdown_table, one_line, several
from compiler.report.observations import shown_disclosures
from compiler.report.reporting import Group, Report, ReportedModel

MAX_HARD_CODED = 24
MAX_DISCLOSED = 24
GENERATED = "<!-- Made by `python cli.py report`; what is changed by hand is lost. -->"
FINDINGS, TABLE, COUNTED, EVALUATED, SINGLY, AGAIN = (
    "What the tables show",
    "Models",
    "Counts",
    "Right answers",
    "The models one by one",
    "How to get this again",
)
CALLER = Caller()
_ABOUT_CALLS = """\
The calls that print the figures of a model stand with it: `count` and `lint` for its counts, `eval` for its right
answers, `verify` for the verdict on all inputs. They are made in the folder where this page was made, by this call:"""
_ABOUT_MODELS = """\
`layers` are the steps of attention and ffn that are stored; where steps are repeated, it says how many are run.
`stream` is the size of the residual stream, with its changes, `heads × dim` the heads of each attention step and their
coordinates (`kv`: heads of keys and values, where they are fewer), `hidden` the hidden units of each ffn step. `YAML
lines` are those that are neither blank nor only a comment; those of a spec that is extended stand behind `+`."""
_ABOUT_AUTHORS = """\
`author` is the count that the author publishes. `by` is the rule that the spec names for it and that gives it; `none`
where no rule does; `as` and a rule where the spec names none, but this one gives the same number."""
_ABOUT_EVALUATION = """\
Of n inputs, k are answered right, in every token. Where all inputs of a suite are, this proves nothing about others.
An input is answered right where one pass over the prompt and the right answer predicts each token of the answer. Where
that is won by hardly more than rounding, the one input is decoded token by token instead, on one thread; wrong answers
are what this decoding says. All is computed on a CPU in the dtype of the model. A model of float32 or less may win by a
unit in the last place: on another kind of CPU, or with another version of torch, its figures may be others."""

_ABOUT_VERDICTS = """\
`all inputs` is what `verify` decides about every input of the task: `proved` (each one is answered right), `refuted`
(there is one that the torch module answers wrong) or `open`."""


def title_of(target: Path | None) -> str:
    """The heading of a page in a file: `gallery.md` is the page `Gallery`."""
    words = one_line(target.stem.replace("_", " ").replace("-", " ")) if target is not None else ""
    return words[:1].upper() + words[1:] if words else "Report"


def report_page(report: Report, target: Path | None = None, caller: Caller = CALLER) -> str:
    """The page, with links from the folder of `target`, or from the working folder, and calls as the `caller` makes
    them."""
    folder = target.parent if target is not None else Path()
    title = title_of(target)
    groups = [group.title for group in report.groups]
    rows = page_entries(report, folder, [title, FINDINGS, TABLE, COUNTED, EVALUATED, *groups, SINGLY])
    by_model = {id(row.model): row for row in rows}
    lines = [
        f"# {inline(title)}",
        "",
        GENERATED,
        "",
        f"{several(len(rows), 'model')}, each made from a spec: what it is, how many parameters it has by every rule,"
        " and how many inputs it answers right.",
        *_section(FINDINGS, _findings(report, {key: inline(row.title) for key, row in by_model.items()})),
        *_section(TABLE, columns_table(MODELS, rows), [_ABOUT_MODELS]),
        *_section(COUNTED, _rules(), columns_table(COUNT_COLUMNS, rows), [_ABOUT_AUTHORS]),
        *_section(EVALUATED, [_ABOUT_EVALUATION], [_ABOUT_VERDICTS] if any(m.verdict for m in report.models) else []),
    ]
    for group, heading in zip(report.groups, groups, strict=True):
        group_rows = [by_model[id(model)] for model in group.models]
        lines += _section(heading, _suites(group), columns_table(evaluation_columns(group), group_rows), level=3)
    lines += _section(SINGLY)
    for row in rows:
        lines += _section(row.title, *_model(row), _shell(model_calls(row.model, report.plan.budget, caller)), level=3)
    lines += _section(AGAIN, [_ABOUT_CALLS], _shell([page_call(report, target, caller)]))
    return "\n".join(lines) + "\n"


def findings(report: Report, names: dict[int, str]) -> list[tuple[str, list[str]]]:
    """What the tables reveal, as sentences in Markdown below headings; `names` are those of the models, by their id."""

    def name(model: ReportedModel) -> str:
        return names[id(model)]

    sections = [
        (
            f"The models of the task {group.title}" if group.digest else "The models without a task",
            [*evaluation_sentences(group, name), *verdict_sentences(group, name), *rank_sentences(group.models, name)],
        )
        for group in report.groups
    ]
    if len(report.groups) == 1:
        sections = [("The models", sentences) for _, sentences in sections]
    sections.append(("Counts", count_sentences(report.models, name)))
    sections.append(("Specs", length_sentences(report.models, name)))
    return [(heading, sentences) for heading, sentences in sections if sentences]


def _findings(report: Report, names: dict[int, str]) -> list[str]:
    lines: list[str] = []
    for heading, sentences in findings(report, names):
        lines += ["", f"**{inline(heading)}**", "", *(f"- {sentence}" for sentence in sentences)]
    return lines[1:]


def _section(heading: str, *blocks: Sequence[str], level: int = 2) -> list[str]:
    """A heading and what stands below it, an empty line before each."""
    lines = ["", f"{'#' * level} {inline(heading)}"]
    for block in blocks:
        if block:
            lines += ["", *block]
    return lines


def _rules() -> list[str]:
    """What each rule counts."""
    rows = [[code(name), rule.says] for name, rule in FIGURES.items()]
    return markdown_table([Title("rule"), Title("what it counts")], rows)


def _suites(group: Group) -> list[str]:
    """What was run, with sizes and seeds."""
    if group.digest is None:
        return ["Nothing is right or wrong of a model without a task."]
    if not group.suites:
        return ["None of the suites that were asked for is one of this task."]
    lines = []
    for suite in group.suites:
        drawn = "" if suite.seed is None else f", seed {suite.seed}"
        lines.append(f"- {code(suite.name)}: {inline(suite.summary)}; {several(suite.inputs, 'input')}{drawn}")
    return lines


def _model(row: PageEntry) -> list[list[str]]:
    """What is said about one model."""
    model, resolved = row.model, row.model.spec.resolved
    facts = [f"Spec: {row.spec}."]
    if resolved.source:
        facts.append(f"Source: {inline(resolved.source)}")
    facts += _author(model)
    if resolved.expect.note:
        facts.append(f"Note: {inline(resolved.expect.note)}")
    facts += _claims(model.claims)
    if model.evaluation is not None and model.evaluation.decoding == "greedy":
        facts.append("Decoded token by token: not every attention is causal.")
    for failed in model.failed:
        wrong = f"{figure(failed.inputs - failed.right)} of {figure(failed.inputs)}"
        facts.append(f"Wrong in {code(failed.suite)}: {wrong}, first {failure_text(failed)}")
    if model.verdict is not None:
        facts.append(f"All inputs: {verdict_of(model)}" + (f"; {inline(model.reason)}." if model.reason else "."))
    if model.by_size:
        facts.append(f"All inputs, by size: {listing(f'{size} {verdict}' for size, verdict in model.by_size.items())}.")
    if model.counts.hard_coded:
        facts.append(f"Hard-coded: {_hard_coded(model)}")
    listed = [f"- {fact}" for fact in facts] + _disclosures(model)
    return [[inline(resolved.summary)] if resolved.summary else [], listed, _by_part(model)]


def _by_part(model: ReportedModel) -> list[str]:
    """A row for each part of suites, where sizes are ranges."""
    if len(model.spec.choices) < 2 or not model.results:
        return []
    labels = dict.fromkeys(part.label for result in model.results for part in result.parts)
    cells = [{part.label: right_of(part.right, part.inputs) for part in result.parts} for result in model.results]
    titles = [Title("right answers"), *(Title(code(result.suite), right=True) for result in model.results)]
    rows = [[inline(label), *(parts.get(label, "–") for parts in cells)] for label in labels]
    return markdown_table(titles, rows)


def _disclosures(model: ReportedModel) -> list[str]:
    """What `lint` discloses, as a list in the list of facts."""
    every = shown_disclosures(model)
    if not every:
        return []
    lines = ["- Disclosed by `lint`:"]
    for disclosure in every[:MAX_DISCLOSED]:
        span = disclosure.span
        place = "" if span is None else f" ({_place(model, span.source.name, span.line)})"
        lines.append(f"  - {code(disclosure.code)}{place}: {inline(disclosure.message)}")
    more = len(every) - MAX_DISCLOSED
    return [*lines, *([f"  - and {more:,} more"] if more > 0 else [])]


def _place(model: ReportedModel, file: str, line: int) -> str:
    """`line 21`; the file too, where it is not the spec's own."""
    return f"line {line}" if file == str(model.spec.path) else f"{code(Path(file).name)}, line {line}"


def _author(model: ReportedModel) -> list[str]:
    author = model.author_count
    if author is None:
        return []
    said = f"The author counts {figure(author.count)}"
    if author.rule:
        said += f"; {code(author.rule)} is {figure(model.counts.by_rule(author.rule))}"
    elif model.agreeing:
        said += f", as {listing(map(code, model.agreeing))} would"
    else:
        said += ", as no rule does"
    return [f"{said}. Note: {inline(author.note)}" if author.note else f"{said}."]


def _claims(claims: Iterable[ClaimResult]) -> list[str]:
    checked = [claim for claim in claims if claim.status != "not checked"]
    failed = [claim for claim in checked if claim.status == "failed"]
    if not checked:
        return []
    verdict = f"{figure(len(failed))} failed" if failed else ("it holds" if len(checked) == 1 else "all hold")
    said = [f"Claims under `expect`: {figure(len(checked))} checked, {verdict}."]
    return said + [f"**Failed**: {inline(claim.claim)}; {inline(claim.reason)}" for claim in failed]


def _shell(calls: Iterable[str]) -> list[str]:
    """Calls for a shell, in a block that nothing in them ends."""
    lines = list(calls)
    fence = "`" * max(3, 1 + max((len(run) for line in lines for run in re.findall("`+", line)), default=0))
    return [f"{fence}sh", *lines, fence]


def _hard_coded(model: ReportedModel) -> str:
    items = model.counts.hard_coded
    listed = [_hard_coded_item(model, item) for item in items[:MAX_HARD_CODED]]
    more = len(items) - MAX_HARD_CODED
    return ", ".join(listed) + (f" and {more:,} more" if more > 0 else "")


def _hard_coded_item(model: ReportedModel, item: HardCoded) -> str:
    """`base` = 10 (line 21), 0.3 in `phi` (line 7)."""
    shown = one_line(as_figure(item.value), 60)
    if item.name:
        shown = f"{code(item.name)} = {shown}" if item.whole else f"{shown} in {code(item.name)}"
    return f"{shown} ({_place(model, item.file, item.line)})"
