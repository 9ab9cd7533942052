"""What pictures show, as values and as figures of matplotlib: axes, cells, colours, and what is too much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from compiler.backends.torch.model import build_model
from compiler.pictures.drawing import MOST_SHAPES, STYLES, picture_data, picture_figure
from compiler.pictures.layout import MOST_TEXTS
from compiler.pictures.picture import (
    MAX_CELLS,
    MAX_PANELS,
    ColourScale,
    Picture,
    PictureAxis,
    PictureCell,
    PicturePanel,
    check_size,
    colour_scale,
    figure_text,
    number_cell,
)
from compiler.pictures.results import MAX_LINES, ResultView, results_picture
from compiler.pictures.tensors import tensor_picture
from compiler.pipeline import load
from compiler.readers.why.entries import named_tensors
from compiler.source.diagnostics import SpecError
from compiler.sweeps.results import PointError, PointResult, PointSuite, PointVerdict, SavedRow
from tests.helpers import SPECS, STEPS


def row(right: int | None = None, spec: str = "a.yaml", *, inputs: int = 10, **settings: str) -> SavedRow:
    """A row with a suite, or with an error."""
    if right is None:
        return SavedRow(spec, settings, "", PointResult(error=PointError("shape", "wrong")))
    return SavedRow(spec, settings, "", PointResult(suites=(PointSuite("edges", None, inputs, right),)))


def plain_map(cells: Sequence[Sequence[PictureCell]], labels: Sequence[str] | None = None) -> Picture:
    columns = PictureAxis("across", tuple(labels or map(str, range(len(cells[0])))))
    rows = PictureAxis("down", tuple(map(str, range(len(cells)))))
    colours = colour_scale((cell for row in cells for cell in row), is_signed=True)
    return Picture(
        "heatmap", "a title", "a value", (PicturePanel("", columns, rows, tuple(map(tuple, cells)), colours),)
    )


def written(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts if text.get_text()]


def cell_colours(axes: Axes) -> NDArray[np.float64]:
    """By row and column: red, green, blue, opacity."""
    (mesh,) = (one for one in axes.collections if isinstance(one, QuadMesh))
    return np.asarray(mesh.get_array())


def points(line: Line2D) -> tuple[list[float], list[float]]:
    return np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize(
    ("numbers", "spacing"),
    [
        ((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 24), "linear"),
        ((1, 2, 4, 8, 16), "log"),
        ((1e4, 1e5, 1e6), "log"),
        ((2, 5, 10, 20, 50), "log"),
        ((1, 16), "linear"),
        ((10, 11, 12), "linear"),
        ((0, 1, 10, 100), "linear"),
        ((-1, -10, -100), "linear"),
        ((), "names"),
    ],
)
def test_an_axis_is_a_logarithm_where_values_grow_by_a_factor(numbers: tuple[float, ...], spacing: str) -> None:
    assert PictureAxis("x", tuple(map(str, numbers)), numbers).spacing == spacing


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-1000, "-1000"),
        (99_999.4, "99999"),
        (99_999.6, "1e5"),
        (1_234_567, "1.23e6"),
        (521.25, "521"),
        (0.0123456, "0.0123"),
        (2.5e-300, "2.5e-300"),
        (3e-9, "3e-9"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert figure_text(value) == text


def test_a_map_as_a_figure_has_its_names_cells_and_texts() -> None:
    rows = [
        row(right, base=base, digits=digits) for base, digits, right in [("2", "1", 3), ("2", "10", 10), ("16", "1", 0)]
    ]
    figure = picture_figure(results_picture([*rows, row(base="16", digits="2")], ResultView()))
    axes, bar = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("digits", "base")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "10"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["16", "2"]
    colours = cell_colours(axes)
    assert written(axes) == ["0", "shape", "3", "10"]
    assert len(np.unique(colours.reshape(6, 4), axis=0)) == 4  # of 3, of 10, of no row; 0 and an error are white
    assert bar.get_ylim() == (0, 1)
    assert legend(figure) == ["bold or •: all right", "E error", "no row", "exactly 0"]


def test_states_are_told_apart_without_colours() -> None:
    marks = [
        (style.hatch, style.legend[:1]) for state, style in STYLES.items() if state in ("proved", "refuted", "open")
    ]
    assert len(set(marks)) == 3
    assert {STYLES[state].hatch for state in ("error", "nan")}.isdisjoint(
        {STYLES["missing"].hatch, STYLES["value"].hatch}
    )


def test_lines_as_a_figure_have_gaps_and_marks_for_what_has_no_number() -> None:
    rows = [row(right, gain=gain) for gain, right in [("1", 1), ("10", 5), ("100", 10)]]
    figure = picture_figure(results_picture([*rows, row(gain="1000")], ResultView()))
    (axes,) = figure.axes
    line, error = axes.lines
    places, heights = points(line)
    assert places == [1, 10, 100, 1000]
    assert heights[:3] == [0.1, 0.5, 1.0]
    assert math.isnan(heights[3])
    assert (points(error)[0], error.get_marker()) == ([1000], STYLES["error"].marker)
    assert (axes.get_xscale(), axes.get_xlabel(), legend(figure)) == ("log", "gain", ["error"])


def test_lines_of_several_values_and_of_verdicts() -> None:
    verdicts = {"1": PointVerdict("proved", 9, 0, 0, 2.5, None), "2": PointVerdict("refuted", 9, 4, 5, None, None)}
    rows = [
        SavedRow("a.yaml", {"x": x, "y": y}, "", PointResult(verdict=verdict))
        for x, verdict in verdicts.items()
        for y in "pq"
    ]
    figure = picture_figure(results_picture(rows, ResultView(as_lines=True, x="x")))
    (axes,) = figure.axes
    assert [points(line)[1] for line in axes.lines] == [[2, 0], [2, 0]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["refuted", "open", "proved"]
    assert legend(figure) == ["y = p", "y = q"]


def test_facets_are_panels_in_the_order_of_their_numbers() -> None:
    rows = [row(1, a=a, b=b, c=c) for a in ("10", "9") for b in "12" for c in "123"]
    picture = results_picture(rows, ResultView())
    assert [(panel.title, panel.x.name, panel.y and panel.y.name) for panel in picture.panels] == [
        ("a = 9", "c", "b"),
        ("a = 10", "c", "b"),
    ]
    figure = picture_figure(picture)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a = 9", "a = 10", ""]  # and one bar of colours
    chosen = results_picture(rows, ResultView(x="a", y="c"))
    assert [(panel.title, panel.x.name, panel.y and panel.y.name) for panel in chosen.panels] == [
        ("b = 1", "a", "c"),
        ("b = 2", "a", "c"),
    ]


def test_specs_are_an_axis_too() -> None:
    rows = [row(1, spec, n=n) for spec in ("one/a.yaml", "b.yaml") for n in "12"]
    (panel,) = results_picture(rows, ResultView()).panels
    assert panel.y == PictureAxis("spec", ("a", "b"))
    rows += [row(1, "two/a.yaml", n="1")]
    (panel,) = results_picture(rows, ResultView()).panels
    assert panel.y is not None
    assert panel.y.labels == ("one/a.yaml", "b.yaml", "two/a.yaml")
    assert panel.states[2] == ("value", "missing")


def test_a_row_that_does_not_set_a_name_is_as_written() -> None:
    (panel,) = results_picture([row(1), row(2, gain="3")], ResultView(x="gain")).panels
    assert (panel.x.labels, panel.x.spacing, panel.texts) == (("as written", "3"), "names", (("1", "2"),))


def test_the_number_of_inputs_stands_in_the_title_or_in_each_cell() -> None:
    same = results_picture([row(3, n="1"), row(10, n="2")], ResultView())
    assert (same.value, same.panels[0].texts) == ("right answers, edges of 10 inputs", (("3", "10"),))
    differing = results_picture([row(3, n="1"), row(10, n="2", inputs=20)], ResultView())
    assert (differing.value, differing.panels[0].texts) == ("right answers, edges", (("3/10", "10/20"),))


def test_an_open_verdict_says_why_and_a_refuted_one_how_many_are_wrong() -> None:
    verdicts = [
        PointVerdict("open", 9, 0, 9, None, None, ("time", "rounding")),
        PointVerdict("refuted", 9, 4, 9, None, None, ("time",)),
        PointVerdict("proved", 9, 0, 0, 1.0, 1.0),
    ]
    rows = [SavedRow("a", {"n": str(n)}, "", PointResult(verdict=verdict)) for n, verdict in enumerate(verdicts)]
    assert results_picture(rows, ResultView()).panels[0].texts == (("O time, rounding", "R 4", "P"),)


def test_more_inputs_than_a_float_can_count() -> None:
    many = PointResult(verdict=PointVerdict("refuted", 10**400, 10**399, 10**400, None, None))
    rows = [SavedRow("a", {"n": str(n)}, "", many) for n in (1, 2)]
    assert results_picture(rows, ResultView()).panels[0].texts == (("R 1e399", "R 1e399"),)
    wrong = results_picture(rows, ResultView(value="wrong"))
    assert wrong.panels[0].texts == (("1e399", "1e399"),)
    assert picture_data(wrong, ".png")


FOUR = [row(1, a=value, b=value, c=value, d=value) for value in "12"]


@pytest.mark.parametrize(
    ("rows", "view", "message"),
    [
        (FOUR, ResultView(), "a, b, c, d vary too"),
        (FOUR, ResultView(x="a"), "b, c, d vary too"),
        ([row(1, a="1"), row(1, a="1"), row(1, a="2")], ResultView(), "several rows at a=1"),
        ([], ResultView(), "nothing varies"),
        ([row(1, a="1"), row(1, a="2")], ResultView(y="a"), "nothing else than a varies"),
        ([row(1, a=str(a)) for a in range(MAX_PANELS + 1)], ResultView(x="spec", facet="a"), "37 panels"),
        ([row(1, a=str(a)) for a in range(MAX_LINES + 1)], ResultView(x="spec", y="a", as_lines=True), "25 lines"),
    ],
)
def test_what_cannot_be_drawn_is_refused(rows: list[SavedRow], view: ResultView, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        results_picture(rows, view)


def test_too_many_cells_are_refused() -> None:
    with pytest.raises(SpecError, match="262,145 cells"):
        check_size(1, MAX_CELLS + 1, "")


@pytest.mark.parametrize(
    ("numbers", "is_signed", "scale"),
    [
        ([1.0, 2.0], False, ColourScale(1.0, 2.0, "linear", 1.0)),
        ([1.0, 1e5], False, ColourScale(1.0, 1e5, "log", 1.0)),
        ([5.0, 5.0], False, ColourScale(0.0, 5.0, "linear", 5.0)),
        ([-1.0, 2.0], False, ColourScale(-2.0, 2.0, "signed", 1.0)),
        ([1.0, 2.0], True, ColourScale(-2.0, 2.0, "signed", 1.0)),
        ([-1e-9, 2.0], True, ColourScale(-2.0, 2.0, "signed log", 1e-9)),
        ([0.0, math.inf, math.nan], True, None),
    ],
)
def test_colours_follow_from_the_numbers(numbers: list[float], is_signed: bool, scale: ColourScale | None) -> None:
    assert colour_scale(map(number_cell, numbers), is_signed=is_signed) == scale


def test_signs_and_exact_zeros_are_seen_however_small_a_number_is() -> None:
    numbers = [0.0, 1e-300, -1e-300, 1.0, -1.0, math.inf, math.nan]
    for sized in (numbers, [0.0, 1e-3, -1e-3, 1.0, -1.0]):
        axes = picture_figure(plain_map([list(map(number_cell, sized))])).axes[0]
        zero, small, negative = cell_colours(axes)[0, :3].tolist()
        assert zero == [1, 1, 1, 1]
        assert small[0] - small[2] > 0.05 > -0.05 > negative[0] - negative[2]  # orange and purple


@pytest.mark.parametrize("ending", [".png", ".svg"])
def test_any_number_and_any_name_can_be_drawn(ending: str) -> None:
    numbers = [0.0, 5e-324, -1.7e308, 1.7e308, math.inf, -math.inf, math.nan]
    labels = ["$x$", "_a", "<b>&", "é漢\U0001f600", "%d {x}", "x" * 500, "\\frac"]
    data = picture_data(plain_map([list(map(number_cell, numbers))] * 2, labels), ending)
    if ending == ".svg":
        texts = [element.text for element in ElementTree.fromstring(data).iter("{http://www.w3.org/2000/svg}text")]
        assert {"$x$", "_a", "<b>&", "é漢\U0001f600", "%d {x}", "x" * 25 + "…", "NaN"} <= {*texts}


def test_of_many_cells_texts_and_labels_are_thinned_and_the_file_stays_small() -> None:
    side = math.isqrt(MOST_SHAPES) + 70
    picture = plain_map([[number_cell(float(i * k)) for k in range(side)] for i in range(side)])
    axes = picture_figure(picture).axes[0]
    assert (written(axes), side**2 > MOST_TEXTS) == ([], True)
    assert 20 < len(axes.get_xticklabels()) < side
    assert len(picture_data(picture, ".svg")) < 150_000


@pytest.mark.parametrize("path", [SPECS / "qwen20.yaml", STEPS / "ties-transposed.yaml"], ids=lambda path: path.stem)
def test_every_tensor_is_shown_as_it_is_read(path: Path) -> None:
    network = load(path).network
    state = build_model(network).state_dict()
    for name, (_, tensor) in named_tensors(network).items():
        stored = state[tensor.name].T if tensor.transposed else state[tensor.name]
        (panel,) = tensor_picture(load(path), name).panels
        rows = stored.unsqueeze(1) if stored.ndim == 1 else stored
        assert panel.values == tuple(map(tuple, rows.tolist())), name
