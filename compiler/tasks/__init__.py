"""What models compute: tasks that specs state, or name out of the package. Nothing outside knows a task."""

from __future__ import annotations

from compiler.tasks.stated import Task
from compiler.tasks.task import TaskError

__all__ = ["Task", "TaskError"]
