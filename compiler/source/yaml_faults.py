"""A text that is no YAML: which line is likely at fault, and what to write there.

The YAML reader names the place where it gave up, which often is the line after the one to change. The lines are looked
at once more here: an indentation that no other line of its block has, a key without its colon, a bracket that is not
closed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from compiler.source.diagnostics import Diagnostic
from compiler.source.text import Source, Span

FLOW_HINT = "inside { } or [ ] a formula with a comma or a bracket must be quoted or stand on its own line"
COLON_HINT = "a key ends with a colon and a space, as in `name: small`"
_SYNTAX_HINTS = {  # by what the message of the YAML reader holds
    "unexpected end of stream": "close the quote",
    "could not find expected ':'": COLON_HINT,
    "',' or '}'": FLOW_HINT,
    "expected ',' or": FLOW_HINT,
    "cannot start any token": "a text that starts with this sign has to be quoted",
    "alphabetic or numeric character": "a formula that starts with [ or has a * after it must be quoted",
    "mapping values are not allowed": "a colon followed by a space starts a value; quote the text if it is part of it",
    "did not find expected '-' indicator": "an entry of a list starts with - as the ones above",
    "block sequence entries are not allowed": "a list starts on a line of its own; a number below zero is -2",
    "comment or line break": "a text that starts with this sign has to be quoted",
}
_FROM_ITS_START = ("unexpected end of stream", "could not find expected ':'")  # the place to show is where that began
_TAB_HINT = "YAML does not allow tabs for indentation; use spaces"
_NAME = r"[A-Za-z_<][^:=\s{}\[\]]*(?:\[[^\]]*\])?"
_COLON = re.compile(r":(?=\s|$)")  # that ends a key
_NO_SPACE = re.compile(rf"(?P<key>{_NAME}(?: {_NAME})?):(?P<value>[^\s:].*)")
_EQUALS = re.compile(rf"(?P<key>{_NAME}(?: {_NAME})?) *:?= *(?P<value>[^=\s].*)")
_BRACE = re.compile(r"(?P<key>[^{:]*[^{:\s]) *:?(?P<value>{.*)")
_TWO_WORDS = re.compile(r"(?P<key>[A-Za-z_]\w*) (?P<value>[-+.\w]+)")


def without_colon(text: str) -> str | None:
    """What to write where a key and its value stand without a colon and a space between them; None for other texts."""
    line = text.strip()
    for pattern in (_NO_SPACE, _BRACE, _EQUALS):
        match = pattern.fullmatch(line)
        if match is not None:
            shown = f"{match['key']}: {match['value']}"
            what = "a space has to follow the colon" if pattern is _NO_SPACE else "a colon and a space follow a key"
            return f"{what}: `{shown}`" if len(shown) <= 80 else f"{what}, as in `name: small`"
    return None


def empty_value_hint(key: str) -> str:
    """What to do about a key in { } that has no value."""
    words = _TWO_WORDS.fullmatch(key)
    if words is not None:
        return f"a colon and a space follow a key: `{words['key']}: {words['value']}`"
    return without_colon(key) or FLOW_HINT


def syntax_error(source: Source, error: yaml.YAMLError) -> Diagnostic:
    """The diagnostic for a text that the YAML reader gave up on."""
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read")
    began = getattr(error, "context_mark", None)
    from_start = began is not None and any(part in problem for part in _FROM_ITS_START)
    mark = began if from_start else getattr(error, "problem_mark", None) or began
    offset = min(_offset(source, error) if mark is None else mark.index, len(source.text.rstrip()))
    cause = None if mark is None else _cause(source, problem, offset, None if began is None else began.index)
    place, hint = cause or (Span(source, offset, min(offset + 1, len(source.text))), None)
    if "\t" in source.text and "cannot start any token" in problem:
        hint = _TAB_HINT
    hint = (
        hint
        or _habit(source, offset, problem)
        or next((hint for part, hint in _SYNTAX_HINTS.items() if part in problem), None)
    )
    return Diagnostic("yaml-syntax", f"not valid YAML: {problem}", place, hint)


def _habit(source: Source, offset: int, problem: str) -> str | None:
    """What to write for a formula of another language whose colon is none of YAML."""
    line = source.text[source.text.rfind("\n", 0, offset) + 1 : offset]
    if "mapping values are not allowed" not in problem:
        return None
    if re.search(r"\?|:\s+(?:if|where)\b", line):
        return "write where(condition, value, otherwise)"
    return "a formula computes one value: it defines no functions" if re.search(r"\blambda\b", line) else None


def _offset(source: Source, error: yaml.YAMLError) -> int:
    """Where the reader stopped: it counts bytes, where it has no mark."""
    return len(source.text.encode()[: getattr(error, "position", 0)].decode(errors="ignore"))


@dataclass(frozen=True)
class _Line:
    """A line that is neither empty nor a comment: the offset of its first sign, its indentation, and what follows."""

    start: int
    indent: int
    text: str

    @property
    def value(self) -> str | None:
        """What stands after the key; None where the line has no key."""
        quote = self.text[0]
        start = self.text.find(quote, 1) if quote in "\"'" else 0
        colon = _COLON.search(self.text, max(start, 0))
        return None if colon is None else self.text[colon.end() :].strip()


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            indent = len(line) - len(line.lstrip())
            yield _Line(start + indent, indent, line.split(" #")[0].strip())
        start += len(line) + 1


Cause = tuple[Span, str | None]


def _cause(source: Source, problem: str, offset: int, began: int | None) -> Cause | None:
    """The likely place of a mistake, and what to do there; None where nothing better is known than the reader says."""
    lines = list(_lines(source.text))
    at = max((i for i, line in enumerate(lines) if line.start <= offset), default=None)
    if at is None:
        return None
    line = lines[at]
    if "expected <document start>" in problem and lines[0].indent > 0:
        return _whole(source, lines[0]), _indented(lines[0], "below", "0")
    if "expected ',' or" in problem:
        return _in_brackets(source, offset, began, line)
    if "could not find expected ':'" in problem:
        return _whole(source, line), without_colon(line.text) or COLON_HINT
    in_key = ":" not in source.text[line.start : offset]
    if "mapping values are not allowed" in problem and in_key and at > 0:
        before = lines[at - 1]
        if line.text.partition(":")[0].count("{"):
            return _whole(source, line), without_colon(line.text)
        if before.value is None and before.indent <= line.indent and not before.text.startswith("- "):
            return _whole(source, before), without_colon(before.text) or COLON_HINT
        return _odd_indentation(source, lines, at)
    if "mapping values are not allowed" in problem and without_colon(line.text) and "{" in line.text:
        return _whole(source, line), without_colon(line.text)
    if "did not find expected key" in problem:
        if offset > line.start:
            return Span(source, offset, offset + 1), "nothing may follow a closing quote"
        before = lines[at - 1]
        if before.value is None and before.indent == line.indent and not before.text.startswith(("- ", "[", "{")):
            return _whole(source, before), without_colon(before.text) or COLON_HINT
        if line.text.startswith(":"):
            return Span(source, offset, offset + 1), "a key stands before the colon"
        return _odd_indentation(source, lines, at)
    return None


def _whole(source: Source, line: _Line) -> Span:
    return Span(source, line.start, line.start + len(line.text))


def _in_brackets(source: Source, offset: int, began: int | None, line: _Line) -> Cause | None:
    """Where a comma or a closing bracket is missing."""
    if began is not None and began < line.start and line.value is not None:
        return Span(source, began, began + 1), f"close the bracket {source.text[began]}"
    if source.text[offset : offset + 1] == ":":
        hint = "a comma and a space stand between two entries: `{a: 1, b: 2}`"
        return Span(source, offset, offset + 1), hint
    return None


def _too_far_left(lines: list[_Line], at: int) -> _Line | None:
    """A line above that stands left of its block, so that the block seems to end with it; None where none does."""
    line = lines[at]
    above = next((i for i in range(at - 1, -1, -1) if lines[i].indent < line.indent), None)
    if above is None or above == 0 or sum(one.indent == line.indent for one in lines) < 2:
        return None
    astray, before = lines[above], lines[above - 1]
    is_head = astray.value == ""  # of lines that are indented below it
    if is_head != (above + 1 < at):
        return None
    if is_head:
        inside = lines[above + 1].indent
        return astray if any(one.indent == inside for one in (*lines[:above], *lines[at:])) else None
    if before.value == "" and before.indent >= astray.indent:
        return astray
    enclosing = next((one for one in reversed(lines[:above]) if one.indent <= line.indent), before)
    return astray if enclosing.indent == line.indent else None


def _odd_indentation(source: Source, lines: list[_Line], at: int) -> Cause:
    """Which line of a block is indented otherwise than its neighbours: the one at which the reader stopped, or one
    above it. The indentation that more lines have is taken for the right one: in the block, else in the file."""
    line = lines[at]
    above = at - 1
    while above > 0 and lines[above - 1].indent > line.indent and lines[above].indent > line.indent:
        above -= 1
    other = lines[above] if lines[above].indent != line.indent else lines[at - 1]
    parent = next((i for i in range(above, -1, -1) if lines[i].indent < min(line.indent, other.indent)), -1)
    floor = lines[parent].indent if parent >= 0 else -1
    below = next((i for i in range(at, len(lines)) if lines[i].indent <= floor), len(lines))
    block = Counter(one.indent for one in lines[parent + 1 : below])
    everywhere = Counter(one.indent for one in lines)

    def support(one: _Line) -> tuple[int, int]:
        return block[one.indent], everywhere[one.indent]

    odd, right = (other, line) if support(other) < support(line) else (line, other)
    astray = _too_far_left(lines, at)
    if astray is not None:
        return _whole(source, astray), _indented(astray, "below", str(line.indent))
    around = lines[max(parent, 0) : at] if odd is line else [right]
    known = sorted({one.indent for one in around})
    shown = " or ".join(map(str, known[-3:]))
    return _whole(source, odd), _indented(odd, "below" if odd is other else "above", shown)


def _indented(odd: _Line, where: str, others: str) -> str:
    others = f"the lines {where} by {others}: keys of one mapping have one indentation"
    return f"this line is indented by {odd.indent}, {others}"
