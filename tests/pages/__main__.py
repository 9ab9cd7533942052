"""Pictures of a page in both themes and at all widths, and on paper: `python -m tests.pages PAGE.html FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.pages.browser import PAPER, THEMES, WIDTHS, View, opened, started


def main(page: Path, folder: Path) -> None:
    views = {f"{theme}-{width}": View(width, theme) for theme in THEMES for width in WIDTHS}
    with started() as browser:
        for name, view in {**views, "paper": View(PAPER, printed=True)}.items():
            target = folder / f"{page.stem}-{name}.png"
            with opened(browser, page.resolve(), view) as shown:
                shown.screenshot(path=target, full_page=True)
            print(target)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
