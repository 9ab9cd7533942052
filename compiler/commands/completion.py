"""What a shell completes in a call: names of examples, and of what is in the spec that the call names.

click calls these while a person types. A spec that is wrong, or not there yet, completes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click

import compiler
from compiler.language.warnings import WARNINGS
from compiler.network.storage import tensor_names
from compiler.pipeline import Spec
from compiler.readers.explaining import EXPLANATIONS
from compiler.readers.linting.rules import LINT_RULES
from compiler.source.diagnostics import SpecError
from compiler.source.examples import examples

Completion = Callable[[click.Context, click.Parameter, str], list[str]]


def read_off_spec(names: Callable[[Spec], Iterable[str]]) -> Completion:
    """Names that are read off the first spec of the call."""

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        given = [ctx.params.get(name) for name in ("spec", "specs", "models")]
        words = [*given, *ctx.args]  # after an option without its value, click leaves all words in `args`
        first = next((word[0] if isinstance(word, tuple) else word for word in words if word), None)
        try:
            return [] if first is None else starting(names(compiler.load(Path(first))), incomplete)
        except SpecError:
            return []

    return complete


def starting(names: Iterable[str], incomplete: str) -> list[str]:
    """Those that begin as a word does that is not complete yet."""
    return [name for name in names if name.startswith(incomplete)]


def codes(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The codes of warnings, and of the rules of `lint`."""
    return starting([*WARNINGS, *(rule.code for rule in LINT_RULES)], incomplete)


def every_code(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The codes of errors, of warnings, and of the rules of `lint`."""
    return starting((one.code for one in EXPLANATIONS), incomplete)


def models_to_start_from(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The templates and examples of `new --like`."""
    from compiler.commands.starting import templates

    return starting(sorted({*templates(), *examples()}), incomplete)


def suites(spec: Spec) -> list[str]:
    return list(dict.fromkeys(name for choice in spec.choices for name in choice.resolved.task.suites()))


def protocols(spec: Spec) -> list[str]:
    return list(spec.resolved.task.protocols())


def all_tensors(spec: Spec) -> tuple[str, ...]:
    return tensor_names(spec.network)


def settings(spec: Spec) -> list[str]:
    """What `--set` takes: numbers of the spec, and options of its steps by their paths."""
    return [*(f"{name}=" for name in spec.resolved.definitions), *(f"{step.name}." for step in spec.network.steps)]
