"""Warnings about what is legal, but hardly meant: the list of them, those about a whole spec, and which ones count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from compiler.expressions.naming import words
from compiler.language.resolve import Resolved
from compiler.source.diagnostics import Diagnostic, Findings, did_you_mean, first_few, nearest, raise_errors
from compiler.source.document import Mapping, Node, Scalar, Sequence
from compiler.source.limits import MAX_SUGGESTIONS
from compiler.source.text import Span
from compiler.tasks.layout import Layout

WARNINGS = {
    "unused-name": "a constant, a parameter or a name under `let` that nothing reads",
    "no-claims": "a spec without `expect`, so that nothing is checked",
    "underflow": "a weight that is not zero, but becomes zero in the dtype",
    "overflow": "exp of a score overflows under the softmax plus_one; or an infinity stored with --allow-overflow",
    "inexact-integer": "an integer that the dtype cannot hold",
    "vanishing-equation": "an equation whose numbers are all zero, and no parameter could change that",
    "unlisted-logit": "a token that has a logit but no equation: its logit is 0 and can win",
    "silent-symbol": "a symbol of the task that has no logit, so that an answer with it cannot be right",
    "moved-dimension": "a dimension that keeps its name, but not its place, where a step changes the stream",
    "zero-epsilon": "a norm with an eps of zero, which makes NaN of a stream of zeros",
    "suspicious-index": "an index name that is almost the name of a definition",
}
_NAME = re.compile(r"(?<![.A-Za-z0-9_])[A-Za-z_][A-Za-z0-9_]*")


def find_suspicions(resolved: Resolved, layout: Layout) -> list[Diagnostic]:
    """What no single line shows: names that nothing reads, claims that are missing, symbols without a logit.

    `layout` is that of the network, which may have logits for some of the tokens only.
    """
    names = [*_unused_definitions(resolved), *_unused_lets(resolved.document)]
    return [*names, *_silent_symbols(resolved, layout), *_missing_claims(resolved.document)]


def settled_warnings(
    findings: Iterable[Diagnostic], document: Mapping, ignored: Iterable[str], *, strict: bool
) -> tuple[Diagnostic, ...]:
    """`findings` without the warnings that are switched off; with `strict` those that are left are errors.

    A spec switches warnings off under `ignore`; `ignored` are codes from outside. Raises `SpecError` for unknown ones.
    """
    node = document.get("ignore")
    in_spec = words(node) if node is not None else []
    unknown: list[tuple[str, Span | None]] = [(word.text, word.span) for word in in_spec if word.text not in WARNINGS]
    unknown += [(code, None) for code in ignored if code not in WARNINGS]
    wrong = Findings(
        Diagnostic("unknown-name", f"no warning is called '{code}'{did_you_mean(code, WARNINGS)}", span)
        for code, span in unknown
    )
    raise_errors(wrong)
    off = {*ignored, *(word.text for word in in_spec)}
    kept = (diagnostic for diagnostic in findings if diagnostic.severity == "error" or diagnostic.code not in off)
    return tuple(replace(diagnostic, severity="error") if strict else diagnostic for diagnostic in kept)


def _silent_symbols(resolved: Resolved, layout: Layout) -> list[Diagnostic]:
    silent = [token for token in layout.symbols if token >= layout.classes]
    task = resolved.document.get("task")
    key = task.key("answer") if isinstance(task, Mapping) else None
    if not silent or key is None:
        return []
    labels = [resolved.vocabulary.labels[token] for token in silent]
    message = f"the model has no logit for {first_few(labels)}: no answer with such a symbol can be right"
    return [
        Diagnostic(
            "silent-symbol", message, key.span, "let `classes`, or the last stream, cover them", severity="warning"
        )
    ]


def _missing_claims(document: Mapping) -> list[Diagnostic]:
    name = document.key("name")
    if document.get("expect") is not None or name is None:
        return []
    hint = "such as `expect: {count: {nonzero: 95}}`; what a spec claims, the tool checks"
    return [Diagnostic("no-claims", "the spec claims nothing (`expect`)", name.span, hint, severity="warning")]


def _unused_lets(document: Mapping) -> Iterator[Diagnostic]:
    network = document.get("network")
    for _, step in network.items if isinstance(network, Mapping) else ():
        lets = step.get("let") if isinstance(step, Mapping) else None
        if not isinstance(step, Mapping) or not isinstance(lets, Mapping):
            continue
        mentioned = {name for key, value in step.items if key.text != "let" for name in (*_names(key), *_names(value))}
        mentioned |= {name for _, value in lets.items for name in _names(value)}
        for key, _ in lets.items:
            if key.text not in mentioned:
                message = f"nothing in this step reads '{key.text}'"
                yield Diagnostic("unused-name", message, key.span, severity="warning")


def _unused_definitions(resolved: Resolved) -> list[Diagnostic]:
    """Constants and parameters that no expression mentions, such as a misspelt one of a variant."""
    read = resolved.scope.work.read
    unused = [it for name, it in resolved.definitions.items() if it.kind != "size" and name not in read]
    warnings = []
    for definition in unused:
        others = (name for name in resolved.definitions if name != definition.name)
        match = nearest(definition.name, others) if len(unused) <= MAX_SUGGESTIONS else None
        hint = None if match is None else f"did you mean '{match}'?"
        message = f"nothing reads the {definition.kind} '{definition.name}'"
        warnings.append(Diagnostic("unused-name", message, definition.span, hint, severity="warning"))
    return warnings


def _names(node: Node) -> Iterator[str]:
    match node:
        case Scalar(text=text):
            yield from _NAME.findall(text)
        case Sequence(items=items):
            for item in items:
                yield from _names(item)
        case Mapping(items=pairs):
            for key, value in pairs:
                yield from _names(key)
                yield from _names(value)
