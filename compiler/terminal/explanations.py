"""What codes mean, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from compiler.language.warnings import WARNINGS
from compiler.readers.explaining import BASE, EXPLANATIONS, Explanation
from compiler.readers.linting.rules import LINT_RULES
from compiler.terminal import shapes
from compiler.terminal.console import console, table, text
from compiler.terminal.plain import print_file, say

_COLOURS = {"error": "red", "warning": "yellow", "breaks": "red", "disclose": "yellow"}
_RULES = {rule.code: rule for rule in LINT_RULES}


def explained_json(explanations: Iterable[Explanation]) -> list[shapes.Explained]:
    """Codes as `explain --json` has them."""
    return [
        {
            "code": one.code,
            "kind": _kind(one),
            "means": _means(one),
            "wrong": one.wrong or None,
            "right": one.right or None,
        }
        for one in explanations
    ]


def print_codes() -> None:
    """Every code with a line of what it means."""
    rows = table("code", "kind", "means")
    for one in EXPLANATIONS:
        rows.add_row(one.code, text(_kind(one), _COLOURS[_kind(one)]), text(_means(one).partition(". ")[0].rstrip(".")))
    console().print(rows)


def print_explanations(explanations: Sequence[Explanation], base: str) -> None:
    """What each code means, with its examples; `base` is the call that prints what they vary."""
    examples = [example for one in explanations for example in (one.wrong, one.right) if example]
    for one in explanations:
        say(f"{one.code}: {_kind(one)}")
        console().print(text(_means(one)))
        for label, example in (("gives it", one.wrong), ("does not", one.right)):
            if example:
                say(f"{label}:")
                for line in example.strip("\n").split("\n"):
                    say(f"    {line}")
        say()
    if any(">>> " in example for example in examples):
        say("After >>> stands Python that has imported compiler, torch, pathlib.Path and safetensors.torch.save_file.")
    if examples:
        say(
            f"An example is a part of a spec that extends base.yaml, which `{base}` prints; or what is typed beside it."
        )


def print_base() -> None:
    """The spec that the examples vary."""
    print_file(BASE)


def _kind(one: Explanation) -> str:
    rule = _RULES.get(one.code)
    if rule is not None:
        return rule.level
    return "warning" if one.code in WARNINGS else "error"


def _means(one: Explanation) -> str:
    rule = _RULES.get(one.code)
    if rule is not None:
        return f"{rule.asks} {rule.source}. What to do: {rule.fix}."
    warned = WARNINGS.get(one.code)
    return one.means if warned is None else f"{warned[0].upper()}{warned[1:]}. {one.means}"
