"""A page, without a browser: what is in it, that its HTML is sound, and that nothing comes from elsewhere."""

from __future__ import annotations

import hashlib
import math
import re
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from compiler import load
from compiler.expressions.arithmetic import FUNCTIONS
from compiler.page.description import MAX_LINES, described
from compiler.page.html import Shades, page_html
from compiler.page.notebook import show
from compiler.readers.why.why import why
from compiler.report.reporting import make_report
from compiler.source.diagnostics import SpecError
from compiler.terminal.why import why_json
from tests.cli.test_cli import QWEN, TINY, call
from tests.helpers import SPECS, STEPS, load_text
from tests.pages.parsed import Element, faults, page_data, parsed

PARITY = SPECS / "tasks" / "parity.yaml"
EDGES = ("--suite", "edges")
FUNCTION_NAMES: dict[str, Callable[..., Any]] = {**FUNCTIONS, "min": min, "max": max}


@cache
def page_of(path: str | Path) -> Element:
    """The page about a spec, of which nothing was evaluated."""
    return parsed(show(load(path)).html)


def model_of(path: str | Path) -> Any:
    return page_data(page_of(path))["models"][0]


@pytest.mark.parametrize(
    "path",
    [TINY, QWEN, *(STEPS / f"{name}.yaml" for name in ("repeat", "ties", "let", "mix", "residual-none"))],
    ids=str,
)
def test_the_html_is_sound(path: str | Path) -> None:
    assert list(faults(page_of(path))) == []


def test_the_html_about_several_specs_is_sound() -> None:
    document = parsed(page_html(described(make_report([load(PARITY), load(STEPS / "repeat.yaml")]))))
    assert list(faults(document)) == []
    models = page_data(document)["models"]
    assert [(model["prefix"], model["title"]) for model in models] == [("m1-", "repeat"), ("m2-", "parity")]
    assert [heading.text for heading in document.all("h2")][-2:] == ["repeat", "parity"]


