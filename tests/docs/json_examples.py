"""The examples of `docs/json.md`: what commands print, shortened to the fields and items that the page shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from tests.docs.blocks import call

WIDTH = 120
EXAMPLE = re.compile(r"(?<=^```sh\n)(python cli\.py .*?)\n```\n```json\n(.*?)(?=^```$)", re.DOTALL | re.MULTILINE)


def with_examples(page: str) -> str:
    """The page with every example as it should be; to be called in a folder that `fill` has filled."""
    return EXAMPLE.sub(_renewed, page)


def _renewed(example: re.Match[str]) -> str:
    printed = json.loads(call(example[1].partition("  #")[0]).stdout)
    return f"{example[1]}\n```\n```json\n{laid_out(shortened(printed, json.loads(example[2])))}\n"


def shortened(value: Any, example: Any) -> Any:
    """A value with the fields and items that an example has; all of it where the example has none.

    Raises `KeyError` for a field that is no longer printed.
    """
    match value, example:
        case dict(), dict():
            return {name: shortened(value[name], inner) for name, inner in example.items()}
        case list(), [_, *_]:
            return list(_items(value, example))
        case _:
            return value


def _items(values: Sequence[Any], examples: Sequence[Any]) -> Iterator[Any]:
    """For each example the item that shares most values with it, in order."""
    start = 0
    for example in examples:
        if start < len(values):
            found = max(range(start, len(values)), key=lambda i: _shared(values[i], example))
            yield shortened(values[found], example)
            start = found + 1


def _shared(value: Any, example: Any) -> int:
    if isinstance(value, dict) and isinstance(example, dict):
        return sum(_shared(value[name], inner) for name, inner in example.items() if name in value)
    if isinstance(value, list) and isinstance(example, list):
        return sum(max((_shared(item, inner) for item in value), default=0) for inner in example)
    return int(value == example)


def laid_out(value: Any, indent: str = "", before: int = 0) -> str:
    """JSON in which an object or a list that fits into the rest of a line, behind `before` signs, stands in it."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or before + len(flat) < WIDTH:
        return flat
    inner = f"{indent}  "
    if isinstance(value, list):
        items, ends = [laid_out(item, inner, len(inner)) for item in value], "[]"
    else:
        names = [f"{json.dumps(name)}: " for name in value]
        pairs = zip(names, value.values(), strict=True)
        items, ends = [name + laid_out(item, inner, len(inner) + len(name)) for name, item in pairs], "{}"
    return f"{ends[0]}\n{inner}" + f",\n{inner}".join(items) + f"\n{indent}{ends[1]}"
