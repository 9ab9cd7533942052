"""The rows of a sweep as a picture: a heatmap over two names that vary, lines over one, and a panel for each value of
a third."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from compiler.pictures.picture import (
    ColourScale,
    Picture,
    PictureAxis,
    PictureCell,
    PicturePanel,
    check_size,
    with_one_scale,
)
from compiler.pictures.result_values import ResultValue, ValueKind, result_values
from compiler.source.diagnostics import did_you_mean, fail, first_few
from compiler.source.faults import no_rule
from compiler.source.printable import printable
from compiler.sweeps.results import PointResult, SavedRow

SPEC = "spec"  # the name of the axis of specs
NO_ROW = PictureCell("missing")
AS_WRITTEN = "as written"  # the label of a row that does not set a name which others set
MAX_LINES = 24  # of one panel
MOST_AXES = 3  # x, y, and one that has panels
_LESS = "--where NAME=VALUE keeps the rows with one value of a name"
_FRACTION = re.compile(r"(\d{1,100})/(\d{1,100})")
_Places = Mapping[str, str]  # a label by the name that has it, of one row
_Placed = tuple[_Places, PointResult]


@dataclass(frozen=True)
class ResultView:
    """What of the rows is shown: the names along the axes and of the panels, the value, and the rows that are `kept`,
    in which names have these values. What is None follows from what varies."""

    x: str | None = None
    y: str | None = None
    facet: str | None = None
    value: str | None = None
    kept: Mapping[str, str] = field(default_factory=dict)
    as_lines: bool = False

    @property
    def chosen(self) -> tuple[str, ...]:
        return tuple(name for name in (self.x, self.y, self.facet) if name is not None)


def results_picture(rows: Sequence[SavedRow], view: ResultView) -> Picture:
    """The picture of rows. Raises `SpecError` for names that they do not have, where nothing or too much varies, and
    for several rows at one place."""
    specs = _spec_labels(rows)
    placed = _kept([(_places(row, specs), row.result) for row in rows], view.kept)
    names = _names(placed)
    for name in view.chosen:
        if name not in names:
            raise fail("unknown-name", f"the rows have no '{name}'{did_you_mean(name, names)}")
    x, y, facet = _axis_names(placed, view)
    shown = _shown_value([result for _, result in placed], view.value)
    is_map = y is not None and not view.as_lines
    columns, lines, panels = _axis(placed, x), _axis(placed, y), _axis(placed, facet)
    if is_map and lines.numbers:
        lines = PictureAxis(lines.name, lines.labels[::-1], lines.numbers[::-1])  # the largest at the top
    check_size(len(panels.labels), len(panels.labels) * len(lines.labels) * len(columns.labels), _LESS)
    if not is_map and len(lines.labels) > MAX_LINES:
        raise fail("too-large", f"these are {len(lines.labels)} lines; at most {MAX_LINES} are drawn", hint=_LESS)
    found = _by_place(placed, (facet, y, x))
    made = [
        PicturePanel(
            f"{facet} = {panel}" if facet is not None else "",
            columns,
            lines if y is not None else None,
            tuple(
                tuple(_cell(found.get((panel, line, column)), shown) for column in columns.labels)
                for line in lines.labels
            ),
        )
        for panel in panels.labels
    ]
    title = _title(placed, (x, y, facet))
    return Picture("heatmap" if is_map else "lines", title, shown.title, _coloured(made, shown.kind))


def _spec_labels(rows: Sequence[SavedRow]) -> dict[str, str]:
    """What the specs are called: their names, or where two files have the same, their paths."""
    paths = list(dict.fromkeys(row.spec for row in rows))
    stems = {path: Path(path).stem for path in paths}
    return stems if len(set(stems.values())) == len(paths) else {path: path for path in paths}


def _places(row: SavedRow, specs: Mapping[str, str]) -> _Places:
    settings = {printable(name): printable(text) for name, text in row.settings.items()}
    return {SPEC: printable(specs[row.spec]), **settings}


def _names(placed: Sequence[_Placed]) -> list[str]:
    """The names that rows can be told apart by, in the order of the rows."""
    return list(dict.fromkeys(name for places, _ in placed for name in places))


def _labels(placed: Sequence[_Placed], name: str) -> list[str]:
    """The values of a name, in the order of the rows."""
    return list(dict.fromkeys(_label(places, name) for places, _ in placed))


def _label(places: _Places, name: str | None) -> str:
    return "" if name is None else places.get(name, AS_WRITTEN)


def _kept(placed: list[_Placed], wanted: Mapping[str, str]) -> list[_Placed]:
    """The rows in which names have these values. Raises `SpecError` where no row has one of them."""
    for name, value in wanted.items():
        names = _names(placed)
        if name not in names:
            raise fail("unknown-name", f"the rows have no '{name}'{did_you_mean(name, names)}")
        labels = _labels(placed, name)
        same = [label for label in labels if label == value or _number(label) == _number(value) is not None]
        if not same:
            raise fail("unknown-name", f"no row has {name}={value}{did_you_mean(value, labels)}")
        placed = [one for one in placed if _label(one[0], name) in same]
    return placed


def _axis_names(placed: Sequence[_Placed], view: ResultView) -> tuple[str, str | None, str | None]:
    """The names along x and y and of the panels. What varies and was not chosen is taken from the last one on, which
    changed fastest when the rows were computed. Raises `SpecError`."""
    if len(set(view.chosen)) < len(view.chosen):
        raise fail("bad-value", "x, y and facet are different names")
    varying = [name for name in _names(placed) if len(_labels(placed, name)) > 1]
    free = [name for name in varying if name not in view.chosen]
    if not free and not view.chosen:
        raise fail("bad-value", "nothing varies in these rows: there is nothing to draw a value over")
    if len(free) + len(view.chosen) > MOST_AXES:
        message = f"{first_few(free)} vary too; a picture has an x, a y and a panel for each value of a third name"
        raise fail("bad-value", message, hint=_LESS)
    x = view.x if view.x is not None else free.pop() if free else None
    if x is None:
        raise fail("bad-value", f"nothing else than {first_few(view.chosen)} varies in these rows", hint="name an --x")
    y = view.y if view.y is not None else free.pop() if free else None
    return x, y, view.facet if view.facet is not None else free.pop() if free else None


def _axis(placed: Sequence[_Placed], name: str | None) -> PictureAxis:
    """The values of a name, sorted where all are numbers; a single place without a name."""
    if name is None:
        return PictureAxis("", ("",))
    labels = _labels(placed, name)
    numbers = {label: number for label in labels if (number := _number(label)) is not None}
    if len(numbers) < len(labels):
        return PictureAxis(name, tuple(labels))
    labels.sort(key=lambda label: numbers[label])
    return PictureAxis(name, tuple(labels), tuple(numbers[label] for label in labels))


def _number(label: str) -> float | None:
    fraction = _FRACTION.fullmatch(label)
    try:
        number = float(label) if fraction is None else int(fraction[1]) / int(fraction[2])
    except (ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) else None


def _by_place(placed: Sequence[_Placed], names: Sequence[str | None]) -> dict[tuple[str, ...], PointResult]:
    """The results by the labels of these names. Raises `SpecError` where two have the same."""
    found: dict[tuple[str, ...], PointResult] = {}
    for places, result in placed:
        place = tuple(_label(places, name) for name in names)
        if place in found:
            at = ", ".join(f"{name}={label}" for name, label in zip(names, place, strict=True) if name is not None)
            hint = "a journal keeps the answers to every question; draw a file that one sweep wrote with --out"
            raise fail("bad-value", f"there are several rows at {at}", hint=hint)
        found[place] = result
    return found


def _cell(result: PointResult | None, shown: ResultValue) -> PictureCell:
    if result is None:
        return NO_ROW
    cell = shown.cell(result)
    if cell is not None:
        return cell
    return PictureCell("unknown") if result.error is None else PictureCell("error", None, result.error.code, "E")


def _title(placed: Sequence[_Placed], drawn: Sequence[str | None]) -> str:
    """What all cells have in common."""
    names = [name for name in _names(placed) if name not in drawn]
    labels = {name: _labels(placed, name)[0] for name in names}
    spec = labels.pop(SPEC, "")
    return " ".join([spec, *(f"{name}={label}" for name, label in labels.items())]).strip()


def _coloured(panels: Sequence[PicturePanel], kind: ValueKind) -> tuple[PicturePanel, ...]:
    match kind:
        case "verdict":
            return tuple(panels)
        case "share":
            return tuple(replace(panel, colours=ColourScale(0.0, 1.0)) for panel in panels)
        case "number":
            return with_one_scale(panels, is_signed=False)
        case _:
            raise no_rule("kind of value", kind)


def _shown_value(results: Sequence[PointResult], asked: str | None) -> ResultValue:
    """The value that was asked for; by default verdicts, right answers or sizes, whichever is known.
    Raises `SpecError`."""
    values = result_values(results)
    if asked is None:
        return next(iter(values.values()))
    if asked not in values:
        raise fail("unknown-name", f"no value '{asked}' of these rows{did_you_mean(asked, values)}")
    return values[asked]
