"""What differs between two specs."""

from __future__ import annotations

from compiler.diffing import Difference, EntryChange, EntryGroup
from compiler.floats import FloatFormat, round_to
from compiler.terminal.console import console, first, line_of, number, table, text
from compiler.text_changes import TextChange

ENTRIES_SHOWN = 3  # of a group that no single factor explains


def print_difference(difference: Difference, *, every_entry: bool) -> None:
    """Text first, then weights collapsed by cause, then counts."""
    out = console()
    if difference.empty:
        out.print(text(f"no difference between {difference.before} and {difference.after}"))
        return
    files = difference.files
    out.print(text(f"--- {difference.before}  ({files[0]})", "red"))
    out.print(text(f"+++ {difference.after}  ({files[1]})", "green"))
    if difference.texts:
        rows = table("", "written", "before", "after", "lines")
        for change in first(difference.texts, rows):
            written = [text(change.section), text(change.path)]
            rows.add_row(*written, text(_cut(change.before)), text(_cut(change.after)), _lines(change, files))
        out.print(rows)
    for shape in difference.shapes:
        before, after = (list(side) if side is not None else "absent" for side in (shape.before, shape.after))
        out.print(text(f"shape    {shape.tensor}: {before} → {after}"))
    for group in difference.groups:
        out.print(text(f"weights  {_headline(group, difference.dtypes)}"))
        for entry in group.entries if every_entry else _examples(group):
            out.print(text(f"         {_entry(entry, difference.dtypes)}", "dim"))
    if difference.counts:
        changes = ", ".join(f"{c.rule} {number(c.before)} → {number(c.after)}" for c in difference.counts)
        out.print(text(f"counts   {changes}"))
    else:
        out.print(text("counts   the same by every rule"))


def _headline(group: EntryGroup, dtypes: tuple[FloatFormat, FloatFormat]) -> str:
    """`20 entries × 10000 through v_scale`."""
    entries = f"{len(group.entries)} {'entry' if len(group.entries) == 1 else 'entries'}"
    tensors = list(dict.fromkeys(entry.tensor for entry in group.entries))
    where = f" of {tensors[0]}" if len(tensors) == 1 else f" of {len(tensors)} tensors"
    through = f" through {', '.join(group.causes)}" if group.causes else ""
    if group.ratio is not None:
        return f"{entries} × {_ratio(group.ratio, dtypes)}{through}{where}"
    added = sum(entry.before is None for entry in group.entries)
    removed = sum(entry.after is None for entry in group.entries)
    kinds = [(added, "added"), (removed, "removed"), (len(group.entries) - added - removed, "changed")]
    described = ", ".join(f"{count} {word}" for count, word in kinds if count)
    return f"{entries}{through}{where}: {described}"


def _ratio(ratio: float, dtypes: tuple[FloatFormat, FloatFormat]) -> str:
    """A factor between numbers of one dtype has no more figures than they have."""
    before, after = dtypes
    return number(round_to(ratio, before), before) if before == after else number(ratio)


def _examples(group: EntryGroup) -> tuple[EntryChange, ...]:
    return group.entries[:1] if group.ratio is not None else group.entries[:ENTRIES_SHOWN]


def _entry(entry: EntryChange, dtypes: tuple[FloatFormat, FloatFormat]) -> str:
    """The numbers in the shortest text that reads back in their dtypes; where that is the same, as doubles."""
    before, after = (number(value, dtype) for value, dtype in zip((entry.before, entry.after), dtypes, strict=True))
    if before == after:
        before, after = number(entry.before), number(entry.after)
    return f"{entry.tensor}[{entry.label}]: {before} → {after}"


def _lines(change: TextChange, files: tuple[str, str]) -> str:
    """`18 → 10`; the file too, where a line stands in another one than the spec's own."""
    spans = zip((change.span_before, change.span_after), files, strict=True)
    return " → ".join("–" if span is None else line_of(file, span.source.name, span.line) for span, file in spans)


def _cut(content: str | None, length: int = 60) -> str:
    if content is None:
        return "–"
    return content if len(content) <= length else content[: length - 1] + "…"


def difference_json(difference: Difference) -> dict[str, object]:
    """Every change, and every entry of every group."""
    return {
        "before": difference.before,
        "after": difference.after,
        "equal": difference.empty,
        "texts": [
            {
                "section": change.section,
                "path": change.path,
                "before": change.before,
                "after": change.after,
                "file_before": change.span_before.source.name if change.span_before else None,
                "line_before": change.span_before.line if change.span_before else None,
                "file_after": change.span_after.source.name if change.span_after else None,
                "line_after": change.span_after.line if change.span_after else None,
            }
            for change in difference.texts
        ],
        "shapes": [
            {"tensor": shape.tensor, "before": shape.before, "after": shape.after} for shape in difference.shapes
        ],
        "weights": [
            {
                "causes": list(group.causes),
                "ratio": group.ratio,
                "entries": [
                    {"tensor": entry.tensor, "at": entry.label, "before": entry.before, "after": entry.after}
                    for entry in group.entries
                ],
            }
            for group in difference.groups
        ],
        "counts": [
            {"rule": change.rule, "before": change.before, "after": change.after} for change in difference.counts
        ],
    }
