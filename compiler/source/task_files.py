"""The files that a `task` section names: a task file that it extends, and a table of cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from compiler.source.diagnostics import Findings, fail, raise_errors
from compiler.source.document import Mapping, Node, Scalar, parse_document
from compiler.source.merging import extends_scalar, merge, named_file
from compiler.source.text import Source, Span

ReadFile = Callable[[Path, Scalar, str], Source]
EXAMPLE = "tasks/subtraction.yaml"  # of a task file
START = "start with `given:`, `answers:` and what is right"
TABLE = ".tsv"  # what the name of a table of cases ends in, as a rule


def with_task_files(document: Mapping, path: Path, root: Path, read: ReadFile) -> Mapping:
    """A spec with what the files say that its `task` names. `root` is the folder that they lie in, `path` the spec's
    file; `read(path, named, purpose)` gives the text of a file that is named to "extend" or to "read" it. Raises
    `SpecError`."""
    task = document.get("task")
    if not isinstance(task, Mapping):
        return document
    whole = _with_files(task, path, root, read, [path])
    if whole is task:
        return document
    items = ((key, whole if key.text == "task" else value) for key, value in document.items)
    return Mapping(tuple(items), document.span)


def _with_files(task: Mapping, path: Path, root: Path, read: ReadFile, known: list[Path]) -> Mapping:
    cases = task.get("cases")
    named = cases.get("file") if isinstance(cases, Mapping) else None
    if isinstance(cases, Mapping) and named is not None:
        others = [key for key, _ in cases.items if key.text != "file"]
        if not others:
            task = _with_cases(task, named, path, root, read)
        elif isinstance(named, Scalar) and named.text.endswith(TABLE):
            message = f"the cases of '{named.text}' are all there are"
            raise fail("unknown-key", message, others[0].span, "write them there, or all of them here")
    named = extends_scalar(task, EXAMPLE)
    if named is None:
        return task
    target = named_file(named, path, root, known)
    base = parse_document(read(target, named, "extend"), first_line=START)
    if not isinstance(base, Mapping):
        raise fail("wrong-type", "a task file is a mapping of keys at the top", base.span.first, START)
    written_for = base.key("weightspec")
    if written_for is not None:
        hint = "name a file that has what stands under `task`"
        raise fail("wrong-type", "this is a spec, and no task file", written_for.span, hint)
    findings = Findings()
    merged = merge(_with_files(base, target, root, read, [*known, target]), task.without("extends"), findings)
    raise_errors(findings)
    return merged


def _with_cases(task: Mapping, named: Node, path: Path, root: Path, read: ReadFile) -> Mapping:
    if not isinstance(named, Scalar) or not isinstance(named.value, str):
        raise fail("wrong-type", "`file` names one file, such as `{file: cases.tsv}`", named.span)
    source = read(named_file(named, path, root, [path]), named, "read")
    rows = tuple(_rows(source))
    if not rows:
        hint = "each line is a prompt, a tab, and the answer"
        raise fail("bad-value", f"'{named.text}' has no cases", named.span, hint)
    cases = Mapping(rows, Span(source, 0, len(source.text)))
    return Mapping(tuple((key, cases if key.text == "cases" else value) for key, value in task.items), task.span)


def _rows(source: Source) -> Iterator[tuple[Scalar, Scalar]]:
    """A case for each line that is not empty."""
    seen: dict[str, Span] = {}
    start = 0
    for line in source.text.split("\n"):
        text = line.rstrip("\r")
        if text.strip():
            prompt, tab, answer = text.partition("\t")
            if not tab or not prompt.strip() or not answer.strip() or "\t" in answer:
                span = Span(source, start, start + len(text))
                raise fail("syntax", "a case is a prompt, a tab, and the answer", span, "such as `a a b<tab>a`")
            key = _scalar(source, start, prompt)
            if key.text in seen:
                raise fail("duplicate-key", f"the case '{key.text[:40]}' is written twice", key.span)
            seen[key.text] = key.span
            yield key, _scalar(source, start + len(prompt) + 1, answer)
        start += len(line) + 1


def _scalar(source: Source, start: int, text: str) -> Scalar:
    inner = text.strip()
    at = start + len(text) - len(text.lstrip())
    return Scalar(inner, inner, Span(source, at, at + len(inner)))
