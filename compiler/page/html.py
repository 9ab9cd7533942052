"""A page as one HTML file: its JSON, and what templates make of it. Nothing in it comes from elsewhere."""

from __future__ import annotations

import hashlib
import math
import re
from base64 import b64encode
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from compiler.expressions.proportions import three_figures
from compiler.page.shapes import Page, PageEquation, PageModel, PageStep, PageTensor
from compiler.source.printable import printable
from compiler.terminal.console import compact_json, number_text
from compiler.terminal.traces import rounded

STRENGTHS = 5  # of each of the two colours
SECTIONS = {
    "summary": "Summary",
    "counts": "Counts",
    "network": "Network",
    "examples": "Step by step",
    "tensors": "Tensors",
    "answers": "Right answers",
    "spec": "Spec",
    "again": "How to get these figures again",
}
_CODE = re.compile(r"`([^`]*)`|<code>(.*?)</code>")
_ESCAPED = re.compile(r"\\([^\w\s])")


def page_html(page: Page) -> str:
    """The whole file."""
    style, script = _text("page.css"), _text("page.js")
    policy = f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; base-uri 'none'"
    data = compact_json(page).translate({ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"})
    template = _environment().get_template("page.html.j2")
    return template.render(
        page=page, policy=f"{policy}; form-action 'none'", style=Markup(style), script=Markup(script), data=Markup(data)
    )


def _digest(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _text(name: str) -> str:
    return files("compiler.page").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("compiler.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "anchor": _anchor,
        "coded": _coded,
        "counted": _counted,
        "figure": _figure,
        "grid": _grid,
        "margin": _margin,
        "number": number_text,
        "sections": _sections,
        "sentence": _sentence,
        "step_lines": _step_lines,
        "step_number": _step_number,
        "tensor_anchor": _tensor_anchor,
        "whole": _whole,
        "written_by": _written_by,
    }
    return made


def _seen(value: Any) -> Any:
    """What a template puts out: a text out of a spec steers nothing, and hides nothing."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _whole(text: str) -> Markup:
    """A part of a line of a spec, whose tabs stay."""
    return escape(printable(text, kept="\t"))


def _sentence(text: str) -> Markup:
    """A sentence of a report, which is Markdown."""
    return _coded(_ESCAPED.sub(r"\1", text).replace("&#124;", "|"))


def _coded(text: str) -> Markup:
    """A text with names between backquotes."""
    parts = [printable(part or "") for part in _CODE.split(text)]
    made = escape(parts[0])
    for i in range(1, len(parts), 3):
        made += Markup("<code>{}</code>{}").format(parts[i] or parts[i + 1], parts[i + 2])
    return made


def _figure(number: int) -> str:
    return f"{number:,}"


def _counted(said: Any, rule: str) -> str:
    """The figure by a rule."""
    value = {**said, **said["counts"]}[rule]
    if isinstance(value, list):
        value = len(value)
    return "undeclared" if value is None else f"{value:,}"


def _sections(model: PageModel) -> list[tuple[str, str]]:
    """The `id` and the heading of each section that a model has."""
    said = model["model"]
    has = {
        "examples": bool(model["examples"] or model["not_shown"]),
        "answers": bool(said["suites"] or said["verdict"]),
    }
    return [(name, heading) for name, heading in SECTIONS.items() if has.get(name, True)]


def _anchor(place: tuple[str, int], model: PageModel) -> str | None:
    """The `id` of a line; None where it is in no file of the model."""
    file, line = place
    source = next((one for one in model["sources"] if one["file"] == file), None)
    return source["lines"][line - 1]["anchor"] if source is not None and line <= len(source["lines"]) else None


def _tensor_anchor(name: str, model: PageModel) -> str:
    return f"{model['prefix']}t{next(i for i, tensor in enumerate(model['tensors']) if tensor['name'] == name)}"


def _margin(value: float, *, up: bool = False) -> str:
    return three_figures(value, up=up)


def _step_number(name: str, model: PageModel) -> int:
    return next(i for i, step in enumerate(model["steps"]) if step["name"] == name)


def _step_lines(step: PageStep, model: PageModel) -> list[PageEquation]:
    return _one_of_each_line([model["equations"][at] for at in step["equations"]])


def _written_by(tensor: PageTensor, model: PageModel) -> list[PageEquation]:
    return _one_of_each_line([model["equations"][at] for at in tensor["equations"]])


def _one_of_each_line(equations: list[PageEquation]) -> list[PageEquation]:
    return list({(equation["file"], equation["line"]): equation for equation in reversed(equations)}.values())[::-1]


def _grid(tensor: PageTensor, marked: Container[str]) -> Iterator[list[dict[str, str]]]:
    """The cells that are shown, by row and column, each with its text and its shade; those at places are marked."""
    rows = [[0.0] * len(tensor["columns"]) for _ in tensor["rows"]]
    for cell in tensor["cells"]:
        rows[cell["row"]][cell["column"]] = cell["value"]
    shades = Shades.of(cell["value"] for cell in tensor["cells"])
    for label, row in zip(tensor["rows"], rows, strict=True):
        places = (f"{label}, {column}" if label else column for column in tensor["columns"])
        yield [
            {"shade": f"{shades.shade(value)}{' differs' * (place in marked)}", "text": rounded(value)}
            for value, place in zip(row, places, strict=True)
        ]


@dataclass(frozen=True)
class Shades:
    """What colours the cells of a table: the smallest and the largest size of a number in it that is not zero."""

    least: float
    most: float

    @staticmethod
    def of(numbers: Iterable[float]) -> Shades:
        sizes = [abs(number) for number in numbers if number and math.isfinite(number)]
        return Shades(min(sizes, default=1.0), max(sizes, default=1.0))

    def shade(self, value: float) -> str:
        """The class of a cell: `n5` to `n1`, `zero`, `p1` to `p5`, on a logarithmic scale; `nan` where it is NaN."""
        if math.isnan(value):
            return "nan"
        if value == 0:
            return "zero"
        return f"{'p' if value > 0 else 'n'}{self._strength(abs(value))}"

    def _strength(self, size: float) -> int:
        if size >= self.most:
            return STRENGTHS
        share = (math.log(size) - math.log(self.least)) / (math.log(self.most) - math.log(self.least))
        return 1 + int((STRENGTHS - 1) * share)
