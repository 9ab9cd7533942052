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
    "copy": TaskKind(rewriting("copy", "copied", copied, by_place=True), sequence_sizes),
    "reverse": TaskKind(rewriting("reverse", "reversed", backwards, by_place=True), sequence_sizes),
    "sort": TaskKind(rewriting("sort", "sorted", in_order, by_place=False), sequence_sizes),
}


def describe_suites() -> str:
    """The suites and protocols of every task, for the help of a command."""
    sections = []
    for name, kind in TASKS.items():
        task = kind.make(kind.example)
        suites = {suite.name: suite.summary for suite in task.suites().values()}
        protocols = {protocol.name: protocol.summary for protocol in task.protocols().values()}
        for title, summaries in (("Suites", suites), ("Protocols", protocols)):
            width = max(map(len, summaries), default=0)
            lines = [f"{key:<{width}}  {summary}" for key, summary in summaries.items()]
            if lines:
                sections.append("\n".join([f"{title} of the task {name}:", *lines]))
    return "\n\n".join(sections)


def tasks_with_protocols() -> str:
    """Which tasks have protocols, for a message: `addition has adderboard`."""
    found = {name: kind.make(kind.example).protocols() for name, kind in TASKS.items()}
    return "; ".join(f"{name} has {', '.join(protocols)}" for name, protocols in found.items() if protocols)


__all__ = ["TASKS", "Task", "TaskError", "TaskKind", "describe_suites", "tasks_with_protocols"]
