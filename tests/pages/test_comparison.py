"""Several specs on one page: what differs is said, and marked where it stands."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from compiler import diff, load
from compiler.page.description import described
from compiler.page.html import page_html
from compiler.report.reporting import make_report
from tests.helpers import SPECS, small
from tests.pages.parsed import Element, faults, page_data, parsed

TINY, EXACT, QWEN = (SPECS / f"{name}.yaml" for name in ("tiny95", "tiny95-exact", "qwen20"))
SETTING = "digits=2"
CHANGED = "layer1.ffn.gate.weight"


@cache
def page_of(*paths: Path) -> Element:
    report = make_report([load(path, [SETTING]) for path in paths], ("edges",))
    return parsed(page_html(described(report)))


def compared(*paths: Path) -> Any:
    return page_data(page_of(*paths))["comparison"]


def named(rows: list[Any], name: str) -> Any:
    return next(row for row in rows if row["name"] == name)


def test_one_model_is_compared_with_none() -> None:
    assert compared(TINY) is None
    assert page_of(TINY).all("section", **{"aria-labelledby": "beside"}) == []


def test_figures_stand_side_by_side() -> None:
    figures = compared(TINY, EXACT)["figures"]
    assert named(figures, "nonzero") == {"name": "nonzero", "values": ["95", "95"], "differs": [False, False]}
    assert named(figures, "lines of YAML")["differs"] == [False, True]
    assert named(compared(QWEN, TINY)["figures"], "dtype")["values"] == ["float32", "float64"]


def test_the_numbers_that_differ_are_those_of_diff() -> None:
    difference = diff(load(TINY), load(EXACT))
    entries = [entry for group in difference.groups for entry in group.entries]
    said = compared(TINY, EXACT)
    row = named(said["tensors"], CHANGED)
    assert (row["values"][1], row["differs"]) == (f"20 × 16, 20 not zero, {len(entries)} differ", [False, True])
    assert [one["name"] for one in said["tensors"] if any(one["differs"])] == [CHANGED]
    first, second = (marks["numbers"] for marks in said["marks"])
    assert first == {CHANGED: {entry.label: f"{entry.after:.0f} in tiny95-exact --set {SETTING}" for entry in entries}}
    assert second == {CHANGED: {entry.label: f"{entry.before:.0f} in tiny95 --set {SETTING}" for entry in entries}}
    assert "20 entries × 10000 through v_scale" in said["others"][0]["lines"][0]["text"]


def test_what_differs_is_marked_in_cells_and_lines() -> None:
    document = page_of(TINY, EXACT)
    assert list(faults(document)) == []
    grids = document.all("table", role="grid")
    marked = [(grid.attributes["aria-label"], cell) for grid in grids for cell in grid.all("td") if marks(cell)]
    assert {name for name, _ in marked} == {CHANGED}
    assert [cell.text for _, cell in marked] == [*["1e+04"] * 10, *["-1e+04"] * 10, *["1e+08"] * 10, *["-1e+08"] * 10]
    lines = {line.attributes["id"]: line.all("code")[0].text.strip() for line in document.all("li") if marks(line)}
    assert lines["m1-L18"].startswith("v_scale: 1e4")
    assert lines["m2-L10"] == "v_scale: 1e8"
    assert all(
        line.startswith(("name", "summary", "v_scale", "edges", "near_carry", "verdict")) for line in lines.values()
    )
    written = [text["path"] for text in compared(TINY, EXACT)["others"][0]["texts"]]
    assert "v_scale" in written


def marks(element: Element) -> bool:
    return "differs" in element.attributes.get("class", "").split()


def digits(folder: Path, name: str, number: int) -> Path:
    """A spec that stores one number for each digit."""
    path = folder / f"{name}.yaml"
    path.write_text(
        small(f"embedding:\n  digit[d]: {{x: {number}}}", stream="x").replace("name: small", "name: a model")
    )
    return path


def test_each_model_is_compared_with_the_first(tmp_path: Path) -> None:
    paths = [digits(tmp_path, name, number) for name, number in (("a", 1), ("b", 2), ("c", 1), ("d", 3))]
    said = compared(*paths)
    assert named(said["tensors"], "embedding.weight")["differs"] == [False, True, False, True]
    assert [other["equal"] for other in said["others"]] == [False, True, False]
    others = said["marks"][0]["numbers"]["embedding.weight"]["digit[0], x"]
    assert [part.split(" ")[0] for part in others.split(", ")] == ["2", "3"]
    assert said["marks"][2] == {"lines": [], "numbers": {}}
    assert "They say the same." in page_of(*paths).text


def test_a_long_difference_is_cut() -> None:
    document = page_of(QWEN, TINY)
    assert list(faults(document)) == []
    (other,) = page_data(document)["comparison"]["others"]
    assert len(other["texts"]) == 60
    assert other["left_out"] > 0
    assert f"{other['left_out']} more differences" in document.text


def test_what_one_model_answers_wrong_is_looked_at_in_the_others() -> None:
    report = make_report([load(path) for path in (TINY, EXACT)], ("edges",))
    first, second = described(report)["models"]
    wrong = first["examples"][0]
    assert wrong["passes"][0]["trace"]["right"] is False
    beside = next(one for one in second["examples"] if one["title"] == wrong["title"])
    assert (beside["why"], beside["passes"][0]["trace"]["right"]) == ("answered wrong by tiny95", True)
