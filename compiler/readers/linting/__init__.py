"""What the rules of a leaderboard ask of a spec and no type check sees. No model is built or run.

`rules` has the one table; each rule is a plain function of a spec that yields what it finds.
"""

from __future__ import annotations

from collections.abc import Collection

from compiler.pipeline import Spec
from compiler.readers.linting.rule import Examined
from compiler.readers.linting.rules import DEFAULT, LINT_RULES, RULE_SETS
from compiler.source.diagnostics import Diagnostic, did_you_mean, fail, in_file_order


def lint(spec: Spec, rules: str = DEFAULT, *, ignore: Collection[str] = ()) -> tuple[Diagnostic, ...]:
    """What a set of rules finds in a spec, in file order; `severity` is `breaks` or `disclose`.

    `ignore` are codes of rules that are left out; a spec cannot say itself which ones. Raises `SpecError` for a set or
    a rule that there is not.
    """
    if rules not in RULE_SETS:
        raise fail("unknown-name", f"no set of rules '{rules}'{did_you_mean(rules, RULE_SETS)}")
    chosen = RULE_SETS[rules].rules
    known = [rule.code for rule in LINT_RULES]
    for code in ignore:
        if code not in known:
            raise fail("unknown-name", f"no rule is called '{code}'{did_you_mean(code, known)}")
    examined = Examined(spec)
    kept = (rule for rule in chosen if rule.code not in ignore)
    return in_file_order(finding for rule in kept for finding in rule.diagnostics(examined))
