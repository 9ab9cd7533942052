"""Writes what is printed into README.md and docs/*.md: `python -m tests.docs`, or with `--check`, what would change.

That is the output in `console` blocks and below `python` blocks, the tables and examples of `docs/json.md`, what the
cells of notebooks show, and the pictures that `console` blocks draw in docs/pictures. Blocks whose command is `NOT_RUN`
stay as they are.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import sys
import tempfile
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from compiler.source.files import write_whole
from tests.docs.blocks import PAGES, fill, python_outputs, sessions
from tests.docs.json_examples import with_examples
from tests.docs.json_tables import with_tables
from tests.docs.notebooks import NOTEBOOKS, executed
from tests.docs.pictures import PICTURES, drawn, is_stale
from tests.helpers import ROOT


def main(
    arguments: Sequence[str],
    pages: Sequence[Path] = PAGES,
    notebooks: Sequence[Path] = NOTEBOOKS,
    pictures: Path = PICTURES,
) -> int:
    """The exit code: with `--check` 1 where a page or a picture is stale."""
    parser = argparse.ArgumentParser(prog="python -m tests.docs", description="Write printed output into the pages.")
    parser.add_argument("--check", action="store_true", help="Write nothing; print what differs, and exit with 1.")
    check = parser.parse_args(arguments).check
    stale = False
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder))
        with contextlib.chdir(folder):
            new = {page: renewed(page) for page in pages}
            new |= {notebook: executed(notebook) for notebook in notebooks}
        images = {pictures / name: data for name, data in drawn(Path(folder)).items()}
    for page, text in new.items():
        before = page.read_text(encoding="utf-8")
        if check:
            sys.stdout.writelines(_differences(page, before, text))
        elif text != before:
            write_whole(page, text.encode())
            print(f"{_name(page)}: written")
        stale |= text != before
    for path, data in images.items():
        if check and is_stale(path, data):
            stale = True
            print(f"{_name(path)}: is missing, or shows something else than it should")
        elif not check and not (path.exists() and path.read_bytes() == data):
            write_whole(path, data)
            print(f"{_name(path)}: written")
    return int(check and stale)


def renewed(page: Path) -> str:
    """The page as it should be; to be called in a folder that `fill` has filled."""
    text = page.read_text(encoding="utf-8")
    for block, output in sorted(chain(sessions(page), python_outputs(page)), key=lambda one: -one[0].start):
        if output != block.text:
            text = text[: block.start] + output + text[block.start + len(block.text) :]
    return with_examples(with_tables(text)) if page.name == "json.md" else text


def _differences(page: Path, before: str, after: str) -> list[str]:
    names = (_name(page), f"{_name(page)} as it should be")
    return [*difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), *names)]


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT)) if page.is_relative_to(ROOT) else str(page)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
