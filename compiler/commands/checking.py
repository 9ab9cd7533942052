"""The command that holds specs against rules that others have made: `lint`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from compiler.commands.shared import (
    EXIT_BAD_INPUT,
    EXIT_BROKEN_RULE,
    Loading,
    SpecCommand,
    complete_specs,
    json_option,
    loading_options,
    spec_path,
)
from compiler.language.warnings import WARNINGS
from compiler.readers.linting import lint as find
from compiler.readers.linting.rules import DEFAULT, LINT_RULES, RULE_SETS
from compiler.source.diagnostics import Diagnostic, SpecError, did_you_mean, fail
from compiler.terminal import shapes


@click.command(cls=SpecCommand)
@click.argument("specs", nargs=-1, type=spec_path, shell_complete=complete_specs)
@click.option("--rules", type=click.Choice(list(RULE_SETS)), help=f"A set of rules; {DEFAULT} if not given.")
@click.option("--list", "listing", is_flag=True, help="Print the rules; with --rules, those of the set.")
@loading_options
@json_option
def lint(specs: tuple[Path, ...], rules: str | None, listing: bool, loading: Loading, as_json: bool) -> None:
    """Check specs against the rules of a leaderboard.

    A finding has one of two levels. `breaks`: the rules forbid it. `disclose`: they allow it, but a strict reader wants
    to know of it. No model is built or run. --ignore takes codes of rules too. With --strict both levels exit with 1.

    \b
    python cli.py lint mine.yaml
    python cli.py lint tiny95 --rules adderboard
    python cli.py lint --list
    """
    from compiler.terminal.console import print_diagnostics, print_json
    from compiler.terminal.lints import findings_json, print_findings, print_rules, rules_json

    if listing == bool(specs) or (listing and loading != Loading()):
        raise click.UsageError("lint takes specs, or --list alone or with --rules and --json")
    if listing:
        chosen = LINT_RULES if rules is None else RULE_SETS[rules].rules
        print_json(rules_json(chosen)) if as_json else print_rules(chosen)
        return
    chosen_set = rules or DEFAULT
    loading, left_out = _divided(loading)
    results: list[shapes.Linted] = []
    invalid = broken = False
    for path in specs:
        findings: tuple[Diagnostic, ...] | None = None
        try:
            spec = loading.checked(path)
            diagnostics, findings = spec.warnings, find(spec, chosen_set, ignore=left_out)
        except SpecError as error:
            invalid, diagnostics = True, error.diagnostics
        broken |= any(loading.strict or finding.severity == "breaks" for finding in findings or ())
        if as_json:
            results.append(findings_json(path, chosen_set, findings, diagnostics))
            continue
        print_diagnostics(diagnostics)
        if findings is not None:
            print_findings(path, chosen_set, findings)
    if as_json:
        print_json(results)
    if invalid:
        sys.exit(EXIT_BAD_INPUT)
    if broken:
        sys.exit(EXIT_BROKEN_RULE)


def _divided(loading: Loading) -> tuple[Loading, tuple[str, ...]]:
    """The options for loading, and the codes of rules that are left out. Raises `SpecError` for a code of neither."""
    rules = [rule.code for rule in LINT_RULES]
    for code in loading.ignore:
        if code not in WARNINGS and code not in rules:
            raise fail(
                "unknown-name", f"no warning or rule is called '{code}'{did_you_mean(code, [*WARNINGS, *rules])}"
            )
    kept = tuple(code for code in loading.ignore if code in WARNINGS)
    return replace(loading, ignore=kept), tuple(code for code in loading.ignore if code in rules)
