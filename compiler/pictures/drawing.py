"""Pictures drawn by matplotlib, as PNG or SVG. Nothing is left behind in its settings."""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, pairwise
from math import ceil

import matplotlib.style
import numpy as np
from matplotlib import colors as mcolors
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from compiler.pictures.layout import (
    LABEL_SIZE,
    LINES_PANEL,
    MOST_TICKS,
    TEXT_SIZE,
    TITLE_SIZE,
    Box,
    PageLayout,
    has_texts,
    has_upright_labels,
    label_step,
    line_height,
    page_layout,
    short_label,
    short_title,
    text_width,
)
from compiler.pictures.picture import (
    CellState,
    ColourScale,
    Picture,
    PictureAxis,
    PictureCell,
    PicturePanel,
    figure_text,
    picture_json,
)
from compiler.source.faults import no_rule

Floats = NDArray[np.float64]
DOTS = 150  # per inch of a PNG
MOST_SHAPES = 2500  # cells of a panel that are shapes in an SVG, and hatched one by one
LEAST_WITH_EDGES = 0.1  # inches: smaller cells have no edges
_SETTINGS = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # which matplotlib brings with it
    "font.size": LABEL_SIZE,
    "axes.linewidth": 0.6,
    "hatch.linewidth": 0.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "weightspec",
    "text.parse_math": False,
}
_GRID = "#d9d9d9"
_FIGURES = FuncFormatter(lambda value, _: figure_text(value))
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#f0e442")
_MARKERS = "osD^vP*X"


@dataclass(frozen=True)
class CellStyle:
    """How cells of a state are drawn: their colour, hatches, the mark of a point in lines, and what the legend says.
    Without a colour they have that of their number, without a legend they need none."""

    colour: str | None
    hatch: str = ""
    marker: str = "x"
    legend: str = ""


STYLES: dict[CellState, CellStyle] = {  # hatches are lines: dots make an SVG large
    "value": CellStyle(None),
    "whole": CellStyle(None, legend="bold or •: all right"),
    "proved": CellStyle("#0072b2", "", "o", "P proved"),
    "refuted": CellStyle("#e69f00", "///", "v", "R refuted: at least so many wrong"),
    "open": CellStyle("#f0e442", "\\\\\\", "s", "O open"),
    "error": CellStyle("#ffffff", "xxx", "x", "E error"),
    "missing": CellStyle("#eeeeee", "", "", "no row"),
    "unknown": CellStyle("#bdbdbd", "", "|", "not known"),
    "zero": CellStyle("#ffffff", "", "_", "exactly 0"),
    "hidden": CellStyle("#bdbdbd", "", "", "hidden key"),
    "infinite": CellStyle("#000000", "", "^", "infinite"),
    "nan": CellStyle("#cc79a7", "++", "1", "NaN"),
}
_HEIGHTS: dict[str, int] = {"refuted": 0, "open": 1, "proved": 2}  # of points in lines of verdicts


def picture_data(picture: Picture, ending: str) -> bytes:
    """The picture as a file with this ending, `.png` or `.svg`. An SVG says in its description what it shows."""
    written, kind = io.BytesIO(), ending.removeprefix(".")
    about: dict[str, str | None] = {"Software": "weightspec"}
    if kind == "svg":
        about = {"Date": None, "Creator": "weightspec", "Description": picture_description(picture)}
    with _settings():
        picture_figure(picture).savefig(written, format=kind, dpi=DOTS, metadata=about)
    return written.getvalue()


