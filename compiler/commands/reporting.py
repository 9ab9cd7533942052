"""The command that reports on specs, for people who read a page about them: `report`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from compiler.commands.shared import (
    EXIT_DIFFERENCE,
    Loading,
    SpecCommand,
    check_ending,
    command_line,
    exit_on_failed,
    json_option,
    loading_options,
    program,
    seconds_option,
    specs_argument,
    suite_options,
)
from compiler.pipeline import Spec
from compiler.source.diagnostics import SpecError, fail
from compiler.source.document import open_file
from compiler.source.files import check_place, save_text
from compiler.terminal.plain import print_file, say

if TYPE_CHECKING:
    from compiler.page.plans import PagePlan
    from compiler.report.reporting import Report

HTML = ".html"


@click.command(cls=SpecCommand)
@specs_argument
@loading_options
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="FILE.md|FILE.html",
    help="Write the page to this file, as Markdown or for a browser. One that exists is replaced, whole or not at all.",
)
@click.option(
    "--check",
    "checked",
    type=click.Path(path_type=Path),
    metavar="FILE.md|FILE.html",
    help="Write nothing; exit with 1 where the file is not what -o would write, and print what differs.",
)
@suite_options
@seconds_option(
    "--verify",
    "budget",
    says="Also verify each model that no suite refutes, for at most this many seconds, or 16 times as many where the"
    " spec claims a verdict.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Evaluate this many models at a time, one on each core; by default as many as pay off on this machine.",
)
@click.option(
    "--input",
    "typed",
    multiple=True,
    metavar="TEXT",
    help="On a page that ends in .html, look at this input step by step, beside some that are answered wrong or right."
    " Where a spec states no task, it is tokens. Repeatable.",
)
@json_option
def report(
    specs: tuple[Path, ...],
    loading: Loading,
    output: Path | None,
    checked: Path | None,
    suites: tuple[str, ...],
    inputs: int | None,
    seed: int | None,
    budget: float | None,
    jobs: int | None,
    typed: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write a page about specs: sizes, counts, right answers.

    The page says what each model is, how many parameters it has by every rule and by its author, how many inputs of
    each suite it answers right, what `lint` discloses, and what the figures reveal. Without --suite, each task says
    which of its suites are run. --check runs all inputs again. With --verify the page also says which models were
    proved right on every input.

    A page that ends in .html opens in a browser, without a network. It also shows the network, each tensor with the
    equation behind each number, the lines of the spec, and step by step how some answers come about.

    \b
    python cli.py report tiny95 qwen20 -o report.md
    python cli.py report tiny95 qwen20 --check report.md
    python cli.py report tiny95 --suite near_carry --inputs 500
    python cli.py report tiny95 qwen20 --verify 5 -o report.md
    python cli.py report tiny95 -o tiny95.html --input "5193798811 1806201129"
    """
    from compiler.page.plans import PagePlan
    from compiler.report.again import Caller
    from compiler.report.markdown.text import several
    from compiler.report.plans import RunPlan
    from compiler.report.reporting import make_report
    from compiler.terminal.console import print_json, suite_progress
    from compiler.terminal.reports import print_stale, report_json

    if output is not None and checked is not None:
        raise click.UsageError("-o writes a file and --check writes none: give one of them")
    target = output or checked
    if typed and (target is None or target.suffix != HTML):
        raise click.UsageError(f"--input goes with a page that ends in {HTML}: give one to -o or --check")
    plan = PagePlan(target, Caller(program(), loading.words), typed)
    words = (*RunPlan(suites, inputs, seed, budget).words, *plan.words)
    renewal = command_line("report", specs, *loading.words, *words, "-o", str(target))
    before = None if target is None else _checked_target(target, renewal, exists=checked is not None)
    loaded, wrong = loading.load_each(specs)
    if wrong:
        raise SpecError(wrong)
    if typed:
        from compiler.page.examples import check_typed

        check_typed(loaded, typed)
    with suite_progress() as bars:

        def progress(_: Spec, done: int, total: int) -> None:
            if bars is not None:
                bars("models", done, total)

        made = make_report(loaded, suites, inputs=inputs, seed=seed, budget=budget, processes=jobs, progress=progress)
    page = _page(made, plan)
    stale = None if before is None else before != page.encode()
    if output is not None:
        save_text(output, page, replace=True)
    if as_json:
        print_json(report_json(made, target, stale=stale))
    elif output is not None:
        say(f"{output}: written, {several(len(made.models), 'model')}")
    elif before is None:
        print_file(page)
    elif stale:
        print_stale(target or Path(), before.decode(errors="replace"), page, renewal)
    else:
        say(f"{checked}: up to date, {several(len(made.models), 'model')}")
    for model in made.models:
        for claim in model.claims:
            if claim.status == "failed":
                say(f"{model.spec.path}: claim failed: {claim.claim}; {claim.reason}", error=True)
    if stale:
        sys.exit(EXIT_DIFFERENCE)
    exit_on_failed(claim for model in made.models for claim in model.claims)


def _page(made: Report, plan: PagePlan) -> str:
    """The page in the form that the ending of its file asks for."""
    if plan.target is not None and plan.target.suffix == HTML:
        from compiler.page.description import described
        from compiler.page.html import page_html

        return page_html(described(made, plan))
    from compiler.report.markdown.page import report_page

    return report_page(made, plan.target, plan.caller)


def _checked_target(target: Path, renewal: str, *, exists: bool) -> bytes | None:
    """Refuse a file that cannot be written or checked, before anything is computed; what is in one to be checked."""
    if target.suffix != HTML:
        check_ending(target, f"a report is Markdown, or a page for a browser that ends in {HTML}", "report.md")
    if not exists:
        check_place(target)
        return None
    try:
        exists, is_folder = target.exists(), target.is_dir()
    except OSError as error:  # such as a name that is too long
        raise fail("cannot-read", f"cannot check {target}: {error.strerror}") from None
    if not exists:
        raise fail("missing-file", f"there is no file {target} to check", hint=f"this makes it: {renewal}")
    if is_folder:
        raise fail("cannot-read", f"cannot check {target}: it is a directory")
    with open_file(target) as file:
        return file.read()
