"""A real browser without a screen, and what has to hold of every page that it opens."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from tests.helpers import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
AXE = ROOT / ".venv" / "pages" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
WIDTHS = (360, 800, 1400)  # of a telephone, a tablet, a screen
PAPER = 794  # of an A4 page, in pixels too
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")


@contextmanager
def started() -> Iterator[Browser]:
    """A browser; the test is skipped where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: `make setup` does that")
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.skip("no chromium: `apt-get install chromium` installs it")
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@dataclass(frozen=True)
class View:
    """How a page is looked at."""

    width: int = 800
    theme: Theme = "light"
    printed: bool = False


@dataclass
class _Watch:
    """What a page does that it may not do."""

    own: str
    wrong: list[str] = field(default_factory=list)

    def requested(self, route: Any) -> None:
        if route.request.url == self.own:
            route.continue_()
        else:
            self.wrong.append(f"asks for {route.request.url}")
            route.abort()

    def said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.type}: {message.text}")

    def asked(self, dialog: Any) -> None:
        self.wrong.append(f"asks {dialog.message}")
        dialog.dismiss()


@contextmanager
def opened(browser: Browser, path: Path, view: View = View()) -> Iterator[Page]:
    """A page out of a file, without a network. It may ask for nothing, and no error may be seen, to the end."""
    watch = _Watch(path.as_uri())
    context = browser.new_context(
        offline=True, viewport={"width": view.width, "height": 900}, color_scheme=view.theme, reduced_motion="reduce"
    )
    context.set_default_timeout(60_000)
    try:
        page = context.new_page()
        page.route("**/*", watch.requested)
        page.on("console", watch.said)
        page.on("pageerror", lambda error: watch.wrong.append(f"raises {error}"))
        page.on("dialog", watch.asked)
        page.goto(watch.own)
        if view.printed:
            page.emulate_media(media="print")
        yield page
        assert watch.wrong == []
    finally:
        context.close()


@cache
def _axe() -> str:
    if not AXE.exists():
        pytest.skip("no axe-core: `make pages` installs it")
    return AXE.read_text(encoding="utf-8")


def violations(page: Page, within: str = "html") -> list[str]:
    """What axe-core finds in a part of a page: the rule, and the first elements that break it."""
    page.evaluate(_axe())
    options = {"runOnly": list(RULES), "resultTypes": ["violations"]}
    found = page.evaluate("([within, options]) => axe.run(within, options)", [within, options])
    return [f"{one['id']}: {one['help']}: {_elements(one['nodes'])}" for one in found["violations"]]


def _elements(nodes: Sequence[Any]) -> list[str]:
    return [node["html"][:120] for node in nodes[:3]]


def too_wide(page: Page) -> list[str]:
    """Elements that make a page scroll sideways; none where it does not."""
    widest: list[str] = page.evaluate(
        """() => {
          const room = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= room) return [];
          const all = [...document.body.querySelectorAll("*")];
          const wide = all.filter((one) => one.getBoundingClientRect().right > room);
          return wide.slice(0, 5).map((one) => one.outerHTML.slice(0, 120));
        }"""
    )
    return widest


def focused(page: Page) -> str:
    """The element that has the focus: its name, with the first class, role or text."""
    where: str = page.evaluate(
        "() => { const one = document.activeElement;"
        " return `${one.tagName.toLowerCase()} ${one.id || one.getAttribute('role') || one.textContent.trim()}`; }"
    )
    return where


def texts(page: Page, selector: str) -> Sequence[str]:
    """What stands in each element of a kind."""
    return page.locator(selector).all_text_contents()
