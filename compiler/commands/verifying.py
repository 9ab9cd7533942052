"""The command that decides specs on every input: `verify`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Timer
from typing import TYPE_CHECKING

import click

import compiler
from compiler.commands.shared import (
    EXIT_BAD_INPUT,
    EXIT_FAILED_CLAIM,
    EXIT_REFUTED,
    EXIT_UNDECIDED,
    Loading,
    SpecCommand,
    check_ending,
    errors_json,
    json_option,
    loading_options,
    print_checked_claims,
    seconds_option,
    specs_argument,
)
from compiler.pipeline import Spec
from compiler.readers.counting.claims import ClaimResult, check_verdict
from compiler.source.diagnostics import Diagnostic, SpecError
from compiler.source.files import check_place, save_text
from compiler.terminal import shapes
from compiler.terminal.plain import say

if TYPE_CHECKING:
    from compiler.evaluation.evaluation import Progress
    from compiler.verifier.results import Verification

QUIET_SECONDS = 2.0  # seconds until progress is shown
_BY_CLAIM = {"held": 0, "failed": EXIT_FAILED_CLAIM}
_BY_VERDICT = {"proved": 0, "refuted": EXIT_REFUTED, "open": EXIT_UNDECIDED}
_WORST_FIRST = (EXIT_BAD_INPUT, EXIT_FAILED_CLAIM, EXIT_UNDECIDED, 0)


@click.command(cls=SpecCommand)
@specs_argument
@loading_options
@seconds_option(
    "--budget",
    default=60.0,
    says="For each spec: end after so long with what is known by then. `inf` is no limit.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="FILE.json",
    help="Write the certificates, which --json prints, to this file. One that exists is replaced, whole or not at all.",
)
@json_option
def verify(specs: tuple[Path, ...], loading: Loading, budget: float, output: Path | None, as_json: bool) -> None:
    """Decide on every input: proved, refuted or open.

    \b
    PROVED   every input is answered right, whatever rounding does; with the smallest lead of a right token, if known
    REFUTED  an input that the torch module answers wrong, and bounds on how many there are
    OPEN     neither: how many inputs are surely right, how many surely wrong, and why the rest is undecided

    A verdict is about all inputs of the task, in the arithmetic of the torch module. They are followed all at once.
    Where that leaves some open, or the task cannot be followed, and there are at most 10,000,000 inputs, each one is
    tried, as far as there is time. Samples prove nothing. `method` and `assumptions` say what a verdict rests on.
    Where sizes are ranges, each choice of them is decided in its share of the budget, and there is one verdict for all.

    \b
    python cli.py verify qwen20
    python cli.py verify tiny95 --set v_scale=1e8
    python cli.py verify tiny95 qwen20 --budget 20 -o verdicts.json

    Ctrl-C ends with what is known by then. The exit code is 0 for proved, 1 for refuted and 3 for open. Where the spec
    claims a verdict under `expect`, even a refutation, it is 0 if the claim holds and 1 if it fails. Of several specs
    the worst counts: 2, then 1, then 3.
    """
    from compiler.terminal.console import print_diagnostics, print_json

    if output is not None:
        check_ending(output, "a certificate is a JSON file", "certificate.json")
        check_place(output)  # before anything is computed
    valid, wrong = loading.load_each(specs)
    if not valid:
        raise SpecError(wrong)
    if not as_json:
        print_diagnostics(wrong)  # at once: the others can take minutes
    from compiler.terminal.certificates import certificate
    from compiler.terminal.verifications import print_verdicts

    verified: list[tuple[Spec, Verification]] = []
    certificates: list[shapes.Certificate] = []
    codes = set()
    for spec, verification in _each(valid, budget):
        problems: tuple[Diagnostic, ...]
        if isinstance(verification, SpecError):
            if len(specs) == 1:
                raise verification
            problems = verification.diagnostics
        else:
            claim = check_verdict(spec, verification.verdict)
            codes.add(_BY_CLAIM.get("" if claim is None else claim.status, _BY_VERDICT[verification.verdict]))
            if not as_json:
                _show(spec, verification, budget, claim, loading)
            verified.append((spec, verification))
            certificates.append(certificate(spec, verification, budget))
            problems = () if output is None else _written(output, certificates)  # after each, so that nothing is lost
        wrong += problems
        if not as_json:
            print_diagnostics(problems)
    if as_json:
        both: shapes.VerifiedWithErrors = {**errors_json(SpecError(wrong)), "verified": certificates}
        print_json(both if wrong else certificates)
    else:
        if len(specs) > 1:
            print_verdicts(verified)
        if output is not None and not wrong:
            say(f"{output}: written, {len(certificates)} certificate{'s' * (len(certificates) != 1)}")
    if wrong:
        codes.add(EXIT_BAD_INPUT)
    elif len(verified) < len(valid):
        codes.add(EXIT_UNDECIDED)
    sys.exit(next(code for code in _WORST_FIRST if code in codes))


def _each(specs: Sequence[Spec], budget: float) -> Iterator[tuple[Spec, Verification | SpecError]]:
    """What is found of each spec in turn, or what is wrong with it; after an interruption of none that follows."""
    for k, spec in enumerate(specs):
        left = specs[k:]
        try:
            with _progress(spec.title) as progress:
                verification = compiler.verify(spec, budget=budget, progress=progress)
        except SpecError as error:
            yield spec, error
            continue
        except KeyboardInterrupt:  # before there was anything to be known
            if k == 0:
                raise
        else:
            yield spec, verification
            if verification.ending != "interrupted":
                continue
            say(f"interrupted after {verification.seconds:.1f} s", error=True)
            left = specs[k + 1 :]
        if left:
            say(f"interrupted; not verified: {', '.join(str(other.path) for other in left)}", error=True)
        return


@contextmanager
def _progress(title: str) -> Iterator[Progress | None]:
    """A function that draws a progress bar on a terminal, from a while after the start on; None elsewhere."""
    from compiler.terminal.console import suite_progress

    with suite_progress() as bars:
        if bars is None:
            yield None
            return
        draw, late = bars, Event()
        latest: tuple[str, int, int | None] = (f"{title}: tokens", 0, None)

        def begin() -> None:  # also where nothing is reported for long: then no total is known
            draw(*latest)
            late.set()

        def report(what: str, done: int, total: int) -> None:
            nonlocal latest
            latest = f"{title}: {what if what == 'inputs' else 'tokens'}", done, total
            if late.is_set():
                draw(*latest)

        timer = Timer(QUIET_SECONDS, begin)
        timer.start()
        try:
            yield report
        finally:
            timer.cancel()
            timer.join()


def _written(path: Path, certificates: Sequence[shapes.Certificate]) -> tuple[Diagnostic, ...]:
    """What was wrong when they were written to a file, whole or not at all."""
    from compiler.terminal.console import json_text

    try:
        save_text(path, f"{json_text(certificates)}\n", replace=True)
    except SpecError as error:
        return error.diagnostics
    return ()


def _show(spec: Spec, verification: Verification, budget: float, claim: ClaimResult | None, loading: Loading) -> None:
    from compiler.terminal.verifications import print_verification

    print_verification(spec, verification, budget)
    print_checked_claims([] if claim is None else [claim], spec.path, loading)
    say()
