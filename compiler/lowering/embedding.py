"""`embedding`: one row for each token or family of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from compiler.diagnostics import Diagnostic, Note
from compiler.document import Mapping, Scalar
from compiler.expressions.evaluate import number
from compiler.formulas import Formula, Word, attempt, in_place, read_formula
from compiler.ir import Embedding, Entry, Equation
from compiler.lowering.context import Context
from compiler.lowering.maps import entries, tensor
from compiler.naming import Aim, Target, targets


def lower_embedding(context: Context, step: Mapping, name: str) -> Embedding:
    """`TOKEN: {dimension: number}`; token indices can be used as numbers."""
    resolved = context.resolved
    rows = _Rows(context, {}, [])
    equations: list[Equation] = []
    for row_key, row in step.items:
        tokens = targets(
            Word(row_key.text, row_key, 0), Aim(resolved.vocabulary, "token"), resolved.scope, context.found
        )
        for key, value in row.items if isinstance(row, Mapping) else ():
            equation = Equation(f"{row_key.text}: {key.text}", _text(value), key.span)
            equations.append(equation)
            formula = read_formula(value, context.found)
            if formula is not None:
                context.check_indices(Word(row_key.text, row_key, 0), formula, resolved.scope)
                context.check_indices(Word(key.text, key, 0), formula, resolved.scope)
                rows.write(tokens, key, formula, equation)
    weight = tensor(f"{name}.weight", (resolved.vocabulary, resolved.stream), rows.entries)
    context.weights[name] = weight
    return Embedding(name, resolved.vocabulary, resolved.stream, weight, tuple(equations))


@dataclass(frozen=True)
class _Rows:
    """The entries of the table so far, and which equation wrote which place."""

    context: Context
    written: dict[tuple[int, int], Equation]
    entries: list[Entry]

    def write(self, tokens: list[Target], key: Scalar, formula: Formula, equation: Equation) -> None:
        """One equation for all its tokens and dimensions; its first error is the only one reported."""
        resolved, found = self.context.resolved, self.context.found
        scope = in_place(resolved.scope, formula)
        aim = Aim(resolved.stream, "dimension", "stream")
        for token in tokens:
            inner = scope.bind(token.indices)
            dimensions = targets(Word(key.text, key, 0), aim, inner, found)
            for dimension in dimensions:
                place = (token.position, dimension.position)
                if place in self.written:
                    _twice(self.context, equation, self.written[place], resolved.vocabulary.labels[token.position])
                    return
                self.written[place] = equation
                case = partial(_case, token, dimension)
                value = attempt(formula, inner.bind(dimension.indices), number, found, case)
                if value is None:
                    return
                row = {dimension.position: value}
                self.entries.extend(entries(self.context, row, (token.position,), formula, equation))
            if not dimensions:
                return


def _case(token: Target, dimension: Target) -> str:
    return token.case() + dimension.case()


def _twice(context: Context, equation: Equation, earlier: Equation, token: str) -> None:
    note = Note("first written here", earlier.span)
    message = f"'{equation.left.partition(': ')[2]}' of the token '{token}' is written twice"
    context.found.append(Diagnostic("target-twice", message, equation.span, notes=(note,)))


def _text(value: object) -> str:
    return " ".join(value.text.split()) if isinstance(value, Scalar) else ""
