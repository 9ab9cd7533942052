"""The figures of one or several specs as a table, beside what their authors claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console

from compiler.language.expectations import AuthorCount
from compiler.pipeline import Spec
from compiler.readers.counting.assertions import Assertion, made_of
from compiler.readers.counting.claims import author_count
from compiler.readers.counting.counts import BESIDE, LISTING, PARTS, SHOWN_RULES, Counts, HardCoded, hard_coded_readers
from compiler.source.printable import printable
from compiler.tasks.question import grouped
from compiler.terminal.console import MAX_ROWS, console, line_of, table, text
from compiler.terminal.counts import SpecCounts
from compiler.terminal.layout import Rows

MAX_READERS = 20  # equations that are listed for one hard-coded number
MADE_OF = 40  # parts of a figure that are printed
UNDECLARED = "undeclared"
NOTE = "*"  # behind a claimed count: a note below the table is about it
_IN_BRACKETS = tuple(figure for figure, _ in BESIDE.values())
# What is left out, one after the other, where a table is too wide; in the end, rules are named in short too.
_FOLDS = (((), False), (_IN_BRACKETS, False), ((*_IN_BRACKETS, LISTING), False), ((*_IN_BRACKETS, LISTING), True))


def labels(counted: Sequence[SpecCounts]) -> list[str]:
    """What specs are called in tables: by name, or by path where a name is not unique; one alone with its settings."""
    if len(counted) == 1:
        return [printable(counted[0][0].title)]
    names = Counter(spec.name for spec, _ in counted)
    return [printable(spec.name if names[spec.name] == 1 else str(spec.path)) for spec, _ in counted]


def print_leaderboard(counted: Sequence[SpecCounts], *, keep: str | None = None, out: Console | None = None) -> None:
    """A row for each spec, several below what they are asked, and notes about claimed counts.

    There are as many figures as fit into the width of `out`, and the figure `keep` in any case.
    """
    out = out or console()
    named = labels(counted)
    settings = counted[0][0].settings
    if len(counted) > 1 and settings:
        out.print(text(f"all with {' '.join(f'--set {setting}' for setting in settings)}", "dim"))
    for fold, in_short in _FOLDS:
        left_out = [figure for figure in fold if figure != keep]
        rules = [*SHOWN_RULES, *(part for part in PARTS if part == keep)]
        shown = [rule for rule in rules if rule not in left_out]
        columns = _columns(counted, named, shown, left_out, in_short=in_short)
        widths = [max(map(cell_len, [header, *cells])) for header, cells in columns.items()]
        is_narrow = sum(widths) + 2 * (len(widths) - 1) > out.width
        if not is_narrow:
            break
    aligned = None if is_narrow else widths
    lines = list(zip(*columns.values(), strict=True))
    for i, (title, members) in enumerate(grouped([spec.resolved.question for spec, _ in counted]).items()):
        if i:
            out.print()
        if len(counted) > 1:
            out.print(text(title, "bold"))
        out.print(_rows(list(columns), [lines[k] for k in members], aligned))
    if left_out:
        out.print(text(f"too narrow for: {', '.join(left_out)}", "dim"))
    for label, (spec, _) in zip(named, counted, strict=True):
        stated = author_count(spec)
        if stated is not None and stated.note:
            out.print(text(f"{NOTE} {label}: {stated.note}"))


def _rows(titles: Sequence[str], lines: Sequence[Sequence[str]], widths: Sequence[int] | None) -> Rows:
    """A table with columns of these widths, of which several stand below one another; by default, as they need."""
    rows = table(*titles, right=set(titles) - {"spec", "claimed"})
    rows.least = widths or ()
    for cells in lines:
        rows.add_row(*map(text, cells))
    return rows


def _columns(
    counted: Sequence[SpecCounts], named: list[str], rules: Sequence[str], left_out: Sequence[str], *, in_short: bool
) -> Mapping[str, list[str]]:
    columns = {"spec": named}
    stated = [author_count(spec) for spec, _ in counted]
    if any(stated):
        columns["claimed"] = [_claimed(author, in_short=in_short) for author in stated]
    for rule in rules:
        columns[rule] = [_figure(counts, rule, left_out) for _, counts in counted]
    return columns


def _claimed(stated: AuthorCount | None, *, in_short: bool) -> str:
    if stated is None:
        return "–"
    rule = dict(BESIDE.values()).get(stated.rule, stated.rule) if in_short else stated.rule
    return " ".join(filter(None, [str(stated.count), rule, NOTE if stated.note else ""]))


def _figure(counts: Counts, rule: str, left_out: Sequence[str]) -> str:
    figure = counts.by_rule(rule)
    if figure is None:
        return "–" if left_out else UNDECLARED
    beside, words = BESIDE.get(rule, (rule, ""))
    other_figure = counts.by_rule(beside)
    return str(figure) if beside in left_out or other_figure == figure else f"{figure} ({other_figure} {words})"


def print_assertions(counted: Sequence[SpecCounts], assertions: Sequence[Assertion]) -> None:
    """Each assertion about each spec; where one fails, what the figure is made of."""
    out = console()
    rows = table("assertion", "spec", "", "")
    failed: list[str] = []
    for label, (_, counts) in zip(labels(counted), counted, strict=True):
        for assertion in assertions:
            figure = counts.by_rule(assertion.figure)
            shown = UNDECLARED if figure is None else str(figure)
            held = assertion.holds(counts)
            status = text("holds", "green") if held else text("fails", "bold red")
            rows.add_row(text(str(assertion)), text(label), status, text(f"found {shown}"))
            parts = [
                name if assertion.figure in ("free", LISTING) else f"{name} {share}"
                for name, share in made_of(counts, assertion.figure)
            ]
            if parts and not held:
                more = f" and {len(parts) - MADE_OF:,} more; see --json" if len(parts) > MADE_OF else ""
                failed.append(f"{assertion.figure} of {label}: {', '.join(parts[:MADE_OF])}{more}")
    out.print(rows)
    for line in dict.fromkeys(failed):
        out.print(text(line))


def print_hard_coded(counted: Sequence[SpecCounts]) -> None:
    """The numbers that are no parameters: of one spec with their lines, of several a line for each spec."""
    out = console()
    listed = [(label, spec, counts.hard_coded) for label, (spec, counts) in zip(labels(counted), counted, strict=True)]
    if len(counted) == 1:
        for label, spec, items in listed:
            if items:
                shown = ", ".join(f"{item} ({_place(spec, item)})" for item in items[:MAX_ROWS])
                more = len(items) - MAX_ROWS
                rest = f" and {more:,} more; see --json" if more > 0 else ""
                out.print(text(f"hard-coded in {label}: {shown}{rest}"))
        return
    if not any(items for _, _, items in listed):
        return
    header = "hard-coded in"
    widest = max(cell_len(label) for label in (header, *(label for label, _, _ in listed)))
    out.print()
    rows = table(header, "", "numbers (--hard-coded lists their lines too)", right=[""])
    for label, _, items in listed:
        if items:
            rows.add_row(text(label), str(len(items)), text(_shortened([*map(str, items)], out.width - widest - 8)))
    out.print(rows)


def print_hard_coded_in_full(counted: Sequence[SpecCounts]) -> None:
    """Each number that is no parameter, with the line that it stands in and the equations that it enters."""
    out = console()
    for label, (spec, counts) in zip(labels(counted), counted, strict=True):
        out.print()
        out.print(text(f"{label}: {len(counts.hard_coded)} hard-coded", "bold"))
        rows = table("number", "line", "as written, and the equations that it enters", right=["line"])
        readers = hard_coded_readers(spec, MAX_READERS + 1)
        for i, item in enumerate(counts.hard_coded):
            if rows.row_count >= MAX_ROWS:
                rows.add_row(text(f"and {len(counts.hard_coded) - i:,} more; see --json", "dim"))
                break
            rows.add_row(text(str(item)), line_of(str(spec.path), item.file, item.line), text(item.source.strip()))
            for equation in readers[item][:MAX_READERS]:
                span = equation.span
                if (span.source.name, span.line) != (item.file, item.line):
                    rows.add_row("", line_of(str(spec.path), span.source.name, span.line), text(str(equation), "dim"))
            if len(readers[item]) > MAX_READERS:
                rows.add_row("", "", text("and others", "dim"))
        if counts.hard_coded:
            out.print(rows)


def _place(spec: Spec, item: HardCoded) -> str:
    spec_file = str(spec.path)
    return ("line " if item.file == spec_file else "") + line_of(spec_file, item.file, item.line)


def _shortened(parts: list[str], width: int) -> str:
    """As many of the parts as fit into a line, at least one, and how many are left out."""
    shown = parts[0]
    for i, part in enumerate(parts[1:], 1):
        longer = f"{shown}, {part}"
        rest = f" and {len(parts) - i - 1} more" if i + 1 < len(parts) else ""
        if cell_len(longer + rest) > width:
            return f"{shown} and {len(parts) - i} more"
        shown = longer
    return shown
