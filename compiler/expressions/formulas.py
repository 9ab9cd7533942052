"""Expressions that stand in a document: parsed, with their place, and their errors as diagnostics."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from compiler.expressions.parse import parse
from compiler.expressions.scope import AlreadyReported, Scope
from compiler.expressions.syntax import ExpressionError, ExpressionNode, Literal, free_names
from compiler.source.diagnostics import Diagnostic, Findings
from compiler.source.document import Node as DocumentNode
from compiler.source.document import Scalar
from compiler.source.showing import short_repr
from compiler.source.text import Span
from compiler.source.yaml_faults import FLOW_HINT

T = TypeVar("T")
Compute = Callable[[ExpressionNode, Scope], T]
NESTED_TOO_DEEPLY = "nested too deeply, with all that `let` puts in"  # by itself an expression has at most 100 levels
SET_UP_WORK = 4  # what starting on a formula costs, in evaluated nodes


@dataclass(frozen=True)
class Formula:
    """An expression and the scalar of the document that it was read from."""

    tree: ExpressionNode
    scalar: Scalar

    __repr__ = short_repr

    @property
    def text(self) -> str:
        return " ".join(self.scalar.text.split())

    @property
    def span(self) -> Span:
        return self.scalar.span

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that it mentions."""
        return frozenset(free_names(self.tree))

    @cached_property
    def place(self) -> Callable[[int, int], Span]:
        """The span of a range of the text."""
        return self.scalar.at


@dataclass(frozen=True)
class Word:
    """A part of a scalar that means something by itself: `text` stands there from `offset` on."""

    text: str
    scalar: Scalar
    offset: int

    @property
    def span(self) -> Span:
        return self.scalar.at(self.offset, self.offset + len(self.text))

    @cached_property
    def parsed(self) -> ExpressionNode | ExpressionError:
        """The expression that the word is, or why it is none; targets are read more than once."""
        try:
            return parse(self.text)
        except ExpressionError as error:
            return error


def read_formula(node: DocumentNode, findings: Findings) -> Formula | None:
    """A number or an expression. What is wrong with it is reported to `findings`."""
    if not isinstance(node, Scalar):
        return None  # the schema has reported it
    if isinstance(node.value, int | float) and not isinstance(node.value, bool):
        if isinstance(node.value, float) and not math.isfinite(node.value) and "inf" not in node.text.lower():
            reason = "not a number" if math.isnan(node.value) else f"{node.text} is too large for a double"
            findings.report(Diagnostic("number", reason, node.span))
            return None
        return Formula(Literal(node.value, (0, len(node.text))), node)
    return read_text(Word(node.text, node, 0), findings)


def read_text(word: Word, findings: Findings) -> Formula | None:
    """The expression that a word of a scalar is."""
    scalar, text = word.scalar, word.text
    inner = scalar if text == scalar.text else Scalar(text, text, word.span)
    parsed = word.parsed
    if not isinstance(parsed, ExpressionError):
        return Formula(parsed, inner)
    if parsed.hint is None and any(text.count(a) != text.count(b) for a, b in ("()", "[]")):
        parsed.hint = FLOW_HINT if _in_flow(scalar) else "each bracket that is opened has to be closed"
    findings.report(_diagnostic(parsed, inner, ""))
    return None


def _in_flow(scalar: Scalar) -> bool:
    """Whether a scalar is an entry of { } or [ ], so that a comma in it has cut it."""
    after = scalar.span.source.text[scalar.span.end :].lstrip()
    return after[:1] in (",", "]", "}")


def attempt(
    formula: Formula,
    scope: Scope,
    compute: Compute[T],
    findings: Findings,
    case: Callable[[], str] | None = None,
    part: ExpressionNode | None = None,
) -> T | None:
    """What `compute` makes of the formula, or of a part of it; None, with the reason in `findings`, where it cannot.

    `case` says for which index it failed, such as ` (for i = 3)`.
    """
    scope.work.left -= SET_UP_WORK
    scope.work.read |= formula.names
    try:
        return compute(formula.tree if part is None else part, in_place(scope, formula))
    except ExpressionError as error:
        findings.report(_diagnostic(error, formula.scalar, case() if case is not None else ""))
    except AlreadyReported:
        pass
    except RecursionError:
        findings.report(Diagnostic("too-much-work", NESTED_TOO_DEEPLY, formula.span))
    return None


def value_at(node: DocumentNode | None, scope: Scope, compute: Compute[T], findings: Findings) -> T | None:
    """What `compute` makes of the formula at a node; None, with the reason in `findings`, where there is none."""
    formula = None if node is None else read_formula(node, findings)
    return None if formula is None else attempt(formula, scope, compute, findings)


def has_work_for(formula: Formula, scope: Scope, amount: int, findings: Findings) -> bool:
    """Whether so much work is left, which is then spent. Where it is not, the reason goes to `findings`."""

    def spend(node: ExpressionNode, inner: Scope) -> bool:
        inner.work.spend(amount, node.at)
        return True

    return attempt(formula, scope, spend, findings) is not None


def in_place(scope: Scope, formula: Formula) -> Scope:
    """The scope for evaluating a formula: its literals know where they stand."""
    return scope if scope.place is formula.place else replace(scope, place=formula.place)


def _diagnostic(error: ExpressionError, scalar: Scalar, case: str) -> Diagnostic:
    message = error.message + (case if error.code in ("number", "index-range") else "")
    return Diagnostic(error.code, message, error.span or scalar.at(*error.at), error.hint)
