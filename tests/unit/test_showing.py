"""What values show of themselves: a short line each, and tables in notebooks; the notebooks of the docs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import compiler
from compiler.source.diagnostics import SpecError
from tests.docs.notebooks import NOTEBOOKS, executed
from tests.helpers import ROOT, load_text

LONGEST = 220  # characters
SPECS = ("tiny95", "qwen20", "next-token", "sort", "parity-lengths", "calculator")
MOST = 200  # items of one collection that are looked at


@pytest.fixture(scope="module")
def shown() -> list[Any]:
    """What the library gives for small questions."""
    specs = [compiler.load(name) for name in SPECS]
    parity, digits = compiler.load("parity", {"length": 4}), {"digits": 2, "v_scale": 0.05}
    found = [compiler.evaluate(parity, ["edges"]), compiler.verify(parity), compiler.ablate(parity, kinds=["head"])]
    found += [compiler.evaluate(compiler.load("tiny95", digits), ["edges"]), compiler.trace(parity, "0 1 <cls>")]
    changed = compiler.diff(specs[0], compiler.load("tiny95-exact"))
    return [*specs, *(spec.layout for spec in specs), *map(compiler.count, specs), *found, changed]


def parts(value: object, seen: dict[int, object]) -> Iterator[object]:
    """Every dataclass below a value, itself included."""
    if id(value) in seen:
        return
    seen[id(value)] = value
    inner: list[object] = []
    if is_dataclass(value) and not isinstance(value, type):
        yield value
        inner = [getattr(value, part.name) for part in fields(value)]
    elif isinstance(value, tuple | list | frozenset | set):
        inner = list(value)
    elif isinstance(value, dict):
        inner = [*value, *value.values()]
    for one in inner[:MOST]:
        yield from parts(one, seen)


def test_every_value_is_one_short_line(shown: list[Any]) -> None:
    seen: dict[int, object] = {}
    texts = ((type(part).__name__, repr(part)) for value in shown for part in parts(value, seen))
    lines = {(name, text.replace(str(ROOT), "ROOT")) for name, text in texts}
    assert {(name, line) for name, line in lines if len(line) > LONGEST or "\n" in line} == set()
    assert len({name for name, _ in lines}) > 60
    text = repr(compiler.load("tiny95"))
    assert text.startswith("Spec(path='")
    assert "network=Network 'tiny95'" in text


class Table(HTMLParser):
    """The cells of a table, row by row."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag in ("tr", "caption"):
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.rows[-1][-1:] = [(self.rows[-1] or [""])[-1] + data]


def test_tables_have_the_figures() -> None:
    parity = compiler.load("parity", {"length": 4})
    counts = compiler.count(parity)
    assert ["nonzero", f"{counts.nonzero:,}"] in [row[:2] for row in Table(counts._repr_html_()).rows]
    evaluated = Table(compiler.evaluate(parity, ["exhaustive"])._repr_html_())
    assert evaluated.rows[-1] == ["exhaustive", "", "16", "16"]
    assert evaluated.rows[0][0].startswith("16 of 16 right (float32, ")
    verified = Table(compiler.verify(parity)._repr_html_())
    assert verified.rows[0] == ["PROVED: 0 of 16 inputs are answered wrong"]
    assert verified.rows[-1][1:] == ["16", "0", "0", ""]
    lengths = compiler.verify(compiler.load("reverse-lengths", {"length": "{from: 1, to: 2}"}))
    assert [row[0] for row in Table(lengths._repr_html_()).rows[2:]] == ["length 1", "length 2"]
    difference = compiler.diff(compiler.load("tiny95"), compiler.load("tiny95-exact"))
    assert ["parameter", "v_scale", "1e4", "1e8"] in Table(difference._repr_html_()).rows
    assert Table(parity._repr_html_()).rows[2] == ["embedding", "Embedding", "4"]
    refuted = compiler.verify(compiler.load("tiny95", {"digits": 2, "v_scale": 0.05}))._repr_html_()
    assert "REFUTED: 400 of 10,000 inputs are answered wrong; " in refuted


def test_texts_of_a_spec_are_no_html(tmp_path: Path) -> None:
    text = (ROOT / "specs" / "tasks" / "parity.yaml").read_text(encoding="utf-8")
    text = text.replace("\nname: parity", '\nname: "<script>alert(1)</script>"')
    spec = load_text(tmp_path, text)
    other = load_text(tmp_path, text.replace("length: 10", "length: 11").split("expect:")[0], name="other")
    for table in (spec._repr_html_(), compiler.diff(spec, other)._repr_html_()):
        assert "<script>" not in table
        assert Table(table).tags <= {"table", "caption", "tr", "th", "td"}


def test_tokens_are_given_by_name_too() -> None:
    parity = compiler.load("parity")
    by_id = compiler.trace(parity, [0, 1, 2])[-1].value
    given: list[str | list[int | str]] = ["0 1 <cls>", ["bit[0]", "1", "<cls>"], ["bit[0]", 1, 2]]
    for tokens in given:
        assert compiler.trace(parity, tokens)[-1].value.equal(by_id)
    (said,) = compiler.generate(parity, ["0", "1", "<cls>"], steps=1)
    assert said.token == next(iter(compiler.generate(parity, "0 1 <cls>", steps=1))).token
    with pytest.raises(SpecError, match=r"no token '<bos>' here"):
        compiler.trace(parity, ["<bos>"])


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_what_its_cells_show(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make docs` writes it."""
    monkeypatch.chdir(ROOT)
    text = notebook.read_text(encoding="utf-8")
    assert executed(notebook) == text
    assert any(cell.get("outputs") for cell in json.loads(text)["cells"])