def test_only_the_style_and_the_script_of_the_page_are_let_in() -> None:
    document = page_of(TINY)
    (policy,) = [one.attributes["content"] for one in document.all("meta") if "http-equiv" in one.attributes]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.keys() == {"default-src", "style-src", "script-src", "base-uri", "form-action"}
    assert rules["default-src"] == "'none'"
    (style,) = document.all("style")
    _, script = document.all("script")
    for key, element in (("style-src", style), ("script-src", script)):
        digest = b64encode(hashlib.sha256(element.text.encode()).digest()).decode()
        assert rules[key] == f"'sha256-{digest}'"
    assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttp|eval\(|innerHTML", script.text + style.text)


@pytest.mark.parametrize("path", [TINY, QWEN, PARITY, STEPS / "let.yaml", STEPS / "score-routing.yaml"], ids=str)
def test_each_cell_has_the_equation_that_why_gives(path: str | Path) -> None:
    spec, model = load(path), model_of(path)
    cells = [(tensor, cell) for tensor in model["tensors"] for cell in tensor["cells"]]
    assert len(cells) > 4
    for tensor, cell in cells[:: max(1, len(cells) // 40)]:
        row, column = tensor["rows"][cell["row"]], tensor["columns"][cell["column"]]
        place = f"'{column}'" if row == "" else f"'{row}', '{column}'"
        said = why_json(spec, why(spec, f"{tensor['name']}[{place.replace(chr(39) + '*' + chr(39), '*')}]"))
        equation = model["equations"][cell["equation"]]
        assert (cell["value"], cell["part"]) == (said["value"], said["part"])
        assert (equation["equation"], equation["line"]) == (said["equation"], said["line"])
        read = {f"{name['name']} = " for name in said["names"] if name["value"] is not None}
        read |= {f"{said['numbers'][at]['name']} = " for at in said["computed_from"] if said["numbers"][at]["name"]}
        assert {name[: name.index("= ") + 2] for name in cell["names"]} == read


@pytest.mark.parametrize("path", [TINY, QWEN], ids=str)
def test_an_equation_with_its_numbers_gives_the_value(path: str | Path) -> None:
    """Those that read no dimension can be computed as they stand there, by Python."""
    model = model_of(path)
    computed = 0
    for tensor in model["tensors"]:
        for cell in tensor["cells"]:
            names = set(re.findall(r"[A-Za-z_]\w*", re.sub(r"\d[eE][+-]?\d+", "0", cell["filled"])))
            if names <= FUNCTION_NAMES.keys():
                value = eval(cell["filled"], {"__builtins__": {}}, dict(FUNCTION_NAMES))
                assert math.isclose(value, cell["value"], rel_tol=1e-6), (tensor["name"], cell)
                computed += 1
    assert computed > 10


def test_the_cells_of_a_table_are_the_numbers_of_the_tensor() -> None:
    document = page_of(TINY)
    model = page_data(document)["models"][0]
    tables = document.all("table", role="grid")
    assert len(tables) == sum(bool(tensor["cells"]) for tensor in model["tensors"])
    for table in tables:
        tensor = model["tensors"][int(table.attributes["data-tensor"])]
        (head,) = table.all("thead")
        assert [one.text for one in head.all("th")][1:] == tensor["columns"]
        rows = table.all("tbody")[0].all("tr")
        assert [row.all("th")[0].text for row in rows] == [name or "value" for name in tensor["rows"]]
        written = {
            (i, j): cell.text for i, row in enumerate(rows) for j, cell in enumerate(row.all("td")) if cell.text != "0"
        }
        expected = {(cell["row"], cell["column"]): f"{cell['value']:.4g}" for cell in tensor["cells"] if cell["value"]}
        assert written == expected


def test_each_number_of_the_network_is_a_cell() -> None:
    model = model_of(TINY)
    assert sum(cell["value"] != 0 for tensor in model["tensors"] for cell in tensor["cells"]) == 95
    assert [tensor["name"] for tensor in model["tensors"] if tensor["left_out"]] == []


def test_each_line_of_the_spec_is_on_the_page_and_its_place_can_be_linked_to() -> None:
    document = page_of(TINY)
    (listing,) = document.all("ol")[-1:]
    lines = listing.all("li")
    assert [line.all("code")[0].text for line in lines] == Path(TINY).read_text().splitlines()
    assert [line.attributes["id"] for line in lines] == [f"L{i}" for i in range(1, len(lines) + 1)]


@pytest.mark.parametrize(
    ("numbers", "shades"),
    [
        ([1.0, -1.0, 0.0, math.nan], ["p5", "n5", "zero", "nan"]),
        ([1.0, 10.0, -100.0, 1e4, math.inf], ["p1", "p2", "n3", "p5", "p5"]),
    ],
)
def test_shades_are_by_size(numbers: list[float], shades: list[str]) -> None:
    made = Shades.of(numbers)
    assert [made.shade(number) for number in numbers] == shades


def palettes() -> dict[str, dict[str, str]]:
    """The colours of the page by their names, in light and in dark."""
    style = page_of(TINY).all("style")[0].text
    light, dark, *_ = re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL)
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    return {"light": found, "dark": found | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))}


