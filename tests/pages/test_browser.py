"""Pages in a real browser: Chromium without a screen, and without a network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from compiler import load
from compiler.page.description import described
from compiler.page.html import page_html
from compiler.report.reporting import make_report
from compiler.source.printable import printable
from tests.helpers import DATA, SPECS
from tests.pages.browser import PAPER, THEMES, WIDTHS, Theme, View, opened, texts, too_wide, violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TINY = SPECS / "tiny95.yaml"
EXACT = SPECS / "tiny95-exact.yaml"
EVERY_KIND = (
    TINY,
    *(SPECS / f"{name}.yaml" for name in ("qwen20", "reverse", "gallery/xangma_177p", "tasks/next-token")),
)
HOSTILE = DATA / "pages" / "hostile.yaml"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("pages") / "tiny.html", TINY)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page about a spec whose texts try what they can, and whose first answer is wrong."""
    return written(tmp_path_factory.mktemp("pages") / "hostile.html", HOSTILE)


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("pages") / "both.html", TINY, EXACT)


def written(path: Path, *specs: Path) -> Path:
    """A page about specs, with few inputs of one suite."""
    report = make_report([load(spec, {"digits": 2}) for spec in specs], ("edges",))
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


def test_an_answer_is_stepped_through_with_buttons_and_keys(browser: Browser, tiny: Path) -> None:
    with opened(browser, tiny, View(360)) as page:
        stage = page.locator(".stage")
        says = stage.get_by_role("status").first
        stream = stage.get_by_role("grid", name="stream after")
        assert "Token 1 of 4: at position 6" in says.inner_text()
        assert "step 1 of 5, embedding" in says.inner_text()
        before, after = (stage.get_by_role("button", name=f"{which} step") for which in ("previous", "next"))
        assert before.get_attribute("aria-disabled") == "true"
        after.click()
        assert "step 2 of 5, layer0.attention" in says.inner_text()
        assert stream.get_attribute("aria-label") == "stream after layer0.attention"
        here = stream.locator("th.here").evaluate("one => one.getBoundingClientRect().right")
        assert here <= 360  # the position that is looked at is in sight
        page.keyboard.press("ArrowRight")  # the button has the focus
        assert "step 3 of 5, layer0.ffn" in says.inner_text()
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        assert "step 1 of 5" in says.inner_text()
        stage.get_by_role("button", name="next token").press("Enter")
        assert "Token 2 of 4: at position 7" in says.inner_text()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")  # that was the last one: the end of the answer is known
        assert "Token 3 of 4: at position 8" in says.inner_text()
        for _ in range(4):
            page.keyboard.press("ArrowRight")
        assert "step 5 of 5" in says.inner_text()
        assert stage.get_by_role("button", name="next step").get_attribute("aria-disabled") == "true"


def test_a_value_of_the_stream_says_its_terms_and_leads_to_them(browser: Browser, tiny: Path) -> None:
    with opened(browser, tiny) as page:
        stage = page.locator(".stage")
        panel = stage.locator(".says")
        for _ in range(2):
            stage.get_by_role("button", name="next step").press("Enter")
        row = stage.get_by_role("grid", name="stream after layer0.ffn").locator("tr", has_text="place")
        row.locator("td.changed").first.focus()
        at = re.match(r"layer0\.ffn\.place(@\d+) = ", panel.inner_text())
        assert at is not None
        panel.get_by_role("button", name=f"layer0.ffn.down.place{at[1]}").press("Enter")
        assert panel.inner_text().startswith(f"layer0.ffn.down.place{at[1]} = ")
        assert "down place: place, line 47" in panel.inner_text()


def test_attention_says_what_the_weight_of_a_key_was_computed_from(browser: Browser, tiny: Path) -> None:
    with opened(browser, tiny) as page:
        panel = page.locator(".stage .says")
        rows = page.get_by_role("grid", name="layer0.attention, head count").locator("tbody tr")
        rows.nth(5).locator("td").nth(3).focus()
        said = panel.inner_text()
        assert "layer0.attention, head count: query 5 " in said
        assert "-40 = 1 × -40, layer0.attention.queries.count[0]@5 × layer0.attention.keys.count[0]@3" in said
        assert "-4.605, from the two positions" in said  # log(10) for each position
        assert "log(alibi_base) * (key_pos - query_pos), line 38" in said
        panel.get_by_role("button", name="layer0.attention.keys.count[0]@3").press("Enter")
        assert panel.inner_text().startswith("layer0.attention.keys.count[0]@3 = -40 at +")
        assert panel.locator("button:focus").count() == 1
        rows.nth(3).locator("td").nth(5).focus()
        assert "The mask hides this key." in panel.inner_text()


