"""`docs/architecture.md` names files, functions and rooms as they are."""

from __future__ import annotations

import re

import pytest

from tests.docs.blocks import BLOCK
from tests.helpers import ROOT
from tests.unit.test_rooms import ROOMS

PAGE = BLOCK.sub("", (ROOT / "docs/architecture.md").read_text(encoding="utf-8"))
PATHS = sorted(set(re.findall(r"`((?:compiler|tests|docs|specs)/[\w./-]*|cli\.py)`", PAGE)))
PLACED = sorted(set(re.findall(r"`(\w+)` in\s`([\w./]+\.py)`", PAGE)))


def test_the_page_is_read() -> None:
    assert {"cli.py", "compiler/network/ir.py", "docs/counting.md", "tests/parity/by_hand/"} <= {*PATHS}
    assert ("translate", "compiler/backends/elementary/model.py") in PLACED


@pytest.mark.parametrize("path", PATHS)
def test_what_it_names_is_there(path: str) -> None:
    place = ROOT / path
    assert place.is_dir() if path.endswith("/") else place.is_file()


@pytest.mark.parametrize(("name", "path"), PLACED)
def test_a_name_stands_in_the_file_that_it_says(name: str, path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert re.search(rf"^(?:def |class ){name}\b|^{name} = ", text, re.MULTILINE)


def test_rooms_stand_in_their_order() -> None:
    rows = re.findall(r"^\| `(?:compiler/)([\w/]+?)(?:\.py|/)?` \|", PAGE, re.MULTILINE)
    assert tuple(row.replace("/", ".") for row in rows) == ROOMS
