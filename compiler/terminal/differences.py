"""What differs between two specs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from compiler.expressions.floats import FORMATS, FloatFormat, round_to
from compiler.readers.diffing.differences import (
    Difference,
    Dtypes,
    EntryChange,
    EntryGroup,
    ProductChange,
    TensorChange,
)
from compiler.readers.diffing.matching import NameMatch
from compiler.readers.diffing.text_changes import TextChange
from compiler.terminal import shapes
from compiler.terminal.console import console, file_and_line, first, line_of, number_text, table, text

ENTRIES_SHOWN = 3  # of a group that no single factor explains
NAMES_SHOWN = 12
ULPS_SHOWN = 1000  # more say nothing
CUT, LEAD = 60, 20  # characters of a written text, and of those before the place where two differ


def print_difference(difference: Difference, *, every_entry: bool) -> None:
    """Text first, then names, ties and weights collapsed by cause, then counts."""
    out = console()
    for note in difference.notes:
        out.print(text(note, "dim"))
    if difference.empty:
        out.print(text(f"no difference between {difference.before} and {difference.after}"))
        return
    files = difference.files
    out.print(text(f"--- {difference.before}  ({files[0]})", "red"))
    out.print(text(f"+++ {difference.after}  ({files[1]})", "green"))
    if difference.alike is not None:
        out.print(text(likeness(difference), "bold"))
    if difference.texts:
        rows = table("", "written", "before", "after", "lines")
        for change in first(difference.texts, rows):
            section = f"{change.section_before} → {change.section}" if change.section_before else change.section
            before, after = around_change(change.before, change.after)
            rows.add_row(text(section), text(change.path), text(before), text(after), _lines(change, files))
        out.print(rows)
    for line in change_lines(difference, every_entry=every_entry):
        out.print(text(f"{line.kind:<9}{line.text}"))
        for example in line.examples:
            out.print(text(f"         {example}", "dim"))


@dataclass(frozen=True)
class ChangeLine:
    """What differs in two models, for people: what it is about, a line, and some of the numbers behind it."""

    kind: str
    text: str
    examples: tuple[str, ...] = ()


def change_lines(difference: Difference, *, every_entry: bool = False) -> Iterator[ChangeLine]:
    """Names, ties, shapes and weights that differ, collapsed by cause; then tensors of files, and counts."""
    for line in _names(difference.names, every=every_entry):
        yield ChangeLine("names", line)
    for shape in difference.shapes:
        yield ChangeLine("shape", f"{shape.tensor}: {_shape(shape.before)} → {_shape(shape.after)}")
    for tie in difference.ties:
        yield ChangeLine("tie", f"{tie.tensor}: {_tied(tie.before)} → {_tied(tie.after)}")
    for product in difference.products:
        yield ChangeLine("product", _product(product))
    for group in difference.groups:
        shown = group.entries if every_entry else _examples(group)
        entries = tuple(_entry(entry, difference.dtypes) for entry in shown)
        yield ChangeLine("weights", _headline(group, difference.dtypes), entries)
    for tensor in difference.tensors:
        yield ChangeLine("tensor", _tensor(tensor), tuple(_tensor_entries(tensor, every=every_entry)))
    if difference.counts:
        changes = ", ".join(f"{c.rule} {number_text(c.before)} → {number_text(c.after)}" for c in difference.counts)
        yield ChangeLine("counts", changes)
    elif difference.of_specs:
        yield ChangeLine("counts", "the same by every rule")


def _tensor_entries(change: TensorChange, *, every: bool) -> Iterator[str]:
    dtypes = FORMATS.get(change.dtypes[0] or ""), FORMATS.get(change.dtypes[1] or "")
    for entry in change.entries if every else change.entries[:ENTRIES_SHOWN]:
        yield _entry(entry, dtypes)
    if every and change.differing > len(change.entries):
        yield f"and {change.differing - len(change.entries):,} more"


def likeness(difference: Difference) -> str:
    """What is the same in two models that are `alike`."""
    apart = ", ".join(difference.alike or ())
    what = "every tensor" if not difference.of_specs else "every number and option of the networks"
    return f"equal {apart}: {what} is the same" if apart else f"{what} is the same"


def _names(names: tuple[NameMatch, ...], *, every: bool) -> Iterator[str]:
    """A line for each kind: `dimension x → a, y → b`."""
    kinds: dict[str, list[str]] = {}
    for match in names:
        kinds.setdefault(match.kind, []).append(f"{match.before} → {match.after}")
    for kind, pairs in kinds.items():
        more = "" if every or len(pairs) <= NAMES_SHOWN else f", and {len(pairs) - NAMES_SHOWN:,} more"
        yield f"{kind} {', '.join(pairs if every else pairs[:NAMES_SHOWN])}{more}"


def _shape(shape: tuple[int, ...] | None) -> str:
    return "absent" if shape is None else str(list(shape))


def _tied(owner: str | None) -> str:
    return "a tensor of its own" if owner is None else f"tied to {owner}"


def _product(product: ProductChange) -> str:
    sides = [" @ ".join(factors) for factors in (product.before, product.after)]
    verdict = {True: "equal multiplied out", False: "different multiplied out", None: "too large to be multiplied out"}
    return f"{sides[0]} → {sides[1]}: {verdict[product.equal]}"


def _headline(group: EntryGroup, dtypes: Dtypes) -> str:
    """`20 entries × 10000 through v_scale`."""
    entries = f"{len(group.entries)} {'entry' if len(group.entries) == 1 else 'entries'}"
    tensors = list(dict.fromkeys(entry.tensor for entry in group.entries))
    where = f" of {tensors[0]}" if len(tensors) == 1 else f" of {len(tensors)} tensors"
    through = f" through {', '.join(group.causes)}" if group.causes else ""
    ulps = _ulps(max((entry.ulps for entry in group.entries if entry.ulps is not None), default=None), "at most ")
    if group.ratio is not None:
        return f"{entries} × {_ratio(group.ratio, dtypes)}{through}{where}{ulps}"
    added = sum(entry.before is None for entry in group.entries)
    removed = sum(entry.after is None for entry in group.entries)
    kinds = [(added, "added"), (removed, "removed"), (len(group.entries) - added - removed, "changed")]
    described = ", ".join(f"{count} {word}" for count, word in kinds if count)
    return f"{entries}{through}{where}: {described}{ulps}"


def _ulps(ulps: int | None, bound: str = "") -> str:
    return "" if not ulps or ulps > ULPS_SHOWN else f", {bound}{ulps:,} ulp apart"


def _ratio(ratio: float, dtypes: Dtypes) -> str:
    """A factor between numbers of one dtype has no more figures than they have."""
    before, after = dtypes
    if before is None or before != after:
        return number_text(ratio)
    return number_text(round_to(ratio, before), before)


def _examples(group: EntryGroup) -> tuple[EntryChange, ...]:
    return group.entries[:1] if group.ratio is not None else group.entries[:ENTRIES_SHOWN]


def _entry(entry: EntryChange, dtypes: Dtypes) -> str:
    """The numbers in the shortest text that reads back in their dtypes; where that is the same, as doubles."""
    before, after = (_value(value, dtype) for value, dtype in zip((entry.before, entry.after), dtypes, strict=True))
    if before == after:
        before, after = _value(entry.before), _value(entry.after)
    return f"{entry.tensor}[{entry.label}]: {before} → {after}{_ulps(entry.ulps)}"


def _value(value: float | None, dtype: FloatFormat | None = None) -> str:
    """A zero with its sign, which is a difference too."""
    return "-0" if value == 0 and math.copysign(1, value) < 0 else number_text(value, dtype)


def _largest(change: TensorChange) -> str:
    """By how much numbers of a tensor differ, in words where that is no ulp."""
    if change.largest is None:
        return ""
    if change.largest == 0:
        return ", by at most the sign of a zero"
    by = f", by at most {number_text(change.largest)}"
    if change.ulps is None:
        return by
    if change.ulps == 0:
        return f"{by}, which rounding to {change.ulps_dtype} takes away"
    return f"{by}, which is {change.ulps:,} ulp in {change.ulps_dtype}"


def _tensor(change: TensorChange) -> str:
    """`embedding.weight: 1 of 42 numbers differs, by at most 0.5 (1 ulp in float32)`."""
    old, new = change.names
    if old is None or new is None:
        shapes, dtypes = change.shapes, change.dtypes
        sides = [f"{_shape(shape)} {dtype}" if dtype else "absent" for shape, dtype in zip(shapes, dtypes, strict=True)]
        return f"{old or new}: {' → '.join(sides)}"
    said = []
    if change.shapes[0] != change.shapes[1]:
        said.append(" → ".join(map(_shape, change.shapes)))
    if change.dtypes[0] != change.dtypes[1]:
        said.append(" → ".join(map(str, change.dtypes)))
    if change.transposed:
        said.append("equal transposed")
    elif change.differing:
        total = math.prod(change.shapes[0] or ())
        differ = "number differs" if total == 1 else "numbers differ"
        said.append(f"{change.differing:,} of {total:,} {differ}{_largest(change)}")
    elif change.shapes[0] == change.shapes[1]:
        said.append("the same numbers")
    return f"{old if old == new else f'{old} → {new}'}: {', '.join(said)}"


def _lines(change: TextChange, files: tuple[str, str]) -> str:
    """`18 → 10`; the file too, where a line stands in another one than the spec's own."""
    spans = zip((change.span_before, change.span_after), files, strict=True)
    return " → ".join("–" if span is None else line_of(file, span.source.name, span.line) for span, file in spans)


