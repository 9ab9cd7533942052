"""The page about a spec in a notebook, or wherever HTML is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from html import escape

from compiler.page.description import described
from compiler.page.examples import check_typed
from compiler.page.html import page_html
from compiler.page.plans import PagePlan
from compiler.pipeline import Spec
from compiler.report.reporting import report_without_runs
from compiler.source.showing import short_repr

HEIGHT = 640  # pixels of the frame in a notebook


@dataclass(frozen=True)
class View:
    """The page about a spec, with some inputs step by step. A notebook shows it in a frame of its own."""

    spec: Spec
    inputs: tuple[str, ...] = field(default=())

    __repr__ = short_repr

    @cached_property
    def html(self) -> str:
        """The whole page, as a file would have it."""
        return page_html(described(report_without_runs(self.spec), PagePlan(inputs=self.inputs)))

    def _repr_html_(self) -> str:
        """A frame keeps the page and the notebook apart: neither changes how the other one looks, or runs in it."""
        page = escape(self.html, quote=True)
        title = escape(self.spec.title, quote=True)
        return (
            f'<iframe title="{title}" sandbox="allow-scripts" width="100%" height="{HEIGHT}" srcdoc="{page}"></iframe>'
        )


def show(spec: Spec, *inputs: str) -> View:
    """The page of `report` about a spec, without an evaluation. A notebook shows it; `html` is the text of the file.

    Each of the `inputs` is looked at step by step: one of the task as people type it, `"12 34"`; where the spec states
    no task, tokens. Raises `SpecError` for one that is none.
    """
    check_typed([spec], inputs)
    return View(spec, inputs)