@contextmanager
def _settings() -> Iterator[None]:
    """Whatever the user has set for other programs stays out, and as it is. That a font lacks a sign is no news."""
    with matplotlib.style.context([_SETTINGS], after_reset=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def picture_description(picture: Picture) -> str:
    """What a picture shows, as JSON in one line, without texts; numbers have four figures, and of many cells there are
    none."""
    shown = picture_json(picture, None)
    for panel in shown["panels"]:
        panel["texts"] = []
        if sum(map(len, panel["states"])) > MOST_SHAPES:
            panel["values"], panel["states"] = [], []
        panel["values"] = [[None if one is None else float(f"{one:.4g}") for one in row] for row in panel["values"]]
    return json.dumps(shown, ensure_ascii=False)


def picture_figure(picture: Picture) -> Figure:
    """The picture as a figure of matplotlib: the axes of its panels, then those of its bars of colours."""
    entries = list(_legend(picture))
    layout = page_layout(picture, [label for _, label in entries])
    figure = Figure(figsize=(layout.width, layout.height))
    for panel, box in zip(picture.panels, layout.panels, strict=True):
        axes = figure.add_axes(_part(layout, box))
        match picture.kind:
            case "heatmap":
                _draw_map(axes, panel, layout, with_texts=has_texts(picture))
            case "lines":
                _draw_lines(axes, panel, layout.cell[0])
            case _:
                raise no_rule("kind of picture", picture.kind)
        axes.set_title(panel.title, fontsize=LABEL_SIZE, loc="left", pad=4)
    for panel, box in zip(picture.panels, layout.bars, strict=False):  # one bar may stand for all
        _draw_bar(figure, layout, box, panel.colours)
    _write_heading(figure, layout, picture)
    if entries:
        figure.legend(
            handles=[handle for handle, _ in entries],
            labels=[label for _, label in entries],
            loc="upper left",
            bbox_to_anchor=(0.05 / layout.width, layout.legend / layout.height),
            ncols=layout.legend_columns,
            frameon=False,
            borderaxespad=0.0,
            columnspacing=1.2,
        )
    return figure


def _write_heading(figure: Figure, layout: PageLayout, picture: Picture) -> None:
    for number, (text, weight) in enumerate([(picture.title, "bold"), (picture.value, "normal")]):
        upper = 1 - (0.06 + number * line_height(TITLE_SIZE)) / layout.height
        left = 0.1 / layout.width
        figure.text(left, upper, short_title(text), fontsize=TITLE_SIZE, fontweight=weight, ha="left", va="top")


def _part(layout: PageLayout, box: Box) -> tuple[float, float, float, float]:
    """A box as shares of the page."""
    return (
        box.left / layout.width,
        box.bottom / layout.height,
        box.width / layout.width,
        box.height / layout.height,
    )


def _legend(picture: Picture) -> Iterator[tuple[Artist, str]]:
    """A handle and a label for each line, and for each state of a cell that needs one."""
    if picture.kind == "lines":
        yield from _legend_of_lines(picture)
        return
    present = {state for panel in picture.panels for row in panel.states for state in row}
    for state, style in STYLES.items():
        if state in present and style.legend:
            colour = "none" if style.colour is None else style.colour
            yield Patch(facecolor=colour, hatch=style.hatch, edgecolor="#555555", lw=0.5), style.legend


def _legend_of_lines(picture: Picture) -> Iterator[tuple[Artist, str]]:
    panel = picture.panels[0]  # all have the same lines
    if panel.y is not None:
        for label, colour, marker in zip(panel.y.labels, cycle(_COLOURS), cycle(_MARKERS), strict=False):
            line = Line2D([], [], color=colour, marker=marker, markersize=4, lw=1)
            yield line, f"{panel.y.name} = {short_label(label)}"
    cells = (cell for panel in picture.panels for row in panel.cells for cell in row)
    without_place = {cell.state for cell in cells if math.isnan(_height(cell, is_log=_is_log(panel)))}
    for state, style in STYLES.items():
        if state in without_place and style.marker:
            yield Line2D([], [], color="black", marker=style.marker, ls=""), style.legend.removeprefix("E ")


def _draw_map(axes: Axes, panel: PicturePanel, layout: PageLayout, *, with_texts: bool) -> None:
    down, across = len(panel.cells), len(panel.x.labels)
    colours = _cell_colours(panel)
    is_large = down * across > MOST_SHAPES
    mesh = axes.pcolormesh(np.arange(across + 1), np.arange(down + 1), colours, rasterized=is_large)
    if min(layout.cell) >= LEAST_WITH_EDGES:
        mesh.set(edgecolor=_GRID, linewidth=0.4)
    axes.set_xlim(0, across)
    axes.set_ylim(down, 0)
    places: dict[CellState, list[Rectangle]] = {}
    for i, row in enumerate(panel.cells):
        for k, cell in enumerate(row):
            if with_texts:
                _write(axes, (k, i), cell, layout.cell[0], colours[i, k])
            if STYLES[cell.state].hatch and not is_large:
                places.setdefault(cell.state, []).append(Rectangle((k, i), 1, 1))
    for state, shapes in places.items():
        hatched = PatchCollection(shapes, facecolor="none", edgecolor="#00000055", lw=0, hatch=STYLES[state].hatch)
        axes.add_collection(hatched)
    _label_x(axes, panel.x, layout.cell[0])
    if panel.y is not None:
        _label(axes.yaxis, panel.y, label_step(layout.cell[1]))
        axes.set_ylabel(panel.y.name)


def _cell_colours(panel: PicturePanel) -> Floats:
    """Red, green, blue and opacity of each cell, [rows, columns, 4], each from 0 to 1."""
    states = np.array(panel.states)
    made = np.ones((*states.shape, 4))
    for state in np.unique(states):
        colour = STYLES[state].colour
        if colour is not None:
            made[states == state] = mcolors.to_rgba(colour)
        elif panel.colours is not None:
            numbers = np.array([number for row in panel.values for number in row], dtype=float).reshape(states.shape)
            seen = np.copysign(np.maximum(np.abs(numbers), panel.colours.least), numbers)  # none is taken for zero
            made[states == state] = _map(panel.colours)(_norm(panel.colours)(seen[states == state]))
    return made


def _map(colours: ColourScale) -> mcolors.Colormap:
    """Colours that all eyes tell apart; those of signed numbers leave out the middle, so that none looks like zero."""
    if colours.spacing in ("signed", "signed log"):
        both = matplotlib.colormaps["PuOr_r"](
            np.concatenate([np.linspace(0.05, 0.4, 128), np.linspace(0.6, 0.95, 128)])
        )
        return mcolors.ListedColormap(both)
    return matplotlib.colormaps["viridis"]


def _norm(colours: ColourScale) -> mcolors.Normalize:
    match colours.spacing:
        case "linear" | "signed":
            return mcolors.Normalize(colours.low, colours.high, clip=True)
        case "log":
            return mcolors.LogNorm(colours.low, colours.high, clip=True)
        case "signed log":
            return mcolors.SymLogNorm(colours.least, 0.2, colours.low, colours.high, clip=True)
        case _:
            raise no_rule("spacing of colours", colours.spacing)


def _write(axes: Axes, place: tuple[int, int], cell: PictureCell, width: float, colour: Sequence[float]) -> None:
    """The text of a cell, or the short one, or none: whatever fits."""
    text = next((text for text in (cell.text, cell.short) if text_width(len(text), TEXT_SIZE) <= width), "")
    if not text:
        return
    red, green, blue, _ = colour
    is_dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
    axes.text(
        place[0] + 0.5,
        place[1] + 0.5,
        text,
        fontsize=TEXT_SIZE,
        color="white" if is_dark else "black",
        fontweight="bold" if cell.state == "whole" else "normal",
        ha="center",
        va="center",
    )


def _label(side: Axis, axis: PictureAxis, step: int, *, is_upright: bool = False) -> None:
    """The names of cells, or every so many of them."""
    places = range(0, len(axis.labels), step)
    labels = [short_label(axis.labels[i]) for i in places]
    side.set_ticks([i + 0.5 for i in places], labels, rotation=90 if is_upright else 0)
    side.set_tick_params(length=2 if any(axis.labels) else 0, width=0.5)


def _label_x(axes: Axes, axis: PictureAxis, width: float) -> None:
    is_upright = has_upright_labels(axis, width)
    _label(axes.xaxis, axis, label_step(width) if is_upright else 1, is_upright=is_upright)
    axes.set_xlabel(axis.name)


def _draw_lines(axes: Axes, panel: PicturePanel, room: float) -> None:
    """A line for each row, broken where there is no number; what has none stands at the lower edge, where it is."""
    is_log = _is_log(panel)
    places = panel.x.numbers or tuple(range(len(panel.x.labels)))
    for row, colour, marker in zip(panel.cells, cycle(_COLOURS), cycle(_MARKERS), strict=False):
        heights = [_height(cell, is_log=is_log) for cell in row]
        axes.plot(places, heights, color=colour, marker=marker, markersize=4, lw=1)
        without: dict[str, list[float]] = {}
        for at, height, cell in zip(places, heights, row, strict=True):
            if math.isnan(height):
                without.setdefault(STYLES[cell.state].marker, []).append(at)
        for mark, at_edge in without.items():
            lower = [0.03] * len(at_edge)
            axes.plot(at_edge, lower, marker=mark, color=colour, ls="", transform=axes.get_xaxis_transform())
    _label_places(axes, panel.x, places, room)
    if is_log:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(_FIGURES)
    elif any(cell.state in _HEIGHTS for row in panel.cells for cell in row):
        axes.set_yticks(list(_HEIGHTS.values()), list(_HEIGHTS))
        axes.set_ylim(-0.5, 2.5)
    elif panel.colours is not None and (panel.colours.low, panel.colours.high) == (0, 1):  # a share
        axes.set_ylim(-0.05, 1.05)
    axes.grid(color=_GRID, lw=0.5)


def _label_places(axes: Axes, axis: PictureAxis, places: Sequence[float], room: float) -> None:
    """The values along x: each where it stands, if all have `room`; else round numbers, or every so many names."""
    axes.set_xlabel(axis.name)
    if axis.spacing == "log":
        axes.set_xscale("log")
    step = ceil(len(places) / MOST_TICKS)
    if axis.spacing == "names" or (step == 1 and _are_apart(axis)):
        labels = [short_label(label) for label in axis.labels[::step]]
        axes.set_xticks(places[::step], labels, rotation=90 if has_upright_labels(axis, room) else 0)
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_formatter(_FIGURES)


def _are_apart(axis: PictureAxis) -> bool:
    """Whether the labels of numbers do not run into one another."""
    numbers = [math.log(number) for number in axis.numbers] if axis.spacing == "log" else axis.numbers
    closest = min((b - a for a, b in pairwise(numbers)), default=1.0)
    whole = numbers[-1] - numbers[0] or 1.0
    return LINES_PANEL[0] * closest / whole >= text_width(max(map(len, axis.labels)))


def _is_log(panel: PicturePanel) -> bool:
    return panel.colours is not None and panel.colours.spacing == "log"


def _height(cell: PictureCell, *, is_log: bool) -> float:
    """Where a point stands; NaN for one without a place."""
    if cell.state in _HEIGHTS:
        return _HEIGHTS[cell.state]
    is_number = cell.state in ("value", "whole") or (cell.state == "zero" and not is_log)
    return cell.value if is_number and cell.value is not None else math.nan


def _draw_bar(figure: Figure, layout: PageLayout, box: Box, colours: ColourScale | None) -> None:
    """The bar that says which number has which colour."""
    if colours is None:
        return
    axes = figure.add_axes(_part(layout, box))
    bar = figure.colorbar(ScalarMappable(_norm(colours), _map(colours)), cax=axes)
    if bar.solids is not None:
        bar.solids.set_rasterized(True)  # in an SVG these are hundreds of shapes
    if colours.spacing == "signed log":
        bar.ax.yaxis.set_major_locator(FixedLocator(_signed_decades(colours)))
        bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.yaxis.set_major_formatter(_FIGURES)
    bar.ax.tick_params(length=2, width=0.5)


def _signed_decades(colours: ColourScale) -> list[float]:
    """A few powers of ten on both sides of zero."""
    first, last = math.ceil(math.log10(colours.least)), math.floor(math.log10(colours.high))
    step = max(1, (last - first) // 4)
    powers = [10.0**exponent for exponent in range(last, first - 1, -step)]
    return [*(-power for power in powers), *reversed(powers)]
