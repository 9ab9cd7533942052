"""What the author claims under `expect`: numbers that the tool can check."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field

from compiler.source.diagnostics import Diagnostic, Findings, did_you_mean
from compiler.source.document import Mapping, Node, Scalar
from compiler.source.showing import short_repr
from compiler.source.text import Span
from compiler.tasks import Task
from compiler.tasks.suites import sampling_by_name


@dataclass(frozen=True)
class CountClaim:
    rule: str
    count: int
    span: Span


@dataclass(frozen=True)
class AuthorCount:
    """The count that an author publishes, by a rule that the tool checks. Without a rule, `note` says why none fits."""

    count: int
    rule: str
    note: str
    span: Span


@dataclass(frozen=True)
class EvalClaim:
    """`right` of so many `inputs` of a suite drawn with `seed` are answered right; of `parts` too, by label.

    `word` is the key of `inputs` as it is written, `part_keys` are those of the parts; None where there are none.
    """

    suite: str
    inputs: int
    seed: int
    right: int
    span: Span
    word: Scalar
    parts: AnyMapping[str, int] = field(default_factory=dict)
    part_keys: tuple[Scalar, ...] | None = None

    __repr__ = short_repr


@dataclass(frozen=True)
class VerdictClaim:
    """What a proof over all inputs would find."""

    verdict: str
    span: Span


@dataclass(frozen=True)
class Expectations:
    counts: tuple[CountClaim, ...] = ()
    claimed: AuthorCount | None = None
    evals: tuple[EvalClaim, ...] = ()
    verdict: VerdictClaim | None = None
    note: str = ""

    __repr__ = short_repr


def read_expectations(node: Node | None, tasks: Iterable[Task], findings: Findings) -> Expectations:
    """The claims of an `expect` section, whose shape the schema has checked."""
    if not isinstance(node, Mapping):
        return Expectations()
    counts, evals = node.get("count"), node.get("eval")
    suites = {name for task in tasks for name in sampling_by_name(task)} if isinstance(evals, Mapping) else set()
    count_claims, eval_claims = [], []
    for key, value in counts.items if isinstance(counts, Mapping) else ():
        if isinstance(value, Scalar):
            count_claims.append(CountClaim(key.text, _integer(value), key.span))
    for key, value in evals.items if isinstance(evals, Mapping) else ():
        if not isinstance(value, Mapping):
            continue
        if key.text not in suites:
            message = f"no suite '{key.text}'{did_you_mean(key.text, suites)}"
            findings.report(Diagnostic("unknown-name", message, key.span))
            continue
        numbers = {name.text: _integer(number) for name, number in value.items if isinstance(number, Scalar)}
        right = value.get("right")
        parts = {}
        if isinstance(right, Mapping):
            parts = {label.text: _integer(one) for label, one in right.items if isinstance(one, Scalar)}
            numbers["right"] = sum(parts.values())
        word = word_of_inputs(value, findings)
        if word is not None and "right" in numbers:
            known = (numbers[word.text], numbers.get("seed", 0), numbers["right"])
            keys = tuple(label for label, _ in right.items) if isinstance(right, Mapping) else None
            claim = EvalClaim(key.text, *known, key.span, word, parts, keys)
            if claim.right > claim.inputs:
                message = f"{claim.right:,} right of {claim.inputs:,} {word.text}"
                findings.report(Diagnostic("bad-value", message, key.span))
            eval_claims.append(claim)
    stated, place = node.get("verdict"), node.key("verdict")
    verdict = VerdictClaim(stated.text, place.span) if isinstance(stated, Scalar) and place is not None else None
    return Expectations(tuple(count_claims), _author_count(node), tuple(eval_claims), verdict, node.text_of("note"))


def word_of_inputs(claim: Mapping, findings: Findings) -> Scalar | None:
    """The key that says how many inputs: `inputs`, or `pairs`, the old word for it.

    A variant may write the one where its base has the other: the last one is its own. One file writes one of them.
    """
    found = [key for key, number in claim.items if key.text in ("inputs", "pairs") and isinstance(number, Scalar)]
    if len(found) == 2 and found[0].span.source is found[1].span.source:
        message = "`pairs` is the old word for `inputs`: write one of them"
        findings.report(Diagnostic("bad-value", message, found[1].span))
    return found[-1] if found else None


def _author_count(node: Mapping) -> AuthorCount | None:
    stated, place = node.get("claimed"), node.key("claimed")
    if not isinstance(stated, Mapping) or place is None:
        return None
    count = stated.get("count")
    if not isinstance(count, Scalar):
        return None
    return AuthorCount(_integer(count), stated.text_of("rule"), stated.text_of("note"), place.span)


def _integer(node: Scalar) -> int:
    return int(node.value) if isinstance(node.value, int | float) else 0
