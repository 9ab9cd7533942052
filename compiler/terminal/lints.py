"""What `lint` found in specs, and the rules that there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from compiler.readers.linting.rule import LintRule
from compiler.readers.linting.rules import RULE_SETS
from compiler.source.diagnostics import Diagnostic
from compiler.terminal import shapes
from compiler.terminal.console import MAX_ROWS, console, diagnostics_json, print_diagnostic, table, text
from compiler.terminal.plain import say

_COLOURS = {"breaks": "red", "disclose": "yellow"}


def print_findings(path: Path, rules: str, findings: Sequence[Diagnostic]) -> None:
    """Each finding with its line and caret, and how many there are."""
    out = console()
    for finding in findings[:MAX_ROWS]:
        print_diagnostic(out, finding, _COLOURS[finding.severity])
    if len(findings) > MAX_ROWS:
        out.print(text(f"and {len(findings) - MAX_ROWS:,} more; see --json", "dim"))
    say(f"{path}: {rules}: {levels(findings)}")


def levels(findings: Sequence[Diagnostic]) -> str:
    """How many findings break a rule, and how many are to be disclosed."""
    broken = sum(finding.severity == "breaks" for finding in findings)
    disclosed = len(findings) - broken
    parts = [*([f"{broken} against the rules"] if broken else []), *([f"{disclosed} to disclose"] if disclosed else [])]
    return ", ".join(parts) or "nothing found"


def findings_json(
    path: Path, rules: str, findings: Sequence[Diagnostic] | None, diagnostics: Sequence[Diagnostic]
) -> shapes.Linted:
    """`diagnostics` are the errors and warnings of the spec itself; with an error no rule is tried (None)."""
    levels = [finding.severity for finding in findings or ()]
    return {
        "spec": str(path),
        "rules": rules,
        "valid": findings is not None,
        "breaks": levels.count("breaks"),
        "disclose": levels.count("disclose"),
        "findings": diagnostics_json(findings or ()),
        "diagnostics": diagnostics_json(diagnostics),
    }


def print_rules(chosen: Iterable[LintRule]) -> None:
    """What each rule asks, in which sets it is, and whose rule it is."""
    rows = table("rule", "level", "sets", "asks", "source")
    for rule in chosen:
        level = text(rule.level, _COLOURS[rule.level])
        rows.add_row(rule.code, level, " ".join(_sets(rule)), text(rule.asks), text(rule.source, "dim"))
    out = console()
    out.print(rows)
    for rules in RULE_SETS.values():
        out.print(text(f"{rules.name}: {rules.summary}"))


def rules_json(chosen: Iterable[LintRule]) -> list[shapes.LintRule]:
    return [shapes.filled(shapes.LintRule, rule, sets=_sets(rule)) for rule in chosen]


def _sets(rule: LintRule) -> list[str]:
    return [rules.name for rules in RULE_SETS.values() if rule in rules.rules]
