"""YAML text to YAML text in canonical layout: token by token, so that line breaks and comments stay where they are.

Only white space between tokens changes, and the scalars that the caller wants spelled otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass

import yaml

from compiler.source.diagnostics import SpecError, fail
from compiler.source.text import Source, Span

INDENT = 2
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_END_OF_LINE = re.compile(r"[ \t]*(#|\n|\Z)")
_BLANKS = " \t"
_OPENING = ("{", "[", "")
_JOINED = (",", "}", "]", ":")  # never at the start of a line inside brackets, and without a space before it
_HEADER = re.compile(r"[|>](?:[-+]|(?P<width>[1-9]))*")


@dataclass(frozen=True)
class LaidOut:
    """Text in canonical layout, and the comments in it, in order."""

    text: str
    comments: tuple[str, ...]


def lay_out(source: Source, spellings: AnyMapping[int, str]) -> LaidOut:
    """Lay out a valid document with LF line ends; `spellings` are new texts of scalars by the offset of their end.

    Raises `SpecError` for the few forms of YAML that it does not handle.
    """
    printer = _Printer(source, spellings)
    for token in yaml.scan(source.text, Loader=_LOADER):
        printer.take(token)
    end = "" if printer.unended else "\n"
    return LaidOut("\n".join(printer.lines) + end, tuple(printer.comments))


@dataclass(frozen=True)
class _Block:
    """An open block collection: the column it is written in, and the one it gets.

    `implied`: a sequence that is not indented, for which YAML has no token.
    """

    written: int
    column: int
    is_mapping: bool
    implied: bool = False


class _Printer:
    def __init__(self, source: Source, spellings: AnyMapping[int, str]) -> None:
        self.source = source
        self.text = source.text
        self.spellings = spellings
        self.lines: list[str] = []
        self.comments: list[str] = []
        self.unended = False
        self._blocks: list[_Block] = []
        self._closed: list[_Block] = []  # since the last token that is written
        self._flows: list[int] = []  # the column of further lines inside each open bracket
        self._leads = False  # the next token starts a key or an item of the innermost block
        self._indent = 0  # of the line that is being written
        self._before = ""  # the kind of the last token
        self._end = 0  # where it ends

    def take(self, token: yaml.Token) -> None:
        start, end = token.start_mark.index, token.end_mark.index
        written = self.text[start:end]
        match token:
            case yaml.BlockMappingStartToken() | yaml.BlockSequenceStartToken():
                self._open(token.start_mark.column, isinstance(token, yaml.BlockMappingStartToken))
            case yaml.BlockEndToken():
                self._close_implied()
                self._closed.append(self._blocks.pop())
            case yaml.KeyToken():
                if written:
                    raise self._refusal("a key that starts with `?`", start, "write `key: value`")
                if not self._flows:
                    self._close_implied()
                    self._leads = True
            case yaml.BlockEntryToken():
                if not self._blocks or self._blocks[-1].is_mapping:
                    self._open(token.start_mark.column, is_mapping=False, implied=True)
                self._leads = True
                self._write("-", written, start, end)
            case yaml.ValueToken():
                if self._before not in ("scalar", "alias"):
                    raise self._refusal("a key that is empty", start, "write '' before the colon")
                self._write(":", written, start, end)
            case yaml.FlowMappingStartToken() | yaml.FlowSequenceStartToken():
                self._write(written, written, start, end)
                hangs = _END_OF_LINE.match(self.text, end)
                outer = self._blocks[-1].column if self._blocks else 0
                self._flows.append(max(self._indent, outer) + INDENT if hangs else len(self.lines[-1]))
            case yaml.FlowMappingEndToken() | yaml.FlowSequenceEndToken():
                self._write(written, written, start, end)
                self._flows.pop()
            case yaml.ScalarToken():
                self._scalar(token, start, end)
            case yaml.StreamEndToken():
                self._gap(len(self.text), 0, -1)
            case yaml.StreamStartToken():
                pass
            case _:
                kinds = {yaml.AliasToken: "alias", yaml.FlowEntryToken: ","}
                self._write(kinds.get(type(token), "other"), written, start, end)

    def _refusal(self, what: str, at: int, hint: str | None = None) -> SpecError:
        return fail("cannot-format", f"{what} cannot be formatted", Span(self.source, at, at + 1), hint)

    def _open(self, written: int, is_mapping: bool, implied: bool = False) -> None:
        column = self._blocks[-1].column + INDENT if self._blocks else 0
        self._blocks.append(_Block(written, column, is_mapping, implied))

    def _close_implied(self) -> None:
        if self._blocks and self._blocks[-1].implied:
            self._closed.append(self._blocks.pop())

    @property
    def _inner(self) -> int:
        """The column of what is inside the innermost collection but no key or item of it."""
        return self._flows[-1] if self._flows else self._blocks[-1].column + INDENT if self._blocks else 0

    def _write(self, kind: str, text: str, start: int, end: int) -> None:
        """Write a token, or its first line, after the comments and line breaks before it."""
        column = self._blocks[-1].column if self._leads else self._inner
        written = start - self.text.rfind("\n", 0, start) - 1
        if self._gap(start, column, written, joins=bool(self._flows) and kind in _JOINED):
            self.lines.append(" " * column + text)
            self._indent = column
        else:
            self.lines[-1] += _separator(self._before, kind) + text
        self._before, self._end = kind, end
        self._closed.clear()
        self._leads = False

    def _gap(self, end: int, column: int, written: int, *, joins: bool = False) -> bool:
        """Write the comments and blank lines up to `end`; whether what stands there starts a line.

        `joins`: it does not have to, as long as there is no comment.
        """
        first, *rest = self.text[self._end : end].split("\n")
        if not self.lines:
            first, rest = "", [first, *rest]
        self._check_gap(first, rest)
        commented = bool(first.strip(_BLANKS))
        if commented:
            self.comments.append(first.strip(_BLANKS))
            self.lines[-1] += f"  {self.comments[-1]}"
        blank = False
        for i, part in enumerate(rest):
            comment = part.strip(_BLANKS)
            if comment:
                self._break(blank)
                self.lines.append(" " * self._level(part.index("#"), column, written) + comment)
                self.comments.append(comment)
                commented = True
            blank = not comment and (blank or i < len(rest) - 1)
        if not rest or (joins and not commented):
            return False
        if end < len(self.text):
            self._break(blank)
        return True

    def _check_gap(self, first: str, rest: list[str]) -> None:
        for part in (first, *rest):
            if part.strip(_BLANKS) and not part.strip(_BLANKS).startswith("#"):
                raise self._refusal(f"'{part.strip()}'", self._end)

    def _break(self, blank: bool) -> None:
        """At most one blank line, and none at the start."""
        if blank and self.lines:
            self.lines.append("")

    def _level(self, comment: int, column: int, written: int) -> int:
        """The column of a comment line: that of what follows it, or of the block that ends with the comment."""
        inside = [block for block in self._closed if written < block.written <= comment]
        return max(inside, key=lambda block: block.written).column if inside else column

    def _scalar(self, token: yaml.ScalarToken, start: int, end: int) -> None:
        raw = self.text[start:end]
        if token.style in ("|", ">"):
            self._block_scalar(raw, start)
            return
        first, *rest = self._respelled(token.value, raw, end).split("\n")
        self._write("scalar", first, start, end)
        if not rest:
            return
        if any(line.rstrip(_BLANKS) != line and line.rstrip(_BLANKS).endswith("\\") for line in (first, *rest)):
            self.lines += rest  # an escaped blank at the end of a line
            return
        self.lines[-1] = self.lines[-1].rstrip(_BLANKS)
        column = self._inner or INDENT
        stripped = (line.strip(_BLANKS) for line in rest)
        self.lines += [" " * column + line if line else "" for line in stripped]

    def _respelled(self, value: str, raw: str, end: int) -> str:
        new = self.spellings.get(end)
        if new is None or raw not in (value, f"'{value}'", f'"{value}"'):
            return raw
        return raw.replace(value, new)

    def _block_scalar(self, raw: str, start: int) -> None:
        """A literal or folded scalar: its lines move as one. Blank lines that do not count are left to the gap."""
        head, *lines = raw.split("\n")
        header = _HEADER.match(head)
        assert header is not None
        ended = not lines or lines[-1].strip(" ") == ""
        if lines and ended:
            lines.pop()
        outer = self._blocks[-1] if self._blocks else _Block(0, 0, is_mapping=False)
        width = int(header["width"] or 0)
        indents = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip(" ")]
        written = outer.written + width if width else indents[0] if indents else max(map(len, lines), default=0)
        column = outer.column + width if width else self._inner or INDENT
        keeps = "+" in header[0]
        while lines and not keeps and not lines[-1][written:] and not lines[-1].strip(" "):
            lines.pop()
        self._write("scalar", header[0], start, start + len("\n".join([head, *lines])))
        comment = head[header.end() :].strip(_BLANKS)
        if comment:
            self.comments.append(comment)
            self.lines[-1] += f"  {comment}"
        self.lines += [" " * column + line[written:] if line[written:] else "" for line in lines]
        self.unended = not ended and "-" not in header[0]


def _separator(before: str, kind: str) -> str:
    if before in _OPENING or kind in _JOINED:
        return " " if (before, kind) == ("alias", ":") else ""
    return " "
