"""What a notebook shows, in a real browser: the page runs in its frame, and its links stay there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from compiler import load, show
from tests.helpers import SPECS
from tests.pages.browser import opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_a_page_in_a_frame_works_and_stays_there(browser: Browser, tmp_path: Path) -> None:
    view = show(load(SPECS / "tiny95.yaml", {"digits": 1}), "1 2")
    notebook = tmp_path / "notebook.html"
    notebook.write_text(f"<!DOCTYPE html><title>notebook</title><h1>before</h1>{view._repr_html_()}", encoding="utf-8")
    with opened(browser, notebook) as page:
        inside = page.frame_locator("iframe")
        assert inside.locator(".stage table").count() > 2
        inside.locator(".network a[href='#L28']").first.click()
        assert inside.locator("#L28.target").inner_text().startswith("    digit[d]:")
        assert page.locator("h1").inner_text() == "before"
        assert page.url == notebook.as_uri()
