"""What models compute. `TASKS` is the one table of task kinds; nothing outside this package knows a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from compiler.tasks.addition import addition
from compiler.tasks.task import Task, TaskError

TASKS: dict[str, Callable[[Mapping[str, int]], Task]] = {"addition": addition}

__all__ = ["TASKS", "Task", "TaskError"]