def contrast(first: str, second: str) -> float:
    """As WCAG defines it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted(map(luminance, (first, second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_stands_out(theme: str) -> None:
    colours = palettes()[theme]
    shades = [(f"{sign}{i}", "on-weak" if i < 4 else "on-strong") for sign in "pn" for i in range(1, 6)]
    texts = ("fore", "quiet", "link", "good", "bad", "key", "number", "string", "comment", "word")
    pairs = [*shades, *((ground, text) for ground in ("back", "panel", "mark") for text in texts)]
    assert [pair for pair in pairs if contrast(*(colours[name] for name in pair)) < 4.5] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_stronger_shade_stands_out_more(theme: str) -> None:
    colours = palettes()[theme]
    for sign in "pn":
        strengths = [contrast(colours["back"], colours[f"{sign}{i}"]) for i in range(1, 6)]
        assert strengths == sorted(strengths)


def test_the_ending_of_the_file_decides(tmp_path: Path) -> None:
    page, text = tmp_path / "page.html", tmp_path / "page.md"
    for target in (page, text):
        assert call("report", str(PARITY), *EDGES, "-o", str(target)).exit_code == 0
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert text.read_text().startswith("# Page")


def test_a_page_is_checked_like_any_report(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert call("report", str(PARITY), *EDGES, "-o", str(page)).exit_code == 0
    assert call("report", str(PARITY), *EDGES, "--check", str(page)).exit_code == 0
    page.write_text(page.read_text().replace(">1<", ">91<", 1))
    stale = call("report", str(PARITY), *EDGES, "--check", str(page))
    assert stale.exit_code == 1
    assert ">91<" in stale.stdout
    assert "is stale" in stale.stdout


def test_a_page_names_files_as_they_are_seen_from_it(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(PARITY.read_text())
    page = tmp_path / "pages" / "page.html"
    page.parent.mkdir()
    assert call("report", str(tmp_path / "spec.yaml"), "-o", str(page)).exit_code == 0
    model = page_data(parsed(page.read_text()))["models"][0]
    assert [source["file"] for source in model["sources"]] == ["../spec.yaml"]
    assert model["equations"][0]["file"] == model["model"]["spec"] == "../spec.yaml"


def test_nothing_is_hidden_in_a_page_and_nothing_in_it_runs(tmp_path: Path) -> None:
    """A spec is shown as it is written, whatever it says."""
    hostile = "</script><script>alert(1)</script>"
    source = f"{hostile} \u202eevil\u202c <b>&amp;"
    text = re.sub("source: .*", lambda _: f"source: '{source}'", PARITY.read_text())
    spec = tmp_path / "spec.yaml"
    spec.write_text(text)
    document = page_of(spec)
    assert list(faults(document)) == []
    assert len(document.all("script")) == 2
    assert not any("evil" in one.text for one in document.all("b"))
    shown = next(one.text for one in document.all("dd") if "alert" in one.text)
    assert shown == f"{hostile} \\u202eevil\\u202c <b>&amp;"
    assert page_data(document)["models"][0]["model"]["source"] == source
    assert "\u202e" not in show(load(spec)).html


LARGE = """\
weightspec: 1
name: large
dtype: float64
constants: {{step: 2}}
vocabulary: t[300]
stream: d[300]
context: 8
network:
  embedding:
    t[i]: {{"d[i]": step * i}}
decode: argmax
# {long}
{lines}
"""


def test_what_is_large_is_cut_and_the_page_says_so(tmp_path: Path) -> None:
    spec = load_text(tmp_path, LARGE.format(long="x" * 5000, lines="\n".join("# more" for _ in range(3000))))
    view = show(spec, "t[299] t[1]")
    document = parsed(view.html)
    assert list(faults(document)) == []
    model = page_data(document)["models"][0]
    (tensor,) = model["tensors"]
    assert tensor["left_out"] == "64 of 300 rows and 64 of 300 columns are shown"
    assert tensor["rows"] == [f"t[{i}]" for i in range(1, 65)]
    assert [(cell["row"], cell["column"], cell["value"]) for cell in tensor["cells"]] == [
        (i, i, 2.0 * (i + 1)) for i in range(64)
    ]
    (source,) = model["sources"]
    assert (len(source["lines"]), source["left_out"]) == (MAX_LINES, 3012 - MAX_LINES)
    assert max(len("".join(piece["text"] for piece in line["pieces"])) for line in source["lines"]) < 1100
    assert "and 1,012 more lines" in document.text
    (step,) = model["steps"]
    assert step["writes"] == ["d[1] … d[299]"]
    assert len(view.html) < 600_000


def test_a_spec_that_is_wrong_writes_no_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert call("report", TINY, "--suite", "none such", "-o", str(page)).exit_code == 2
    with pytest.raises(SpecError):
        make_report([load(TINY)], ("none such",))
    assert not page.exists()
