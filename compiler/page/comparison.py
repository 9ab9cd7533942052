"""Several models side by side: the figures of each, and what sets the others apart from the first one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from compiler.page.shapes import (
    ComparedFigure,
    ComparedLine,
    ComparedText,
    ComparedWith,
    Marks,
    PageComparison,
    PageModel,
)
from compiler.page.spec_lines import LinePlace, line_anchors
from compiler.pipeline import Spec
from compiler.readers.counting.counts import FIGURES
from compiler.readers.diffing.differences import Difference, EntryChange
from compiler.readers.diffing.diffing import diff
from compiler.readers.diffing.text_changes import TextChange
from compiler.source.text import Span
from compiler.terminal import shapes
from compiler.terminal.console import number_text
from compiler.terminal.differences import around_change, change_lines, likeness

MAX_LISTED = 60  # texts of one difference, and as many lines about numbers
MAX_MARKED = 2000  # numbers of a model that say what they are in another one
NOTHING = "–"
_Anchors = dict[LinePlace, str]


@dataclass(frozen=True)
class ComparedModel:
    """A model of a page, with its spec."""

    spec: Spec
    page: PageModel

    @cached_property
    def anchors(self) -> dict[LinePlace, str]:
        """The `id` of each line that is shown."""
        shown = {line["anchor"] for source in self.page["sources"] for line in source["lines"]}
        return {
            place: anchor for place, anchor in line_anchors(self.spec, self.page["prefix"]).items() if anchor in shown
        }


def beside_one_another(models: Sequence[ComparedModel]) -> PageComparison:
    """All of them beside one another; each is compared with the first."""
    differences = [diff(models[0].spec, other.spec) for other in models[1:]]
    changed = [_numbers_changed(difference) for difference in differences]
    return {
        "figures": [_figure(name, values) for name, values in _figures([model.page["model"] for model in models])],
        "tensors": list(_tensors(models, changed)),
        "others": [
            _compared_with(models[0], other, difference)
            for other, difference in zip(models[1:], differences, strict=True)
        ],
        "marks": list(_marks(models, differences)),
    }


def _figure(name: str, values: list[str]) -> ComparedFigure:
    return {"name": name, "values": values, "differs": [value != values[0] for value in values]}


def _figures(models: Sequence[shapes.Model]) -> Iterator[tuple[str, list[str]]]:
    """What is said of each model, by what it is about."""
    yield "task", [", ".join([one["task"] or "none", *_pairs(one["sizes"])]) for one in models]
    yield "dtype", [one["dtype"] for one in models]
    yield "layers", [f"{one['layers']['attention']} attention, {one['layers']['ffn']} ffn" for one in models]
    yield "stream", [" → ".join(map(str, one["stream"])) for one in models]
    yield "hidden", [", ".join(map(str, one["hidden"])) or NOTHING for one in models]
    for rule in FIGURES:
        yield rule, [_count({**one, **one["counts"]}[rule]) for one in models]
    for suite in dict.fromkeys(result["suite"] for one in models for result in one["suites"]):
        yield f"{suite}, right", [_right(one, suite) for one in models]
    if any(one["verdict"] for one in models):
        yield "verdict", [one["verdict"] or NOTHING for one in models]
    yield "lines of YAML", [_count(one["lines"] + one["lines_extended"]) for one in models]


def _pairs(sizes: dict[str, int]) -> list[str]:
    return [f"{name} {size}" for name, size in sizes.items()]


def _count(figure: object) -> str:
    number = len(figure) if isinstance(figure, list) else figure
    return "undeclared" if number is None else f"{number:,}"


def _right(model: shapes.Model, suite: str) -> str:
    result = next((one for one in model["suites"] if one["suite"] == suite), None)
    return NOTHING if result is None else f"{result['right']:,} of {result['inputs']:,}"


def _tensors(models: Sequence[ComparedModel], changed: Sequence[Counter[str]]) -> Iterator[ComparedFigure]:
    """The size of each tensor in each model, and how many of its numbers differ from those of the first one."""
    for name in dict.fromkeys(tensor["name"] for model in models for tensor in model.page["tensors"]):
        numbers = [0, *(one[name] for one in changed)]
        yield _figure(name, [_size(model.page, name, number) for model, number in zip(models, numbers, strict=True)])


def _size(model: PageModel, name: str, changed: int) -> str:
    tensor = next((one for one in model["tensors"] if one["name"] == name), None)
    if tensor is None:
        return NOTHING
    if tensor["tied_to"] is not None:
        return f"the same as {tensor['tied_to']}"
    size = f"{' × '.join(map(str, tensor['shape']))}, {tensor['nonzero']:,} not zero"
    return f"{size}, {changed:,} differ" if changed else size


def _numbers_changed(difference: Difference) -> Counter[str]:
    return Counter(entry.tensor for entry in _entries(difference))


def _entries(difference: Difference) -> Iterator[EntryChange]:
    yield from (entry for group in difference.groups for entry in group.entries)
    yield from (entry for tensor in difference.tensors for entry in tensor.entries)


def _compared_with(first: ComparedModel, other: ComparedModel, difference: Difference) -> ComparedWith:
    lines = list(change_lines(difference))
    anchors = first.anchors, other.anchors
    return {
        "before": difference.before,
        "after": difference.after,
        "equal": difference.empty,
        "alike": None if difference.alike is None else likeness(difference),
        "texts": [_text(change, anchors) for change in difference.texts[:MAX_LISTED]],
        "lines": [shapes.filled(ComparedLine, line, examples=list(line.examples)) for line in lines[:MAX_LISTED]],
        "left_out": max(0, len(difference.texts) - MAX_LISTED) + max(0, len(lines) - MAX_LISTED),
    }


def _text(change: TextChange, anchors: tuple[_Anchors, _Anchors]) -> ComparedText:
    before, after = around_change(change.before, change.after)
    section = f"{change.section_before} → {change.section}" if change.section_before else change.section
    return {
        "section": section,
        "path": change.path,
        "before": before,
        "after": after,
        "anchor_before": _anchor(change.span_before, anchors[0]),
        "anchor_after": _anchor(change.span_after, anchors[1]),
    }


def _anchor(span: Span | None, anchors: _Anchors) -> str | None:
    return None if span is None else anchors.get((span.source.name, span.line))


# What is marked where each model stands


def _marks(models: Sequence[ComparedModel], differences: Sequence[Difference]) -> Iterator[Marks]:
    """Those of each model; a number says what it is in the others, or in the first one."""
    first, *others = models
    pairs = list(zip(others, differences, strict=True))
    yield _marked(
        first,
        (change.span_before for difference in differences for change in difference.texts),
        ((entry, entry.after, other) for other, difference in pairs for entry in _entries(difference)),
    )
    for other, difference in pairs:
        yield _marked(
            other,
            (change.span_after for change in difference.texts),
            ((entry, entry.before, first) for entry in _entries(difference)),
        )


def _marked(
    model: ComparedModel,
    spans: Iterable[Span | None],
    changes: Iterable[tuple[EntryChange, float | None, ComparedModel]],
) -> Marks:
    numbers: dict[str, dict[str, str]] = {}
    for entry, number, other in islice(changes, MAX_MARKED):
        said = f"{'nothing' if number is None else number_text(number)} in {other.page['title']}"
        places = numbers.setdefault(entry.tensor, {})
        places[entry.label] = f"{places[entry.label]}, {said}" if entry.label in places else said
    return {"lines": sorted({anchor for span in spans if (anchor := _anchor(span, model.anchors))}), "numbers": numbers}
