"""How values show themselves: in one short line at a prompt, as a table in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import Field, fields, is_dataclass
from html import escape
from pathlib import Path
from typing import Any

from compiler.source.printable import printable

WIDEST = 160  # characters of a line
WIDEST_PART = 40  # of the value of one field


def short_repr(value: Any) -> str:
    """`Name(field=value, …)` of a dataclass: small values as they are, of others what they are called or how many.

    To be a `__repr__`: what a spec holds is so much that nobody reads it whole.
    """
    shown: list[str] = []
    room = WIDEST - len(type(value).__name__)
    for part in filter(_is_shown, fields(value)):
        text = f"{part.name}={_short(getattr(value, part.name))}"
        room -= len(text) + 2
        if room < 3:
            shown.append("…")
            break
        shown.append(text)
    return f"{type(value).__name__}({', '.join(shown)})"


def _is_shown(part: Field[Any]) -> bool:
    return part.repr and not part.name.startswith("_")


def _short(value: object) -> str:
    """A value in at most `WIDEST_PART` characters, about."""
    match value:
        case bool() | int() | float() | None:
            text = repr(value) if not isinstance(value, int) or value.bit_length() < 64 else "…"
        case str():
            text = repr(value if len(value) <= WIDEST_PART else f"{value[: WIDEST_PART - 1]}…")
        case Path():
            text = repr(str(value))
        case Sequence() | Set() | Mapping():
            text = _items(value)
        case _ if is_dataclass(value):
            name = getattr(value, "name", None)
            text = f"{type(value).__name__} {_short(name)}" if isinstance(name, str) else type(value).__name__
        case _:
            text = type(value).__name__
    return printable(text)


def _items(value: Sequence[object] | Set[object] | Mapping[object, object]) -> str:
    """Few small items as they are, of others how many."""
    brackets = "()" if isinstance(value, tuple) else "[]" if isinstance(value, Sequence) else "{}"
    value = sorted(value, key=str) if isinstance(value, Set) else value  # in an order that each run has
    small = len(value) <= 4 and not isinstance(value, Mapping) and all(isinstance(item, str | int) for item in value)
    items = ", ".join(map(_short, value)) if small else ""
    if value and (not small or len(items) > WIDEST_PART):
        items = f"{len(value):,} items" if len(value) > 1 else "1 item"
    return f"{brackets[0]}{items}{brackets[1]}"


def html_table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table for a notebook. All texts are escaped; numbers have commas and stand on the right."""
    head = "".join(f"<th>{_cell(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(map(_data, row))}</tr>" for row in rows)
    return f"<table><caption>{_cell(caption)}</caption><tr>{head}</tr>{body}</table>"


def _data(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f'<td style="text-align: right">{value:,}</td>'
    return f'<td style="text-align: left">{_cell("" if value is None else str(value))}</td>'


def _cell(text: str) -> str:
    return escape(printable(text))