def around_change(before: str | None, after: str | None) -> tuple[str, str]:
    """Two texts, cut if they are long, so that the place where they begin to differ is seen."""
    characters = enumerate(zip(before or "", after or "", strict=False))
    shorter = min(len(before or ""), len(after or ""))
    common = next((i for i, (old, new) in characters if old != new), shorter)
    longest = max(len(before or ""), len(after or ""))
    start = max(0, min(common - LEAD, longest - CUT)) if longest > CUT else 0
    return _cut(before, start), _cut(after, start)


def _cut(content: str | None, start: int) -> str:
    """Up to `CUT` characters of a text from `start` on; dots for what is left out."""
    if content is None:
        return "–"
    shown = content[start : start + CUT]
    return f"{'…' if start else ''}{shown}{'…' if start + CUT < len(content) else ''}"


def difference_json(difference: Difference) -> shapes.Difference:
    """Every change, and every entry of every group."""
    return shapes.filled(
        shapes.Difference,
        difference,
        equal=difference.empty,
        texts=[_text_json(change) for change in difference.texts],
        weights=[
            shapes.filled(shapes.WeightChanges, group, entries=[_weight_json(entry) for entry in group.entries])
            for group in difference.groups
        ],
        tensors=[_tensor_json(change) for change in difference.tensors],
    )


def _text_json(change: TextChange) -> shapes.TextChange:
    before, after = file_and_line(change.span_before), file_and_line(change.span_after)
    return shapes.filled(
        shapes.TextChange,
        change,
        file_before=before["file"],
        line_before=before["line"],
        file_after=after["file"],
        line_after=after["line"],
    )


def _tensor_json(change: TensorChange) -> shapes.TensorChange:
    pairs = {"name": change.names, "shape": change.shapes, "dtype": change.dtypes}
    before = {f"{field}_before": old for field, (old, _) in pairs.items()}
    after = {f"{field}_after": new for field, (_, new) in pairs.items()}
    entries = [_weight_json(entry) for entry in change.entries]
    return shapes.filled(shapes.TensorChange, change, **before, **after, entries=entries)


def _weight_json(entry: EntryChange) -> shapes.WeightChange:
    return shapes.filled(shapes.WeightChange, entry, at=entry.label)
