"""What a page says, as JSON: all that stands in the page is made from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from compiler.page.cells import Equations, Room, page_tensors
from compiler.page.shapes import Page, PageLine, PageMade, PageModel, PagePiece, PageSource
from compiler.page.spec_lines import line_anchors, spec_texts
from compiler.readers.counting.counts import FIGURES
from compiler.report.again import Caller, model_calls, page_call
from compiler.report.markdown.page import CALLER, title_of
from compiler.report.markdown.text import relative
from compiler.report.reporting import Report, ReportedModel
from compiler.terminal import shapes
from compiler.terminal.counts import counts_json
from compiler.terminal.reports import report_json

FILES = ("file", "spec")  # the fields that name a file


@dataclass(frozen=True)
class PagePlan:
    """Where a page will stand, and how it was called for."""

    target: Path | None = None
    caller: Caller = CALLER

    @property
    def folder(self) -> Path:
        return Path() if self.target is None else self.target.parent


NOWHERE = PagePlan()


@dataclass(frozen=True)
class _Part:
    """A model with what the report says of it, and the beginning of its `id`s."""

    model: ReportedModel
    said: shapes.Model
    prefix: str


def described(report: Report, plan: PagePlan = NOWHERE) -> Page:
    """The page about a report; files are named as they are seen from the folder of the page."""
    models = [model for group in report.groups for model in group.models]
    whole = report_json(report, None, stale=None)
    prefixes = [""] if len(models) == 1 else [f"m{i}-" for i in range(1, len(models) + 1)]
    parts = map(_Part, models, whole["models"], prefixes)
    room = Room()
    page: Page = {
        "title": models[0].spec.title if len(models) == 1 else title_of(plan.target),
        "models": [_model_json(part, report.plan.budget, plan, room) for part in parts],
        "rules": {name: rule.says for name, rule in FIGURES.items()},
        "findings": whole["findings"],
        "call": page_call(report, plan.target, plan.caller),
    }
    return _seen_from(plan.folder, page)


def _model_json(part: _Part, budget: float | None, plan: PagePlan, room: Room) -> PageModel:
    model, spec = part.model, part.model.spec
    anchors = line_anchors(spec, part.prefix)
    equations = Equations(lambda file, line: anchors.get((file, line)))
    tensors = page_tensors(spec, equations, room)
    return {
        "prefix": part.prefix,
        "title": spec.title,
        "model": part.said,
        "count": counts_json([(spec, model.counts)], [model.claims])[0],
        "equations": equations.json,
        "tensors": tensors,
        "sources": _sources(part),
        "calls": list(model_calls(model, budget, plan.caller)),
    }


def _sources(part: _Part) -> list[PageSource]:
    return [
        {
            "file": text.name,
            "lines": [
                shapes.filled(
                    PageLine,
                    line,
                    pieces=[shapes.filled(PagePiece, piece) for piece in line.pieces],
                    makes=[shapes.filled(PageMade, made) for made in line.makes],
                    feeds=[shapes.filled(PageMade, made) for made in line.feeds],
                )
                for line in text.lines
            ],
        }
        for text in spec_texts(part.model.spec, part.prefix)
    ]


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
