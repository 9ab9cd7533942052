"""What is asked of a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from compiler.report.again import Caller
from compiler.report.markdown.page import CALLER


@dataclass(frozen=True)
class PagePlan:
    """Where a page will stand, how it was called for, and the inputs, as typed, that it is to show step by step."""

    target: Path | None = None
    caller: Caller = CALLER
    inputs: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return Path() if self.target is None else self.target.parent

    @property
    def words(self) -> tuple[str, ...]:
        """The options of `report` that ask for these inputs."""
        return tuple(word for text in self.inputs for word in ("--input", text))


NOWHERE = PagePlan()
