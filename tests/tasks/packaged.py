"""Tasks of the package as values, each of its file and of sizes."""

from __future__ import annotations

from collections.abc import Mapping

from compiler.language.resolve import resolve
from compiler.source.diagnostics import Findings, raise_errors
from compiler.source.document import Mapping as Document
from compiler.source.document import parse_document
from compiler.source.schema import check_schema
from compiler.source.text import Source
from compiler.tasks import Task
from compiler.tasks.package import package_task as file_of
from compiler.tasks.package import package_tasks

PACKAGED = package_tasks()
MOST_SYMBOLS = 1024
SPEC = """\
weightspec: 1
name: asked
dtype: float32
vocabulary: symbol[{symbols}]
task:
  {kind}: {{{sizes}}}
  prompt: {given}
  answer: {answers}
stream: x
network:
  embedding: {{}}
decode: argmax
"""


def package_task(kind: str, **sizes: int) -> Task:
    """A task of the package; sizes that are not given are those of its file. Raises `SpecError`."""
    return task_of(
        SPEC.format(
            kind=kind,
            symbols=MOST_SYMBOLS,
            sizes=", ".join(f"{name}: {size}" for name, size in sizes.items()),
            given=" ".join(names_of(kind, "given")),
            answers=" ".join(names_of(kind, "answers")),
        )
    )


def task_of(text: str) -> Task:
    """What the spec in a text asks. Raises `SpecError`."""
    document = parse_document(Source("asked.yaml", text))
    assert isinstance(document, Document)
    checked = check_schema(document)
    findings = Findings(checked.diagnostics)
    raise_errors(findings)
    resolved = resolve(checked.document, findings)
    raise_errors(findings)
    assert resolved is not None
    return resolved.task


def names_of(kind: str, part: str) -> tuple[str, ...]:
    """The words that the file of a task names under `given` or `answers`."""
    words = file_of(kind).get(part)
    assert isinstance(words, Document)
    return words.names


def lengths(task: Task) -> Mapping[str, int]:
    """The length of each word."""
    return {word.name: word.length for word in (*task.given, *task.answers)}
