"""Claims about suites that no evaluation can check: another number of inputs, parts that there are not, or not all."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.language.expectations import EvalClaim
from compiler.language.resolve import Resolved
from compiler.source.diagnostics import Diagnostic, did_you_mean
from compiler.tasks.suites import known_parts, sampling_by_name
from compiler.tasks.task import TaskError, sizes

LISTED = 6  # names of parts in a message


def impossible_claims(resolved: Resolved) -> Iterator[Diagnostic]:
    """What is wrong with the claims of a spec, each at its place; nothing where an input of the task makes no sense."""
    for claim in resolved.expect.evals:
        try:
            parts = _parts(resolved, claim)
        except TaskError:  # an evaluation says it
            continue
        yield from _of_parts(claim, parts)
        known = [size for size in parts.values() if size is not None]
        total = sum(known)
        if parts and len(known) == len(parts) and claim.right <= claim.inputs != total:
            message = f"{claim.suite} has {total:,} {claim.word.text}, not {claim.inputs:,}"
            is_inherited = claim.word.span.source.layer > 0
            hint = f"the claim is that of the base; remove it by `{claim.suite}: null`" if is_inherited else None
            yield Diagnostic("bad-value", message, claim.word.span, hint)


def _parts(resolved: Resolved, claim: EvalClaim) -> dict[str, int | None]:
    """The parts of the suite in all choices of sizes, by label, with their sizes where these are known.

    None, where it is not certain which of the choices have the suite.
    """
    asked = [one for one in resolved.asked if claim.suite in sampling_by_name(one.task)]
    found: dict[str, int | None] = {}
    for one in asked:
        parts = known_parts(one.task, claim.suite)
        if not parts:
            return {}
        title = one.title if len(resolved.asked) > 1 else ""
        found |= {", ".join(filter(None, (title, label))): size for label, size in parts.items()}
    is_drawn = sampling_by_name(asked[0].task)[claim.suite]
    if claim.parts and is_drawn and len(found) == len(asked) and not any(one.task.is_restricted for one in asked):
        found = dict(zip(found, sizes([one.task.suites()[claim.suite] for one in asked], claim.inputs), strict=True))
    return found


def _of_parts(claim: EvalClaim, parts: dict[str, int | None]) -> Iterator[Diagnostic]:
    """What is wrong with the right answers by part, where they are claimed so."""
    keys = claim.part_keys
    if keys is None or not parts:
        return
    if list(parts) == [""]:
        message = f"{claim.suite} is not counted in parts"
        yield Diagnostic("unknown-name", message, (keys[0] if keys else claim).span, "write `right` as one number")
        return
    for key in keys:
        size, right = parts.get(key.text), claim.parts.get(key.text, 0)
        if key.text not in parts:
            message = f"{claim.suite} has no part '{key.text}'{did_you_mean(key.text, parts)}"
            yield Diagnostic("unknown-name", message, key.span, f"its parts: {_listed(list(parts))}")
        elif size is not None and right > size:
            yield Diagnostic("bad-value", f"{right:,} right of {size:,} {claim.word.text} of {key.text}", key.span)
    missing = [label for label in parts if label not in claim.parts]
    if missing:
        message = f"`right` by parts names each part of {claim.suite}; it lacks {_listed(missing)}"
        yield Diagnostic("missing-key", message, claim.span, "name them all, or write `right` as one number")


def _listed(labels: list[str]) -> str:
    rest = len(labels) - LISTED
    return ", ".join(labels[:LISTED]) + (f" and {rest:,} more" if rest > 0 else "")
