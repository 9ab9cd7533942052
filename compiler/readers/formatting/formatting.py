"""Source to the same source in canonical form. The meaning cannot change: the result is read again and compared."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass, replace
from pathlib import Path

from compiler.expressions.naming import words
from compiler.expressions.spacing import structure
from compiler.language.keys import SECTIONS
from compiler.readers.formatting.spelling import is_task_file, spellings
from compiler.readers.formatting.yaml_layout import LaidOut, lay_out
from compiler.source.diagnostics import SpecError, fail
from compiler.source.document import BYTE_ORDER_MARK, Mapping, Node, Scalar, Sequence, parse_document, read_source
from compiler.source.extends import not_a_spec
from compiler.source.files import remove_left_overs, write_whole
from compiler.source.limits import MAX_FILE_BYTES
from compiler.source.schema import newer_format
from compiler.source.text import Source, Span

TASK_TEXTS = ("name", "extends", "prompt", "cases", "order")  # the keys of a task that nothing is respelled under
# YAML takes these for line breaks or skips them, and editors do not.
_STRAY = re.compile(f"\r(?!\n)|[\x85\u2028\u2029{BYTE_ORDER_MARK}]")


@dataclass(frozen=True)
class Formatted:
    """A spec before and after."""

    source: Source
    text: str

    @property
    def changed(self) -> bool:
        return self.text != self.source.text


def format_file(path: Path, *, write: bool) -> Formatted:
    """Format the spec in a file; with `write`, replace a file that changes. Raises `SpecError`."""
    source = read_source(path)
    formatted = Formatted(source, format_source(source))
    if write:
        remove_left_overs(path)
    if write and formatted.changed:
        try:
            write_whole(path, formatted.text.encode())
        except OSError as error:
            reason = f"cannot be written: {error.strerror or error}"
            raise fail("cannot-write", reason, Span(Source(source.name, "", path), 0, 0)) from None
    return formatted


def format_source(source: Source) -> str:
    """The text of a source in canonical form. Raises `SpecError` where it is no mapping."""
    document = parse_document(source)
    if not isinstance(document, Mapping):
        raise not_a_spec(document)
    newer = newer_format(document)
    if newer is not None:
        raise SpecError([replace(newer, code="cannot-format")])
    stray = _STRAY.search(source.text)
    if stray is not None:
        message = f"a stray {stray[0]!r} cannot be formatted"
        raise fail("cannot-format", message, Span(source, *stray.span()), "end lines with LF or CR LF")
    text = source.text.replace("\r\n", "\n")
    laid_out = _laid_out(Source(source.name, text, source.path))
    result = Source(source.name, laid_out.text, source.path)
    try:
        meant, again = parse_document(result), _laid_out(result)
    except SpecError as error:
        raise _broken(source, f"the result would be no document: {error.diagnostics[0].message}") from None
    if "".join(text.split()) != "".join(result.text.split()) or laid_out.comments != again.comments:
        raise _broken(source, "more than white space would change")
    if len(result.text.encode()) > MAX_FILE_BYTES:
        message = f"the result would be larger than {MAX_FILE_BYTES} bytes, which is no spec"
        raise fail("too-large", message, Span(source, 0, 0))
    if not same_meaning(document, meant):
        raise _broken(source, "the meaning would change")
    if result.text != again.text:
        raise _broken(source, "formatting twice would give another text")
    return result.text


def _laid_out(source: Source) -> LaidOut:
    return lay_out(source, spellings(parse_document(source)))


def _broken(source: Source, why: str) -> SpecError:
    hint = "please report this spec; the file is left as it is"
    return fail("cannot-format", f"a defect of the formatter: {why}", Span(source, 0, 0), hint)


def same_meaning(first: Node, second: Node) -> bool:
    """Whether two documents mean the same. White space may differ in expressions and names, but in no other text."""
    if not isinstance(first, Mapping) or not isinstance(second, Mapping):
        return _same(first, second, exact=True)
    if is_task_file(first):
        return _same_parts(first, second, exact=TASK_TEXTS)
    task, changed = first.get("task"), second.get("task")
    same_tasks = not isinstance(task, Mapping) or (
        isinstance(changed, Mapping) and _same_parts(task, changed, exact=TASK_TEXTS)
    )
    loose = (*SECTIONS, "context")
    return same_tasks and _same_parts(first, second, exact=[key for key in first.names if key not in loose])


def _same_parts(first: Mapping, second: Mapping, *, exact: Container[str]) -> bool:
    """Whether the keys are the same, the values too, and those under the `exact` ones equal in every character."""
    return first.names == second.names and all(
        _same(value, changed, exact=key.text in exact)
        for (key, value), (_, changed) in zip(first.items, second.items, strict=True)
    )


def _same(first: Node, second: Node, *, exact: bool) -> bool:
    match first, second:
        case Scalar(), Scalar():
            return _same_scalar(first, second, exact=exact)
        case Sequence(items=items), Sequence(items=others):
            pairs = zip(items, others, strict=False)
            return len(items) == len(others) and all(_same(item, other, exact=exact) for item, other in pairs)
        case Mapping(items=items), Mapping(items=others):
            return len(items) == len(others) and all(
                _same_scalar(key, other, exact=exact) and _same(value, changed, exact=exact)
                for (key, value), (other, changed) in zip(items, others, strict=True)
            )
    return False


def _same_scalar(first: Scalar, second: Scalar, *, exact: bool) -> bool:
    if first.text == second.text:
        return repr(first.value) == repr(second.value)
    if exact or not isinstance(first.value, str) or not isinstance(second.value, str):
        return False
    parts = (first.text.split(None, 1), second.text.split(None, 1))
    names = tuple([word.text for word in words(scalar)] for scalar in (first, second))
    return _same_texts([first.text], [second.text]) or _same_texts(*parts) or _same_texts(*names)


def _same_texts(first: list[str], second: list[str]) -> bool:
    """Whether texts are equal one by one, or are the same expressions."""
    return len(first) == len(second) and all(
        text == other or structure(text) == structure(other) is not None
        for text, other in zip(first, second, strict=True)
    )