def test_a_wrong_answer_is_shown_as_wrong(browser: Browser, hostile: Path) -> None:
    with opened(browser, hostile) as page:
        table = page.get_by_role("region", name="Inputs that are shown step by step")
        assert [cell.strip() for cell in texts(page, ".stepper table:not([role]) td")] == [
            "0",
            "1",
            "answered wrong, in edges",
        ]
        assert table.locator("td.bad").count() == 1
        stage = page.locator(".stage")
        said = [stage.get_by_role("status").first.inner_text()]
        for _ in range(2):
            stage.get_by_role("button", name="next token").click()
            said.append(stage.get_by_role("status").first.inner_text())
        assert ["right is" in text for text in said] == [False, False, True]
        assert "says 0; right is 1" in said[-1]


def test_what_a_spec_says_is_shown_and_neither_runs_nor_steers(browser: Browser, hostile: Path) -> None:
    source = load(HOSTILE).resolved.source
    with opened(browser, hostile) as page:
        assert page.locator("script, iframe, img, textarea").count() == 2  # the data, and the script of the page
        assert page.locator("dd", has_text="javascript:alert(1)").inner_text() == printable(source)
        for cell in page.locator("td[tabindex]").all():
            cell.focus()
        for _ in range(3):
            page.get_by_role("button", name="next step").click()
        text = page.locator("body").inner_text()
        assert "<script>alert('token')</script>" in text
        assert [character for character in text if not character.isprintable() and character not in "\n\t"] == []
        assert page.locator("[onload], [onerror], [href^=javascript]").count() == 0


def test_specs_that_differ_are_marked_beside_one_another(browser: Browser, both: Path) -> None:
    with opened(browser, both, View(1400)) as page:
        first, second = page.locator(".models > section").all()
        left, right = (one.evaluate("one => one.getBoundingClientRect().toJSON()") for one in (first, second))
        assert left["top"] == right["top"]
        assert left["right"] < right["left"]
        cell = second.locator("td.differs").first
        assert cell.evaluate("one => getComputedStyle(one, '::before').content") == '"≠ "'
        cell.hover()
        assert second.locator("[data-of=tensors]").inner_text().endswith("10000 in tiny95 --set digits=2")


@pytest.mark.parametrize("theme", THEMES)
def test_it_is_accessible(browser: Browser, tiny: Path, theme: Theme) -> None:
    with opened(browser, tiny, View(800, theme)) as page:
        assert violations(page) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits(browser: Browser, both: Path, hostile: Path, width: int) -> None:
    for path in (both, hostile):
        with opened(browser, path, View(width)) as page:
            assert too_wide(page) == []


def test_it_prints_in_light_colours_as_wide_as_the_paper(browser: Browser, both: Path) -> None:
    with opened(browser, both, View(PAPER, "dark", printed=True)) as page:
        assert not page.locator("nav").first.is_visible()
        assert page.locator("body").evaluate("one => getComputedStyle(one).backgroundColor") == "rgb(255, 255, 255)"
        assert too_wide(page) == []


@pytest.mark.long
@pytest.mark.parametrize("spec", EVERY_KIND, ids=lambda path: path.stem)
def test_pages_about_every_kind_of_spec(browser: Browser, tmp_path: Path, spec: Path) -> None:
    """All answers are stepped through; nothing is wrong with the page, in any theme and at any width."""
    path = tmp_path / "page.html"
    path.write_text(page_html(described(make_report([load(spec)], inputs=20))), encoding="utf-8")
    with opened(browser, path) as page:
        choices = page.locator(".stage select")
        for choice in range(choices.locator("option").count()):
            choices.select_option(index=choice)
            while page.locator(".toolbar button:last-child[aria-disabled=false]").count():
                page.locator(".toolbar button").last.press("Enter")
    for theme in THEMES:
        with opened(browser, path, View(800, theme)) as page:
            assert violations(page) == []
    for width in WIDTHS:
        with opened(browser, path, View(width)) as page:
            assert too_wide(page) == []
