"""What formatting did, or would do, to specs: a line or a diff for each."""

from __future__ import annotations

import difflib
from pathlib import Path

from compiler.readers.formatting.formatting import Formatted
from compiler.terminal import shapes
from compiler.terminal.console import print_diff
from compiler.terminal.plain import say


def print_formatted(path: Path, formatted: Formatted, *, written: bool) -> None:
    """What became of one spec, or would."""
    changed = "formatted" if written else "would be formatted"
    say(f"{path}: {changed if formatted.changed else 'unchanged'}")


def print_text_diff(path: Path, formatted: Formatted) -> None:
    print_diff(text_diff(path, formatted.source.text, formatted.text))


def text_diff(path: Path, before: str, after: str) -> list[str]:
    """A unified diff without line ends; line ends that change show as changed lines."""
    return list(difflib.unified_diff(_lines(before), _lines(after), str(path), str(path), lineterm=""))


def formatted_json(path: Path, formatted: Formatted, *, as_diff: bool) -> shapes.Formatted:
    result: shapes.Formatted = {"spec": str(path), "changed": formatted.changed, "diagnostics": []}
    return {**result, "diff": text_diff(path, formatted.source.text, formatted.text)} if as_diff else result


def _lines(content: str) -> list[str]:
    lines = content.split("\n")
    last = lines.pop()
    return [*lines, f"{last}  (no newline at the end)"] if last else lines
