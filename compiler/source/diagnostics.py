"""What is wrong with a spec and where: values that stages return, and the one exception that carries them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import islice
from typing import Literal

from compiler.source.limits import MAX_ERRORS
from compiler.source.printable import printable
from compiler.source.text import Span

_NUMBER = re.compile(r"\d[\d.]*")
_LONGEST_MESSAGE = 600
_MOST_NOTES = 3  # about other places of one mistake
_LONGEST_NAME = 100  # a longer one gets no suggestion
Severity = Literal["error", "warning", "breaks", "disclose"]  # the last two are what `lint` finds


@dataclass(frozen=True)
class Note:
    """A further place that explains a diagnostic, such as where a name was first declared."""

    message: str
    span: Span


@dataclass(frozen=True)
class Diagnostic:
    """One finding. `code` is stable and made for scripts; `hint` says what to do."""

    code: str
    message: str
    span: Span | None = None
    hint: str | None = None
    notes: tuple[Note, ...] = ()
    severity: Severity = "error"


class SpecError(Exception):
    """A spec, or what was asked of it, is wrong. Carries every diagnostic that was found, in file order."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = once(in_file_order(diagnostics))
        super().__init__("\n".join(render(diagnostic) for diagnostic in self.diagnostics))


def fail(code: str, message: str, span: Span | None = None, hint: str | None = None) -> SpecError:
    """A `SpecError` with a single diagnostic, to be raised by the caller."""
    return SpecError([Diagnostic(code, message, span, hint)])


def in_file_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Without repetitions, those without a place first, then by file, then by position."""
    files: dict[str, int] = {}

    def key(diagnostic: Diagnostic) -> tuple[int, int]:
        if diagnostic.span is None:
            return -1, 0
        return files.setdefault(diagnostic.span.source.name, len(files)), diagnostic.span.start

    return tuple(sorted(dict.fromkeys(diagnostics), key=key))


def once(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Without the errors that say of a name what another one says: that it is not known. The first one has notes."""
    first: dict[tuple[str, str], int] = {}
    kept: list[Diagnostic] = []
    for one in diagnostics:
        if one.code != "unknown-name" or one.span is None or one.severity != "error" or not one.span.text.strip():
            kept.append(one)
            continue
        name = one.span.source.name, one.span.text
        at = first.setdefault(name, len(kept))
        if at == len(kept):
            kept.append(one)
        elif len(kept[at].notes) < _MOST_NOTES:
            kept[at] = replace(kept[at], notes=(*kept[at].notes, Note("and here", one.span)))
    return tuple(kept)


class Findings:
    """Diagnostics in the order in which they are found: what a stage reports to."""

    def __init__(self, diagnostics: Iterable[Diagnostic] = ()) -> None:
        self._diagnostics: list[Diagnostic] = []
        self._errors = 0
        self.report(*diagnostics)

    def report(self, *diagnostics: Diagnostic) -> None:
        """Add diagnostics. Raises `SpecError` with all of them after `MAX_ERRORS` errors: more help nobody."""
        for diagnostic in diagnostics:
            self._diagnostics.append(diagnostic)
            self._errors += diagnostic.severity == "error"
            if self._errors >= MAX_ERRORS:
                message = f"{MAX_ERRORS} errors were found; nothing more was checked"
                raise SpecError([*self, Diagnostic("too-many-errors", message)])

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self._diagnostics)

    def __reversed__(self) -> Iterator[Diagnostic]:
        return reversed(self._diagnostics)

    def __len__(self) -> int:
        return len(self._diagnostics)


def raise_errors(diagnostics: Iterable[Diagnostic]) -> None:
    """Raise a `SpecError` with all diagnostics if one of them is an error."""
    every = tuple(diagnostics)
    if any(diagnostic.severity == "error" for diagnostic in every):
        raise SpecError(every)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like `name`; None where none is like it. Only 300 names are compared."""
    if len(name) > _LONGEST_NAME:
        return None
    longest = min(_LONGEST_NAME, 2 * max(3, len(name)))
    options = list(islice((option for option in known if len(option) <= longest), 300))
    by_lower = {option.lower(): option for option in options}
    if len(name) == 1:  # one letter is like none but itself
        return by_lower.get(name.lower())
    matches = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else None


def did_you_mean(name: str, known: Iterable[str], most: int = 12) -> str:
    """`; did you mean 'x'?` or, where nothing is near, the known names if there are so many at `most`.

    Never the name itself, which was refused where it stands.
    """
    options = [option for option in dict.fromkeys(known) if option != name]
    match = nearest(name, options)
    if match is not None:
        return f"; did you mean '{match}'?"
    if 0 < len(options) <= most:
        return f"; known: {', '.join(options)}"
    return ""


def first_few(names: Sequence[str]) -> str:
    """The names for a message, or the first five of many."""
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def render(diagnostic: Diagnostic, width: int = 100) -> str:
    """`file:line:column: severity: message  [code]`, the source line, a caret, notes and the hint.

    Of a longer source line, a part of `width` characters around the place is shown.
    """
    place = f"{printable(str(diagnostic.span))}: " if diagnostic.span is not None else ""
    lines = [f"{place}{diagnostic.severity}: {_shown(diagnostic.message)}  [{diagnostic.code}]"]
    if diagnostic.span is not None:
        lines += _excerpt(diagnostic.span, width)
    for note in diagnostic.notes:
        lines += [f"{printable(str(note.span))}: note: {_shown(note.message)}", *_excerpt(note.span, width)]
    if diagnostic.hint is not None:
        lines.append(f"  hint: {_shown(diagnostic.hint)}")
    return "\n".join(lines)


def _shown(message: str) -> str:
    """A message on one line, cut if it is very long: what it quotes of a spec may hold anything."""
    whole = printable(message)
    return whole if len(whole) <= _LONGEST_MESSAGE else f"{whole[: _LONGEST_MESSAGE // 2]} … {whole[-100:]}"


def _excerpt(span: Span, width: int) -> list[str]:
    line, column = span.source.position(span.start)
    text = span.source.line(line)
    if not text.strip():
        return []
    length = max(1, min(span.end - span.start, len(text) - column + 1))
    first = max(0, column - 1 - width // 2) if len(text) > width else 0
    near = _NUMBER.finditer(text, max(0, first - width), first + 2 * width)
    cut = [number.span() for number in near]  # no part of a number is taken for a number
    first = next((end for start, end in cut if start < first < end <= column - 1), first)
    last = next((start for start, end in cut if column < start < first + width < end), first + width)
    shown = "".join(c if c.isprintable() else " " for c in text[first:last])
    gutter = f"{line:>5} | "
    caret = " " * (column - 1 - first) + "^" * min(length, width - (column - 1 - first))
    return [gutter + shown, " " * (len(gutter) - 2) + "| " + caret]
