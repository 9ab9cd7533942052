"""What a page says, as JSON: all that stands in the page is made from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from compiler.page.cells import Equations, Making, Room, page_tensors
from compiler.page.comparison import ComparedModel, beside_one_another
from compiler.page.diagram import page_steps
from compiler.page.examples import WantedInputs, page_examples
from compiler.page.plans import NOWHERE, PagePlan
from compiler.page.shapes import Page, PageLine, PageMade, PageModel, PagePiece, PageSource
from compiler.page.spec_lines import Piece, line_anchors, spec_texts
from compiler.pipeline import Spec
from compiler.readers.counting.counts import FIGURES
from compiler.report.again import model_calls, page_call
from compiler.report.markdown.page import title_of
from compiler.report.markdown.text import relative
from compiler.report.reporting import Report, ReportedModel
from compiler.terminal import shapes
from compiler.terminal.certificates import margin_json
from compiler.terminal.counts import counts_json
from compiler.terminal.reports import report_json

MAX_LINES = 2000  # of a file that are shown
LONGEST_LINE = 1000  # characters of one that are shown
MAX_SPELLED = 1000  # tokens of a vocabulary that are called as people do
FILES = ("file", "spec")  # the fields that name a file


@dataclass(frozen=True)
class _Part:
    """A model with what the report says of it, the beginning of its `id`s, and the other models."""

    model: ReportedModel
    said: shapes.Model
    prefix: str
    others: tuple[ReportedModel, ...]


def described(report: Report, plan: PagePlan = NOWHERE) -> Page:
    """The page about a report; files are named as they are seen from the folder of the page."""
    models = [model for group in report.groups for model in group.models]
    whole = report_json(report, None, stale=None)
    prefixes = [""] if len(models) == 1 else [f"m{i}-" for i in range(1, len(models) + 1)]
    others = [tuple(other for other in models if other is not one) for one in models]
    parts = map(_Part, models, whole["models"], prefixes, others)
    room = Room()
    made = [_model_json(part, report.plan.budget, plan, room) for part in parts]
    models_beside = [ComparedModel(model.spec, one) for model, one in zip(models, made, strict=True)]
    page: Page = {
        "title": models[0].spec.title if len(models) == 1 else title_of(plan.target),
        "models": made,
        "comparison": beside_one_another(models_beside) if len(models_beside) > 1 else None,
        "rules": {name: rule.says for name, rule in FIGURES.items()},
        "findings": whole["findings"],
        "call": page_call(report, plan.target, plan.caller, *plan.words),
    }
    return _seen_from(plan.folder, page)


def _model_json(part: _Part, budget: float | None, plan: PagePlan, room: Room) -> PageModel:
    model, spec = part.model, part.model.spec
    anchors = line_anchors(spec, part.prefix)
    equations = Equations(lambda file, line: anchors.get((file, line)) if line <= MAX_LINES else None)
    making = Making(equations, room)
    steps, tensors = page_steps(spec.network, equations), page_tensors(spec, making)
    examples = page_examples(model, WantedInputs(plan.inputs, part.others), making)
    return {
        "prefix": part.prefix,
        "title": spec.title,
        "model": part.said,
        "count": counts_json([(spec, model.counts)], [model.claims])[0],
        "margins": list(_margins(model)),
        "steps": steps,
        "tensors": tensors,
        "spelling": _spelling(spec),
        "examples": examples.shown,
        "not_shown": examples.not_shown,
        "equations": equations.json,
        "sources": _sources(part),
        "calls": list(model_calls(model, budget, plan.caller)),
    }


def _margins(model: ReportedModel) -> Iterator[shapes.Margin]:
    """Those of each token of the answer where every input is proved right: what is decided of others takes its time."""
    found = model.verification
    if found is not None and found.verdict == "proved":
        steps = [step for part in found.by_size for step in part.verification.steps] or found.steps
        yield from filter(None, (margin_json(found, step.margin) for step in steps))


def _spelling(spec: Spec) -> dict[str, str]:
    """What people call the tokens that have another name, `3` for `digit[3]`: where no two are called the same."""
    labels = spec.network.vocabulary.labels
    if len(labels) > MAX_SPELLED:
        return {}
    spelled = spec.layout.spell(range(len(labels)), labels) if spec.resolved.asked else labels
    both = zip(labels, spelled, strict=True) if len({*spelled}) == len(labels) else ()
    return {label: short for label, short in both if short != label}


def _sources(part: _Part) -> list[PageSource]:
    return [
        {
            "file": text.name,
            "lines": [
                shapes.filled(
                    PageLine,
                    line,
                    pieces=[shapes.filled(PagePiece, piece) for piece in _beginning(line.pieces)],
                    makes=[shapes.filled(PageMade, made) for made in line.makes],
                    feeds=[shapes.filled(PageMade, made) for made in line.feeds],
                )
                for line in text.lines[:MAX_LINES]
            ],
            "left_out": max(0, len(text.lines) - MAX_LINES),
        }
        for text in spec_texts(part.model.spec, part.prefix)
    ]


def _beginning(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """The pieces of a line, up to the longest that is shown."""
    room = LONGEST_LINE
    for piece in pieces:
        if len(piece.text) > room:
            yield Piece(piece.kind, f"{piece.text[:room]} …")
            return
        room -= len(piece.text)
        yield piece


def _seen_from(folder: Path, page: Page) -> Page:
    """The same with each file as it is named from a folder: readers have not the paths of who made the page."""
    names = {source["file"] for model in page["models"] for source in model["sources"]}
    names |= {model["model"]["spec"] for model in page["models"]}
    seen = {name: relative(Path(name), folder) for name in names}

    def renamed(value: object) -> object:
        match value:
            case dict():
                return {
                    key: seen.get(item, item) if key in FILES and isinstance(item, str) else renamed(item)
                    for key, item in value.items()
                }
            case list():
                return [renamed(item) for item in value]
            case _:
                return value

    return cast(Page, renamed(page))
