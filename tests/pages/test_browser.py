"""Pages in a real browser: Chromium without a screen, and without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from compiler import load
from compiler.page.description import described
from compiler.page.html import page_html
from compiler.report.reporting import make_report
from tests.helpers import SPECS
from tests.pages.browser import THEMES, WIDTHS, Theme, View, opened, started, too_wide, violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TINY = SPECS / "tiny95.yaml"
EXACT = SPECS / "tiny95-exact.yaml"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with started() as one:
        yield one


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("pages") / "tiny.html", TINY)


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("pages") / "both.html", TINY, EXACT)


def written(path: Path, *specs: Path) -> Path:
    """A page about specs, with few inputs of one suite."""
    report = make_report([load(spec, {"digits": 2}) for spec in specs], ("edges",), inputs=20)
    path.write_text(page_html(described(report)), encoding="utf-8")
    return path


def test_a_cell_says_its_equation_with_its_numbers(browser: Browser, tiny: Path) -> None:
    with opened(browser, tiny) as page:
        table = page.get_by_role("grid", name="layer0.ffn.up.weight")
        says = page.locator("[data-of=tensors]")
        cell = table.get_by_role("gridcell", name="6.5e+04")
        cell.hover()
        assert "layer0.ffn.up.weight[candidate[6], count] = 65000" in says.inner_text()
        assert "(6 + 0.5) * 100 * 100 * count" in says.inner_text()
        cell.click()
        table.get_by_role("gridcell", name="7.5e+04").hover()
        assert "candidate[7], count" in says.inner_text()
        page.mouse.move(1, 1)  # the way to the link leads over other cells
        says.get_by_role("link", name="line 44").click()
        assert page.locator(":target").inner_text().startswith("    up candidate[i]: (i + 0.5)")


def test_cells_are_reached_and_left_with_the_keys(browser: Browser, tiny: Path) -> None:
    with opened(browser, tiny) as page:
        says = page.locator("[data-of=tensors]")
        first = page.locator("table[data-tensor] td").first
        first.focus()
        assert says.inner_text().startswith("embedding.weight[digit[0], eq] = 0: no equation")
        for key, place in (("ArrowDown", "digit[1], eq"), ("End", "digit[1], scale"), ("ArrowLeft", "digit[1], count")):
            page.keyboard.press(key)
            assert says.inner_text().startswith(f"embedding.weight[{place}]")
        page.keyboard.press("Control+Home")
        page.keyboard.press("ArrowUp")  # there is nothing further up
        assert says.inner_text().startswith("embedding.weight[digit[0], eq]")


STOPS = "a[href], button:enabled, input, select, summary, [tabindex='0']"


def test_the_tab_key_goes_through_the_whole_page_and_out_of_it(browser: Browser, tiny: Path) -> None:
    """Each table of cells is one stop, and nothing holds the focus."""
    with opened(browser, tiny) as page:
        grids = page.locator("table[role=grid]").count()
        assert page.locator("td[tabindex='0']").count() == grids > 10
        page.evaluate(
            "(stops) => [...document.querySelectorAll(stops)]"
            ".filter((one) => one.checkVisibility()).forEach((one) => { one.dataset.stop = 'left'; })",
            STOPS,
        )
        for _ in range(page.locator("[data-stop]").count() + 10):  # a part that scrolls is a stop too
            page.keyboard.press("Tab")
            if page.evaluate("() => document.activeElement === document.body"):
                break
            page.evaluate("() => { document.activeElement.dataset.stop = 'seen'; }")
        else:
            pytest.fail("the focus never leaves the page")
        assert page.locator("[data-stop=left]").count() == 0


@pytest.mark.parametrize("theme", THEMES)
def test_it_is_accessible(browser: Browser, tiny: Path, theme: Theme) -> None:
    with opened(browser, tiny, View(800, theme)) as page:
        assert violations(page) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits(browser: Browser, both: Path, width: int) -> None:
    with opened(browser, both, View(width)) as page:
        assert too_wide(page) == []


def test_it_prints(browser: Browser, tiny: Path) -> None:
    with opened(browser, tiny, View(printed=True)) as page:
        assert not page.locator("nav").first.is_visible()
        assert page.locator("body").evaluate("one => getComputedStyle(one).backgroundColor") == "rgb(255, 255, 255)"
