"""Warnings about what is legal, but hardly meant: the list of them, those about a whole spec, and which ones count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from compiler.expressions.naming import words
from compiler.language.resolve import Resolved, ResolvedTask
from compiler.network.causality import sees_no_later
from compiler.network.ir import Network
from compiler.source.diagnostics import Diagnostic, Findings, did_you_mean, first_few, nearest, raise_errors
from compiler.source.document import Mapping, Node, Scalar, Sequence
from compiler.source.faults import NoRule
from compiler.source.limits import MAX_SUGGESTIONS
from compiler.source.text import Span

WARNINGS = {
    "unused-name": "a constant, a parameter, a derived value or a name under `let` that nothing reads",
    "no-claims": "a spec without `expect`, so that nothing is checked",
    "underflow": "a weight that is not zero, but becomes zero in the dtype",
    "overflow": "exp of a score overflows under the softmax plus_one; or an infinity stored with --allow-overflow",
    "inexact-integer": "an integer that the dtype cannot hold",
    "vanishing-equation": "an equation whose numbers are all zero, and no parameter could change that",
    "unlisted-logit": "a token that has a logit but no equation: its logit is 0 and can win",
    "silent-symbol": "a symbol of the task that has no logit, so that an answer with it cannot be right",
    "moved-dimension": "a dimension that keeps its name, but not its place, where a step changes the stream",
    "zero-epsilon": "a norm with an eps of zero, which makes NaN of a stream of zeros",
    "unseen-token": "an answer that hangs on tokens which a causal mask hides where it is read",
    "no-input": "sizes of a task, out of a range, for which `only` allows no input",
    "suspicious-index": "an index name that is almost the name of a definition",
}
_NAME = re.compile(r"(?<![.A-Za-z0-9_])[A-Za-z_][A-Za-z0-9_]*")


def find_suspicions(resolved: Resolved, network: Network) -> list[Diagnostic]:
    """What no single line shows: names that nothing reads, claims that are missing, symbols without a logit, answers
    that a causal model says before it has seen what they hang on."""
    names = [*_unused_definitions(resolved), *_unused_lets(resolved.document)]
    return [
        *names,
        *silent_symbols(resolved, network.classes.size),
        *_unseen(resolved, network),
        *_missing_claims(resolved.document),
    ]


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
    kept = without_ignored(findings, document, ignored)
    return tuple(replace(diagnostic, severity="error") if strict else diagnostic for diagnostic in kept)


def without_ignored(
    findings: Iterable[Diagnostic], document: Mapping, ignored: Iterable[str]
) -> tuple[Diagnostic, ...]:
    """`findings` without the warnings that are switched off in the document, or from outside by their codes."""
    node = document.get("ignore")
    off = {*ignored, *(word.text for word in (words(node) if node is not None else ()))}
    return tuple(diagnostic for diagnostic in findings if diagnostic.severity == "error" or diagnostic.code not in off)


def silent_symbols(
    resolved: Resolved | ResolvedTask, classes: int, hint: str = "let `classes`, or the last stream, cover them"
) -> list[Diagnostic]:
    """That an answer can have symbols which are not among the first `classes` tokens."""
    slots = {slot.tokens for asked in resolved.asked for slot in asked.layout.answer}
    silent = sorted({token for tokens in slots for token in tokens if token >= classes})
    task = resolved.document.get("task")
    key = task.key("answer") if isinstance(task, Mapping) else None
    if not silent or key is None:
        return []
    labels = [resolved.vocabulary.labels[token] for token in silent]
    message = f"the model has no logit for {first_few(labels)}: no answer with such a symbol can be right"
    return [Diagnostic("silent-symbol", message, key.span, hint, severity="warning")]


def _unseen(resolved: Resolved, network: Network) -> Iterator[Diagnostic]:
    """An answer that is read in the prompt under a causal mask, and hangs on tokens behind that place."""
    asked = [one for one in resolved.asked if one.layout.in_place]
    if not asked or not _sees_no_later(network):
        return
    from compiler.tasks.foresight import unseen

    for one in (asked[-1], asked[0]):
        found = unseen(one.task, one.layout)
        task = resolved.document.get("task")
        key = task.key("answer") if isinstance(task, Mapping) else None
        if found is not None and key is not None:
            what = one.layout.answer[found.slot]
            pair = " and ".join(f"`{one.task.describe(inputs)}`" for inputs in (found.first, found.second))
            message = f"{what} hangs on tokens that a causal mask hides where it is read: {pair} look alike up to there"
            hint = "write the answer after the prompt, or `mask: none` in the attention steps"
            yield Diagnostic("unseen-token", message, key.span, hint, severity="warning")
            return


def _sees_no_later(network: Network) -> bool:
    try:
        return sees_no_later(network)
    except NoRule:
        return False


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
    """Constants, parameters and derived values that no expression mentions, such as a misspelt one of a variant."""
    read = resolved.scope.work.read
    unused = [it for name, it in resolved.definitions.items() if it.kind != "size" and name not in read]
    warnings = []
    for definition in unused:
        places = ((name, other.span.source) for name, other in resolved.definitions.items())
        others = (name for name, source in places if source is not definition.span.source)  # of what is varied
        match = nearest(definition.name, others) if len(unused) <= MAX_SUGGESTIONS else None
        hint = None if match is None else f"did you mean '{match}'?"
        message = f"nothing reads the {definition.noun} '{definition.name}'"
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
