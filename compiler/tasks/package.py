"""Tasks that come with the package, each a task file: `addition: {base: 10, digits: 10}` is short for one of them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from compiler.source.diagnostics import Diagnostic, Findings
from compiler.source.document import Mapping, Scalar, parse_document
from compiler.source.merging import merge
from compiler.source.text import Source, Span
from compiler.tasks import adderboard

SUFFIX = ".yaml"


@cache
def package_tasks() -> tuple[str, ...]:
    """The names of the tasks of the package."""
    folder = files("compiler").joinpath("tasks", "files")
    return tuple(sorted(file.name.removesuffix(SUFFIX) for file in folder.iterdir() if file.name.endswith(SUFFIX)))


@cache
def package_task(name: str) -> Mapping:
    """What the file of a task of the package says."""
    file = files("compiler").joinpath("tasks", "files", name + SUFFIX)
    document = parse_document(Source(f"{name}{SUFFIX} of the package", file.read_text(encoding="utf-8")))
    assert isinstance(document, Mapping)
    return document


def task_formulas() -> tuple[str, ...]:
    """The keys of a task section below which all values are expressions."""
    return ("sizes", "only", "equations", "columns", "window", *package_tasks())


def short_key(task: Mapping) -> Scalar | None:
    """The key of a task section that names a task of the package; None where there is none."""
    return next((key for key, _ in task.items if key.text in package_tasks()), None)


def sizes_of(task: Mapping) -> Mapping | None:
    """The sizes that a task section states, where it does."""
    key = short_key(task)
    stated = task.get(key.text if key is not None else "sizes")
    return stated if isinstance(stated, Mapping) else None


_RIGHT = ("given", "answers", "alphabets", "only", "equations", "columns", "suites")


def says_what_is_right(task: Mapping) -> bool:
    """Whether a task section states something itself of inputs and answers, beside the sizes of a task of the package
    and how it is laid out."""
    return short_key(task) is None or any(name in _RIGHT for name in task.names)


def stated(task: Mapping, findings: Findings) -> Mapping | None:
    """The section with all that is stated in the file of the package that it names; as it is where it names none."""
    names = [key for key, _ in task.items if key.text in package_tasks()]
    others = [key for key, _ in task.items if key.text in ("given", "cases", "sizes")]
    if not names and any(key.text in _RIGHT for key, _ in task.items):
        return task  # lacks `given`
    if len(names) + bool(others) != 1:
        _report(task, [*names, *others], findings)
        return None
    if not names:
        return task
    (key,) = names
    rest = tuple(item for item in task.items if item[0] is not key)
    sizes = task.get(key.text)
    variant = Mapping((*rest, (Scalar("sizes", "sizes", key.span), sizes)) if sizes is not None else rest, task.span)
    return merge(package_task(key.text), variant, findings)


def _report(task: Mapping, keys: list[Scalar], findings: Findings) -> None:
    written = " and ".join(key.text for key in keys) or "none"
    message = f"a task is of one kind, found {written}; known: {', '.join(package_tasks())}, and what `given` states"
    span = keys[1].span if keys else Span(task.span.source, task.span.start, task.span.start + 1)
    hint = "such as `addition: {base: 10, digits: 10}`; or state what an input is, as in `given: {word: digit*4}`"
    findings.report(Diagnostic("task", message, span, hint))


def tasks_with_protocols() -> str:
    """Which tasks of the package have protocols, for a message: `addition has adderboard`."""
    found = {}
    for name in package_tasks():
        asked = package_task(name).get("suites")
        named = asked.text.split() if isinstance(asked, Scalar) else []
        found[name] = [protocol for protocol in named if protocol == adderboard.NAME]
    return "; ".join(f"{name} has {', '.join(protocols)}" for name, protocols in found.items() if protocols)
