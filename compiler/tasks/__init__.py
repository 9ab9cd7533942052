"""What models compute. `TASKS` is the one table of task kinds; nothing outside this package knows a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from compiler.tasks.addition import EXAMPLE as addition_sizes
from compiler.tasks.addition import addition
from compiler.tasks.sequences import EXAMPLE as sequence_sizes
from compiler.tasks.sequences import backwards, copied, in_order, rewriting
from compiler.tasks.task import Task, TaskError


@dataclass(frozen=True)
class TaskKind:
    """How to make a task, given a number for each size that `example` has. Raises `TaskError`."""

    make: Callable[[Mapping[str, int]], Task]
    example: Mapping[str, int]


TASKS = {
    "addition": TaskKind(addition, addition_sizes),
    "copy": TaskKind(rewriting("copy", "copied", copied), sequence_sizes),
    "reverse": TaskKind(rewriting("reverse", "reversed", backwards), sequence_sizes),
    "sort": TaskKind(rewriting("sort", "sorted", in_order), sequence_sizes),
}


def describe_suites() -> str:
    """The suites of every task, for the help of a command."""
    sections = []
    for name, kind in TASKS.items():
        suites = kind.make(kind.example).suites().values()
        width = max(len(suite.name) for suite in suites)
        lines = [f"{suite.name:<{width}}  {suite.summary}" for suite in suites]
        sections.append("\n".join([f"Suites of the task {name}:", *lines]))
    return "\n\n".join(sections)


__all__ = ["TASKS", "Task", "TaskError", "TaskKind", "describe_suites"]
