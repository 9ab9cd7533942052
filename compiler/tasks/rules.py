"""What a task section says is right, and which inputs there are, rule by rule as it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from compiler.source.diagnostics import Findings
from compiler.source.document import Mapping, Node, Scalar
from compiler.tasks.package import stated

RuleKind = Literal["only", "equation", "state", "let", "step", "column", "next", "last", "end"]
_CALLED = {"state": "state ", "let": "let ", "next": "next ", "end": "end "}


@dataclass(frozen=True)
class TaskRule:
    """A formula of a task. `target` is what it is about, empty for a condition.

    `only` says which inputs there are, `step` which steps of columns, `last` which last states. `state` is the size of
    a variable, `start` where it starts.
    """

    kind: RuleKind
    target: str
    formula: Scalar
    start: Scalar | None = None

    def __str__(self) -> str:
        conditions = {"only": "only", "step": "columns only", "last": "end only"}
        return conditions.get(self.kind) or f"{_CALLED.get(self.kind, '')}{self.target}"

    @property
    def text(self) -> str:
        """The right side on one line."""
        start = "" if self.start is None else f", starts at {_line(self.start)}"
        return f"{_line(self.formula)}{start}"


def section_of(document: Mapping) -> Mapping | None:
    """The task section of a checked document, with all that the file says of a task of the package that it names."""
    node = document.get("task")
    return stated(node, Findings()) if isinstance(node, Mapping) else None


def reads_from(section: Mapping) -> str | None:
    """The end at which columns are read first: `first` or `last`; None without columns."""
    columns = section.get("columns")
    return columns.text_of("from") if isinstance(columns, Mapping) else None


def rules(section: Mapping) -> Iterator[TaskRule]:
    """The rules of a task section: which inputs there are, equations, columns."""
    yield from _condition("only", section)
    yield from _each("equation", section.get("equations"))
    columns = section.get("columns")
    if not isinstance(columns, Mapping):
        return
    states = columns.get("state")
    for key, node in states.items if isinstance(states, Mapping) else ():
        size, start = (node.get("size"), node.get("start")) if isinstance(node, Mapping) else (node, None)
        if isinstance(size, Scalar):
            yield TaskRule("state", key.text, size, start if isinstance(start, Scalar) else None)
    yield from _each("let", columns.get("let"))
    yield from _condition("step", columns)
    for key, node in columns.items:
        kind: RuleKind = "next" if key.text.startswith("next ") else "column"
        if key.text not in ("from", "state", "let", "only", "end") and isinstance(node, Scalar):
            yield TaskRule(kind, key.text.removeprefix("next ").strip(), node)
    end = columns.get("end")
    if isinstance(end, Mapping):
        yield from _condition("last", end)
        yield from _each("end", end.without("only"))


def _condition(kind: RuleKind, node: Mapping) -> Iterator[TaskRule]:
    condition = node.get("only")
    if isinstance(condition, Scalar):
        yield TaskRule(kind, "", condition)


def _each(kind: RuleKind, node: Node | None) -> Iterator[TaskRule]:
    for key, value in node.items if isinstance(node, Mapping) else ():
        if isinstance(value, Scalar):
            yield TaskRule(kind, key.text.strip(), value)


def _line(node: Scalar) -> str:
    return " ".join(node.text.split())
