"""How to get the figures of a report again: the calls that print them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from compiler.report.plans import BUDGET_FACTORS
from compiler.report.reporting import Report, ReportedModel
from compiler.source.examples import examples
from compiler.source.printable import printable


@dataclass(frozen=True)
class Caller:
    """The words that a program was called by, and the options of loading that it was given."""

    program: str = "python cli.py"
    options: tuple[str, ...] = ()

    def call(self, command: str, paths: Iterable[Path], *words: str) -> str:
        """A call for a shell, on one line."""
        named = [_word(path) for path in paths]
        return printable(f"{self.program} {shlex.join([command, *named, *self.options, *words])}")


def model_calls(model: ReportedModel, budget: float | None, caller: Caller) -> Iterator[str]:
    """What prints the counts of a model, what they do not show, its right answers, and its verdict."""
    yield caller.call("count", [model.spec.path])
    yield caller.call("lint", [model.spec.path])
    if model.suites:
        names = [word for suite in model.suites for word in ("--suite", suite.name)]
        size = [] if model.inputs is None else ["--inputs", str(model.inputs)]
        seed = next((["--seed", str(suite.seed)] for suite in model.suites if suite.seed is not None), [])
        yield caller.call("eval", [model.spec.path], *names, *size, *seed)
    if model.verdict is not None and budget is not None and not model.failed:
        claimed = model.spec.resolved.expect.verdict is not None and not model.spec.settings
        most = budget * BUDGET_FACTORS[-1] if claimed else budget
        yield caller.call("verify", [model.spec.path], "--budget", f"{most:g}")


def page_call(report: Report, target: Path | None, caller: Caller, *words: str) -> str:
    """What makes the page; `words` are further options of it."""
    written = [] if target is None else ["-o", str(target)]
    return caller.call("report", [model.spec.path for model in report.models], *report.plan.words, *words, *written)


def _word(path: Path) -> str:
    """A path as a word of a call; an example by its name."""
    if path.is_absolute() and examples().get(path.stem) == path:
        return path.stem
    return f"./{path}" if str(path).startswith("-") else str(path)
