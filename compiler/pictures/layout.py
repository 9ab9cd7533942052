"""Where the parts of a picture lie, in inches: the same on every machine, whatever fonts it has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil

from compiler.pictures.picture import Picture, PictureAxis, PicturePanel

LABEL_SIZE, TEXT_SIZE, TITLE_SIZE = 8.0, 7.0, 9.0  # of fonts, in points
MOST_TEXTS = 400  # cells of a picture whose cells have texts
LONGEST_LABEL = 26  # in characters
MOST_TICKS = 20  # labels below lines
BAR_WIDTH = 0.12
LINES_PANEL = (3.6, 2.4)  # width and height
_PAGE_WIDTH = 11.0  # of all panels side by side, about
_WIDE, _HIGH = 0.6, 1.5  # a character and a line, by the size of the font
_INCH = 72.0  # points
_NARROW_CELL, _LOW_CELL = 0.17, 0.17  # of a cell without a text
_WIDEST_CELL, _TEXT_HEIGHT = 0.8, 0.24  # of a cell with a text
_LONGEST_SIDE = {1: 9.0, 4: 5.0}  # of a panel, by how many there are at most
_LONGEST_SIDE_OF_MANY = 3.4
_LEAST_SIDE = 0.9
_GAP = 0.2
_BAR_ROOM = 0.8  # of a bar of colours with its numbers


def text_width(characters: int, size: float = LABEL_SIZE) -> float:
    return characters * size * _WIDE / _INCH


def line_height(size: float = LABEL_SIZE) -> float:
    return size * _HIGH / _INCH


def short_label(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"


@dataclass(frozen=True)
class Box:
    """A rectangle on the page: the place of its lower left corner, its width and height."""

    left: float
    bottom: float
    width: float
    height: float


@dataclass(frozen=True)
class PageLayout:
    """The size of the page and of each cell, and for each panel the box inside its axes.

    `bars` are the boxes of bars of colours: one for all panels, or one for each. The legend hangs down from `legend`,
    with so many entries side by side as `legend_columns` says.
    """

    width: float
    height: float
    cell: tuple[float, float]
    panels: tuple[Box, ...]
    bars: tuple[Box, ...]
    legend: float
    legend_columns: int


def page_layout(picture: Picture, entries: list[str]) -> PageLayout:
    """The layout of a picture whose legend has these entries."""
    cell = _cell_size(picture)
    sides = [_sides(picture, panel, cell) for panel in picture.panels]
    left, below = _left(picture), _below(picture, cell[0])
    above = line_height(TITLE_SIZE) if any(panel.title for panel in picture.panels) else 0.05
    has_bars = picture.kind == "heatmap" and any(panel.colours is not None for panel in picture.panels)
    own_bars = has_bars and not has_one_scale(picture)
    inner = max(width for width, _ in sides)
    outer = left + inner + _GAP + own_bars * _BAR_ROOM
    across = max(1, min(len(sides), int(_PAGE_WIDTH // outer)))
    width = across * outer + (_BAR_ROOM if has_bars and not own_bars else 0.1)
    width = max(
        width, max(text_width(len(short_title(text)), TITLE_SIZE) for text in (picture.title, picture.value)) + 0.2
    )
    columns = max(1, int(width // (text_width(max(map(len, entries), default=1)) + 0.5)))
    legend = 2 * line_height(TITLE_SIZE) + 0.1
    top = legend + ceil(len(entries) / columns) * line_height() * 1.3 + (0.1 if entries else 0.0)
    rows = [sides[i : i + across] for i in range(0, len(sides), across)]
    heights = [max(height for _, height in row) for row in rows]
    height = top + sum(heights) + len(rows) * (above + below) + 0.05
    panels, upper = [], height - top
    for row, tallest in zip(rows, heights, strict=True):
        upper -= above
        panels += [Box(i * outer + left, upper - side[1], *side) for i, side in enumerate(row)]
        upper -= tallest + below
    return PageLayout(
        width, height, cell, tuple(panels), tuple(_bars(panels, has_bars, own_bars)), height - legend, columns
    )


def _bars(panels: list[Box], has_bars: bool, own_bars: bool) -> Iterator[Box]:
    if own_bars:
        for box in panels:
            yield Box(box.left + box.width + 0.1, box.bottom, BAR_WIDTH, box.height)
    elif has_bars:
        height = min(4.0, max(1.2, panels[0].height))
        right = max(box.left + box.width for box in panels)
        yield Box(right + 0.15, panels[0].bottom + panels[0].height - height, BAR_WIDTH, height)


def has_one_scale(picture: Picture) -> bool:
    """Whether all panels have the same colours for the same numbers."""
    return len({panel.colours for panel in picture.panels}) == 1


def short_title(title: str) -> str:
    return title if len(title) <= 90 else f"{title[:89]}…"


def has_texts(picture: Picture) -> bool:
    """Whether there are so few cells that each can have its text."""
    return sum(len(row) for panel in picture.panels for row in panel.cells) <= MOST_TEXTS


def _cell_size(picture: Picture) -> tuple[float, float]:
    """Width and height of a cell, the same in all panels."""
    across = max(len(panel.x.labels) for panel in picture.panels)
    if picture.kind == "lines":
        return LINES_PANEL[0] / min(across, MOST_TICKS), LINES_PANEL[1]
    down = max(len(panel.cells) for panel in picture.panels)
    longest = next((side for most, side in _LONGEST_SIDE.items() if len(picture.panels) <= most), _LONGEST_SIDE_OF_MANY)
    width, height = _NARROW_CELL, _LOW_CELL
    if has_texts(picture):
        texts = (cell.text for panel in picture.panels for row in panel.cells for cell in row)
        width = min(_WIDEST_CELL, max(_TEXT_HEIGHT, text_width(max(map(len, texts)) + 1, TEXT_SIZE)))
        height = _TEXT_HEIGHT
    return max(min(width, longest / across), _LEAST_SIDE / across), min(height, longest / down)


def _sides(picture: Picture, panel: PicturePanel, cell: tuple[float, float]) -> tuple[float, float]:
    if picture.kind == "lines":
        return LINES_PANEL
    return len(panel.x.labels) * cell[0], len(panel.cells) * cell[1]


def _longest(axes: Iterable[PictureAxis]) -> int:
    return max(len(short_label(label)) for axis in axes for label in axis.labels)


def _left(picture: Picture) -> float:
    """Room for the labels of rows, and the name of the axis."""
    if picture.kind == "lines":
        return 0.8
    return text_width(_longest(panel.y for panel in picture.panels if panel.y is not None) + 1) + line_height() + 0.1


def _below(picture: Picture, cell_width: float) -> float:
    """Room for the labels of columns, and the name of the axis."""
    axes = [panel.x for panel in picture.panels]
    upright = any(has_upright_labels(axis, cell_width) for axis in axes)
    labels = text_width(_longest(axes) + 1) if upright else line_height()
    return labels + line_height() + 0.15


def has_upright_labels(axis: PictureAxis, cell_width: float) -> bool:
    """Whether labels side by side stand upright, as they would run into one another."""
    return text_width(_longest([axis]) + 1) > cell_width


def label_step(cell: float) -> int:
    """Every which label has room, where each takes a line."""
    return max(1, ceil(line_height() * 0.85 / cell))
