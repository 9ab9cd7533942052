"""What a picture shows: panels with named axes and a cell at each place. Nothing here draws."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from compiler.source.diagnostics import fail
from compiler.terminal import shapes

PictureKind = Literal["heatmap", "lines"]
AxisSpacing = Literal["names", "linear", "log"]
ColourSpacing = Literal["linear", "log", "signed", "signed log"]
CellState = Literal[
    "value", "whole", "proved", "refuted", "open", "error", "missing", "unknown", "zero", "hidden", "infinite", "nan"
]

MAX_CELLS = 1 << 18  # of all panels together
MAX_PANELS = 36
MANY_TIMES = 1000  # the largest value is so many times the smallest one: then colours go by the logarithm
LARGEST_COLOURED = 1e300  # what is larger has the same colour; twice as much is still a float
COLOURED_RANGE = 1e-15  # of the largest number: what is smaller has the faintest colour
_EVEN = 1.6  # the largest factor from value to value is not so many times the smallest one
_GROWS = 8  # the last value of an axis is at least so many times the first one, where it is taken for a logarithm's


@dataclass(frozen=True)
class PictureAxis:
    """What runs along one side: a label for each place. `numbers` has theirs, where all of them are numbers."""

    name: str
    labels: tuple[str, ...]
    numbers: tuple[float, ...] = ()

    @property
    def spacing(self) -> AxisSpacing:
        """`log` where the numbers grow by a factor rather than by steps."""
        numbers = sorted(self.numbers)
        if not numbers:
            return "names"
        if len(numbers) < 3 or numbers[0] <= 0 or numbers[-1] < _GROWS * numbers[0]:
            return "linear"
        factors = _spread(b / a for a, b in pairwise(numbers))
        return "log" if factors < min(_EVEN, _spread(b - a for a, b in pairwise(numbers))) else "linear"


def _spread(steps: Iterable[float]) -> float:
    """How many times the smallest step the largest one is."""
    known = list(steps)
    return max(known) / min(known)


@dataclass(frozen=True)
class PictureCell:
    """One place: what is known of it, its number, and that number as a text; `short` is for where no text fits."""

    state: CellState
    value: float | None = None
    text: str = ""
    short: str = ""


@dataclass(frozen=True)
class ColourScale:
    """Which numbers have the first and the last colour, and how the colours run between them. `signed` ones run as far
    below zero as above it; of those that go by the logarithm, `least` is the first one above zero."""

    low: float
    high: float
    spacing: ColourSpacing = "linear"
    least: float = 0.0


@dataclass(frozen=True)
class PicturePanel:
    """Cells by rows, from top to bottom, and columns. Lines have a row of points for each; one line has no `y`.

    `colours` is None where no cell has a number.
    """

    title: str
    x: PictureAxis
    y: PictureAxis | None
    cells: tuple[tuple[PictureCell, ...], ...]
    colours: ColourScale | None = None

    @property
    def states(self) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(cell.state for cell in row) for row in self.cells)

    @property
    def values(self) -> tuple[tuple[float | None, ...], ...]:
        return tuple(tuple(cell.value for cell in row) for row in self.cells)

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(cell.text for cell in row) for row in self.cells)


@dataclass(frozen=True)
class Picture:
    """Panels about one kind of value, which is called `value`."""

    kind: PictureKind
    title: str
    value: str
    panels: tuple[PicturePanel, ...]


ZERO = PictureCell("zero", 0.0, "0")
HIDDEN = PictureCell("hidden")


def number_cell(value: float, text: str | None = None) -> PictureCell:
    """A number, with three figures unless there is a `text`; zero, an infinity and NaN are told apart from others."""
    if math.isnan(value):
        return PictureCell("nan", None, "NaN", "?")
    if math.isinf(value):
        return PictureCell("infinite", value, "∞" if value > 0 else "−∞", "∞")
    return PictureCell("value", value, figure_text(value) if text is None else text) if value else ZERO


def colour_scale(cells: Iterable[PictureCell], *, is_signed: bool) -> ColourScale | None:
    """The colours for the numbers of cells: from the smallest to the largest, or around zero."""
    numbers = [cell.value for cell in cells if cell.state == "value" and cell.value is not None]
    if not numbers:
        return None
    sizes = [abs(number) for number in numbers]
    most = min(max(sizes), LARGEST_COLOURED)
    least = max(min(sizes), most * COLOURED_RANGE)
    is_wide = most >= MANY_TIMES * least
    if is_signed or min(numbers) < 0:
        return ColourScale(-most, most, "signed log" if is_wide else "signed", least)
    return ColourScale(least if least < most else 0.0, most, "log" if is_wide else "linear", least)


def from_zero(cells: Iterable[PictureCell]) -> ColourScale | None:
    """Colours from zero to the largest number of cells that have none below zero."""
    numbers = [cell.value for cell in cells if cell.state == "value" and cell.value is not None]
    return ColourScale(0.0, max(numbers)) if numbers else None


def with_one_scale(panels: Iterable[PicturePanel], *, is_signed: bool) -> tuple[PicturePanel, ...]:
    """The panels with the same colours for the same numbers."""
    known = tuple(panels)
    colours = colour_scale((cell for panel in known for row in panel.cells for cell in row), is_signed=is_signed)
    return tuple(replace(panel, colours=colours) for panel in known)


def check_size(panels: int, cells: int, hint: str) -> None:
    """Refuse what no page could show. Raises `SpecError`."""
    if panels > MAX_PANELS:
        raise fail("too-large", f"these are {panels:,} panels; at most {MAX_PANELS} are drawn", hint=hint)
    if cells > MAX_CELLS:
        raise fail("too-large", f"these are {cells:,} cells; at most {MAX_CELLS:,} are drawn", hint=hint)


def figure_text(value: float) -> str:
    """A number in a cell: three figures, those before the point all, if there are no more than five."""
    size = abs(value)
    if size < 99_999.5 and (size >= 100 or value == round(value)):
        return f"{value:.0f}"
    return f"{value:.3g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


def picture_json(picture: Picture, file: str | None) -> shapes.Picture:
    """The picture as `--json` prints it; `file` is the one that was written."""
    return shapes.filled(shapes.Picture, picture, file=file)
